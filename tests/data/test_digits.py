"""The shipped digits against scikit-learn's."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ravine.data import digits
from ravine.errors import InputError


def test_equal_to_scikit_learn() -> None:
    truth = pytest.importorskip("sklearn.datasets").load_digits()
    data = digits.load_digits()
    assert data.inputs.dtype == np.uint8
    np.testing.assert_array_equal(data.inputs, truth.data)
    np.testing.assert_array_equal(data.targets, truth.target)
    assert data.class_names == tuple(str(name) for name in truth.target_names)


def test_text_beside_the_file_names_its_checksum_source_and_licence() -> None:
    text = digits.FILE.with_suffix(".txt").read_text()
    assert hashlib.sha256(digits.FILE.read_bytes()).hexdigest() in re.findall("[0-9a-f]{64}", text)
    assert "10.24432/C50P49" in text
    assert "CC BY 4.0" in text


def test_a_changed_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(digits.FILE.read_bytes())
    content[20_000] ^= 1
    changed = tmp_path / "digits.npz"
    changed.write_bytes(content)
    monkeypatch.setattr(digits, "FILE", changed)
    with pytest.raises(InputError, match="SHA-256"):
        digits.load_digits()


def test_scikit_learn_is_not_imported() -> None:
    code = "import sys, ravine.data as d; d.load_digits(); sys.exit('sklearn' in sys.modules)"
    package = str(Path(digits.__file__).parents[2])
    subprocess.run([sys.executable, "-c", code], check=True, cwd=package)

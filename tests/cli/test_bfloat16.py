"""bfloat16 from the command line: where the processor has it, and where it has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravine import _core

DTYPE = ("--set", "compute.dtype=bfloat16")
QUICK = ("--set", "training.epochs=2")
WITHOUT = {"RAVINE_SIMD": "avx2"}  # as on a processor that has no AVX-512
is_there = any(name == "bfloat16" and there for name, there, _ in _core.report())


def test_it_is_refused_where_the_processor_has_none(ravine, tmp_path: Path) -> None:
    line = ravine("train", "digits", *DTYPE, **WITHOUT).one_line_error()
    assert line.endswith("compute.dtype: bfloat16 needs a processor with AVX512-BF16; use float32")
    assert not (tmp_path / "runs").exists()


def test_doctor_says_whether_it_is_there(ravine) -> None:
    for extra in ({}, WITHOUT):
        done = ravine("doctor", "--json", **extra)
        assert done.code == 0
        found = {finding["name"]: finding for finding in done.json["findings"]}["bfloat16"]
        assert found["status"] == ("ok" if is_there and not extra else "missing")
        assert "AVX512-BF16" in found["detail"] or "oneDNN" in found["detail"]


@pytest.mark.skipif(not is_there, reason="needs a processor with AVX512-BF16, and oneDNN")
def test_a_run_is_evaluated_in_float32_elsewhere(ravine) -> None:
    """With a warning, and nearly the same numbers."""
    assert ravine("train", "digits", *DTYPE, *QUICK).code == 0
    here = ravine("evaluate", "digits", "--json")
    elsewhere = ravine("evaluate", "digits", "--json", **WITHOUT)
    assert here.code == elsewhere.code == 0
    assert "warning" not in here.err
    assert "computes in float32, for bfloat16 needs a processor with AVX512-BF16" in elsewhere.err
    assert here.json["metrics"] != elsewhere.json["metrics"]
    assert elsewhere.json["metrics"]["loss"] == pytest.approx(here.json["metrics"]["loss"], rel=1e-2)

"""What class weights do for a rare class."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "imbalanced_digits.py"


def test_balanced_class_weights_find_a_rare_class(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    recalls = [float(number) for number in re.findall(r"recall of 8 (\d\.\d+)", done.stdout)]
    accuracies = [float(number) for number in re.findall(r"accuracy (\d\.\d+)", done.stdout)]
    assert recalls[1] > recalls[0] + 0.2
    assert accuracies[1] > accuracies[0]
    assert done.stderr == ""

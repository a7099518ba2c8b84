"""Random labels and pixels are learned by heart: Zhang et al. (2017)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "random_labels.py"


def test_random_labels(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    found = {" ".join(row[:-3]): tuple(map(float, row[-3:])) for row in rows}
    assert len(found) == 6
    assert all(training == 1.0 for _, training, _ in found.values())
    epochs, _, accuracies = ({name: row[place] for name, row in found.items()} for place in range(3))
    # Random labels take longer, and teach nothing: one class in ten is right by chance.
    assert epochs["all labels random"] > 3 * epochs["true labels"]
    assert accuracies["true labels"] > 0.96
    assert 0.5 < accuracies["half of the labels random"] < 0.85
    for name in ("all labels random", "pixels shuffled, each image", "pixels gaussian"):
        assert accuracies[name] < 0.25
    assert accuracies["pixels shuffled, all alike"] > 0.96

"""Reading a table with pandas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas


def prepare_table(path: Path, engine: str) -> Callable[[], int]:
    """A function that makes inputs in float32 and labels of a table, as a network takes them."""

    def run() -> int:
        settings: dict[str, Any] = {"engine": engine}
        frame = pandas.read_csv(path, **settings)
        labels = pandas.factorize(frame.pop("label"), sort=True)[0].astype(np.int32)
        inputs = np.ascontiguousarray(pandas.get_dummies(frame, dtype=np.float32).to_numpy(np.float32))
        assert len(inputs) == len(labels)
        return 1

    return run

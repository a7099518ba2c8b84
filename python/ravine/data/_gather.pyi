"""Types of the compiled passes over in-memory samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def gather_rows(
    source: NDArray[Any], indices: NDArray[np.int64], out: NDArray[Any], threads: int = 1
) -> None: ...
def scale_columns(
    source: NDArray[Any],
    mean: NDArray[np.float64],
    inverse_deviation: NDArray[np.float64],
    out: NDArray[Any],
    threads: int = 1,
) -> None: ...
def gather_scaled(
    source: NDArray[Any],
    indices: NDArray[np.int64],
    mean: NDArray[np.float64],
    inverse_deviation: NDArray[np.float64],
    out: NDArray[Any],
    threads: int = 1,
) -> None: ...
def column_statistics(
    source: NDArray[Any], mean: NDArray[np.float64], variance: NDArray[np.float64], threads: int = 1
) -> None: ...

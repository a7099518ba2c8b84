"""Types of the compiled steps over many pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NativeStep = tuple[int, int, int, int, int, int, int, int, float, float, Sequence[float]]

class Pipeline:
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    def __init__(
        self,
        steps: list[NativeStep],
        seed: int,
        height: int,
        width: int,
        channels: int,
        quantiles: NDArray[np.float32],
    ) -> None: ...
    def apply(
        self,
        source: NDArray[np.uint8],
        indices: NDArray[np.int64],
        epoch: int,
        out: NDArray[Any],
        *,
        rows: NDArray[np.int64] | None = None,
        mean: NDArray[np.float64] | None = None,
        scale: NDArray[np.float64] | None = None,
        partners: NDArray[np.int64] | None = None,
        partner_rows: NDArray[np.int64] | None = None,
        shares: NDArray[np.float64] | None = None,
        threads: int = 1,
    ) -> None: ...
    def draws(
        self, indices: NDArray[np.int64], epoch: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]: ...

def mixtures(
    seed: int,
    epoch: int,
    indices: NDArray[np.int64],
    place: int,
    alpha: float,
    probability: float,
    samples: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...

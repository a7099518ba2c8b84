"""The networks that are timed. Each is described once; in_ravine, in_pytorch and in_jax build it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import Residual
from ravine.layers import (
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling,
    MaxPooling,
)

ROWS_BYTES = 256 << 20  # the most that the samples of a run take


@dataclass(frozen=True)
class Workload:
    """A network that classifies into ten classes, and how it is trained.

    Args:
        name: as in the documentation.
        shape: of one sample, channels last.
        layers: as `ravine.Sequential` takes them; the other libraries' networks are made from them too.
        optimizer: "gradient_descent", "momentum" or "adam".
        batch: rows a step.
        steps: timed in one go, some tenths of a second.
        samples: of an epoch, for epochs.py.
        l2: weight decay.
        dtype: "float32" or "bfloat16".
        update_only: time nothing but the optimizer's update.
    """

    name: str
    shape: tuple[int, ...]
    layers: Sequence[Any]
    optimizer: str
    batch: int
    steps: int
    samples: int = 0
    l2: float = 0.0
    dtype: str = "float32"
    update_only: bool = False

    def arrays(self, rows: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Random samples and labels."""
        random = np.random.default_rng(0)
        return random.standard_normal((rows, *self.shape), np.float32), random.integers(0, 10, rows, np.int32)

    def batches(self) -> int:
        """Batches of random samples that a run goes through, again and again."""
        return max(1, min(self.steps, ROWS_BYTES // (4 * prod(self.shape) * self.batch)))

    def quick(self) -> Workload:
        """So small that it only shows whether it works."""
        return replace(self, steps=2, samples=min(self.samples, 3 * self.batch + 1))


def normalized(units: int, kernel: int = 3, stride: int = 1) -> list[Any]:
    """A convolution and what normalizes its output."""
    convolution = Convolution(units, kernel=kernel, stride=stride, pad=kernel // 2, use_bias=False)
    return [convolution, BatchNormalization()]


def block(units: int, stride: int) -> list[Any]:
    """K. He et al., CVPR 2016, figure 2, with a projection where the shape changes."""
    body = [*normalized(units, stride=stride), "relu", *normalized(units)]
    return [Residual(*body, shortcut=normalized(units, 1, stride) if stride > 1 else []), "relu"]


WORKLOADS = (
    Workload("digits_mlp", (64,), [Dense(100, "tanh"), Dense(10)], "gradient_descent", 32, 2000, 1437),
    Workload("deep_mlp", (64,), [Dense(64, "tanh")] * 50 + [Dense(10)], "momentum", 64, 100, 1437),
    Workload(
        "mnist_mlp",
        (784,),
        [Dense(1000, "relu"), Dropout(0.5), Dense(1000, "relu"), Dropout(0.5), Dense(10)],
        "adam", batch=128, steps=20, samples=10_000,
    ),
    Workload(
        "lenet",
        (28, 28, 1),
        [
            Convolution(32, kernel=5, activation="relu"), MaxPooling(),
            Convolution(64, kernel=5, activation="relu"), MaxPooling(),
            Flatten(), Dense(512, "relu"), Dense(10),
        ],
        "momentum", batch=128, steps=10, samples=2_500,
    ),
    Workload(
        "resnet20",
        (32, 32, 3),
        [
            *normalized(16), "relu", *block(16, 1), *block(16, 1), *block(16, 1),
            *block(32, 2), *block(32, 1), *block(32, 1), *block(64, 2), *block(64, 1), *block(64, 1),
            GlobalAveragePooling(), Dense(10),
        ],
        "momentum", batch=128, steps=3, l2=1e-4,
    ),
    Workload("adam_25m", (5000,), [Dense(5000, use_bias=False)], "adam", 1, steps=10, update_only=True),
)  # fmt: skip
BY_NAME = {workload.name: workload for workload in WORKLOADS}
for name in ("mnist_mlp", "resnet20"):
    BY_NAME[f"{name}_bfloat16"] = replace(BY_NAME[name], name=f"{name}_bfloat16", dtype="bfloat16")

"""MNIST is learned in bfloat16 as well as in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravine import Sequential, Trainer, _core
from ravine.data import read_idx
from ravine.layers import Dense, Dropout

pytestmark = pytest.mark.skipif(
    not any(name == "bfloat16" and there for name, there, _ in _core.report()),
    reason="needs a processor with AVX512-BF16, and oneDNN",
)


def test_mnist_is_learned_as_well_as_in_float32(datasets: Path) -> None:
    """20,000 samples, four epochs, the mean of two seeds: the spread of one dtype is about 0.15 %."""

    def part(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        images = read_idx(datasets / "mnist" / f"{name}-images-idx3-ubyte.gz")[:count]
        labels = read_idx(datasets / "mnist" / f"{name}-labels-idx1-ubyte.gz")[:count]
        return images.reshape(count, -1).astype(np.float32) / 255, labels.astype(np.int32)

    train, test = part("train", 20_000), part("t10k", 10_000)

    def accuracy(dtype: str, seed: int) -> float:
        trainer = Trainer(
            Sequential(Dense(300, "relu"), Dropout(0.2), Dense(300, "relu"), Dropout(0.2), Dense(10)),
            optimizer="adam", loss="softmax_cross_entropy", batch_size=128, seed=seed, dtype=dtype,
        )  # fmt: skip
        trainer.fit(*train, epochs=4)
        return trainer.evaluate(*test)["accuracy"]

    float32, bfloat16 = (
        np.mean([accuracy(dtype, seed) for seed in (1, 2)]) for dtype in ("float32", "bfloat16")
    )
    assert float32 > 0.96
    assert abs(bfloat16 - float32) < 0.004

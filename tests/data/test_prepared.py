"""Samples that are prepared while they are gathered: rows, transforms, augmentation, memory maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.data import BatchSource, Dataset, Sampler, as_dataset, fit
from ravine.data._gather import gather_scaled, scale_columns
from ravine.data.mapping import mapped_file
from ravine.errors import InputError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (50, 4, 5, 3), np.uint8)
LABELS = (np.arange(50) % 7).astype(np.int32)
ORDER = RANDOM.permutation(50)[:33]


class Shifted:
    """Stands in for an augmentation: adds epoch + index, and cuts the first row off."""

    def __init__(self, chance: bool = True) -> None:
        self.chance = chance

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (input_shape[0] - 1, *input_shape[1:])

    def apply(
        self,
        source: Any,
        indices: Any,
        epoch: int,
        mean: Any,
        scale: Any,
        out: Any,
        threads: int,
        rows: Any = None,
        mixing: Any = None,
    ) -> None:
        pictures = source[indices if rows is None else rows, 1:].astype(float)
        if self.chance:
            pictures += (epoch * 100 + indices)[:, None, None, None]
        out[...] = pictures if mean is None else (pictures - mean[1:]) * scale[1:]

    def mixing(self, *arguments: Any) -> None:
        return None

    def evaluation(self) -> Shifted:
        return Shifted(chance=False)


def stored(dtype: Any) -> Any:
    return IMAGES if dtype == np.uint8 else (IMAGES / 7.0).astype(dtype)


@pytest.mark.parametrize("out_type", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("kind", ["none", "standardize", "scale", "centre", "min_max", "pca", "zca"])
def test_transforms_give_the_bits_of_a_transform_in_advance(kind: Any, dtype: Any, out_type: Any) -> None:
    inputs = stored(dtype)
    transform = fit(kind, inputs)
    eager = transform.apply(inputs, dtype=out_type)
    lazy = Dataset(inputs, LABELS, classes=7, transform=transform)
    assert lazy.input_shape == eager.shape[1:]
    out = np.empty((33, *lazy.input_shape), out_type)
    lazy.gather(ORDER, out)
    assert out.tobytes() == eager[ORDER].tobytes()
    assert lazy.prepared(20, 99, out_type).tobytes() == eager[20:].tobytes()
    part = lazy.view(ORDER)
    assert part.inputs is inputs
    assert part.prepared(3, 9, out_type).tobytes() == eager[ORDER[3:9]].tobytes()
    copy = lazy.take(ORDER)
    assert copy.prepared(0, 33, out_type).tobytes() == eager[ORDER].tobytes()
    np.testing.assert_array_equal(part.targets, LABELS[ORDER])
    # The formula, in float64.
    value = (inputs[ORDER].astype(float) - transform.mean) / transform.deviation
    if transform.matrix is not None:
        value = (value.reshape(33, -1) @ transform.matrix).reshape(out.shape)
    np.testing.assert_allclose(out, value, rtol=1e-5 if out_type == np.float32 else 1e-12, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_gathering_with_a_scale_is_scaling_of_gathered_rows(threads: int) -> None:
    source = RANDOM.normal(size=(3000, 40)).astype(np.float32)
    indices = RANDOM.integers(0, 3000, 5000)
    mean, scale = RANDOM.normal(size=40), RANDOM.uniform(0.5, 2, 40)
    out, expected = np.empty((5000, 40), np.float32), np.empty((5000, 40), np.float32)
    gather_scaled(source, indices, mean, scale, out, threads)
    scale_columns(np.ascontiguousarray(source[indices]), mean, scale, expected)
    assert out.tobytes() == expected.tobytes()
    for wrong in (-1, 3000):
        with pytest.raises(IndexError, match=rf"indices\[1\] is {wrong}"):
            gather_scaled(source, np.array([0, wrong]), mean, scale, out[:2])
    with pytest.raises(ValueError, match="one-dimensional int64"):
        gather_scaled(source, np.zeros(2, np.int32), mean, scale, out[:2])
    with pytest.raises(ValueError, match="out has shape"):
        gather_scaled(source, indices[:2], mean, scale, out[:3])


@pytest.mark.parametrize("with_transform", [False, True])
def test_augmentation_in_training_and_its_counterpart_in_evaluation(with_transform: bool) -> None:
    transform = fit("standardize", IMAGES) if with_transform else None
    data = Dataset(IMAGES, LABELS, classes=7, transform=transform, augmentation=Shifted()).view(ORDER)
    assert data.input_shape == (3, 5, 3)
    scale = np.ones((4, 5, 3)) if transform is None else 1 / transform.deviation
    mean = np.zeros((4, 5, 3)) if transform is None else transform.mean
    source = BatchSource(data, Sampler(2, 33), batch_size=8)
    for epoch in range(2):
        chunk = source.chunk(epoch, 1, 2)
        indices = Sampler(2, 33).order(epoch)[8:24]
        changed = IMAGES[ORDER[indices], 1:] + (epoch * 100.0 + indices)[:, None, None, None]
        np.testing.assert_allclose(chunk.inputs, (changed - mean[1:]) * scale[1:], rtol=1e-6)
    plain = (IMAGES[ORDER[4:9], 1:] - mean[1:]) * scale[1:]
    np.testing.assert_allclose(data.prepared(4, 9, np.float64), plain, rtol=1e-12)


def test_a_memory_map_is_read_where_it_lies(tmp_path: Path) -> None:
    inputs = RANDOM.normal(size=(40, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", inputs)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = as_dataset(mapped, np.arange(40.0))
    assert np.shares_memory(data.inputs, mapped)
    assert mapped_file(data.inputs) == tmp_path / "x.npy"
    assert mapped_file(data.inputs[3:, :2]) == tmp_path / "x.npy"
    assert mapped_file(inputs) is None
    part = data.view(ORDER[ORDER < 40][:10])
    assert np.shares_memory(part.inputs, mapped)
    assert data.costs
    assert part.prepared(0, 10, np.float32).tobytes() == inputs[ORDER[ORDER < 40][:10]].tobytes()
    in_memory = as_dataset(inputs, np.arange(40.0))
    assert not in_memory.costs
    assert data.content_hash() == in_memory.content_hash()
    assert part.content_hash() == in_memory.take(ORDER[ORDER < 40][:10]).content_hash() != data.content_hash()


def test_a_value_that_is_not_finite_is_found_when_it_is_read(tmp_path: Path) -> None:
    inputs = np.ones((40, 6))
    inputs[17, 4] = np.nan
    np.save(tmp_path / "x.npy", inputs)
    data = as_dataset(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(40.0))
    with pytest.raises(InputError, match=r"x\.npy: data: row 17: inputs\[4\] is NaN"):
        data.prepared(10, 20, np.float32)
    part = data.view(np.array([30, 17]))
    with pytest.raises(InputError, match=r"x\.npy: data: row 17: inputs\[4\] is NaN"):
        part.gather(np.array([1, 0]), np.empty((2, 6), np.float32))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rows": np.array([0, 50])}, r"rows must be in 0\.\.49"),
        ({"rows": np.array([-1])}, r"rows must be in 0\.\.49"),
        ({"rows": np.array([], np.int64)}, "there are no samples"),
        ({"rows": np.array([0], np.int32)}, "rows must be contiguous int64"),
        ({"rows": np.array([3, 4])}, "there are 2 inputs and 50 targets"),
        ({"transform": fit("none", np.zeros((1, 2)))}, r"fitted on \[2\]"),
        ({"transform": fit("zca", IMAGES), "augmentation": Shifted()}, "zca mixes the features"),
        ({"inputs": IMAGES[:, 0].copy(), "augmentation": Shifted()}, "augmentation needs uint8 images"),
    ],
)
def test_errors(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dataset(**{"inputs": IMAGES, "targets": LABELS, "classes": 7, **settings})

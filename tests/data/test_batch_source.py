"""Batches in the order of a sampler."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.data import BatchSource, Dataset, Sampler, SequentialSampler, as_dataset, epoch_order
from ravine.errors import InputError


def source_of(data: Dataset, seed: int = 0, shuffle: bool = True, **settings: Any) -> BatchSource:
    sampler = Sampler if shuffle else SequentialSampler
    return BatchSource(data, sampler(seed, len(data)), **settings)


def numbered(samples: int) -> Dataset:
    """Inputs and targets that say which sample they are."""
    inputs = np.arange(samples, dtype=np.float32)[:, np.newaxis] + np.array([0.0, 0.5], np.float32)
    return as_dataset(inputs, np.arange(samples) % 7, classes=7)


@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_chunks_cover_an_epoch_in_order(
    samples: int, batch_size: int, asked: int, maximum: int, drop_last: bool
) -> None:
    if drop_last and batch_size > samples:
        return
    source = source_of(
        numbered(samples), batch_size=batch_size, seed=4, drop_last=drop_last, maximum_batches=maximum
    )
    order = epoch_order(4, 2, samples)
    batch, seen = 0, 0
    while batch < source.batches_per_epoch:
        chunk = source.chunk(2, batch, asked)
        batches = chunk.batches
        assert 1 <= batches <= min(asked, maximum)
        assert len(chunk.inputs) == batches * batch_size or (
            batches == 1 and seen + len(chunk.inputs) == samples
        )
        rows = order[seen : seen + len(chunk.inputs)]
        np.testing.assert_array_equal(chunk.inputs[:, 0], rows)
        np.testing.assert_array_equal(chunk.inputs[:, 1], rows + 0.5)
        np.testing.assert_array_equal(chunk.targets, rows % 7)
        seen += len(chunk.inputs)
        batch += batches
    assert seen == source.samples_per_epoch == (samples // batch_size * batch_size if drop_last else samples)


def test_a_chunk_depends_only_on_its_place() -> None:
    source, fresh = (source_of(numbered(100), batch_size=8, seed=9) for _ in range(2))
    for epoch in range(3):
        for batch in range(0, 12, 3):
            source.chunk(epoch, batch, 3)
    np.testing.assert_array_equal(source.chunk(1, 6, 2).inputs, fresh.chunk(1, 6, 2).inputs)


def test_two_buffers_take_turns() -> None:
    source = source_of(numbered(64), batch_size=8, seed=0, maximum_batches=2)
    first, second, third = (source.chunk(0, batch, 2) for batch in (0, 2, 4))
    assert not np.shares_memory(first.inputs, second.inputs)
    assert np.shares_memory(first.inputs, third.inputs)
    np.testing.assert_array_equal(second.inputs[:, 0], epoch_order(0, 0, 64)[16:32])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_are_converted_as_they_are_gathered(dtype: type) -> None:
    data = as_dataset(np.arange(24, dtype=np.uint8).reshape(6, 4), np.arange(6.0))
    chunk = source_of(data, batch_size=4, seed=0, shuffle=False, dtype=dtype).chunk(0, 0, 1)
    assert chunk.inputs.dtype == chunk.targets.dtype == dtype
    np.testing.assert_array_equal(chunk.inputs, np.arange(16).reshape(4, 4))
    np.testing.assert_array_equal(chunk.targets, [[0], [1], [2], [3]])


def test_errors() -> None:
    with pytest.raises(InputError, match=r"training\.batch_size: is 0"):
        source_of(numbered(4), batch_size=0, seed=0)
    with pytest.raises(InputError, match="drop_last leaves none"):
        source_of(numbered(4), batch_size=5, seed=0, drop_last=True)
    source = source_of(numbered(10), batch_size=4, seed=0)
    for epoch, batch, batches in ((0, 3, 1), (0, -1, 1), (-1, 0, 1), (0, 0, 0)):
        with pytest.raises(IndexError, match=r"batches 0\.\.2"):
            source.chunk(epoch, batch, batches)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_come_with_their_samples(dtype: type[np.floating[Any]]) -> None:
    x = np.arange(50.0).reshape(25, 2)
    source = source_of(as_dataset(x, x[:, 0], x[:, 0] / 4), batch_size=4, seed=3, dtype=dtype)
    for epoch in range(2):
        batch = 0
        while batch < source.batches_per_epoch:
            chunk = source.chunk(epoch, batch, 3)
            assert chunk.weights is not None
            assert chunk.weights.dtype == dtype
            np.testing.assert_array_equal(chunk.weights, chunk.inputs[:, 0] / 4)
            batch += chunk.batches
    assert source_of(as_dataset(x, x[:, 0]), batch_size=4, seed=3).chunk(0, 0, 1).weights is None

"""Chunks that are made in advance: the same ones, with the same errors, and no thread is left behind."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.data import BatchSource, Chunk, HardSampler, Prefetcher, Sampler, as_dataset
from ravine.data.prefetch import Maker
from ravine.errors import InputError


def source_of(samples: int = 50, batch: int = 4, maximum: int = 5, sampler: Any = None) -> BatchSource:
    x = np.arange(samples * 3.0).reshape(samples, 3)
    data = as_dataset(x, x[:, 0], x[:, 0] / 4)
    return BatchSource(data, sampler or Sampler(3, samples), batch_size=batch, maximum_batches=maximum)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@given(st.data(), st.integers(1, 30), st.integers(1, 9), st.integers(1, 6))
def test_batches_are_those_of_the_source(data: Any, samples: int, batch: int, maximum: int) -> None:
    """However many batches are asked for, and however many of them are used."""
    expected = source_of(samples, batch, maximum=1)
    with Prefetcher(source_of(samples, batch, maximum), epochs=2) as feed:
        for epoch in range(2):
            at = 0
            while at < feed.batches_per_epoch:
                wanted = data.draw(st.integers(1, 8))
                chunk = feed.chunk(epoch, at, wanted)
                assert 1 <= chunk.batches <= wanted
                used = data.draw(st.integers(1, chunk.batches))
                size = len(chunk.inputs) // chunk.batches
                for number in range(used):
                    one = expected.chunk(epoch, at + number, 1)
                    rows = slice(number * size, (number + 1) * size)
                    np.testing.assert_array_equal(chunk.inputs[rows], one.inputs)
                    np.testing.assert_array_equal(chunk.targets[rows], one.targets)
                    np.testing.assert_array_equal(chunk.weights[rows], one.weights)
                at += used


def test_the_next_chunk_is_made_meanwhile_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    source, made, threads = source_of(samples=60), [], set()
    original = source.chunk

    def chunk(epoch: int, first: int, batches: int) -> Chunk:
        made.append((epoch, first))
        threads.add(threading.current_thread() is threading.main_thread())
        return original(epoch, first, batches)

    monkeypatch.setattr(source, "chunk", chunk)
    with Prefetcher(source, epochs=2) as feed:
        place = [(0, 0), (0, 5), (0, 10), (1, 0), (1, 5), (1, 10)]
        for epoch, first in place:
            feed.chunk(epoch, first, 5)
            feed.chunk(epoch, first + 2, 3)  # the native loop came back early
        assert made == place  # each once: nothing is thrown away, nothing is made beyond the last epoch
    assert threads == {True, False}  # only the first on the training's own thread


def test_the_buffers_are_two() -> None:
    with Prefetcher(source_of(), epochs=3) as feed:
        chunks = [feed.chunk(0, first, 5) for first in (0, 5, 10)]
        assert np.shares_memory(chunks[0].inputs, chunks[2].inputs)
        assert not np.shares_memory(chunks[0].inputs, chunks[1].inputs)


def test_an_order_that_is_not_known_yet_is_waited_for() -> None:
    sampler = HardSampler(1, 50)
    with Prefetcher(source_of(sampler=sampler), epochs=3) as feed:
        for first in (0, 5, 10):
            feed.chunk(0, first, 5)
        sampler.observe(1, np.arange(50.0))
        chunk = feed.chunk(1, 0, 5)
        np.testing.assert_array_equal(chunk.inputs[:, 0], sampler.order(1)[:20] * 3.0)


def test_another_place_than_the_next_one() -> None:
    expected = source_of()
    with Prefetcher(source_of(), epochs=9) as feed:
        for epoch, first in ((0, 0), (4, 7), (0, 0), (2, 12), (8, 12)):
            found = feed.chunk(epoch, first, 2).inputs.copy()
            np.testing.assert_array_equal(found, expected.chunk(epoch, first, 2).inputs)


def test_errors_are_raised_where_the_chunk_is_taken(tmp_path: Path) -> None:
    inputs = np.ones((40, 6))
    inputs[33, 2] = np.inf
    np.save(tmp_path / "x.npy", inputs)
    data = as_dataset(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(40.0))
    sampler = Sampler(3, 40)
    at = int(np.flatnonzero(sampler.order(0) == 33)[0]) // 4
    with Prefetcher(BatchSource(data, sampler, batch_size=4), epochs=1) as feed:
        for first in range(at):
            feed.chunk(0, first, 1)
        for _ in range(2):  # also when it is asked for again
            with pytest.raises(InputError, match=r"x\.npy: data: row 33: inputs\[2\] is inf"):
                feed.chunk(0, at, 1)


def test_a_thread_ends_whatever_its_task_does() -> None:
    release = threading.Event()
    with Maker[int]("test") as maker:
        maker.start(lambda: 1)
        assert maker.result() == 1
        maker.start(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            maker.result()
        maker.start(lambda: release.wait() and 5)
        assert maker.result(give_up=lambda: True) is None
        with pytest.raises(RuntimeError, match="under way"):
            maker.start(lambda: 2)
        release.set()
        assert maker.result() == 5
        maker.start(lambda: 7)  # never taken

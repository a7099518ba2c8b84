"""Which rows of each batch a rank gathers: together those of one rank, changed and mixed in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ravine import RavineError, Sequential, Trainer, _core
from ravine.data import BatchSource, Chunk, Dataset, Prefetcher, Sampler
from ravine.data.augmentation import Augmentation
from ravine.data.augmentation.settings import HorizontalFlip, Mixup, RandomCrop
from ravine.distributed.communicator import Communicator
from ravine.distributed.ranks import Ranks
from ravine.layers import Dense

OnRanks = Callable[..., list[Any]]


def pictures(samples: int) -> Dataset:
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (samples, 6, 6, 1)).astype(np.uint8)
    steps = [RandomCrop(size=5, padding=1), HorizontalFlip(), Mixup(alpha=0.4)]
    weights = random.uniform(0.5, 2, samples)
    return Dataset(
        images, random.integers(0, 3, samples).astype(np.int32), 3, weights=weights,
        augmentation=Augmentation(steps, 4, (6, 6, 1)),
    )  # fmt: skip


def share(rank: int, ranks: int) -> Callable[[int], tuple[int, int]]:
    """Rows ceil(r B / N) to ceil((r + 1) B / N): where there are few, the first ranks have them."""

    def rows(batch: int) -> tuple[int, int]:
        first, end = (-(-place * batch // ranks) for place in (rank, rank + 1))
        return first, end - first

    return rows


def arrays(chunk: Chunk) -> list[np.ndarray]:
    """Inputs, targets, weights, and of mixed samples other labels and shares, batch by batch."""
    parts = [chunk.inputs, chunk.targets, chunk.weights, *(chunk.mixture or ())]
    return [part.reshape(chunk.batches, chunk.size, *part.shape[1:]) for part in parts if part is not None]


@pytest.mark.parametrize("prefetched", [False, True])
@pytest.mark.parametrize(("samples", "batch"), [(23, 5), (12, 4), (7, 100), (9, 2)])
@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_shares_make_up_the_batches(ranks: int, samples: int, batch: int, prefetched: bool) -> None:
    data = pictures(samples)

    def source(**settings: Any) -> BatchSource:
        return BatchSource(
            data, Sampler(8, samples), batch_size=batch, dtype=np.float64, maximum_batches=2, **settings
        )

    whole = source()
    parts = [source(share=share(rank, ranks)) for rank in range(ranks)]
    feeds: list[Any] = [Prefetcher(part, epochs=2) if prefetched else part for part in parts]
    assert all(feed.batches_per_epoch == whole.batches_per_epoch for feed in feeds)
    for epoch in range(2):
        first = 0
        while first < whole.batches_per_epoch:
            expected = whole.chunk(epoch, first, 2)
            chunks = [feed.chunk(epoch, first, 2) for feed in feeds]
            assert {chunk.batches for chunk in chunks} == {expected.batches}
            rows = len(expected.inputs) // expected.batches
            for rank, chunk in enumerate(chunks):
                assert (chunk.first_row, chunk.size) == share(rank, ranks)(rows)
                assert chunk.global_batch == rows
            for one, *of_ranks in zip(arrays(expected), *map(arrays, chunks), strict=True):
                np.testing.assert_array_equal(np.concatenate(of_ranks, axis=1), one)
            first += expected.batches
    for feed in feeds:
        if prefetched:
            feed.close()


@pytest.mark.parametrize("batch", [1, 2, 3, 10, 31, 64])
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_the_core_divides_a_batch_evenly(batch: int, ranks: int) -> None:
    communicators = _core.thread_communicators(ranks)
    found = [_core.Ranks(data=communicator).rows(batch) for communicator in communicators]
    assert found == [share(rank, ranks)(batch) for rank in range(ranks)]


def batches(count: int, rows: int = 6, *, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    for _ in range(count):
        inputs = random.normal(0, 1, (rows, 3))
        yield inputs, inputs @ [1.0, -2.0, 0.5]


def trained(world: Communicator, stream: Any, steps: int = 8) -> tuple[np.ndarray, float]:
    trainer = Trainer(
        Sequential(Dense(1)), loss="squared_error", optimizer="adam", dtype="float64", threads=1,
        ranks=Ranks(world),
    )  # fmt: skip
    history = trainer.fit_stream(stream, steps=steps)
    return trainer.network.flat_parameters.copy(), history["loss"][-1]


def test_a_stream(on_ranks: OnRanks) -> None:
    [(expected, loss)] = on_ranks(1, lambda world: trained(world, batches(8)))
    for ranks in (2, 4):
        for found, last in on_ranks(ranks, lambda world: trained(world, batches(8))):
            np.testing.assert_allclose(found, expected, rtol=1e-12)
            assert last == pytest.approx(loss, rel=1e-6)


def test_a_stream_that_ends(on_ranks: OnRanks) -> None:
    with pytest.warns(UserWarning, match="ended after 3 of 8 batches"):
        found = on_ranks(2, lambda world: trained(world, batches(3))[0])
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (lambda rank: batches(8, seed=rank), r"batch 1 of the stream: is 6 samples .*rank 0 .* for rank 1"),
        (lambda rank: batches(8, 6 + rank), r"batch 1 of the stream: is 6 samples .*, but 7 samples"),
        (lambda rank: batches(8 - 4 * rank), r"batch 5 of the stream: is 6 samples .*, but ended for rank 1"),
    ],
)
def test_streams_that_differ(on_ranks: OnRanks, stream: Any, message: str) -> None:
    with pytest.raises(RavineError, match=message):
        on_ranks(2, lambda world: trained(world, stream(world.rank)))

"""Networks that ranks train together, as Python sees them: ranks are threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ravine import Residual, Sequential, _core
from ravine.errors import InputError, RavineError

LAYERS = (
    {"type": "dense", "units": 20, "activation": "tanh"},
    {"type": "dropout", "rate": 0.3},
    {"type": "batch_normalization"},
    {"type": "dense", "units": 4},
)
BATCH, STEPS = 14, 25


def data(batch: int = BATCH) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    return random.standard_normal((STEPS, batch, 7)), random.integers(0, 4, (STEPS, batch)).astype(np.int32)


def network(communicator: _core.Communicator, **settings: Any) -> _core.Network:
    ranks = _core.Ranks(data=communicator, **settings)
    return Sequential(*LAYERS).network(
        [7], loss="softmax_cross_entropy", batch_size=8, dtype="float64", threads=1, seed=1, ranks=ranks
    )


def train(communicator: _core.Communicator, batch: int = BATCH, **settings: Any) -> dict[str, Any]:
    inputs, labels = data(batch)
    made = network(communicator, **settings)
    first, rows = _core.Ranks(
        data=communicator, deterministic_parts=settings.get("deterministic_parts", 0)
    ).rows(batch)
    result = made.train(
        _core.Optimizer({"type": "adam", "learning_rate": 0.01}),
        np.ascontiguousarray(inputs[:, first : first + rows]).reshape(-1, 7),
        np.ascontiguousarray(labels[:, first : first + rows]).reshape(-1),
        batch_size=rows,
        first_row=first,
        global_batch=batch,
        steps=STEPS,
    )
    return {
        "parameters": made.flat_parameters.copy(),
        "state": {name: values.copy() for name, values in made.state.items()},
        "recorded": made.drain()[1],
        "times": made.drain_times(),
        "result": result,
    }


def on_ranks(count: int, function: Callable[[_core.Communicator], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, _core.thread_communicators(count)))


@pytest.mark.parametrize("batch", [BATCH, 3])
def test_ranks_agree_with_one(batch: int) -> None:
    settings: dict[str, Any] = {"synchronized_normalization": True, "bucket_bytes": 128}
    (alone,) = on_ranks(1, lambda c: train(c, batch, **settings))
    for count in (2, 4):
        for trained in on_ranks(count, lambda c: train(c, batch, **settings)):
            np.testing.assert_allclose(trained["parameters"], alone["parameters"], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(trained["recorded"], alone["recorded"], rtol=1e-5, atol=1e-7)
            assert trained["result"].loss == pytest.approx(alone["result"].loss, rel=1e-12)
            assert trained["result"].rows == STEPS * batch


def test_deterministic_ranks_have_the_bits_of_one() -> None:
    settings: dict[str, Any] = {"synchronized_normalization": True, "deterministic_parts": 6}
    (alone,) = on_ranks(1, lambda c: train(c, **settings))
    for count in (2, 3):
        for trained in on_ranks(count, lambda c: train(c, **settings)):
            np.testing.assert_array_equal(trained["parameters"], alone["parameters"])
            np.testing.assert_array_equal(trained["recorded"], alone["recorded"])
            for name, values in alone["state"].items():
                np.testing.assert_array_equal(trained["state"][name], values)


def convolution(units: int, stride: int = 1) -> dict[str, Any]:
    return {
        "type": "convolution",
        "units": units,
        "kernel": 3,
        "padding": "same",
        "stride": stride,
        "use_bias": False,
    }


def train_images(
    communicator: _core.Communicator, compute: dict[str, bool | int], **settings: Any
) -> np.ndarray:
    """Some steps of a network whose operations are large: workers take images through several of them."""
    norm = {"type": "batch_normalization"}
    block = Residual(
        convolution(24, 2), norm, "relu", convolution(24), norm, shortcut=[convolution(24, 2), norm]
    )
    ranks = _core.Ranks(data=communicator, synchronized_normalization=True, **settings)
    made = Sequential(
        convolution(16), norm, "relu", block, "relu", "global_average_pooling", {"type": "dense", "units": 3}
    ).network(
        [24, 24, 3],
        loss="softmax_cross_entropy",
        batch_size=8,
        dtype="float64",
        threads=1,
        ranks=ranks,
        compute=compute,
    )
    random = np.random.default_rng(2)
    inputs, labels = (
        random.standard_normal((3, 20, 24, 24, 3)),
        random.integers(0, 3, (3, 20)).astype(np.int32),
    )
    first, rows = ranks.rows(20)
    own = slice(first, first + rows)
    made.train(
        _core.Optimizer({"type": "momentum", "learning_rate": 0.05}),
        np.ascontiguousarray(inputs[:, own]).reshape(-1, 24, 24, 3),
        np.ascontiguousarray(labels[:, own]).reshape(-1),
        batch_size=rows,
        first_row=first,
        global_batch=20,
    )
    return np.concatenate([made.flat_parameters, *made.state.values()])


@pytest.mark.parametrize("compute", [{}, {"checkpoint_every": 3}, {"chunks": False, "fuse": False}])
def test_ranks_agree_on_images(compute: dict[str, bool | int]) -> None:
    (alone,) = on_ranks(1, lambda c: train_images(c, compute))
    for values in on_ranks(3, lambda c: train_images(c, compute, bucket_bytes=4000)):
        np.testing.assert_allclose(values, alone, rtol=0, atol=1e-13 * np.abs(alone).max())
    (ordered,) = on_ranks(1, lambda c: train_images(c, compute, deterministic_parts=4))
    np.testing.assert_allclose(ordered, alone, rtol=0, atol=1e-13 * np.abs(alone).max())
    for values in on_ranks(3, lambda c: train_images(c, compute, deterministic_parts=4)):
        np.testing.assert_array_equal(values, ordered)


def test_times_of_steps() -> None:
    for trained in on_ranks(2, train):
        steps, seconds = trained["times"]
        assert steps.tolist() == [*range(1, STEPS + 1)]
        assert seconds.shape == (STEPS, 4)
        assert (seconds >= 0).all()
    (alone,) = on_ranks(1, train)
    assert alone["times"][0].size == 0


def errors_of(function: Callable[[_core.Communicator], Any]) -> list[str]:
    def run(communicator: _core.Communicator) -> str:
        with pytest.raises(RavineError) as raised:
            function(communicator)
        return str(raised.value)

    return on_ranks(2, run)


def call(communicator: _core.Communicator, **changes: Any) -> None:
    first = 4 * communicator.rank
    arguments: dict[str, Any] = {"batch_size": 4, "first_row": first, "global_batch": 8, **changes}
    network(communicator).train(
        _core.Optimizer("gradient_descent"), np.zeros((8, 7)), np.zeros(8, np.int32), **arguments
    )


def test_a_budget_of_time_is_refused() -> None:
    assert all("no time budget" in text for text in errors_of(lambda c: call(c, budget_seconds=1.0)))


def test_ranks_that_do_not_fit_are_refused_on_all() -> None:
    for text in errors_of(lambda c: call(c, first_row=0)):
        assert "rank 1 has first row 0, expected 4" in text
    for text in errors_of(lambda c: call(c, global_batch=9)):
        assert "the ranks have 8 rows, but the global batch has 9" in text
    for text in errors_of(lambda c: call(c, global_batch=0, first_row=0)):
        assert "how many rows all ranks have" in text


def test_an_error_of_one_rank_is_raised_on_all() -> None:
    def run(communicator: _core.Communicator) -> None:
        labels = np.full(8, 9 if communicator.rank else 0, np.int32)
        network(communicator).train(
            _core.Optimizer("gradient_descent"),
            np.zeros((8, 7)),
            labels,
            batch_size=4,
            first_row=4 * communicator.rank,
            global_batch=8,
        )

    first, second = errors_of(run)
    assert "the label 9 of row 0" in second
    assert first.startswith("rank 1: ")
    assert "the label 9 of row 0" in first


def test_rows_outside_of_the_batch_are_refused() -> None:
    (alone,) = _core.thread_communicators(1)
    with pytest.raises(InputError, match="rows 6 to 10 are not within a global batch of 8"):
        call(alone, first_row=6)

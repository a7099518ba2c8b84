"""Ranks on GPUs: the same weights as one rank on the processor, whatever carries gradients between cards."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ravine import Sequential, _core

LAYERS = (
    {"type": "dense", "units": 20, "activation": "tanh"},
    {"type": "dropout", "rate": 0.3},
    {"type": "dense", "units": 4},
)
BATCH, STEPS = 14, 12
SMALL = 256  # bytes of a bucket: several a layer


@pytest.fixture(autouse=True)
def _needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("trains on a device: give it with --device")


@pytest.fixture(params=["host", "cuda_mpi", "nccl"])
def backend(request: pytest.FixtureRequest) -> str:
    """What carries gradients; ranks are threads of one process."""
    chosen = str(request.param)
    if chosen != "host" and "twin" not in os.environ.get("RAVINE_CUDA_LIBRARY", ""):
        pytest.skip("ranks that are threads on one card have neither")
    if chosen == "nccl" and "RAVINE_NCCL_LIBRARY" not in os.environ:
        pytest.skip("needs a C compiler")
    return chosen


def data(batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    shape = (STEPS, batch)
    labels = random.integers(0, 4, shape).astype(np.int32)
    return random.standard_normal((*shape, 7)), labels, random.uniform(0.2, 2, shape)


def network(communicator: _core.Communicator | None, device: str, dtype: str, **settings: Any) -> Any:
    return Sequential(*LAYERS).network(
        [7], loss="softmax_cross_entropy", batch_size=8, dtype=dtype, device=device, threads=1, seed=1,
        ranks=_core.Ranks(data=communicator, **settings),
    )  # fmt: skip


def trained(
    communicator: _core.Communicator | None, device: str, dtype: str = "float64", *, batch: int = BATCH,
    micro_batch: int = 0, weighted: bool = False, average: bool = False, **settings: Any,
) -> dict[str, Any]:  # fmt: skip
    inputs, labels, weights = data(batch)
    made = network(communicator, device, dtype, **settings)
    parts = settings.get("deterministic_parts", 0)
    first, rows = _core.Ranks(data=communicator, deterministic_parts=parts).rows(batch)
    own = slice(first, first + rows)
    averaged = _core.WeightAverage(made, decay=0.9) if average else None
    optimizer = _core.Optimizer({"type": "adam", "learning_rate": 0.01})
    chunk: dict[str, Any] = {"weights": weights[:, own].reshape(-1).astype(dtype)} if weighted else {}
    result = made.train(
        optimizer, inputs[:, own].reshape(-1, 7).astype(dtype), labels[:, own].reshape(-1).copy(),
        batch_size=rows, first_row=first, global_batch=batch, steps=STEPS, micro_batch=micro_batch,
        average=averaged, **chunk,
    )  # fmt: skip
    return {
        "parameters": made.flat_parameters.copy(),
        "slots": np.concatenate(list(optimizer.slots.values())),
        "average": averaged.flat_values.copy() if averaged is not None else np.zeros(0),
        "recorded": made.drain()[1],
        "result": result,
    }


def on_threads(count: int, function: Callable[[_core.Communicator], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, _core.thread_communicators(count)))


def assert_close(found: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    for name in ("parameters", "slots", "average"):
        scale = float(np.abs(expected[name]).max(initial=0)) or 1.0
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=tolerance * scale, err_msg=name)
    np.testing.assert_allclose(found["recorded"], expected["recorded"], rtol=1e-6, atol=1e-7)
    for key in ("steps", "rows", "correct"):
        assert getattr(found["result"], key) == getattr(expected["result"], key)


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "small buckets": {"bucket_bytes": SMALL},
    "without overlap": {"bucket_bytes": SMALL, "overlap": False},
    "parts": {"bucket_bytes": SMALL, "micro_batch": 2},
    "weights": {"bucket_bytes": SMALL, "weighted": True, "average": True},
    "a rank without rows": {"bucket_bytes": SMALL, "batch": 2},
    "an order of parts": {"deterministic_parts": 7},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_as_one_rank_on_the_processor(device: str, backend: str, ranks: int, case: str) -> None:
    settings = CASES[case]
    one = trained(None, "cpu", **{**settings, "bucket_bytes": 1 << 20})
    found = on_threads(ranks, lambda c: trained(c, device, backend=backend, **settings))
    for of_rank in found:
        assert_close(of_rank, one, 1e-12)
        assert of_rank["parameters"].tobytes() == found[0]["parameters"].tobytes()


def test_an_order_of_parts_gives_the_same_bits(device: str, backend: str) -> None:
    settings: dict[str, Any] = {"deterministic_parts": 7, "backend": backend, "average": True}
    one = trained(None, device, "float32", **settings)
    for ranks in (2, 3, 4):
        for found in on_threads(ranks, lambda c: trained(c, device, "float32", **settings)):
            for name in ("parameters", "slots", "average", "recorded"):
                assert found[name].tobytes() == one[name].tobytes(), name


@pytest.mark.parametrize("batch", [BATCH, 2])
def test_averages_of_ranks_that_step_alone(device: str, backend: str, batch: int) -> None:
    settings: dict[str, Any] = {"average_every": 4, "average": True, "batch": batch}
    expected = on_threads(3, lambda c: trained(c, "cpu", **settings))
    found = on_threads(3, lambda c: trained(c, device, backend=backend, **settings))
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other, 1e-12)


def test_gradients_that_travel_rounded(device: str, backend: str) -> None:
    """As on the processor, where each addition is rounded too."""
    if backend == "cuda_mpi":
        pytest.skip("is refused")
    settings: dict[str, Any] = {"transport": "bfloat16", "bucket_bytes": SMALL, "dtype": "float32"}
    expected = on_threads(2, lambda c: trained(c, "cpu", **settings))
    found = on_threads(2, lambda c: trained(c, device, backend=backend, **settings))
    exact = trained(None, "cpu", dtype="float32")
    rounding = np.abs(expected[0]["parameters"] - exact["parameters"]).max()
    difference = np.abs(found[0]["parameters"] - expected[0]["parameters"]).max()
    assert difference < 0.2 * rounding
    assert found[0]["parameters"].tobytes() == found[1]["parameters"].tobytes()


def test_trouble_on_one_rank_is_known_to_all(device: str, backend: str) -> None:
    def broken(communicator: _core.Communicator) -> Any:
        inputs, labels, _ = data(BATCH)
        inputs[3, 12] = np.nan
        own = slice(7 * communicator.rank, 7 * communicator.rank + 7)
        return network(communicator, device, "float64", backend=backend).train(
            _core.Optimizer("adam"), inputs[:, own].reshape(-1, 7), labels[:, own].reshape(-1).copy(),
            batch_size=7, first_row=own.start, global_batch=BATCH, steps=STEPS,
        )  # fmt: skip

    for result in on_threads(2, broken):
        assert (result.steps, result.trouble, result.trouble_rank) == (3, "the input", 1)

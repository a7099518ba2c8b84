"""Networks whose layers lie on several GPUs: the same weights and records as one rank on the processor."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ravine import Columns, Sequential, _core, layers
from ravine.training.slices import gathered

BATCH, STEPS = 20, 12
SPLIT = Sequential(
    layers.Dense(13, activation="tanh"),
    layers.Dense(14, activation="relu"),
    layers.Dropout(rate=0.25),
    layers.Dense(3),
)
COLUMNS = Sequential(
    Columns([layers.Dense(9, activation="tanh"), layers.Dense(3)], [layers.Dense(5), layers.Dense(4)]),
    layers.Dropout(rate=0.25),
    layers.Dense(3),
)
REGULARIZED: dict[str, Any] = {"l2": 0.01, "clip_layer_norm": 0.3, "max_norm": 0.8}
OF_NORM: dict[str, Any] = {"l2": 0.01, "l2_form": "norm", "clip_norm": 0.5}


@pytest.fixture(autouse=True)
def _needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("trains on a device: give it with --device")


@pytest.fixture(params=["host", "cuda_mpi", "nccl"])
def backend(request: pytest.FixtureRequest) -> str:
    chosen = str(request.param)
    if chosen != "host" and "twin" not in os.environ.get("RAVINE_CUDA_LIBRARY", ""):
        pytest.skip("ranks that are threads on one card have neither")
    if chosen == "nccl" and "RAVINE_NCCL_LIBRARY" not in os.environ:
        pytest.skip("needs a C compiler")
    return chosen


def trained(model: Sequential, ranks: _core.Ranks | None, device: str, settings: dict[str, Any]) -> Any:
    random = np.random.default_rng(4)
    inputs = random.uniform(-1, 1, (BATCH * STEPS, 8))
    labels = random.integers(0, 3, BATCH * STEPS, dtype=np.int32)
    network = model.network(
        [8], loss="softmax_cross_entropy", batch_size=BATCH, dtype="float64", device=device, threads=1,
        seed=9, ranks=ranks,
    )  # fmt: skip
    optimizer = _core.Optimizer({"type": "adam", "learning_rate": 0.02}, **settings)
    first, rows = (0, BATCH) if ranks is None else ranks.rows(BATCH)
    own = (np.arange(STEPS)[:, None] * BATCH + np.arange(first, first + rows)).reshape(-1)
    result = network.train(
        optimizer, inputs[own], labels[own], batch_size=rows, first_row=first, global_batch=BATCH, steps=STEPS
    )
    slots = {f"optimizer.{name}": values for name, values in optimizer.slots.items()}
    return gathered(network, network.parameters | slots), network.drain()[1], result.loss, network


def assert_as_alone(found: Any, expected: Any) -> None:
    tensors, recorded, loss, network = found
    assert loss == pytest.approx(expected[2], rel=1e-12)
    assert tensors.keys() == expected[0].keys()
    for name, values in expected[0].items():
        np.testing.assert_allclose(tensors[name], values, rtol=1e-10, atol=1e-13, err_msg=name)
    np.testing.assert_allclose(recorded, expected[1], rtol=1e-5, atol=1e-6)
    assert network.flat_parameters.size < expected[3].flat_parameters.size


@pytest.mark.parametrize("settings", [REGULARIZED, OF_NORM])
@pytest.mark.parametrize(("layout", "count"), [("split", 2), ("split", 3), ("columns", 2)])
def test_ranks_that_share_a_network(
    device: str, backend: str, layout: str, count: int, settings: dict[str, Any]
) -> None:
    model, names = (SPLIT, ["dense_1", "dense_2"]) if layout == "split" else (COLUMNS, [])
    alone = trained(model, None, "cpu", settings)

    def run(group: _core.Communicator) -> Any:
        return trained(model, _core.Ranks(model=group, split=names, backend=backend), device, settings)

    with ThreadPoolExecutor(count) as pool:
        for found in pool.map(run, _core.thread_communicators(count)):
            assert_as_alone(found, alone)


def test_a_grid(device: str, backend: str) -> None:
    """Two groups of two, each with half of the rows."""
    alone = trained(SPLIT, None, "cpu", REGULARIZED)
    groups = [_core.thread_communicators(2) for _ in range(2)]
    rows = [_core.thread_communicators(2) for _ in range(2)]

    def run(rank: int) -> Any:
        ranks = _core.Ranks(
            data=rows[rank % 2][rank // 2], model=groups[rank // 2][rank % 2], backend=backend,
            split=["dense_1", "dense_2"], bucket_bytes=256,
        )  # fmt: skip
        return trained(SPLIT, ranks, device, REGULARIZED)

    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(run, range(4)):
            assert_as_alone(found, alone)

"""How a step is computed changes its results by rounding alone, and not with the number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravine import Residual, Sequential, layers, load_experiment
from ravine.errors import InputError
from ravine.training.optimizer import make_optimizer

CLASSES, STEPS = 5, 4
Array = np.ndarray[Any, Any]


def small() -> Sequential:
    return Sequential(
        layers.Dropout(0.2),
        layers.Dense(100, activation="relu"),
        layers.Dropout(0.4),
        layers.Dense(60),
        layers.BatchNormalization(),
        "tanh",
        layers.Dense(40, activation="gelu"),
        layers.LayerNormalization(),
        Residual(layers.Dense(30, activation="relu"), layers.Dense(40)),
        layers.Dense(CLASSES),
    )


def large() -> Sequential:
    """Operations above 8 MFLOP, and sums of more than 2,048 terms."""
    return Sequential(
        layers.Dense(2100, activation="relu"),
        layers.Dense(64, activation="tanh"),
        layers.Dense(CLASSES),
    )


def images() -> Sequential:
    def convolution(units: int) -> list[Any]:
        return [layers.Convolution(units, padding="same", use_bias=False), layers.BatchNormalization()]

    block = Residual(*convolution(8), "relu", *convolution(8))
    wider = Residual(
        layers.Convolution(16, stride=2, padding="same"), layers.BatchNormalization(), "relu",
        *convolution(16),
        shortcut=[layers.Convolution(16, kernel=1, stride=2), layers.BatchNormalization()],
    )  # fmt: skip
    return Sequential(
        *convolution(8), "relu", block, "relu", layers.Dropout(0.1), wider, "relu",
        layers.Convolution(8, activation="tanh"), layers.MaxPooling(), layers.GlobalAveragePooling(),
        layers.Dense(CLASSES),
    )  # fmt: skip


def filters() -> Sequential:
    """Convolutions above 8 MFLOP, whose images do not fill the last tile."""
    return Sequential(
        layers.Convolution(16, padding="same", activation="relu"), layers.MaxPooling(),
        layers.Convolution(32, kernel=5, padding="same", activation="tanh"), layers.Dropout(0.2),
        layers.Convolution(32, padding="same", use_bias=False), layers.BatchNormalization(), "relu",
        Residual(layers.Convolution(32, padding="same", weight_normalization=True)),
        layers.MaxPooling(), layers.Flatten(), layers.Dense(CLASSES),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Any, tuple[int, ...], int]] = {
    "small": (small, (30,), 48),
    "large": (large, (40,), 64),
    "images": (images, (12, 11, 3), 24),
    "filters": (filters, (24, 24, 3), 50),
}
# What changes the order of sums, and what changes no bit at all.
ROUNDING: list[dict[str, bool | int]] = [
    {"fuse": False},
    {"fuse_normalization": False},
    {"phases": False},
    {"chunks": False},
    {"own_products": False},
    {"winograd": False},
]
EXACT: list[dict[str, bool | int]] = [
    {"share_memory": False},
    {"checkpoint_every": 1},
    {"checkpoint_every": 2},
    {"checkpoint_every": 5},
]


def trained(
    name: str, compute: dict[str, bool | int], *, threads: int = 2, dtype: str = "float64"
) -> tuple[Array, Array, Array]:
    """Parameters, what layers keep, and the record."""
    make, shape, batch = NETWORKS[name]
    network = make().network(
        shape, loss="softmax_cross_entropy", dtype=dtype, batch_size=batch, threads=threads, seed=3,
        compute=compute,
    )  # fmt: skip
    inputs = np.random.default_rng(1).normal(size=(STEPS * batch, *shape)).astype(dtype)
    labels = np.random.default_rng(2).integers(0, CLASSES, STEPS * batch).astype(np.int32)
    optimizer = make_optimizer("momentum", l2=1e-3, clip_norm=1.0)
    network.train(optimizer, inputs, labels, batch_size=batch)
    kept = np.concatenate([np.ravel(value) for value in network.state.values()] or [np.zeros(0)])
    return network.flat_parameters.copy(), kept, network.drain()[1]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("compute", ROUNDING, ids=str)
def test_passes_change_results_by_rounding(name: str, compute: dict[str, bool | int]) -> None:
    parameters, kept, record = trained(name, {})
    without = trained(name, compute)
    np.testing.assert_allclose(without[0], parameters, rtol=0, atol=1e-12)
    np.testing.assert_allclose(without[1], kept, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(without[2], record, rtol=1e-5, atol=1e-9)  # recorded as float32


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("compute", ROUNDING, ids=str)
def test_passes_in_float32(name: str, compute: dict[str, bool | int]) -> None:
    """Where other engines take part than in float64."""
    without = trained(name, compute, dtype="float32")
    np.testing.assert_allclose(without[0], trained(name, {}, dtype="float32")[0], rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compute", EXACT, ids=str)
def test_memory_changes_no_bit(name: str, dtype: str, compute: dict[str, bool | int]) -> None:
    for ours, theirs in zip(trained(name, compute, dtype=dtype), trained(name, {}, dtype=dtype), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("compute", [{}, *ROUNDING, {"checkpoint_every": 2}], ids=str)
def test_threads_change_no_bit(name: str, compute: dict[str, bool | int]) -> None:
    one = trained(name, compute, threads=1, dtype="float32")
    for threads in (2, 4):
        for ours, theirs in zip(trained(name, compute, threads=threads, dtype="float32"), one, strict=True):
            assert ours.tobytes() == theirs.tobytes()


def test_checkpoints_take_less_memory() -> None:
    make, shape, _ = NETWORKS["images"]

    def arena(**compute: int) -> int:
        network = make().network(shape, loss="softmax_cross_entropy", batch_size=64, compute=compute)
        return int(network.describe("training", 64)["arena_bytes"])

    kept = arena(checkpoint_every=0, share_memory=True)
    assert arena(checkpoint_every=5, share_memory=True) < 0.8 * kept


def test_memory_of_resnet20() -> None:
    """Against all outputs and their gradients side by side, as the layers ask for them."""
    layers_of = load_experiment("resnet20_cifar").model.layers

    def plan(**compute: bool) -> dict[str, Any]:
        network = Sequential(*layers_of).network(
            (32, 32, 3), loss="softmax_cross_entropy", batch_size=16, compute=compute
        )
        return network.describe("training", 16)

    plain = plan(fuse=False, fuse_normalization=False, share_memory=False)
    assert plan(share_memory=True)["arena_bytes"] < 0.6 * plain["arena_bytes"]


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        ({"fuze": True}, ["compute.fuze", "chunks, device_steps, fuse"]),
        ({"fuse": 3}, ["compute.fuse", "true or false"]),
        ({"checkpoint_every": -1}, ["compute.checkpoint_every", "0 or more"]),
        ({"checkpoint_every": 1.5}, ["compute.checkpoint_every", "a whole number of layers"]),
    ],
)
def test_unknown_options(compute: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        small().network([30], loss="squared_error", compute=compute)
    for word in words:
        assert word in str(caught.value)

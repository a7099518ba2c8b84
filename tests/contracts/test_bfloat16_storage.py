"""What lies between operations is stored in bfloat16: rounded to the nearest, computed with in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.bfloat16 import needs_bfloat16, rounded
from reference.network import build, randomize

from ravine import Residual, Sequential, layers
from ravine.training.optimizer import make_optimizer

pytestmark = needs_bfloat16

Array = np.ndarray[Any, Any]
CLASSES, STEPS = 5, 3
extents = st.integers(1, 70) | st.sampled_from([128, 200])
seeds = st.integers(0, 2**32 - 1)


def dense() -> Sequential:
    """Odd sizes, a derivative that reads its input, dropout, a branch, and what stays float32."""
    return Sequential(
        layers.Dense(151, activation="relu"), layers.Dropout(0.4),
        layers.Dense(90), layers.BatchNormalization(), "tanh",
        layers.Dense(64, activation="gelu"), layers.LayerNormalization(),
        Residual(layers.Dense(30, activation="relu"), layers.Dense(64)), layers.Dense(CLASSES),
    )  # fmt: skip


def wide() -> Sequential:
    """Operations above 8 MFLOP, and sums of more than 2,048 terms."""
    return Sequential(
        layers.Dense(2100, activation="relu"), layers.Dropout(0.5), layers.Dense(64, activation="tanh"),
        layers.Dense(CLASSES),
    )  # fmt: skip


def images() -> Sequential:
    """Engines of all kinds, shortcuts, and images that do not fill the last tile."""

    def convolution(units: int, **chosen: Any) -> list[Any]:
        return [layers.Convolution(units, pad=1, use_bias=False, **chosen), layers.BatchNormalization()]

    shortcut = [layers.Convolution(32, kernel=1, stride=2, use_bias=False), layers.BatchNormalization()]
    return Sequential(
        *convolution(16), "relu", Residual(*convolution(16), "relu", *convolution(16)), "relu",
        Residual(*convolution(32, stride=2), "relu", *convolution(32), shortcut=shortcut), "relu",
        layers.Convolution(32, kernel=5, padding="same", activation="tanh"), layers.MaxPooling(),
        layers.Convolution(6, groups=2, activation="gelu"), layers.AveragePooling(), layers.Dropout(0.1),
        layers.Flatten(), layers.Dense(CLASSES),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Any, tuple[int, ...], int]] = {
    "dense": (dense, (31,), 50),
    "wide": (wide, (200,), 64),
    "images": (images, (24, 22, 3), 19),
}


def network_of(name: str, compute: dict[str, Any], *, threads: int = 2, dtype: str = "bfloat16") -> Any:
    make, shape, batch = NETWORKS[name]
    return make().network(
        shape, loss="softmax_cross_entropy", dtype=dtype, batch_size=batch, threads=threads, seed=3,
        compute={"store_bfloat16": True, **compute},  # whatever --compute says: it is what is tested here
    )  # fmt: skip


def data_of(name: str, steps: int) -> tuple[Array, Array]:
    _, shape, batch = NETWORKS[name]
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(steps * batch, *shape)).astype(np.float32)
    return inputs, generator.integers(0, CLASSES, steps * batch).astype(np.int32)


def trained(name: str, compute: dict[str, Any], threads: int = 2) -> list[bytes]:
    network = network_of(name, compute, threads=threads)
    inputs, labels = data_of(name, STEPS)
    optimizer = make_optimizer("momentum", l2=1e-3, clip_norm=1.0)
    assert network.train(optimizer, inputs, labels, batch_size=NETWORKS[name][2]).steps == STEPS
    steps, rows = network.drain()
    kept = [np.asarray(value) for value in network.state.values()]
    return [values.tobytes() for values in (network.flat_parameters, steps, rows, *kept)]


def gradients_of(name: str, compute: dict[str, Any], dtype: str = "bfloat16") -> dict[str, Array]:
    """Of one step, and the output of the forward pass; masks of dropout are the same."""
    network = network_of(name, compute, dtype=dtype)
    inputs, _ = data_of(name, 1)
    output = network.forward(inputs, training=True)
    network.backward(np.random.default_rng(2).normal(size=output.shape).astype(np.float32))
    return {"output": output, **{key: values.copy() for key, values in network.gradients.items()}}


@settings(max_examples=40)
@given(rows=extents, units=extents, outputs=extents, seed=seeds)
def test_hidden_values_and_their_gradients_are_rounded(rows, units, outputs, seed):
    """Of two dense layers, by the formula: but for values that a sum's last bits move over a tie."""
    generator = np.random.default_rng(seed)
    chosen = [{"type": "dense", "units": units, "activation": "tanh"}, {"type": "dense", "units": outputs}]
    network = build(chosen, [3], batch_size=rows, dtype="bfloat16", threads=2)
    randomize(network, generator)
    x, g = (generator.normal(size=(rows, n)).astype(np.float32) for n in (3, outputs))
    first, bias, second, last = (values.astype(np.float64) for values in network.parameters.values())
    hidden = rounded(np.tanh(rounded(x) @ rounded(first).T + bias))
    found = network.forward(x, training=True)
    network.backward(g)
    ulp = 2.0**-8
    moved = ulp * np.sqrt(units) * np.abs(rounded(second)).max()  # one hidden value, over a tie
    assert np.abs(found - (hidden @ rounded(second).T + last)).max() <= moved
    unrounded = np.tanh(rounded(x) @ rounded(first).T + bias) @ rounded(second).T + last
    if rows * outputs > 50 and units > 20:
        assert np.mean(np.abs(found - (hidden @ rounded(second).T + last))) < 0.1 * np.mean(
            np.abs(found - unrounded)
        )
    net = rounded(rounded(g) @ rounded(second) * (1 - hidden**2))
    scale = np.abs(net).max()
    np.testing.assert_allclose(
        network.gradients["dense_1.bias"], net.sum(axis=0), rtol=0, atol=ulp * scale * 3
    )
    np.testing.assert_allclose(
        network.gradients["dense_1.weight"],
        net.T @ rounded(x),
        rtol=0,
        atol=ulp * scale * 3 * np.abs(x).max(),
    )
    np.testing.assert_allclose(
        network.gradients["dense_2.weight"], rounded(g).T @ hidden, rtol=0, atol=3 * ulp * np.abs(g).max()
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("fused", [True, False])
def test_close_to_unstored_and_to_float32(name: str, fused: bool) -> None:
    """Storing adds as much as rounding operands does: most of it are derivatives of ReLU that change."""
    compute = {"fuse": fused, "fuse_normalization": fused, "chunks": fused, "phases": fused}
    stored = gradients_of(name, compute)
    unstored = gradients_of(name, {**compute, "store_bfloat16": False})
    exact = gradients_of(name, compute, "float32")
    assert any(np.any(stored[key] != unstored[key]) for key in exact)
    for key, values in exact.items():
        norm = np.linalg.norm(values)
        if norm < 1e-4:  # of a bias before batch normalization: nothing but rounding
            continue
        error, rounding = (np.linalg.norm(found[key] - values) / norm for found in (stored, unstored))
        assert error < (0.01 if key == "output" else 0.01 + 3 * rounding), key
        assert error < 0.25, key


@pytest.mark.parametrize("name", NETWORKS)
def test_same_bits_for_any_threads_and_memory(name: str) -> None:
    single = trained(name, {}, threads=1)
    for threads in (2, 4):
        assert trained(name, {}, threads) == single
    for compute in ({"share_memory": False}, {"checkpoint_every": 1}, {"checkpoint_every": 3}):
        assert trained(name, compute) == single
    assert trained(name, {"store_bfloat16": False}) != single


@pytest.mark.parametrize("name", NETWORKS)
def test_measuring_changes_no_bit(name: str) -> None:
    parameters = []
    for recorded in ({}, {"record_every": 0, "statistics": "off"}):
        network = network_of(name, {})
        inputs, labels = data_of(name, STEPS)
        network.train(make_optimizer("adam"), inputs, labels, batch_size=NETWORKS[name][2], **recorded)
        parameters.append(network.flat_parameters.tobytes())
    assert parameters[0] == parameters[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_statistics_of_layers(name: str) -> None:
    """As close to those of float32 as the values are; fractions of zeros but for values near zero."""
    records = {}
    for dtype in ("float32", "bfloat16"):
        network = network_of(name, {}, dtype=dtype)
        inputs, labels = data_of(name, 1)
        network.train(make_optimizer("momentum"), inputs, labels, batch_size=len(labels))
        records[dtype] = network.drain()[1]
    np.testing.assert_allclose(records["bfloat16"], records["float32"], rtol=0.1, atol=0.03)


def test_plan_names_what_is_stored() -> None:
    stored, unstored = (
        network_of("images", {"store_bfloat16": chosen}).describe("training", 19) for chosen in (True, False)
    )
    types = {(row["layer"], row["section"]): row["type"] for row in stored["operations"]}
    assert types["convolution_1", "forward"] == types["batch_normalization_1", "forward"] == "bfloat16"
    assert types["convolution_2", "backward"] == "bfloat16"
    assert types["dense_1", "forward"] == "float32"
    assert {row["type"] for row in unstored["operations"]} == {"float32"}
    assert stored["unshared_bytes"] < 0.6 * unstored["unshared_bytes"]
    assert stored["arena_bytes"] < 0.6 * unstored["arena_bytes"]
    for dtype in ("float32", "float64"):
        plan = network_of("images", {}, dtype=dtype).describe("training", 19)
        assert {row["type"] for row in plan["operations"]} == {dtype}


def test_what_cannot_read_it_stays_float32() -> None:
    """Layer normalization, and with it whatever shares a sum or an activation with it."""
    network = network_of("dense", {})
    rows = {
        (row["layer"], row["section"]): row["type"] for row in network.describe("training", 50)["operations"]
    }
    assert rows["layer_normalization_1", "forward"] == "float32"
    assert rows["dense_1", "forward"] == "bfloat16"

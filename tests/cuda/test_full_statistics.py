"""Distributions of outputs, gradients and weights, counted on a device as exactly as the CPU counts them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.network import build, randomize

from ravine import LayerOutputs, Residual, Sequential, _core
from ravine.distributions import Distribution, DistributionRow
from ravine.layers import BatchNormalization, Dense

pytestmark = pytest.mark.usefixtures("needs_device")

FINEST = 2.0**-126


def drained(network: Any) -> dict[tuple[int, str, str], Any]:
    rows = [Distribution.of(DistributionRow(*row)) for row in network.drain_distributions()]
    return {(row.step, row.name, row.kind): row for row in rows}


def expected_counts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts by number of bin: 16 equal parts of each factor of two, of values as float32."""
    edges = [2.0**e * (1 + part / 16) for e in range(-126, 128) for part in range(16)]
    numbers = np.asarray(values).ravel().astype(np.float32).astype(np.float64)
    magnitude = np.abs(numbers)
    number = np.where(magnitude < FINEST, 0, np.searchsorted([*edges, 2.0**128], magnitude, side="right"))
    return np.unique(np.where(numbers < 0, -number, number), return_counts=True)


def assert_exact(found: Any, values: np.ndarray) -> None:
    bins, counts = expected_counts(values)
    np.testing.assert_array_equal(found.bins, bins)
    np.testing.assert_array_equal(found.counts, counts)
    assert (found.minimum, found.maximum) == (values.min(), values.max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_and_gradients(dtype: str) -> None:
    """Of small parameters and of large ones, which several blocks count."""
    layers = [
        {"type": "dense", "units": 700, "activation": "relu"},
        "batch_normalization",
        {"type": "dense", "units": 3},
    ]
    network = build(layers, [290], "softmax_cross_entropy", batch_size=20, dtype=dtype)
    generator = np.random.default_rng(1)
    x = generator.normal(size=(60, 290)).astype(dtype)
    y = generator.integers(0, 3, 60).astype(np.int32)
    optimizer = _core.Optimizer("adam")
    for step in range(1, 4):
        own = slice(20 * (step - 1), 20 * step)
        network.train(optimizer, x[own], y[own], batch_size=20, statistics="full", full_every=1)
        found = drained(network)
        for name in network.parameters:
            assert_exact(found[step, name, "weight"], network.parameters[name])
            assert_exact(found[step, name, "gradient"], network.gradients[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_values(dtype: str) -> None:
    """Zeros of both signs, what is smaller than a normal float32, the largest, and edges of bins."""
    special = np.array(
        [0.0, -0.0, 1e-40, -1e-40, FINEST, -FINEST, 1.0, -1.0, 1.0625, 1.06249988, 2.0, -2.0, 3.4e38, -3.4e38,
         1e-30, -17.0]
    )  # fmt: skip
    network = build([{"type": "dense", "units": 4}], [4], dtype=dtype)
    network.parameters["dense_1.weight"][...] = special.reshape(4, 4)
    x = np.zeros((16, 4), dtype)
    optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0})
    network.train(optimizer, x, x, batch_size=16, statistics="full", full_every=1)
    found = drained(network)
    assert_exact(found[1, "dense_1.weight", "weight"], special.astype(dtype))
    gradient = found[1, "dense_1.weight", "gradient"]
    assert (gradient.bins.tolist(), gradient.counts.tolist()) == ([0], [16])


def layers_of_all_kinds() -> list[Any]:
    """Fused and not: normalization with a shortcut and an activation, whose values between are not kept."""
    return [
        Dense(70), BatchNormalization(), "relu",
        Residual(Dense(70, use_bias=False), BatchNormalization(), "tanh", Dense(70), BatchNormalization()),
        "relu",
        {"type": "layer_normalization"},
        {"type": "dropout", "rate": 0.4},
        {"type": "dense", "units": 9, "activation": "gelu", "weight_normalization": True},
        {"type": "group_normalization", "groups": 3},
        Dense(4),
    ]  # fmt: skip


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("parts", [0, 17])
def test_outputs_of_all_kinds(device: str, fused: bool, parts: int) -> None:
    """In float64 roundings move no value: the same bins and counts on both, whatever computed an output."""
    found = []
    for place in ("cpu", device):
        network = Sequential(*layers_of_all_kinds()).network(
            (9,), loss="softmax_cross_entropy", batch_size=50, dtype="float64", seed=1, device=place,
            compute={"fuse_normalization": fused},
        )  # fmt: skip
        generator = np.random.default_rng(3)
        randomize(network, generator)
        x, y = generator.normal(size=(150, 9)), generator.integers(0, 4, 150).astype(np.int32)
        optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.01})
        given = {"micro_batch": parts, "statistics": "full", "full_every": 2}
        network.train(optimizer, x, y, batch_size=50, **given)
        found.append(drained(network))
    expected, rows = found
    assert set(rows) == set(expected)
    assert {step for step, _, _ in rows} == {2}
    assert sum(kind == "output" for _, _, kind in rows) >= 14
    for key, row in expected.items():
        if key[2] != "output":
            continue  # gradients of biases before a normalization are nothing but rounding
        np.testing.assert_array_equal(rows[key].bins, row.bins, err_msg=str(key))
        np.testing.assert_array_equal(rows[key].counts, row.counts, err_msg=str(key))
        np.testing.assert_allclose(
            [rows[key].minimum, rows[key].maximum], [row.minimum, row.maximum], rtol=1e-9, atol=1e-15
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_outputs_that_are_kept(dtype: str) -> None:
    """Exactly those that the device has computed, of several blocks each."""
    layers = [{"type": "dense", "units": 500}, "relu", "layer_normalization", {"type": "dense", "units": 3}]
    network = build(layers, [40], "softmax_cross_entropy", batch_size=300, dtype=dtype)
    generator = np.random.default_rng(4)
    x = generator.normal(size=(300, 40)).astype(dtype)
    y = generator.integers(0, 3, 300).astype(np.int32)
    names = [layer["name"] for layer in network.layers]
    outputs = LayerOutputs(network, names)(x, training=True)
    optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0})
    network.train(optimizer, x, y, batch_size=300, statistics="full", full_every=1)
    found = drained(network)
    for name in names:
        assert_exact(found[1, name, "output"], np.asarray(outputs[name]))


def test_bits_do_not_depend_on_the_level(device: str) -> None:
    ends = []
    for level in ("off", "norms", "full"):
        network = Sequential(*layers_of_all_kinds()).network(
            (9,), loss="softmax_cross_entropy", batch_size=50, dtype="float32", seed=1, device=device
        )
        generator = np.random.default_rng(3)
        x = generator.normal(size=(500, 9)).astype(np.float32)
        y = generator.integers(0, 4, 500).astype(np.int32)
        optimizer = _core.Optimizer("nesterov", clip_norm=1.0)
        for half in (slice(0, 250), slice(250, 500)):
            network.train(optimizer, x[half], y[half], batch_size=50, statistics=level, full_every=3)
            network.time_passes(x[:50], distributions=level == "full", most=2, seconds=1.0)
        ends.append([network.flat_parameters.tobytes(), *(v.tobytes() for v in network.state.values())])
        assert sorted({step for step, _, _ in drained(network)}) == ([3, 6, 9] if level == "full" else [])
    assert ends[0] == ends[1] == ends[2]


@pytest.mark.parametrize("micro_batch", [0, 3])
def test_a_step_that_is_given_up_leaves_nothing(micro_batch: int) -> None:
    network = build([{"type": "dense", "units": 4}, {"type": "dense", "units": 2}], [3])
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(16, 3)), generator.normal(size=(16, 2))
    broken = x.copy()
    broken[-1] = np.nan
    optimizer = _core.Optimizer("adam")
    settings: dict[str, Any] = {"batch_size": 8, "statistics": "full", "full_every": 1}
    assert network.train(optimizer, broken, y, micro_batch=micro_batch, **settings).trouble
    assert {step for step, _, _ in drained(network)} == {1}
    network.train(optimizer, x[8:], y[8:], micro_batch=micro_batch, **settings)
    found = drained(network)
    assert {step for step, _, _ in found} == {2}
    assert found[2, "dense_2", "output"].count == 16

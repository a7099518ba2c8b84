"""Normalizations on a device: moments, every fused form, evaluation, state, blocks, weights; against NumPy in
float64 and against the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.catalog import names
from reference.network import build, randomize

from ravine import Residual, Sequential, _core
from ravine.layers import BatchNormalization, Dense

pytestmark = pytest.mark.usefixtures("needs_device")

DTYPES = ["float32", "float64"]
# Rows and channels: one block and many, whole packs and parts of them, few rows and many parts.
SHAPES = [(2, 1), (3, 8), (7, 5), (40, 33), (64, 64), (129, 256), (1500, 3), (70000, 2), (5000, 24)]
ROUNDING = {"float32": 2e-6, "float64": 1e-13}


def images(rows: int, channels: int) -> tuple[int, tuple[int, ...]]:
    """As many rows as a batch of pictures, where they divide."""
    for area in (100, 10, 2):
        if rows % area == 0:
            return rows // area, (area // 2, 2, channels)
    return rows, (channels,)


def layer_in_numpy(x: np.ndarray, g: np.ndarray, scale: np.ndarray, epsilon: float) -> tuple[np.ndarray, ...]:
    """Mean, variance, x_hat, and the gradients of scale, centre and input."""
    mean, variance = x.mean(0), x.var(0)
    inverse = 1 / np.sqrt(variance + epsilon)
    x_hat = (x - mean) * inverse
    of_scale, of_centre = (g * x_hat).sum(0), g.sum(0)
    of_input = scale * inverse * (g - of_centre / len(x) - x_hat * of_scale / len(x))
    return mean, variance, x_hat, of_scale, of_centre, of_input


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_columns(shape: tuple[int, int], dtype: str) -> None:
    """Output, moving averages and gradients, of values far from 0."""
    rows, channels = shape
    batch, sample = images(rows, channels)
    layers = [
        {"type": "batch_normalization", "scale": False, "centre": False, "epsilon": 0.5},
        {"type": "batch_normalization", "momentum": 0.25},
    ]
    network = build(layers, sample, batch_size=batch, dtype=dtype)
    generator = np.random.default_rng(1)
    first, second = "batch_normalization_1", "batch_normalization_2"
    scale, centre = generator.normal(1, 0.5, channels), generator.normal(size=channels)
    network.parameters[f"{second}.scale"][...] = scale
    network.parameters[f"{second}.centre"][...] = centre
    scale = network.parameters[f"{second}.scale"].astype(np.float64)
    x = generator.normal(30.0, generator.uniform(0.1, 4, channels), (rows, channels)).astype(dtype)
    g = generator.normal(size=(rows, channels)).astype(dtype)
    output = network.forward(x.reshape(batch, *sample), training=True)
    network.backward(g.reshape(output.shape))

    wide, wide_g = x.astype(np.float64), g.astype(np.float64)
    mean, _, x_hat, _, _, _ = layer_in_numpy(wide, wide_g, np.ones(channels), 0.5)
    own_mean, own_variance, own_hat, of_scale, of_centre, _ = layer_in_numpy(x_hat, wide_g, scale, 1e-5)
    close = ROUNDING[dtype]
    # What is kept of one batch: momentum 0.99 for the first layer by default, of the second as given.
    kept = network.state[f"{second}.moving_variance"]
    unbiased = own_variance * (rows / (rows - 1))
    np.testing.assert_allclose(kept, 0.25 + 0.75 * unbiased, rtol=20 * close)
    np.testing.assert_allclose(network.state[f"{second}.moving_mean"], 0.75 * own_mean, atol=20 * close)
    share = network.state[f"{first}.moving_mean"] / mean
    np.testing.assert_allclose(share, share[0], rtol=20 * close)
    grown = 100 * close  # values around 30 have been made ones around 0
    expected = own_hat * scale + network.parameters[f"{second}.centre"].astype(np.float64)
    np.testing.assert_allclose(output.reshape(rows, channels), expected, rtol=grown, atol=grown)
    size = np.abs(wide_g).sum(0)
    np.testing.assert_allclose(network.gradients[f"{second}.centre"], of_centre, atol=close * size.max())
    np.testing.assert_allclose(network.gradients[f"{second}.scale"], of_scale, atol=4 * grown * size.max())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 1e4])
def test_moments_far_from_zero(dtype: str, value: float) -> None:
    """Neither a large mean nor a first row that lies far off takes the variance away."""
    network = build([{"type": "batch_normalization", "momentum": 0.0}], (3,), batch_size=4000, dtype=dtype)
    x = np.random.default_rng(4).normal(1000.0, 1.0, (4000, 3)).astype(dtype)
    x[0] += value
    network.forward(x, training=True)
    wide = x.astype(np.float64)
    mean, variance = network.state.values()
    close = {"float32": 2e-6, "float64": 1e-11}[dtype]
    np.testing.assert_allclose(mean, wide.mean(0), rtol=close / 10)
    np.testing.assert_allclose(variance, wide.var(0, ddof=1), rtol=close)


def problem(network: Any, rows: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    randomize(network, generator)
    x = generator.normal(0.3, 2.0, size=(rows, *network.input_shape)).astype(network.flat_parameters.dtype)
    return x, generator.integers(0, 3, rows).astype(np.int32)


def trained(network: Any, batch: int, steps: int = 4, **given: Any) -> dict[str, np.ndarray]:
    x, y = problem(network, batch * steps)
    optimizer = _core.Optimizer({"type": "momentum", "learning_rate": 0.03})
    result = network.train(optimizer, x, y, batch_size=batch, **given)
    assert result.steps == steps
    _, rows = network.drain()
    state = [values.ravel() for values in network.state.values()]
    return {
        "rows": rows,
        "weights": network.flat_parameters.copy(),
        "state": np.concatenate(state) if state else np.zeros(1),
        "prediction": network.predict(x[:50]),
        "metrics": np.array(list(network.evaluate(x, y).values())),
    }


def compare(makes: Any, device: str, dtype: str, batch: int = 48, **given: Any) -> None:
    expected = trained(makes("cpu", dtype), batch, **given)
    found = trained(makes(device, dtype), batch, **given)
    close = {"float32": 3e-3, "float64": 1e-9}[dtype]
    losses = {"float32": 1e-5, "float64": 1e-11}[dtype]
    np.testing.assert_allclose(found["rows"][:2, 0], expected["rows"][:2, 0], rtol=losses)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=close, atol=close, err_msg=name)


def fused_layers(activation: str) -> list[Any]:
    """Normalization alone, with an activation, with a shortcut, with one that is normalized too."""
    return [
        Dense(70), BatchNormalization(), activation,
        Residual(Dense(70, use_bias=False), BatchNormalization(), activation,
                 Dense(70), BatchNormalization()),
        activation,
        Residual(Dense(8), BatchNormalization(scale=False),
                 shortcut=[Dense(8), BatchNormalization(centre=False)]),
        activation,
        Residual(Dense(8), BatchNormalization(scale=False, centre=False)),
        Dense(3),
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", names("activation"))
def test_fused_forms(device: str, activation: str, dtype: str) -> None:
    """Losses, moments of every layer, weights, state, prediction and metrics of some steps."""
    for fused in (True, False):

        def makes(place: str, stored: str, fused: bool = fused) -> Any:
            return Sequential(*fused_layers(activation)).network(
                (9,), loss="softmax_cross_entropy", batch_size=48, dtype=stored, threads=1, seed=1,
                device=place, compute={"fuse_normalization": fused},
            )  # fmt: skip

        compare(makes, device, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_whether_measured_or_not(device: str, dtype: str) -> None:
    """What is measured in the pass itself changes no bit of what is computed."""
    ends = []
    for level in ("off", "norms", "norms"):
        network = Sequential(*fused_layers("relu")).network(
            (9,), loss="softmax_cross_entropy", batch_size=48, dtype=dtype, seed=1, device=device
        )
        end = trained(network, 48, statistics=level)
        ends.append([end[name].tobytes() for name in ("weights", "state", "prediction")])
    assert ends[0] == ends[1] == ends[2]


# Of a sample's values: layers, groups of few channels and of many, each channel, one row and many.
BLOCKS = [
    ((6,), {"type": "layer_normalization"}),
    ((700,), {"type": "layer_normalization", "scale": False}),
    ((4, 3, 5), {"type": "layer_normalization", "centre": False}),
    ((12,), {"type": "group_normalization", "groups": 3}),
    ((90,), {"type": "group_normalization", "groups": 2, "centre": False}),
    ((5, 4, 48), {"type": "group_normalization", "groups": 6}),
    ((3, 3, 7), {"type": "group_normalization", "groups": 7}),
    ((20, 11, 80), {"type": "group_normalization", "groups": 2, "scale": False}),
    ((9, 2, 70), {"type": "group_normalization", "groups": 35, "epsilon": 0.1}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sample", "layer"), BLOCKS)
def test_blocks(sample: tuple[int, ...], layer: dict[str, Any], dtype: str) -> None:
    """Output and gradients against NumPy; of a layer before, so that the input's gradient is there too."""
    batch = 13
    network = build([{"type": "batch_normalization"}, layer], sample, batch_size=batch, dtype=dtype)
    generator = np.random.default_rng(7)
    for name, values in network.parameters.items():
        values[...] = generator.normal(1 if name.endswith("scale") else 0, 0.5, values.shape)
    x = generator.normal(3.0, 2.0, (batch, *sample)).astype(dtype)
    g = generator.normal(size=(batch, *sample)).astype(dtype)
    output = network.forward(x, training=True)
    network.backward(g)

    channels = sample[-1]
    given = {name: values.astype(np.float64) for name, values in network.parameters.items()}
    wide = x.reshape(-1, channels).astype(np.float64)
    _, _, first_hat, _, _, _ = layer_in_numpy(wide, wide, np.ones(channels), 1e-5)
    before = first_hat * given["batch_normalization_1.scale"] + given["batch_normalization_1.centre"]
    groups = layer.get("groups", 1)
    blocks = before.reshape(batch, -1, groups, channels // groups)
    kind = layer["type"] + "_1"
    shape = (1, -1, groups, channels // groups) if layer["type"] == "layer_normalization" else (
        1, 1, groups, channels // groups)  # fmt: skip
    scale = given[f"{kind}.scale"].reshape(shape) if f"{kind}.scale" in given else np.ones(1)
    centre = given[f"{kind}.centre"].reshape(shape) if f"{kind}.centre" in given else np.zeros(1)
    inverse = 1 / np.sqrt(blocks.var((1, 3), keepdims=True) + layer.get("epsilon", 1e-5))
    x_hat = (blocks - blocks.mean((1, 3), keepdims=True)) * inverse
    close = ROUNDING[dtype] * 20
    np.testing.assert_allclose(
        output.reshape(blocks.shape), x_hat * scale + centre, rtol=close, atol=close, err_msg="output"
    )
    own = g.astype(np.float64).reshape(blocks.shape)
    for part, values in (("scale", own * x_hat), ("centre", own)):
        if f"{kind}.{part}" in network.gradients:
            axes = tuple(axis for axis in range(4) if shape[axis] == 1 and axis < 2)
            found = network.gradients[f"{kind}.{part}"].reshape(values.sum(axes).shape)
            np.testing.assert_allclose(found, values.sum(axes), atol=close * 10, rtol=close, err_msg=part)
    of_hat = own * scale
    of_input = inverse * (
        of_hat - of_hat.mean((1, 3), keepdims=True) - x_hat * (of_hat * x_hat).mean((1, 3), keepdims=True)
    )
    of_input = of_input.reshape(-1, channels)
    np.testing.assert_allclose(
        network.gradients["batch_normalization_1.centre"], of_input.sum(0), atol=close * 60, err_msg="input"
    )
    np.testing.assert_allclose(
        network.gradients["batch_normalization_1.scale"],
        (of_input * first_hat).sum(0), atol=close * 60, err_msg="input",
    )  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("statistics", ["off", "norms"])
def test_every_normalization_in_a_training(device: str, dtype: str, statistics: str) -> None:
    layers = [
        {"type": "dense", "units": 24, "weight_normalization": True},
        "batch_normalization",
        "relu",
        "layer_normalization",
        {"type": "dense", "units": 12},
        {"type": "group_normalization", "groups": 3},
        {"type": "batch_normalization", "scale": False, "centre": False, "momentum": 0.7},
        {"type": "dense", "units": 300, "weight_normalization": True},
        {"type": "dense", "units": 3},
    ]

    def makes(place: str, stored: str) -> Any:
        return build(layers, [290], "softmax_cross_entropy", batch_size=48, dtype=stored, device=place)

    compare(makes, device, dtype, statistics=statistics)


@pytest.mark.parametrize("inputs", [1, 3, 64, 1000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_weights(inputs: int, dtype: str) -> None:
    """g v / |v| and its gradient, against NumPy."""
    layers = [{"type": "dense", "units": 37, "weight_normalization": True, "use_bias": False}]
    network = build(layers, [inputs], batch_size=19, dtype=dtype)
    generator = np.random.default_rng(9)
    for values in network.parameters.values():
        values[...] = generator.normal(size=values.shape)
    x = generator.normal(size=(19, inputs)).astype(dtype)
    g = generator.normal(size=(19, 37)).astype(dtype)
    output = network.forward(x, training=True)
    network.backward(g)
    v = network.parameters["dense_1.direction"].astype(np.float64)
    gain = network.parameters["dense_1.gain"].astype(np.float64).ravel()
    length = np.linalg.norm(v, axis=1)
    close = ROUNDING[dtype] * 50
    np.testing.assert_allclose(output, x @ (v * (gain / length)[:, None]).T, rtol=close, atol=close * inputs)
    of_weight = g.astype(np.float64).T @ x.astype(np.float64)
    along = (of_weight * v).sum(1) / length
    of_direction = (gain / length)[:, None] * (of_weight - (along / length)[:, None] * v)
    np.testing.assert_allclose(network.gradients["dense_1.gain"].ravel(), along, rtol=close, atol=close * 20)
    np.testing.assert_allclose(
        network.gradients["dense_1.direction"], of_direction, rtol=close, atol=close * 40
    )


def test_parts_of_a_batch(device: str) -> None:
    """Ghost batches: each part by its own moments; state changes once a part."""

    def makes(place: str, dtype: str) -> Any:
        return Sequential(*fused_layers("relu")).network(
            (9,), loss="softmax_cross_entropy", batch_size=48, dtype=dtype, seed=1, device=place
        )

    compare(makes, device, "float64", micro_batch=20)


def test_the_same_bits_run_to_run(device: str) -> None:
    ends = []
    for _ in range(2):
        network = Sequential(*fused_layers("gelu")).network(
            (9,), loss="softmax_cross_entropy", batch_size=48, dtype="float32", seed=1, device=device
        )
        ends.append(b"".join(values.tobytes() for values in trained(network, 48).values()))
    assert ends[0] == ends[1]

"""Networks in bfloat16: what products and convolutions multiply is rounded, sums are not.

What lies between operations is rounded too where it is stored: test_bfloat16_storage.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.bfloat16 import needs_bfloat16, rounded
from reference.catalog import reference, resolved
from reference.network import build, randomize

from ravine import _core
from ravine.errors import InputError

pytestmark = needs_bfloat16

UNSTORED = {"store_bfloat16": False}

extents = st.integers(1, 70) | st.sampled_from([128, 200, 1000])
longer = extents | st.sampled_from([2047, 2049, 4100])
seeds = st.integers(0, 2**32 - 1)


def check(found, expected, unrounded, scale=None):
    """Found is what rounded operands give, and these are told apart from others where there are enough.

    `scale`: as large as sums of such terms are where they do not cancel.
    """
    scale = np.abs(expected).max() if scale is None else scale
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= 1e-5 * scale
    if expected.size > 50:
        assert np.abs(expected - unrounded).max() > 1e-4 * scale


def numbers(generator, *shape):
    return generator.normal(size=shape).astype(np.float32)


@settings(max_examples=60)
@given(rows=longer, inputs=longer, units=extents, seed=seeds)
def test_dense(rows, inputs, units, seed):
    """Output and weight gradient of any shape: sums over inputs, and over rows."""
    generator = np.random.default_rng(seed)
    layers = [{"type": "dense", "units": units, "use_bias": False}]
    network = build(layers, [inputs], batch_size=rows, dtype="bfloat16", threads=2)
    randomize(network, generator)
    x, g = numbers(generator, rows, inputs), numbers(generator, rows, units)
    weight = network.parameters["dense_1.weight"].astype(np.float64)
    output = network.forward(x, training=True)
    scale = np.sqrt(inputs) * np.abs(weight).max()
    check(output, rounded(x) @ rounded(weight).T, x.astype(np.float64) @ weight.T, scale)
    network.backward(g)
    found = network.gradients["dense_1.weight"]
    check(found, rounded(g).T @ rounded(x), g.T.astype(np.float64) @ x, np.sqrt(rows))


@settings(max_examples=40)
@given(rows=extents, units=extents, outputs=longer, seed=seeds)
def test_input_gradient(rows, units, outputs, seed):
    """Of a dense layer, seen through the gradient of the bias before it, which is summed as it is."""
    generator = np.random.default_rng(seed)
    layers = [{"type": "dense", "units": units, "activation": "tanh"}, {"type": "dense", "units": outputs}]
    network = build(layers, [3], batch_size=rows, dtype="bfloat16", threads=2, compute=UNSTORED)
    randomize(network, generator)
    x, g = numbers(generator, rows, 3), numbers(generator, rows, outputs)
    first, bias, second, _ = (values.astype(np.float64) for values in network.parameters.values())
    derivative = 1 - np.tanh(rounded(x) @ rounded(first).T + bias) ** 2
    network.forward(x, training=True)
    network.backward(g)
    check(
        network.gradients["dense_1.bias"],
        (rounded(g) @ rounded(second) * derivative).sum(axis=0),
        (g.astype(np.float64) @ second * derivative).sum(axis=0),
        np.sqrt(rows * outputs) * np.abs(second).max(),
    )


def test_operands_are_rounded_to_the_nearest_ties_to_even():
    """Multiplied by 1, so that nothing but the rounding is seen: bit for bit."""
    generator = np.random.default_rng(7)
    network = build([{"type": "dense", "units": 64}], [64], batch_size=300, dtype="bfloat16")
    network.parameters["dense_1.weight"][...] = np.eye(64)
    network.parameters["dense_1.bias"][...] = 0
    bits = generator.integers(0, 2**32, (300, 64), dtype=np.uint64).astype(np.uint32)
    bits[100:200] = bits[100:200] & 0xFFFF0000 | 0x8000  # halfway between two
    x = bits.view(np.float32)
    x[~np.isfinite(x) | (np.abs(x) < 2e-38) | (np.abs(x) > 3e38)] = 1.0
    np.testing.assert_array_equal(network.forward(x), rounded(x))


CONVOLUTIONS = [
    ((9, 8, 16), {"units": 32, "kernel": 3, "padding": "same"}),
    ((12, 11, 3), {"units": 20, "kernel": 5, "stride": 2, "pad": 2}),
    ((8, 8, 16), {"units": 24, "kernel": 1, "stride": 2}),
    ((7, 6, 1), {"units": 8, "kernel": 5}),
    ((7, 7, 6), {"units": 6, "kernel": 3, "groups": 2, "dilation": 2, "padding": "same"}),
    ((6, 6, 10), {"units": 10, "kernel": 3, "groups": 10, "padding": "same"}),
    ((6, 5, 8), {"units": 3, "kernel": 1}),
]


@pytest.mark.parametrize(("shape", "chosen"), CONVOLUTIONS)
@pytest.mark.parametrize("batch", [1, 19])
def test_convolution(shape, chosen, batch):
    """Output and gradients, by the formula; the gradients of that by a network in float64."""
    generator = np.random.default_rng(3)
    chosen = {"type": "convolution", **chosen}
    layers = [{"type": "convolution", "units": shape[2], "kernel": 1, "use_bias": True}, chosen]
    network = build(layers, shape, batch_size=batch, dtype="bfloat16", threads=2, compute=UNSTORED)
    randomize(network, generator)
    # An identity before the layer, whose bias gradient is the sum of the input's gradient.
    network.parameters["convolution_1.weight"][...] = np.eye(shape[2])[:, None, None, :]
    network.parameters["convolution_1.bias"][...] = 0
    x = numbers(generator, batch, *shape)
    output = network.forward(x, training=True)
    g = numbers(generator, *output.shape)
    parameters = {name: network.parameters[f"convolution_2.{name}"] for name in ("weight", "bias")}
    exact = {name: values.astype(np.float64) for name, values in parameters.items()}
    forward = reference("layer", "convolution").forward
    given = resolved("layer", "convolution", {k: v for k, v in chosen.items() if k != "type"})
    check(
        output,
        forward(rounded(x), {"weight": rounded(exact["weight"]), "bias": exact["bias"]}, given, None),
        forward(x.astype(np.float64), exact, given, None),
    )
    network.backward(g)

    gradients = []
    for of in (rounded, lambda values: np.asarray(values, np.float64)):
        judge = build(layers, shape, batch_size=batch)
        for name, values in network.parameters.items():
            judge.parameters[name][...] = of(values) if name.endswith("weight") else values
        judge.forward(of(x), training=True)
        judge.backward(of(g))
        gradients.append(dict(judge.gradients))
    for name in ("convolution_2.weight", "convolution_1.bias"):
        check(network.gradients[name], gradients[0][name], gradients[1][name])
    np.testing.assert_allclose(
        network.gradients["convolution_2.bias"], g.sum(axis=(0, 1, 2), dtype=np.float64), rtol=1e-4, atol=1e-4
    )


IMAGES = [
    {"type": "convolution", "units": 8, "kernel": 3, "padding": "same"},
    "batch_normalization",
    "relu",
    {"type": "max_pooling", "size": 2},
    {"type": "convolution", "units": 12, "kernel": 3, "stride": 2, "groups": 4, "activation": "tanh"},
    "flatten",
    {"type": "dense", "units": 150, "activation": "relu"},
    {"type": "dropout", "rate": 0.25},
    {"type": "dense", "units": 5},
]


def trained(layers, shape, batch, threads, dtype="bfloat16", steps=6):
    generator = np.random.default_rng(4)
    x = numbers(generator, steps * batch, *shape)
    y = generator.integers(0, 5, steps * batch).astype(np.int32)
    network = build(
        layers, shape, "softmax_cross_entropy", batch_size=batch, dtype=dtype, threads=threads, seed=2
    )
    optimizer = _core.Optimizer("adam")
    assert network.train(optimizer, x, y, batch_size=batch).steps == steps
    steps, rows = network.drain()
    state = [network.flat_parameters, *optimizer.slots.values(), steps, rows, network.predict(x[:50])]
    return [values.tobytes() for values in state], network.evaluate(x, y)


@pytest.mark.parametrize(
    ("layers", "shape", "batch"),
    [
        (IMAGES, (17, 13, 3), 37),
        (IMAGES[5:], (33, 7), 136),
        ([{"type": "dense", "units": 20, "activation": "tanh"}] * 4 + IMAGES[-1:], (19,), 50),
    ],
    ids=["images", "wide", "deep"],
)
def test_same_bits_for_any_number_of_threads(layers, shape, batch):
    single = trained(layers, shape, batch, 1)
    for threads in (2, 4):
        assert trained(layers, shape, batch, threads) == single
    assert trained(layers, shape, batch, 1, "float32") != single


def test_arrays_stay_float32(device):
    network = build(IMAGES, (17, 13, 3), "softmax_cross_entropy", batch_size=4, dtype="bfloat16")
    assert (network.dtype, network.array_dtype) == ("bfloat16", "float32")
    assert network.flat_parameters.dtype == network.flat_gradients.dtype == np.float32
    optimizer = _core.Optimizer("adam")
    optimizer.attach(network)
    assert {slot.dtype for slot in optimizer.slots.values()} == {np.dtype(np.float32)}
    assert {values.dtype for values in network.state.values()} == {np.dtype(np.float32)}
    engines = {row["operation"].split(" ")[0]: row["engine"] for row in network.describe()["operations"]}
    assert engines["product"] == "own bf16"
    assert engines["convolution"] == "oneDNN bf16" or device != "cpu"
    for dtype in ("float32", "float64"):
        other = build(IMAGES, (17, 13, 3), "softmax_cross_entropy", batch_size=4, dtype=dtype)
        assert (other.dtype, other.array_dtype) == (dtype, dtype)
        assert not any("bf16" in row["engine"] for row in other.describe()["operations"])


def test_nan_is_found_and_named():
    network = build([{"type": "dense", "units": 5}], [40], "softmax_cross_entropy", dtype="bfloat16")
    network.parameters["dense_1.weight"][2, 7] = np.nan
    x, y = np.ones((32, 40), np.float32), np.zeros(32, np.int32)
    result = network.train(_core.Optimizer("adam"), x, y, batch_size=32)
    assert result.steps == 0
    assert "dense_1" in result.trouble_layer


def test_other_names_are_refused():
    with pytest.raises(InputError, match="use float32, float64 or bfloat16") as refused:
        build(["relu"], [4], dtype="float16")
    assert refused.value.key == "dtype"

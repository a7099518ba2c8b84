"""Convolution and pooling: equal bits, measurements, edges of pooling, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import build

from ravine import _core
from ravine.errors import InputError

LAYERS = [
    {"type": "convolution", "units": 8, "kernel": 3, "padding": "same", "activation": "relu"},
    {"type": "max_pooling", "size": 3, "stride": 2, "pad": 1},
    {"type": "convolution", "units": 12, "kernel": 3, "stride": 2, "groups": 4, "activation": "tanh"},
    {"type": "average_pooling", "padding": "same"},
    {"type": "convolution", "units": 6, "kernel": 1},
    "relu",
    "global_average_pooling",
    {"type": "dense", "units": 5},
]
SHAPE, BATCH, STEPS = (17, 13, 3), 37, 6


def data(dtype, rows=BATCH * STEPS):
    generator = np.random.default_rng(4)
    x = generator.normal(size=(rows, *SHAPE)).astype(dtype)
    return x, generator.integers(0, 5, rows).astype(np.int32)


def network_of(dtype, threads=1, batch=BATCH):
    return build(
        LAYERS, SHAPE, "softmax_cross_entropy", batch_size=batch, dtype=dtype, threads=threads, seed=2
    )


def trained(dtype, threads):
    network, optimizer = network_of(dtype, threads), _core.Optimizer("momentum")
    x, y = data(dtype)
    assert network.train(optimizer, x, y, batch_size=BATCH).steps == STEPS
    steps, rows = network.drain()
    state = [network.flat_parameters, *optimizer.slots.values(), steps, rows, network.predict(x[:50])]
    return [values.tobytes() for values in state], network.evaluate(x, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype):
    """Over tiles that do not divide the batch evenly."""
    single = trained(dtype, 1)
    for threads in (2, 4):
        assert trained(dtype, threads) == single


def test_measurements():
    """What is recorded of a step is what NumPy finds in the arrays of a step by hand."""
    x, y = data("float64", BATCH)
    network, by_hand = network_of("float64", 2), network_of("float64")
    network.train(_core.Optimizer("gradient_descent"), x, y, batch_size=BATCH)
    _, rows = network.drain()
    found = dict(zip(network.columns, rows[0], strict=True))
    by_hand.forward(x, training=True)
    by_hand.loss(y)
    by_hand.backward()
    for name in ("convolution_1", "convolution_2", "convolution_3"):
        gradients = [by_hand.gradients[f"{name}.{part}"] for part in ("weight", "bias")]
        norm = np.sqrt(sum(np.sum(values**2) for values in gradients))
        assert found[f"{name}.gradient_norm"] == pytest.approx(norm, rel=1e-6)
    parameters = dict(by_hand.parameters)
    for depth in range(1, len(LAYERS) + 1):
        part = build(LAYERS[:depth], SHAPE, "squared_error", batch_size=BATCH)
        for key, values in part.parameters.items():
            values[...] = parameters[key]
        output, name = part.forward(x, training=True), part.layers[-1]["name"]
        assert found[f"{name}.activation_mean"] == pytest.approx(output.mean(), rel=1e-5, abs=1e-7)
        assert found[f"{name}.activation_variance"] == pytest.approx(output.var(), rel=1e-5)
        assert found[f"{name}.activation_zeros"] == pytest.approx(np.mean(output == 0.0), abs=1e-7)


def test_rows_do_not_see_each_other():
    """A batch gives, row for row, what smaller ones give."""
    network, x = network_of("float64"), data("float64", 41)[0]
    whole = network.predict(x)
    for row in (0, 7, 40):
        np.testing.assert_allclose(network.predict(x[row : row + 1])[0], whole[row], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("training", [False, True])
def test_largest_of_infinities_and_nan(dtype, training):
    """Minus infinity is a value like others, and NaN is never lost."""
    x = np.full((1, 4, 4, 1), -np.inf, dtype=dtype)
    x[0, 0, 0] = np.nan
    x[0, 2, 2] = 3.0
    network = build(["identity", "max_pooling", "flatten"], x.shape[1:], dtype=dtype)
    np.testing.assert_array_equal(network.forward(x, training=training), [[np.nan, -np.inf, -np.inf, 3.0]])


@pytest.mark.parametrize(
    ("layer", "shape", "told"),
    [
        ({"type": "convolution", "units": 2}, (28, 28), ["convolution_1", "28 x 28", "channel"]),
        ({"type": "max_pooling"}, (7,), ["max_pooling_1", "height, width, channels"]),
        ("global_average_pooling", (7, 3), ["global_average_pooling_1", "7 x 3"]),
        (
            {"type": "convolution", "units": 2, "kernel": 7, "pad": 1},
            (4, 9, 1),
            ["convolution_1", "7 x 7", "4 x 9 x 1", "padded by 1", "same"],
        ),
        ({"type": "convolution", "units": 2, "dilation": 4}, (8, 9, 1), ["dilation 4", "8 x 9 x 1"]),
        ({"type": "average_pooling", "size": 5}, (6, 4, 2), ["average_pooling_1", "5 x 5", "6 x 4 x 2"]),
        ({"type": "convolution", "units": 6, "groups": 3}, (8, 8, 4), ["4 channels", "3 groups"]),
        ({"type": "convolution", "units": 4, "groups": 3}, (8, 8, 3), ["groups", "4 units"]),
        ({"type": "convolution", "units": 4, "padding": "same", "pad": 1}, (8, 8, 3), ["pad", "same"]),
        ({"type": "max_pooling", "size": 2, "pad": 2}, (8, 8, 3), ["pad", "smaller"]),
    ],
)
def test_what_does_not_fit(layer, shape, told):
    with pytest.raises(InputError) as caught:
        build([layer, "flatten"], shape)
    message = str(caught.value)
    assert "\n" not in message
    for words in told:
        assert words in message

"""What normalization layers keep from step to step, and where training differs from evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import names, reference
from reference.network import build, randomize

from ravine import _core
from ravine.errors import InputError

NORMALIZED = [
    {"type": "dense", "units": 24, "weight_normalization": True},
    {"type": "batch_normalization"},
    "relu",
    {"type": "layer_normalization"},
    {"type": "dense", "units": 12},
    {"type": "group_normalization", "groups": 3},
    {"type": "batch_normalization", "scale": False, "centre": False, "momentum": 0.7},
    {"type": "dense", "units": 5},
]


def problem(dtype="float64", threads=1, batch=16, steps=8, inputs=7):
    network = build(
        NORMALIZED, [inputs], "softmax_cross_entropy", batch_size=batch, dtype=dtype, threads=threads, seed=3
    )
    generator = np.random.default_rng(2)
    x = generator.normal(loc=0.5, size=(steps * batch, inputs)).astype(dtype)
    return network, x, generator.integers(0, 5, steps * batch).astype(np.int32)


def state_of(network):
    return {name: values.tobytes() for name, values in network.state.items()}


@pytest.mark.parametrize("name", names("layer"))
def test_training_differs_from_evaluation_exactly_where_it_should(name):
    """Dropout draws and batch normalization takes the batch's moments; all others give equal bits."""
    for settings, shape in reference("layer", name).CASES[:4]:
        if name in ("add", "concatenate"):
            continue
        network = build([{"type": name, **settings}], shape)
        generator = np.random.default_rng(1)
        randomize(network, generator)
        x = generator.normal(size=(6, *shape))
        same = network.forward(x, training=True).tobytes() == network.forward(x).tobytes()
        differs = name == "batch_normalization" or (name == "dropout" and settings.get("rate", 0.5) > 0)
        assert same != differs, settings


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("shape", [(4,), (3, 2, 4)])
def test_moving_averages(shape, momentum):
    """m <- momentum m + (1 - momentum) batch; of the variance the estimate without bias."""
    network = build([{"type": "batch_normalization", "momentum": momentum}], shape)
    names_ = ["batch_normalization_1.moving_mean", "batch_normalization_1.moving_variance"]
    assert list(network.state) == names_
    np.testing.assert_array_equal(network.state[names_[0]], np.zeros(4))
    np.testing.assert_array_equal(network.state[names_[1]], np.ones(4))
    mean, variance = np.zeros(4), np.ones(4)
    generator = np.random.default_rng(3)
    for rows in (5, 5, 2, 40):
        x = generator.normal(3.0, 2.0, size=(rows, *shape))
        network.forward(x, training=True)
        values = x.reshape(-1, 4)
        mean = momentum * mean + (1 - momentum) * values.mean(axis=0)
        variance = momentum * variance + (1 - momentum) * values.var(axis=0, ddof=1)
        np.testing.assert_allclose(network.state[names_[0]], mean, rtol=1e-12)
        np.testing.assert_allclose(network.state[names_[1]], variance, rtol=1e-12)
    expected = (x - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-11)
    np.testing.assert_allclose(network.predict(x), expected, rtol=1e-11)
    network.initialize(7)
    np.testing.assert_array_equal(network.state[names_[1]], np.ones(4))


def test_only_a_training_pass_changes_the_averages():
    network, x, y = problem()
    before = state_of(network)
    network.forward(x[:16])
    network.evaluate(x, y)
    network.predict(x)
    network.moments(x[:16])
    assert state_of(network) == before
    network.forward(x[:16], training=True)
    after = state_of(network)
    assert all(after[name] != before[name] for name in before)
    network.loss(y[:16])
    network.backward()
    assert state_of(network) == after


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_native_loop_equals_loop_by_hand(dtype):
    native, x, y = problem(dtype)
    by_hand, *_ = problem(dtype)
    native.train(_core.Optimizer("momentum"), x, y, batch_size=16)
    optimizer = _core.Optimizer("momentum")
    for row in range(0, len(x), 16):
        by_hand.forward(x[row : row + 16], training=True)
        by_hand.loss(y[row : row + 16])
        by_hand.backward()
        optimizer.step(by_hand)
    assert native.flat_parameters.tobytes() == by_hand.flat_parameters.tobytes()
    assert state_of(native) == state_of(by_hand)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(dtype):
    """Over tiles that do not divide evenly: 48,000 values of 5 channels and more."""
    layers = [
        {"type": "batch_normalization"},
        {"type": "group_normalization", "groups": 5},
        {"type": "convolution", "units": 6, "kernel": 3, "weight_normalization": True, "activation": "relu"},
        {"type": "layer_normalization", "axes": 1},
        "flatten",
        {"type": "dense", "units": 333, "weight_normalization": True},
        {"type": "batch_normalization"},
        {"type": "layer_normalization"},
        {"type": "dense", "units": 4},
    ]
    generator = np.random.default_rng(5)
    x = generator.normal(size=(3 * 97, 11, 9, 5)).astype(dtype)
    y = generator.integers(0, 4, len(x)).astype(np.int32)
    found = []
    for threads in (1, 2, 4):
        network = build(
            layers, x.shape[1:], "softmax_cross_entropy", batch_size=97, dtype=dtype, threads=threads
        )
        network.train(_core.Optimizer("adam"), x, y, batch_size=97)
        rows = network.drain()[1]
        output = network.predict(x[:100])
        found.append((network.flat_parameters.tobytes(), state_of(network), rows.tobytes(), output.tobytes()))
    assert found[0] == found[1] == found[2]
    assert np.isfinite(output).all()


def test_save_and_load():
    """Parameters, slots and averages copied into a new network go on bit for bit."""
    whole, x, y = problem()
    optimizer = _core.Optimizer("adam")
    whole.train(optimizer, x[:64], y[:64], batch_size=16)
    resumed, *_ = problem()
    other = _core.Optimizer("adam")
    other.attach(resumed)
    for name, values in (whole.parameters | whole.state).items():
        (resumed.parameters | resumed.state)[name][...] = values
    for name, values in optimizer.slots.items():
        other.slots[name][...] = values
    other.step_count = resumed.step = 4
    for network, rule in ((whole, optimizer), (resumed, other)):
        network.train(rule, x[64:], y[64:], batch_size=16)
    assert state_of(resumed) == state_of(whole)
    np.testing.assert_array_equal(resumed.predict(x), whole.predict(x))


def test_a_step_that_is_given_up_leaves_the_averages():
    network, x, y = problem()
    clean, *_ = problem()
    clean.train(_core.Optimizer("adam"), x[:32], y[:32], batch_size=16)
    x[40, 2] = np.nan
    result = network.train(_core.Optimizer("adam"), x, y, batch_size=16)
    assert (result.steps, result.trouble) == (2, "the input")
    assert state_of(network) == state_of(clean)


@pytest.mark.parametrize("layer", ["batch_normalization", "layer_normalization", "group_normalization"])
def test_a_large_mean_does_not_drown_the_variance(layer):
    settings = {"groups": 1} if layer == "group_normalization" else {}
    generator = np.random.default_rng(4)
    x = (1000.0 + generator.normal(size=(700, 64))).astype(np.float32)
    outputs = [
        build([{"type": layer, **settings}], [64], dtype=dtype).forward(x.astype(dtype), training=True)
        for dtype in ("float32", "float64")
    ]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=4e-4)  # half a unit in the last place of the mean
    np.testing.assert_allclose(outputs[0].std(), 1.0, rtol=1e-3)


@pytest.mark.parametrize("layer", ["dense", "convolution"])
def test_the_length_of_a_direction_is_free(layer):
    """Weight normalization: outputs see directions alone, and gradients are at right angles to them."""
    shape = (5,) if layer == "dense" else (5, 4, 2)
    network = build([{"type": layer, "units": 6, "weight_normalization": True}], shape)
    assert network.decaying == [f"{layer}_1.gain"]
    x = np.random.default_rng(1).normal(size=(9, *shape))
    output = network.forward(x, training=True).copy()
    network.loss(np.ones(output.shape))
    network.backward()
    direction = network.parameters[f"{layer}_1.direction"]
    along = (network.gradients[f"{layer}_1.direction"] * direction).reshape(6, -1).sum(axis=1)
    np.testing.assert_allclose(along, 0.0, atol=1e-14)
    direction *= 7.0
    np.testing.assert_allclose(network.forward(x), output, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(
    ("layer", "shape", "rows", "words"),
    [
        ({"type": "batch_normalization"}, [4], 1, "at least 2 samples"),
        ({"type": "batch_normalization"}, [1, 1, 3], 1, "at least 2 samples"),
        ({"type": "group_normalization", "groups": 3}, [4], 8, "divisor"),
        ({"type": "group_normalization", "groups": 4}, [4], 8, "fewer groups"),
        ({"type": "layer_normalization", "axes": 3}, [4, 4], 8, "2 axes"),
        ({"type": "layer_normalization"}, [1], 8, "more axes"),
    ],
)
def test_nonsense_is_refused(layer, shape, rows, words):
    with pytest.raises(InputError, match=words) as caught:
        build([layer], shape, batch_size=rows)
    assert caught.value.layer == f"{layer['type']}_1"


def test_backward_equations_of_l3():
    """net = W x_hat + w0: the gradients that the slide `Batch Normalization - BP` prints."""
    epsilon = 1e-5
    form = {"type": "batch_normalization", "scale": False, "centre": False, "epsilon": epsilon}
    first = {"type": "dense", "units": 4}
    network = build([first, form, {"type": "dense", "units": 3}], [6])
    generator = np.random.default_rng(8)
    randomize(network, generator)
    u, net_gradient = generator.normal(size=(10, 6)), generator.normal(size=(10, 3))
    network.forward(u, training=True)
    network.backward(output_gradient=net_gradient)

    m = len(u)
    x = u @ network.parameters["dense_1.weight"].T + network.parameters["dense_1.bias"]
    mean, variance = x.mean(axis=0), x.var(axis=0)
    x_hat = (x - mean) / np.sqrt(variance + epsilon)
    d_hat = net_gradient @ network.parameters["dense_2.weight"]
    d_variance = np.sum(d_hat * (x - mean), axis=0) * -0.5 * (variance + epsilon) ** -1.5
    d_mean = -np.sum(d_hat, axis=0) / np.sqrt(variance + epsilon) - 2 * d_variance * (x - mean).mean(axis=0)
    d_x = d_hat / np.sqrt(variance + epsilon) + d_variance * 2 * (x - mean) / m + d_mean / m
    close = {"rtol": 1e-11, "atol": 1e-12}
    np.testing.assert_allclose(network.gradients["dense_2.weight"], net_gradient.T @ x_hat, **close)
    np.testing.assert_allclose(network.gradients["dense_2.bias"], net_gradient.sum(axis=0), **close)
    np.testing.assert_allclose(network.gradients["dense_1.weight"], d_x.T @ u, **close)


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu"])
def test_normalization_propagation_keeps_mean_and_variance(activation):
    """Normal inputs through four layers: with gain 1 every output has mean 0 and variance 1, about."""
    layer = {"type": "normalization_propagation", "units": 300, "activation": activation, "initial_gain": 1.0}
    network = build([layer] * 4, [300])
    x = np.random.default_rng(5).normal(size=(400, 300))
    moments = network.moments(x)
    for found in moments.values():
        assert abs(found["mean"]) < 0.05
        assert found["variance"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("settings", "stretch"),
    [
        ({}, 1.0),
        ({"initial_gain": 1.0}, 1.0 / np.sqrt(1.0 - 1.0 / np.pi)),  # sqrt(E f'(z)^2 / Var f(z)) of relu: 1.21
        ({"initial_gain": 1.0, "activation": "identity"}, 1.0),
    ],
)
def test_initial_gain_of_normalization_propagation(settings, stretch):
    """By default a square layer of relu gives gradients back at their length: root mean square over 20."""
    layer = {"type": "normalization_propagation", "units": 500, **settings}
    network = build([{"type": "dense", "units": 500}, layer], [1])
    generator = np.random.default_rng(6)
    network.parameters["dense_1.weight"][...] = 0.0
    squares = []
    for _ in range(20):  # the bias before it is the layer's input, and has its input's gradient
        network.parameters["dense_1.bias"][...] = generator.normal(size=500)
        network.forward(np.zeros((1, 1)), training=True)
        gradient = generator.normal(size=(1, 500))
        network.backward(output_gradient=gradient)
        squares.append(np.sum(network.gradients["dense_1.bias"] ** 2) / np.sum(gradient**2))
    assert np.sqrt(np.mean(squares)) == pytest.approx(stretch, rel=0.03)


def test_a_refused_batch_leaves_the_network_usable():
    network, x, y = problem()
    optimizer = _core.Optimizer("nesterov")
    with pytest.raises(InputError, match="at least 2 samples"):
        network.forward(x[:1], training=True)
    optimizer.look_ahead(network)
    network.forward(x[:16], training=True)
    network.loss(y[:16])
    network.backward()
    optimizer.step(network)


def test_one_sample_of_many_places_is_a_batch():
    network = build([{"type": "batch_normalization"}], [4, 4, 3], batch_size=1)
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 3))
    output = network.forward(x, training=True)
    np.testing.assert_allclose(output.mean(axis=(0, 1, 2)), 0.0, atol=1e-14)

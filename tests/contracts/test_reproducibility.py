"""The same numbers whatever the number of threads, the way the loop is driven, and across save and load."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import names, optimizers, reference
from reference.network import build

from ravine import _core

INPUTS, CLASSES, BATCH, STEPS = 150, 10, 136, 21


def layers(activation="relu"):
    return [
        {"type": "dense", "units": 272, "activation": activation},
        {"type": "dropout", "rate": 0.25},
        {"type": "dense", "units": 131, "activation": "tanh"},
        {"type": "dense", "units": CLASSES},
    ]


def batches(dtype, steps=STEPS, batch=BATCH, inputs=INPUTS, seed=6):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(steps * batch, inputs)).astype(dtype)
    return x, generator.integers(0, CLASSES, steps * batch).astype(np.int32)


def trained(dtype, threads, rule, **regularization):
    network = build(
        layers(), [INPUTS], "softmax_cross_entropy", batch_size=BATCH, dtype=dtype, threads=threads, seed=9
    )
    optimizer = _core.Optimizer(rule, **regularization)
    x, y = batches(dtype)
    result = network.train(optimizer, x, y, batch_size=BATCH)
    assert result.steps == STEPS
    steps, rows = network.drain()
    metrics = network.evaluate(x, y)
    state = [network.flat_parameters, *optimizer.slots.values(), steps, rows, network.predict(x[:500])]
    return [values.tobytes() for values in state], metrics, result.loss


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", optimizers())
def test_same_bits_for_any_number_of_threads(name, dtype):
    """Weights, state, statistics, predictions and metrics, over tiles that do not divide evenly."""
    single = trained(dtype, 1, name, l2=1e-3, clip_norm=1.0)
    for threads in (2, 4):
        assert trained(dtype, threads, name, l2=1e-3, clip_norm=1.0) == single


def test_another_seed_gives_other_bits():
    """The comparison above can fail."""
    x, y = batches("float32", steps=2)
    states = []
    for seed in (1, 2):
        network = build(layers(), [INPUTS], "softmax_cross_entropy", dtype="float32", seed=seed)
        network.initialize(5)  # the same weights: what differs is the dropout
        network.train(_core.Optimizer("adam"), x, y, batch_size=BATCH)
        states.append(network.flat_parameters.tobytes())
    assert states[0] != states[1]


def small(dtype="float64", threads=1, seed=9):
    small_layers = [
        {"type": "dense", "units": 9, "activation": "sigmoid"},
        {"type": "dropout", "rate": 0.25},
        {"type": "dense", "units": CLASSES},
    ]
    return build(
        small_layers, [6], "softmax_cross_entropy", batch_size=8, dtype=dtype, threads=threads, seed=seed
    )


def step_by_hand(network, optimizer, x, y):
    optimizer.look_ahead(network)
    network.forward(x, training=True)
    loss = network.loss(y)
    network.backward()
    optimizer.step(network)
    return loss


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("name", "settings"),
    [(name, settings) for name in optimizers() for settings in reference("optimizer", name).CASES],
)
def test_native_loop_equals_loop_by_hand(name, settings, threads, dtype):
    x, y = batches(dtype, steps=12, batch=8, inputs=6)
    rule = {"type": name, **settings}
    native, by_hand = small(dtype, threads), small(dtype, threads)
    native_optimizer, hand_optimizer = _core.Optimizer(rule, l2=0.01), _core.Optimizer(rule, l2=0.01)
    result = native.train(native_optimizer, x, y, batch_size=8)
    loss = sum(
        8 * step_by_hand(by_hand, hand_optimizer, x[row : row + 8], y[row : row + 8])
        for row in range(0, len(x), 8)
    )
    assert native.flat_parameters.tobytes() == by_hand.flat_parameters.tobytes()
    for slot, values in native_optimizer.slots.items():
        assert values.tobytes() == hand_optimizer.slots[slot].tobytes()
    assert result.loss == pytest.approx(loss, rel=1e-14)
    assert (native.step, native_optimizer.step_count) == (by_hand.step, hand_optimizer.step_count) == (12, 12)


@pytest.mark.parametrize("name", optimizers())
def test_clipping_by_hand(name):
    """By hand the norm is taken of the gradients as they are then: the last bit may differ."""
    x, y = batches("float64", steps=12, batch=8, inputs=6)
    native, by_hand = small(), small()
    hand_optimizer = _core.Optimizer(name, clip_norm=0.05)
    native.train(_core.Optimizer(name, clip_norm=0.05), x, y, batch_size=8)
    for row in range(0, len(x), 8):
        step_by_hand(by_hand, hand_optimizer, x[row : row + 8], y[row : row + 8])
    np.testing.assert_allclose(by_hand.flat_parameters, native.flat_parameters, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", optimizers())
def test_one_call_equals_many(name):
    x, y = batches("float32", steps=12, batch=8, inputs=6)
    once, often = small("float32"), small("float32")
    first, second = _core.Optimizer(name), _core.Optimizer(name)
    once.train(first, x, y, batch_size=8)
    for begin, end in [(0, 1), (1, 2), (2, 7), (7, 12)]:
        often.train(second, x[begin * 8 : end * 8], y[begin * 8 : end * 8], batch_size=8)
        often.evaluate(x, y)  # leaves no trace
        often.predict(x[:5])
    assert once.flat_parameters.tobytes() == often.flat_parameters.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", optimizers())
def test_save_and_load(name, dtype):
    """Parameters, slots and counters copied into a new network continue bit for bit."""
    x, y = batches(dtype, steps=20, batch=8, inputs=6)
    whole, optimizer = small(dtype), _core.Optimizer(name, l2=0.01, clip_norm=0.5)
    whole.train(optimizer, x[:80], y[:80], batch_size=8)
    saved = {key: values.copy() for key, values in whole.parameters.items()}
    saved_slots = {key: values.copy() for key, values in optimizer.slots.items()}
    step, step_count = whole.step, optimizer.step_count
    whole.train(optimizer, x[80:], y[80:], batch_size=8)

    resumed, resumed_optimizer = small(dtype), _core.Optimizer(name, l2=0.01, clip_norm=0.5)
    resumed.initialize(1234)
    resumed_optimizer.attach(resumed)
    for key, values in saved.items():
        resumed.parameters[key][...] = values
    for key, values in saved_slots.items():
        resumed_optimizer.slots[key][...] = values
    resumed.step, resumed_optimizer.step_count = step, step_count
    resumed.train(resumed_optimizer, x[80:], y[80:], batch_size=8)
    assert resumed.flat_parameters.tobytes() == whole.flat_parameters.tobytes()
    for key, values in optimizer.slots.items():
        assert resumed_optimizer.slots[key].tobytes() == values.tobytes()


@pytest.mark.parametrize("rows", [1, 31, 255, 256, 257, 600])
def test_evaluation_of_any_number_of_rows(rows):
    """Row counts that no batch divides give the mean over the rows, row for row the same as one at a time."""
    network = small()
    x, y = batches("float64", steps=1, batch=rows, inputs=6)
    predicted = network.predict(x)
    metrics = network.evaluate(x, y)
    probabilities = predicted[np.arange(rows), y]
    assert metrics["loss"] == pytest.approx(-np.mean(np.log(probabilities)), rel=1e-12)
    assert metrics["accuracy"] == np.mean(predicted.argmax(axis=1) == y)
    np.testing.assert_allclose(predicted[-1:], network.predict(x[-1:]), rtol=1e-12)
    np.testing.assert_allclose(predicted.sum(axis=1), 1.0, rtol=1e-12)


def test_partial_batches():
    """A last batch that is smaller than the others trains as it would alone."""
    x, y = batches("float64", steps=3, batch=8, inputs=6)
    network, other = small(), small()
    first, second = _core.Optimizer("adam"), _core.Optimizer("adam")
    for used, optimizer in ((network, first), (other, second)):
        used.train(optimizer, x[:16], y[:16], batch_size=8)
    result = network.train(first, x[16:19], y[16:19], batch_size=3)
    step_by_hand(other, second, x[16:19], y[16:19])
    assert (result.steps, result.rows) == (1, 3)
    assert network.flat_parameters.tobytes() == other.flat_parameters.tobytes()


@pytest.mark.parametrize("activation", names("activation"))
@pytest.mark.parametrize("loss", names("loss"))
def test_float32_against_float64(activation, loss):
    """Losses, outputs and gradients agree as far as the rounding of sums of such lengths allows."""
    rule = reference("loss", loss)
    networks = {
        dtype: build(layers(activation), [INPUTS], loss, dtype=dtype, seed=8)
        for dtype in ("float32", "float64")
    }
    generator = np.random.default_rng(3)
    x = generator.normal(size=(64, INPUTS)).astype(np.float32)
    y = rule.targets(generator, 64, (CLASSES,))
    networks["float64"].flat_parameters[...] = networks["float32"].flat_parameters
    found = {}
    for dtype, network in networks.items():
        output = network.forward(x.astype(dtype), training=True)
        value = network.loss(y if y.dtype == np.int32 else y.astype(dtype))
        network.backward()
        found[dtype] = output, value, network.gradients
    # Each of three products sums up to 272 rounded terms; errors grow like the root of their number.
    bound = 3 * np.sqrt(272) * 4 * np.finfo(np.float32).eps
    assert found["float32"][1] == pytest.approx(found["float64"][1], rel=bound)
    largest = np.max(np.abs(found["float64"][0]))
    np.testing.assert_allclose(found["float32"][0], found["float64"][0], rtol=0, atol=bound * largest)
    for key, gradient in found["float64"][2].items():
        np.testing.assert_allclose(
            found["float32"][2][key], gradient, rtol=0, atol=bound * np.max(np.abs(gradient)), err_msg=key
        )

"""NaN and Inf are named by what and where, and the step they appear in changes no weight."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import optimizers
from reference.network import build

from ravine import _core
from ravine.errors import InputError

STEPS, BATCH = 6, 8
LAYERS = [
    {"type": "dense", "units": 9, "activation": "relu"},
    {"type": "dropout", "rate": 0.1},
    {"type": "dense", "units": 8, "activation": "tanh"},
    {"type": "dense", "units": 4},
]


def problem(dtype="float32", threads=1):
    network = build(LAYERS, [5], "softmax_cross_entropy", batch_size=BATCH, dtype=dtype, threads=threads)
    generator = np.random.default_rng(4)
    x = generator.normal(size=(STEPS * BATCH, 5)).astype(dtype)
    return network, x, generator.integers(0, 4, STEPS * BATCH).astype(np.int32)


def clean_run(optimizer, x, y, steps, dtype="float32"):
    """The weights after so many good steps, or the first ones."""
    network = build(LAYERS, [5], "softmax_cross_entropy", batch_size=BATCH, dtype=dtype)
    if steps:
        network.train(optimizer, x[: steps * BATCH], y[: steps * BATCH], batch_size=BATCH)
    return network.flat_parameters.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rule", optimizers())
def test_input(rule, poison, dtype, threads):
    network, x, y = problem(dtype, threads)
    x[3 * BATCH + 2, 1] = poison
    optimizer = _core.Optimizer(rule)
    result = network.train(optimizer, x, y, batch_size=BATCH)
    assert (result.steps, result.trouble, result.trouble_layer) == (3, "the input", "")
    assert optimizer.step_count == network.step == 3
    assert network.flat_parameters.tobytes() == clean_run(_core.Optimizer(rule), x, y, 3, dtype)
    assert len(network.drain()[0]) == 3


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["dense_1.weight", "dense_2.weight", "dense_3.bias"])
def test_weight(name, poison):
    network, x, y = problem()
    network.parameters[name].flat[3] = poison
    before = network.flat_parameters.tobytes()
    result = network.train(_core.Optimizer("adam"), x, y, batch_size=BATCH)
    assert (result.steps, result.trouble) == (0, f"the parameter {name}")
    assert result.trouble_layer == name.split(".")[0]
    assert network.flat_parameters.tobytes() == before


@pytest.mark.parametrize("layer", ["dense_1", "dense_3"])
def test_overflow_in_a_layer(layer):
    """Finite weights whose products overflow: the layer that overflows is named."""
    network, x, y = problem()
    network.parameters[f"{layer}.weight"][...] = 3e38
    if layer == "dense_3":
        network.parameters["dense_2.bias"][...] = 20.0
    before = network.flat_parameters.tobytes()
    result = network.train(_core.Optimizer("adam"), x, y, batch_size=BATCH)
    assert result.steps == 0
    assert network.flat_parameters.tobytes() == before
    assert (result.trouble, result.trouble_layer) == ("the output", layer)


@pytest.mark.parametrize("seed", range(8))
def test_overflow_behind_a_mask(seed):
    """In a part of a batch the masks are drawn again as they were: a value that was dropped is not blamed."""
    layers = [{"type": "dropout", "rate": 0.5}, {"type": "dense", "units": 2}]
    network = build(layers, [1], "squared_error", batch_size=16, seed=seed)
    x = np.zeros((16, 1))
    x[13] = 1e308  # twice as much overflows where the mask keeps it
    result = network.train(
        _core.Optimizer("gradient_descent"), x, np.zeros((16, 2)), batch_size=16, micro_batch=4
    )
    assert (result.steps, result.trouble_layer) in [(1, ""), (0, "dropout_1")]


@pytest.mark.parametrize(("dtype", "weight"), [("float32", 1e20), ("float64", 1e200)])
def test_large_weights_are_no_trouble(dtype, weight):
    """Their squares overflow; they themselves are finite."""
    network = build([{"type": "dense", "units": 2}], [1], "squared_error", batch_size=4, dtype=dtype)
    network.parameters["dense_1.weight"][...] = weight
    x, y = np.full((4, 1), 1 / weight, dtype), np.zeros((4, 2), dtype)
    result = network.train(_core.Optimizer("gradient_descent"), x, y, batch_size=4)
    assert (result.steps, result.trouble) == (1, "")


def test_gradient():
    """A finite loss whose gradient overflows."""
    network = build(
        [{"type": "dense", "units": 3}, {"type": "dense", "units": 2}], [2], "squared_error", dtype="float32"
    )
    network.parameters["dense_1.weight"][...] = 1e-26
    network.parameters["dense_2.weight"][...] = 1e17
    x = np.full((BATCH, 2), 1e24, dtype=np.float32)
    result = network.train(_core.Optimizer("adam"), x, np.zeros((BATCH, 2), np.float32), batch_size=BATCH)
    assert (result.steps, result.trouble_layer) == (0, "dense_1")
    assert result.trouble.startswith("the gradient of dense_1.")


def test_loss():
    """A target that is not finite spoils the loss and nothing before it."""
    network = build([{"type": "dense", "units": 2}], [3], "squared_error")
    y = np.zeros((4 * BATCH, 2))
    y[2 * BATCH, 1] = np.nan
    result = network.train(_core.Optimizer("momentum"), np.ones((4 * BATCH, 3)), y, batch_size=BATCH)
    assert (result.steps, result.trouble) == (2, "the loss")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", ["gradient_descent", "momentum", "nesterov"])
def test_huge_learning_rate(rule, dtype):
    """Training that blows up stops with a layer named, at the weights of the last whole step."""
    layers = [{"type": "dense", "units": 6, "activation": "relu"}, {"type": "dense", "units": 2}]
    generator = np.random.default_rng(4)
    x = generator.normal(size=(100 * BATCH, 5)).astype(dtype)
    y = generator.normal(size=(100 * BATCH, 2)).astype(dtype)
    settings = {"type": rule, "learning_rate": 1e4}
    network = build(layers, [5], "squared_error", dtype=dtype)
    result = network.train(_core.Optimizer(settings), x, y, batch_size=BATCH)
    assert 0 < result.steps < 100
    assert result.trouble
    assert result.trouble_layer in ("dense_1", "dense_2")
    again = build(layers, [5], "squared_error", dtype=dtype)
    rows = result.steps * BATCH
    again.train(_core.Optimizer(settings), x[:rows], y[:rows], batch_size=BATCH)
    assert again.flat_parameters.tobytes() == network.flat_parameters.tobytes()


def test_training_goes_on_after_trouble():
    """Once the cause is gone, the network trains as if nothing had been."""
    network, x, y = problem()
    optimizer = _core.Optimizer("nesterov")
    spoiled = x.copy()
    spoiled[2 * BATCH] = np.nan
    network.train(optimizer, spoiled, y, batch_size=BATCH)
    network.train(optimizer, x[2 * BATCH :], y[2 * BATCH :], batch_size=BATCH)
    assert network.flat_parameters.tobytes() == clean_run(_core.Optimizer("nesterov"), x, y, STEPS)


@pytest.mark.parametrize("label", [-1, 4, 2**31 - 1])
def test_label_out_of_range(label):
    network, x, y = problem()
    before = network.flat_parameters.tobytes()
    y[13] = label
    with pytest.raises(InputError, match=f"{label} of row 13"):
        network.train(_core.Optimizer("adam"), x, y, batch_size=BATCH)
    with pytest.raises(InputError, match=f"{label} of row 13"):
        network.evaluate(x, y)
    assert network.flat_parameters.tobytes() == before

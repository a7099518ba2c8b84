"""The recorded columns against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import Perceptron, build, randomize

from ravine import _core

STEPS, BATCH = 6, 8
LAYERS = ["dense_1", "dense_2", "dense_3"]


def expected_rows(model, theta, x, y, rates):
    """One table a step, of plain gradient descent."""
    rows = []
    for step, rate in enumerate(rates):
        batch = slice(step * BATCH, (step + 1) * BATCH)
        outputs = [output for _, output in model.forward(theta, x[batch])]
        gradient = model.gradient(theta, x[batch], y[batch])
        after = theta - rate * gradient
        row = {
            "loss": model.loss(theta, x[batch], y[batch]),
            "accuracy": np.mean(outputs[-1].argmax(axis=1) == y[batch]),
            "learning_rate": rate,
            "gradient_norm": np.linalg.norm(gradient),
        }
        for name, output in zip(LAYERS, outputs, strict=True):
            row[f"{name}.activation_mean"] = output.mean()
            row[f"{name}.activation_variance"] = output.var()
            row[f"{name}.activation_zeros"] = np.mean(output == 0.0)
        for column, values in [("gradient", gradient), ("weight", after), ("update", after - theta)]:
            for name, (weight, bias) in zip(LAYERS, model.unpack(values), strict=True):
                row[f"{name}.{column}_norm"] = np.sqrt(np.sum(weight**2) + np.sum(bias**2))
        rows.append(row)
        theta = after
    return rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[5, 7, 6, 4], [130, 300, 260, 10]])
def test_columns(sizes, dtype):
    model = Perceptron(sizes, ["relu", "tanh", "identity"], "softmax_cross_entropy")
    network = model.build(batch_size=BATCH, dtype=dtype)
    generator = np.random.default_rng(1)
    randomize(network, generator)
    x = generator.normal(size=(STEPS * BATCH, sizes[0])).astype(dtype)
    y = generator.integers(0, sizes[-1], STEPS * BATCH).astype(np.int32)
    rates = np.array([0.3, 0.1, 0.2, 0.05, 0.0, 0.4])
    start = network.flat_parameters.astype(np.float64)
    network.train(
        _core.Optimizer("gradient_descent"), x, y, batch_size=BATCH, schedule={"learning_rate": rates}
    )
    steps, values = network.drain()
    assert steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert values.dtype == np.float32
    expected = expected_rows(model, start, x.astype(np.float64), y, rates)
    assert set(network.columns) == set(expected[0])
    tolerance = {"float64": 3e-7, "float32": 5e-5}[dtype]  # the columns are float32
    for step, row in enumerate(expected):
        for column, value in row.items():
            found = values[step, network.columns.index(column)]
            assert found == pytest.approx(value, rel=tolerance, abs=tolerance), f"{column}, step {step}"
    assert expected[0]["dense_1.activation_zeros"] > 0.2  # relu leaves zeros to count
    assert len(network.drain()[0]) == 0


def test_variance_far_from_zero():
    """A small spread around a large mean is not lost to cancellation."""
    network = build([{"type": "dense", "units": 40}, {"type": "dense", "units": 2}], [40], dtype="float32")
    network.parameters["dense_1.weight"][...] = np.eye(40)
    network.parameters["dense_1.bias"][...] = 0.0
    x = (1000.0 + np.random.default_rng(0).normal(size=(64, 40))).astype(np.float32)
    network.train(
        _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0}),
        x,
        np.zeros((64, 2), np.float32),
        batch_size=64,
    )
    _, values = network.drain()
    assert values[0, network.columns.index("dense_1.activation_mean")] == pytest.approx(
        x.mean(dtype=np.float64), rel=1e-6
    )
    assert values[0, network.columns.index("dense_1.activation_variance")] == pytest.approx(
        x.var(dtype=np.float64), rel=1e-3
    )


def test_what_is_recorded_when():
    """Every n-th step of all; NaN for layers where they are not asked for; a full ring keeps the latest."""
    network = build([{"type": "dense", "units": 2, "activation": "tanh"}], [3])
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(20, 3)), generator.normal(size=(20, 2))
    optimizer = _core.Optimizer("adam")
    network.train(optimizer, x[:4], y[:4], batch_size=2, record_every=3)
    network.train(optimizer, x[4:], y[4:], batch_size=2, record_every=3, statistics="off")
    steps, values = network.drain()
    assert steps.tolist() == [3, 6, 9]
    of_layers = ["." in column for column in network.columns]
    assert sum(of_layers) == 6
    np.testing.assert_array_equal(np.isnan(values), np.tile(of_layers, (3, 1)))

    network.train(optimizer, x, y, batch_size=2, record_every=0)
    assert len(network.drain()[0]) == 0

    many, targets = np.tile(x, (110, 1)), np.tile(y, (110, 1))
    result = network.train(optimizer, many, targets, batch_size=2)
    assert result.steps == 1100
    steps, values = network.drain()
    assert len(steps) == len(values) == 1024
    np.testing.assert_array_equal(np.diff(steps), 1)
    assert steps[-1] == optimizer.step_count


def test_time_budget():
    """Control comes back after the budget, with at least one step done and the rest left."""
    network = build([{"type": "dense", "units": 200}, {"type": "dense", "units": 2}], [200])
    x, y = np.ones((200_000, 200)), np.zeros((200_000, 2))
    optimizer = _core.Optimizer("adam")
    result = network.train(optimizer, x, y, batch_size=100, budget_seconds=1e-9)
    assert result.steps == optimizer.step_count == 1
    result = network.train(optimizer, x, y, batch_size=100, budget_seconds=0.01)
    assert 1 <= result.steps < 2000

"""A device trains as the CPU does: losses, masks, statistics and weights of dense networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.catalog import names, optimizers
from reference.network import build

from ravine import _core

INPUTS, CLASSES, BATCH, STEPS = 37, 10, 53, 10
CLOSE = {"float32": 1e-5, "float64": 1e-11}
LACKING = {"lbfgs", "newton", "newton_cg"}

pytestmark = pytest.mark.usefixtures("needs_device")


def layers(activation: Any = "tanh", units: int = 131) -> list[dict[str, Any]]:
    return [
        {"type": "dense", "units": units, "activation": activation},
        {"type": "dropout", "rate": 0.25},
        {"type": "dense", "units": 66, "activation": "relu"},
        {"type": "dense", "units": CLASSES},
    ]


def network(device: str, dtype: str = "float32", loss: Any = "softmax_cross_entropy", **settings: Any) -> Any:
    chosen = settings.pop("layers", None) or layers()
    return build(chosen, [INPUTS], loss, batch_size=BATCH, dtype=dtype, seed=4, device=device, **settings)


def data(dtype: str, loss: str = "softmax_cross_entropy", steps: int = STEPS) -> tuple[Any, Any]:
    generator = np.random.default_rng(5)
    x = generator.normal(size=(steps * BATCH, INPUTS)).astype(dtype)
    if loss == "softmax_cross_entropy":
        return x, generator.integers(0, CLASSES, len(x)).astype(np.int32)
    if loss == "hinge":
        return x, generator.choice([-1.0, 1.0], size=(len(x), CLASSES)).astype(dtype)
    return x, generator.uniform(size=(len(x), CLASSES)).astype(dtype)


def trained(
    device: str, dtype: str, rule: Any = "adam", loss: Any = "softmax_cross_entropy", **given: Any
) -> Any:
    """The recorded steps, weights, slots, prediction and metrics of a training."""
    regularization = given.pop("regularization", {})
    train = given.pop("train", {})
    made = network(device, dtype, loss, **given)
    optimizer = _core.Optimizer(rule, **regularization)
    x, y = data(dtype, loss if isinstance(loss, str) else loss["type"])
    result = made.train(optimizer, x, y, batch_size=BATCH, **train)
    assert result.steps == STEPS
    _, rows = made.drain()
    return {
        "rows": rows,
        "weights": made.flat_parameters.copy(),
        "prediction": made.predict(x[:BATCH]),
        "losses": made.losses(x, y),
        "metrics": np.array(list(made.evaluate(x, y).values())),
        **{name: values.copy() for name, values in optimizer.slots.items()},
    }


def compare(device: str, dtype: str, **given: Any) -> None:
    expected, found = trained("cpu", dtype, **given), trained(device, dtype, **given)
    close = CLOSE[dtype]
    np.testing.assert_allclose(found["rows"][:, 0], expected["rows"][:, 0], rtol=close)  # losses
    for name, values in expected.items():
        scale = float(np.nanmax(np.abs(values)))
        # Roundings grow with the steps, most where a rule divides by small gradients.
        np.testing.assert_allclose(
            found[name], values, rtol=300 * close, atol=300 * close * max(scale, 1e-3), err_msg=name
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", [name for name in optimizers() if name not in LACKING])
def test_every_rule(device, dtype, rule):
    sharp = rule in {"sign_descent", "lion", "rprop"} and dtype == "float32"
    if sharp:
        pytest.skip("takes signs, in which a rounding may become a step: compared in float64")
    compare(device, dtype, rule=rule)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", names("activation"))
def test_every_activation(device, dtype, activation):
    compare(device, dtype, rule="gradient_descent", layers=layers(activation))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", names("loss"))
def test_every_loss(device, dtype, loss):
    compare(device, dtype, rule="gradient_descent", loss=loss)


REGULARIZED = [
    {"l2": 1e-2, "l1": 1e-3, "clip_norm": 0.1},
    {"l2": 1e-2, "l2_form": "norm", "clip_layer_norm": 0.05},
    {"l1": 1e-3, "l1_form": "proximal", "clip_value": 1e-3, "max_norm": 0.7},
    {
        "groups": [
            {"match": "dense_1.*", "learning_rate": 0.5, "l2": 1e-2},
            {"match": "dense_2.*", "freeze": True},
        ]
    },
]


@pytest.mark.parametrize("regularization", REGULARIZED)
@pytest.mark.parametrize("rule", ["nesterov", "momentum"])
def test_penalties_and_groups(device, rule, regularization):
    compare(device, "float64", rule=rule, regularization=regularization)


@pytest.mark.parametrize("statistics", ["off", "norms"])
def test_parts_of_a_batch_and_weights(device, statistics):
    generator = np.random.default_rng(8)
    weights = generator.uniform(size=STEPS * BATCH)
    mixture = (
        generator.integers(0, CLASSES, STEPS * BATCH).astype(np.int32),
        generator.uniform(size=STEPS * BATCH),
    )
    smooth = {
        "type": "softmax_cross_entropy",
        "label_smoothing": 0.1,
        "class_weights": list(range(1, CLASSES + 1)),
    }
    train = {"micro_batch": 20, "weights": weights, "mixture": mixture, "statistics": statistics}
    compare(device, "float64", rule="momentum", loss=smooth, train=train)


def test_the_same_bits_run_to_run(device):
    first, second = trained(device, "float32"), trained(device, "float32")
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_the_average_of_the_weights(device):
    averages = []
    for place in ("cpu", device):
        made = network(place, "float64")
        average = _core.WeightAverage(made, decay=0.9)
        x, y = data("float64")
        made.train(_core.Optimizer("adam"), x, y, batch_size=BATCH, average=average)
        averages.append(average.flat_values.copy())
    np.testing.assert_allclose(averages[1], averages[0], rtol=1e-9)


def test_what_is_seen_of_a_device_follows_both_ways(device):
    """Views that are held change with the network; what is written counts, held or not."""
    made = network(device, "float64")
    x, y = data("float64")
    held = made.parameters["dense_1.weight"]
    before = held.copy()
    made.train(_core.Optimizer("adam"), x, y, batch_size=BATCH)
    assert not np.array_equal(held, before)
    assert np.array_equal(made.parameters["dense_1.weight"], held)
    held[...] = 0
    made.parameters["dense_3.bias"][...] = 5  # let go of at once
    made.parameters["dense_3.weight"][...] = 0
    assert np.all(made.forward(x[:BATCH]) == 5)
    del held
    assert np.all(made.parameters["dense_1.weight"] == 0)
    assert np.all(made.parameters["dense_3.bias"] == 5)


def test_training_goes_on_elsewhere(device):
    """Half of the steps in one place, half in another, with weights and slots carried over."""
    x, y = data("float64")
    half = STEPS // 2 * BATCH
    ends = []
    for first, second in (("cpu", "cpu"), ("cpu", device), (device, "cpu")):
        one, other = network(first, "float64"), network(second, "float64")
        optimizer, again = _core.Optimizer("adam"), _core.Optimizer("adam")
        one.train(optimizer, x[:half], y[:half], batch_size=BATCH)
        other.flat_parameters[...] = one.flat_parameters
        again.attach(other)
        again.step_count = optimizer.step_count
        other.step = one.step
        for name, values in optimizer.slots.items():
            again.slots[name][...] = values
        other.train(again, x[half:], y[half:], batch_size=BATCH)
        ends.append(other.flat_parameters.copy())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ends[2], ends[0], rtol=1e-8, atol=1e-10)


def test_by_hand(device):
    """Forward, loss, backward and a step with a norm that is clipped, over arrays of the caller."""
    ends = []
    for place in ("cpu", device):
        made = network(place, "float64")
        optimizer = _core.Optimizer("nesterov", clip_norm=0.01)
        x, y = data("float64")
        for _ in range(3):
            optimizer.look_ahead(made)
            output = made.forward(x[:BATCH], training=True)
            value = made.loss(y[:BATCH])
            made.backward()
            optimizer.step(made)
        made.forward(x[:BATCH], training=True)
        made.backward(np.ones_like(output))
        ends.append((output, value, made.flat_gradients.copy(), made.flat_parameters.copy()))
    for found, expected in zip(ends[1], ends[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)

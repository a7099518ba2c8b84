"""L2 of the norm of each weight tensor, lambda ||W||_2, against NumPy and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.catalog import optimizers, reference, resolved
from reference.network import Perceptron, randomize

from ravine import InputError, Sequential, Trainer, _core, custom_optimizer, lab, make_optimizer
from ravine.layers import Dense

STEPS, BATCH, L2 = 20, 8, 0.3
MODEL = Perceptron([5, 7, 4], ["tanh", "identity"], "softmax_cross_entropy")
# Two tiles of the update and a part of a third in the middle matrix.
LARGE = Perceptron([5, 230, 150, 4], ["tanh", "tanh", "identity"], "softmax_cross_entropy")
RULES = ["gradient_descent", "momentum", "nesterov", "adam", "adamw", "rmsprop", "muon"]


def problem(model: Perceptron = MODEL, *, batch: int = BATCH, **options: Any) -> tuple[Any, Any, Any]:
    network = model.build(batch_size=batch, **options)
    generator = np.random.default_rng(4)
    randomize(network, generator)
    x = generator.normal(size=(STEPS * batch, 5)).astype(options.get("dtype", "float64"))
    return network, x, generator.integers(0, 4, STEPS * batch).astype(np.int32)


def places(model: Perceptron = MODEL) -> list[slice]:
    return [slice(at, at + rows * columns) for at, (rows, columns) in model.matrices]


def penalty(theta: np.ndarray, lambdas: list[float], model: Perceptron = MODEL) -> float:
    pairs = zip(places(model), lambdas, strict=True)
    return sum(each * float(np.sqrt((theta[place] ** 2).sum())) for place, each in pairs)


def pull(theta: np.ndarray, lambdas: list[float], model: Perceptron = MODEL) -> np.ndarray:
    """The gradient of the penalty."""
    result = np.zeros_like(theta)
    for place, each in zip(places(model), lambdas, strict=True):
        norm = np.sqrt((theta[place] ** 2).sum())
        if norm > 0:
            result[place] = each * theta[place] / norm
    return result


def by_reference(
    name: str,
    start: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    lambdas: list[float],
    model: Perceptron = MODEL,
    *,
    l1: float = 0.0,
    clip: float = np.inf,
    steps: int = STEPS,
    batch: int = BATCH,
) -> np.ndarray:
    """The rule asks for the gradient where it wants it; both the loss and the penalty are taken there."""
    rule, full = reference("optimizer", name), resolved("optimizer", name, {}) | model.roles
    state, theta = dict.fromkeys(_core.Optimizer(name).slot_names, np.zeros_like(start)), start
    for step in range(steps):
        rows = slice(step * batch, (step + 1) * batch)

        def gradient(point, rows=rows):
            g = model.gradient(point, x[rows], y[rows])
            g = g * min(1.0, clip / np.linalg.norm(g))
            return g + pull(point, lambdas, model) + l1 * model.decays * np.sign(point)

        theta = rule.step(theta, gradient, state, full, step + 1)
    return theta


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", optimizers())
def test_against_numpy(name: str, threads: int) -> None:
    network, x, y = problem(threads=threads)
    start = network.flat_parameters.copy()
    network.train(make_optimizer(name, l2=L2, l2_form="norm"), x, y, batch_size=BATCH)
    expected = by_reference(name, start, x, y, [L2, L2])
    np.testing.assert_allclose(network.flat_parameters, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_it_is_another_function_than_the_square(name: str) -> None:
    found = []
    for form in ("norm", "squared"):
        network, x, y = problem()
        network.train(make_optimizer(name, l2=L2, l2_form=form), x, y, batch_size=BATCH)
        found.append(network.flat_parameters.copy())
    assert np.abs(found[0] - found[1]).max() > 1e-5


@pytest.mark.parametrize("name", RULES)
def test_with_l1_clipping_and_a_lambda_of_a_group(name: str) -> None:
    """Clipping is of the loss's gradient alone, and each tensor has the lambda of its group."""
    network, x, y = problem()
    start = network.flat_parameters.copy()
    groups = [{"match": "dense_2.*", "l2": 0.05}]
    optimizer = make_optimizer(name, l2=L2, l2_form="norm", l1=0.02, clip_norm=0.2, groups=groups)
    network.train(optimizer, x, y, batch_size=BATCH)
    expected = by_reference(name, start, x, y, [L2, 0.05], l1=0.02, clip=0.2)
    np.testing.assert_allclose(network.flat_parameters, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_large_tensors_and_the_same_bits(name: str) -> None:
    """The norm is that of the whole tensor, over its tiles in order, for any number of threads."""
    for dtype in ("float64", "float32"):
        found = []
        for threads in (1, 2, 4):
            network, x, y = problem(LARGE, threads=threads, dtype=dtype)
            start = network.flat_parameters.copy()
            network.train(make_optimizer(name, l2=L2, l2_form="norm"), x[:24], y[:24], batch_size=BATCH)
            found.append(network.flat_parameters.copy())
        assert {values.tobytes() for values in found} == {found[0].tobytes()}
        if dtype == "float64":
            expected = by_reference(name, start, x, y, [L2] * 3, LARGE, steps=3)
            np.testing.assert_allclose(found[0], expected, rtol=1e-12, atol=1e-12)


def step_without_loss(optimizer: Any, network: Any, *, look_ahead: bool = True) -> None:
    if look_ahead:
        optimizer.look_ahead(network)
    network.forward(np.zeros((1, 5), network.flat_parameters.dtype), training=True)
    network.backward(np.zeros((1, 4), network.flat_parameters.dtype))
    optimizer.step(network)


@pytest.mark.parametrize("look_ahead", [True, False])
@pytest.mark.parametrize("name", ["gradient_descent", "nesterov"])
def test_the_pull_is_the_derivative_of_the_penalty(name: str, look_ahead: bool) -> None:
    """For Nesterov at the look-ahead point theta - gamma v, asked for by hand or not."""
    network, _, _ = problem()
    lambdas, rate, h = [0.7, 0.2], 0.1, 1e-5
    rule = {"type": name, "learning_rate": rate}
    optimizer = make_optimizer(rule, l2=0.7, l2_form="norm", groups=[{"match": "dense_2.*", "l2": 0.2}])
    optimizer.attach(network)
    before = network.flat_parameters.copy()
    momentum = np.zeros_like(before)
    if name == "nesterov":
        velocity = np.random.default_rng(8).normal(size=before.size)
        optimizer.slots["velocity"][...] = velocity
        momentum = resolved("optimizer", name, {})["momentum"] * velocity
    step_without_loss(optimizer, network, look_ahead=look_ahead)
    point = before - momentum
    expected = [
        (penalty(point + h * unit, lambdas) - penalty(point - h * unit, lambdas)) / (2 * h)
        for unit in np.eye(point.size)
    ]
    found = (before - network.flat_parameters - momentum) / rate
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RULES)
def test_at_zero_the_subgradient_is_zero(name: str, dtype: str) -> None:
    """A tensor of zeros stays there, to the bit, while the other is pulled."""
    network, _, _ = problem(dtype=dtype)
    network.flat_parameters[places()[1]] = 0.0
    before = network.flat_parameters.copy()
    optimizer = make_optimizer(name, l2=L2, l2_form="norm")
    for _ in range(3):
        step_without_loss(optimizer, network)
    assert not network.flat_parameters[places()[1]].any()
    assert (network.flat_parameters[places()[0]] != before[places()[0]]).all()


def test_a_whole_layer_is_turned_off() -> None:
    """Each step takes eta lambda off the length, until it is below; the square never gets there."""
    path = {
        form: np.linalg.norm(
            lab.descend(
                make_optimizer({"type": "gradient_descent", "learning_rate": 0.25}, l2=0.5, l2_form=form),
                lambda w: 0 * w, start=[0.6, -0.8], steps=8,
            ), axis=1,
        ) for form in ("norm", "squared")
    }  # fmt: skip
    np.testing.assert_allclose(path["norm"][:8], 1 - 0.125 * np.arange(8), rtol=0, atol=1e-14)
    assert path["norm"][8] <= 1e-14
    np.testing.assert_allclose(path["squared"], 0.875 ** np.arange(9), rtol=1e-13)


def test_frozen_parameters_and_biases_do_not_count() -> None:
    network, x, y = problem()
    start = network.flat_parameters.copy()
    groups = [{"match": "dense_1.weight", "freeze": True}, {"match": "*.bias", "l2": 9.0}]
    network.train(make_optimizer("gradient_descent", l2=L2, l2_form="norm", groups=groups), x, y,
                  batch_size=BATCH)  # fmt: skip
    theta = start
    rate = resolved("optimizer", "gradient_descent", {})["learning_rate"]
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        g = MODEL.gradient(theta, x[rows], y[rows]) + pull(theta, [0.0, L2])
        g[places()[0]] = 0.0
        theta = theta - rate * g
    np.testing.assert_allclose(network.flat_parameters, theta, rtol=1e-12, atol=1e-12)


def test_by_hand_and_in_python() -> None:
    def descend(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        parameters -= settings["learning_rate"] * gradients

    rule = {"type": "gradient_descent", "learning_rate": 0.1}
    native, x, y = problem()
    native.train(make_optimizer(rule, l2=L2, l2_form="norm"), x, y, batch_size=BATCH)
    own, _, _ = problem()
    optimizer = custom_optimizer(descend, learning_rate=0.1, l2=L2, l2_form="norm")
    assert optimizer.l2_form == "norm"
    own.train(optimizer, x, y, batch_size=BATCH)
    np.testing.assert_allclose(own.flat_parameters, native.flat_parameters, rtol=1e-13, atol=1e-13)
    hand, _, _ = problem()
    optimizer = make_optimizer(rule, l2=L2, l2_form="norm")
    for row in range(0, len(x), BATCH):
        hand.forward(x[row : row + BATCH], training=True)
        hand.loss(y[row : row + BATCH])
        hand.backward()
        optimizer.step(hand)
    np.testing.assert_allclose(hand.flat_parameters, native.flat_parameters, rtol=1e-13, atol=1e-13)


def test_a_schedule_is_of_lambda() -> None:
    network, x, y = problem()
    lambdas = np.linspace(0.0, 0.5, STEPS)
    scheduled = make_optimizer("momentum", l2_form="norm")
    network.train(scheduled, x, y, batch_size=BATCH, schedule={"l2": lambdas})
    edited, _, _ = problem()
    optimizer = make_optimizer("momentum", l2_form="norm")
    for step, value in enumerate(lambdas):
        optimizer.set("l2", value)
        rows = slice(step * BATCH, (step + 1) * BATCH)
        edited.train(optimizer, x[rows], y[rows], batch_size=BATCH)
    assert edited.flat_parameters.tobytes() == network.flat_parameters.tobytes()
    plain, _, _ = problem()
    plain.train(make_optimizer("momentum", l2_form="norm"), x, y, batch_size=BATCH)
    assert not np.array_equal(plain.flat_parameters, network.flat_parameters)


def test_what_is_refused() -> None:
    assert make_optimizer("adam").l2_form == "squared"
    trainer = Trainer(Sequential(Dense(1)), optimizer="adam", loss="squared_error", l2=0.1, l2_form="norm")
    assert trainer.optimizer.l2_form == "norm"
    for make in (
        lambda: make_optimizer("adam", l2_form="lasso"),
        lambda: custom_optimizer(lambda *_: None, learning_rate=0.1, l2_form="lasso"),
        lambda: Trainer(Sequential(Dense(1)), optimizer="adam", loss="squared_error", l2_form="lasso"),
    ):
        with pytest.raises(InputError, match="squared, norm") as caught:
            make()
        assert caught.value.key == "l2_form"
    with pytest.raises(InputError, match="made already") as caught:
        make_optimizer(make_optimizer("adam"), l2_form="norm")
    assert caught.value.key == "l2_form"

"""Backward passes against finite differences: every layer with every loss, every activation, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.catalog import fitted, names, reference
from reference.differences import numerical_gradient, relative_error
from reference.network import build, randomize

LARGEST = 1e-6
ROWS = 4


def cases() -> list[Any]:
    return [
        pytest.param(loss, loss_settings, layer, settings, shape, id=f"{loss}-{layer}-{number}-{loss_number}")
        for loss in names("loss")
        for loss_number, loss_settings in enumerate(reference("loss", loss).CASES)
        for layer in names("layer")
        for number, (settings, shape) in enumerate(reference("layer", layer).CASES)
    ]


def takes_images(layer: str) -> bool:
    return all(len(shape) == 3 for _, shape in reference("layer", layer).CASES)


def networks(layer: dict[str, Any], shape: tuple[int, ...], loss: dict[str, Any]) -> list[Any]:
    """The layer in the middle (its input's gradient reaches the layer before) and at the end."""

    def of(outputs: int) -> dict[str, Any]:
        return fitted("loss", loss["type"], loss, outputs)

    if takes_images(layer["type"]):
        first = {"type": "convolution", "units": shape[-1], "kernel": 1, "activation": "tanh"}
        return [
            build([first, layer, "flatten", {"type": "dense", "units": 2}], (*shape[:2], 2), of(2), seed=3)
        ]
    size = int(np.prod(shape))
    if size > 16:
        shape = (5,) if len(shape) == 1 else (2, 3)
    last: list[Any] = ["flatten", {"type": "dense", "units": 3}]
    built = [build([layer, *last], shape, of(3), seed=3)]
    if len(shape) == 1:
        first = {"type": "dense", "units": shape[0], "activation": "tanh"}
        built.append(build([first, layer, *last], [4], of(3), seed=3))
        outputs = build([first, layer], [4]).output_shape[0]
        built.append(build([first, layer], [4], of(outputs), seed=3))
    return built


def loss_of(network: Any, x: np.ndarray, y: np.ndarray) -> float:
    network.forward(x, training=True)
    return float(network.loss(y))


def gradient_error(network: Any, loss: str, seed: int) -> float:
    generator = np.random.default_rng(seed)
    network.step = seed  # another dropout mask
    for _ in range(5):  # a kink in the loss of one sample spoils all differences: another draw then
        randomize(network, generator)
        x = generator.normal(size=(ROWS, *network.input_shape))
        y = reference("loss", loss).targets(generator, ROWS, network.output_shape)
        loss_of(network, x, y)
        network.backward()
        analytic = network.flat_gradients.copy()
        numerical = numerical_gradient(lambda: loss_of(network, x, y), network.flat_parameters)  # noqa: B023
        if np.isnan(numerical).mean() < 0.05:
            break
    return relative_error(analytic, numerical)


@pytest.mark.parametrize(("loss", "loss_settings", "layer", "settings", "shape"), cases())
def test_gradient_of_the_loss(loss, loss_settings, layer, settings, shape, record_property):
    for network in networks({"type": layer, **settings}, shape, {"type": loss, **loss_settings}):
        for seed in (1, 2):
            error = gradient_error(network, loss, seed)
            record_property("gradient_error", error)
            assert error < LARGEST, f"{[row['name'] for row in network.layers]}, seed {seed}"


@pytest.mark.parametrize("activation", names("activation"))
def test_gradient_of_a_deep_network(activation):
    layers = [{"type": "dense", "units": 6, "activation": activation} for _ in range(3)]
    layers[1:1] = [{"type": "dropout", "rate": 0.3}, {"type": "dense", "units": 7}]
    for loss in names("loss"):
        network = build([*layers, activation, {"type": "dense", "units": 3}], [5], loss)
        for seed in (3, 4):
            assert gradient_error(network, loss, seed) < LARGEST


@pytest.mark.parametrize("layer", names("layer"))
def test_gradient_of_an_output_gradient(layer):
    """backward(output_gradient=g) gives the gradient of sum(g output)."""
    for settings, shape in reference("layer", layer).CASES:
        for network in networks({"type": layer, **settings}, shape, {"type": "squared_error"}):
            generator = np.random.default_rng(7)
            randomize(network, generator)
            x = generator.normal(size=(ROWS, *network.input_shape))
            weights = generator.normal(size=(ROWS, *network.output_shape))
            network.forward(x, training=True)
            network.backward(output_gradient=weights)
            analytic = network.flat_gradients.copy()
            numerical = numerical_gradient(
                lambda: float(np.sum(weights * network.forward(x, training=True))),  # noqa: B023
                network.flat_parameters,
            )
            assert relative_error(analytic, numerical) < LARGEST


def test_the_check_finds_a_wrong_gradient():
    """One value in a thousand off is found; a kink within reach is not mistaken for one."""
    cell = np.array([0.4, 1.3, -2.0])
    numerical = numerical_gradient(lambda: float(np.sum(cell**3)), cell)
    assert relative_error(3 * cell**2, numerical) < 1e-9
    assert relative_error(3 * cell**2 * np.array([1.0, 1.001, 1.0]), numerical) > 9e-4
    kinked = np.array([1e-4, 1e-6, -1.0])
    found = numerical_gradient(lambda: float(np.sum(np.maximum(kinked, 0.0))), kinked)
    assert found[0] == pytest.approx(1.0)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(0.0, abs=1e-12)

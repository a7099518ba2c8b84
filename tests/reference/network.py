"""Networks for the tests: Ravine's, and a multilayer perceptron in NumPy to compare with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from reference.catalog import reference, resolved

from ravine import _core


def build(
    layers: Sequence[Any], input_shape: Sequence[int], loss: Any = "squared_error", **options: Any
) -> Any:
    """A network of Ravine; float64, one thread, seed 1 and the device of --device unless told otherwise."""
    spec = _core.NetworkSpec(list(input_shape))
    for layer in layers:
        if getattr(_rule_of(layer), "JOINS", False):
            # A layer that joins branches gets two: what comes before it, and its tanh.
            before = spec.layers[-1]["name"] if spec.layers else "input"
            spec.add("tanh")
            spec.add(layer, inputs=[before, spec.layers[-1]["name"]])
        else:
            spec.add(layer)
    device = os.environ.get("RAVINE_TEST_DEVICE", "cpu")
    settings = {"batch_size": 16, "dtype": "float64", "device": device, "threads": 1, "seed": 1} | options
    return _core.Network(spec, loss, **settings)


def _rule_of(layer: Any) -> Any:
    name = layer if isinstance(layer, str) else layer["type"]
    return reference("layer", name) if any(entry.name == name for entry in _core.catalog("layer")) else None


def randomize(network: Any, generator: np.random.Generator, scale: float = 1.0) -> None:
    """Draws every parameter anew, biases too, about as large as Xavier's."""
    for values in network.parameters.values():
        fans = sum(values.shape) if values.ndim > 1 else 4
        values[...] = generator.normal(size=values.shape) * scale * np.sqrt(2.0 / fans)


class Perceptron:
    """Dense layers with activations, a loss, and their gradient by the chain rule, in float64.

    `sizes` counts the inputs first; parameters are one flat vector: weight (outputs, inputs), bias, by layer.
    """

    def __init__(self, sizes: Sequence[int], activations: Sequence[str], loss: str) -> None:
        self.sizes = list(sizes)
        self.activations = [
            (reference("activation", name), resolved("activation", name, {})) for name in activations
        ]
        self.loss_rule, self.loss_settings = reference("loss", loss), resolved("loss", loss, {})
        self.names, self.loss_name = list(activations), loss
        decays = []
        self.matrices = []  # where each weight begins in the flat vector, and its shape
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            self.matrices.append((sum(map(len, decays)), (outputs, inputs)))
            decays += [np.ones(inputs * outputs), np.zeros(outputs)]
        self.decays = np.concatenate(decays)
        self.roles = {"decays": self.decays, "matrices": self.matrices}  # what references of optimizers ask

    def build(self, **options: Any) -> Any:
        """The same network in Ravine."""
        layers = [
            {"type": "dense", "units": units, "activation": activation}
            for units, activation in zip(self.sizes[1:], self.names, strict=True)
        ]
        return build(layers, self.sizes[:1], self.loss_name, **options)

    def unpack(self, flat: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        parts, position = [], 0
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            weight = flat[position : position + inputs * outputs].reshape(outputs, inputs)
            position += inputs * outputs
            parts.append((weight, flat[position : position + outputs]))
            position += outputs
        return parts

    def forward(self, flat: np.ndarray, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Net input and output of each layer."""
        layers = []
        for (weight, bias), (rule, settings) in zip(self.unpack(flat), self.activations, strict=True):
            net = x @ weight.T + bias
            x = rule.forward(net, settings)
            layers.append((net, x))
        return layers

    def loss(self, flat: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
        return float(self.loss_rule.loss(self.forward(flat, x)[-1][1], y, self.loss_settings))

    def gradient(self, flat: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        layers = self.forward(flat, x)
        delta = self.loss_rule.gradient(layers[-1][1], y, self.loss_settings)
        parts = []
        weights = self.unpack(flat)
        for index in reversed(range(len(layers))):
            rule, settings = self.activations[index]
            delta = delta * rule.derivative(layers[index][0], settings)
            before = layers[index - 1][1] if index else x
            parts.append(np.concatenate([(delta.T @ before).ravel(), delta.sum(axis=0)]))
            delta = delta @ weights[index][0]
        return np.concatenate(parts[::-1])

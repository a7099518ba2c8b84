"""Every activation in float32: as exact as its type, finite for huge inputs, and NaN stays NaN."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import names, reference, resolved
from reference.network import build

CASES = [(name, settings) for name in names("activation") for settings in reference("activation", name).CASES]


def forward_and_derivative(function, x):
    """f(x), and f'(x) through a layer of unit slope, as the network computes them."""
    width = x.size
    layers = [{"type": "dense", "units": width}, {"type": "activation", "function": function}]
    network = build(layers, [1], dtype="float32")
    network.parameters["dense_1.weight"][...] = 0.0
    network.parameters["dense_1.bias"][...] = x
    output = network.forward(np.zeros((1, 1), np.float32), training=True)[0].copy()
    network.backward(output_gradient=np.ones((1, width), np.float32))
    return output, network.gradients["dense_1.bias"].copy()


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_float32(name, settings):
    rule, full = reference("activation", name), resolved("activation", name, settings)
    x = np.concatenate([np.linspace(-95, 95, 4999), np.geomspace(1e-7, 1, 97), -np.geomspace(1e-7, 1, 97)])
    x = x[np.abs(x) > 1e-9].astype(np.float32)
    output, derivative = forward_and_derivative({"type": name, **settings}, x)
    exact = x.astype(np.float64)
    scale = np.maximum(np.abs(exact), 1.0)
    assert np.max(np.abs(output - rule.forward(exact, full)) / scale) < 5e-7
    assert np.max(np.abs(derivative - rule.derivative(exact, full))) < 2e-6


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_huge_inputs_and_nan(name, settings):
    x = np.array([1e3, 1e10, 1e20, 3e37, -1e3, -1e10, -1e20, -3e37, -np.inf, np.nan] * 5, np.float32)
    output, derivative = forward_and_derivative({"type": name, **settings}, x)
    known = np.isfinite(x)
    assert np.isfinite(output[known]).all()
    assert np.isfinite(derivative[known]).all()
    np.testing.assert_array_equal(np.isnan(output), np.isnan(x))  # minus infinity has its limit
    assert not np.isnan(derivative[x == -np.inf]).any()
    # Far from 0 every function goes on as a straight line.
    for value, slope in zip(x[known], derivative[known], strict=True):
        other = forward_and_derivative({"type": name, **settings}, np.array([value * np.float32(0.5)]))[1][0]
        assert slope == pytest.approx(other, abs=1e-6)


def test_selu_keeps_mean_and_variance():
    """Thirty layers of lecun_normal weights change neither much; with silu the variance dies."""
    generator = np.random.default_rng(2)
    x = generator.normal(size=(200, 300))
    moments = {}
    for name in ("selu", "silu"):
        layer = {"type": "dense", "units": 300, "activation": name, "weight_initializer": "lecun_normal"}
        output = build([layer] * 30, [300]).forward(x)
        moments[name] = output.mean(), output.var()
    assert abs(moments["selu"][0]) < 0.2
    assert 0.6 < moments["selu"][1] < 1.5
    assert moments["silu"][1] < 0.1

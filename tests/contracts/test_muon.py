"""Muon's matrices: shapes of many tiles, singular values of a step, convolutions, and what is no matrix."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import reference
from reference.network import build

from ravine import _core

ORTHOGONALIZED = reference("optimizer", "muon").orthogonalized
# Wide, tall and square; one row, one column; below, at and between the lengths of tiles.
SHAPES = [(1, 1), (1, 40), (40, 1), (16, 16), (33, 33), (64, 48), (100, 513), (530, 70), (140, 141)]
PLAIN = {"type": "muon", "learning_rate": 1.0, "momentum": 0.0}


def step_of(layers, inputs, gradients, rule, **options):
    """What one step adds to each parameter, for gradients by parameter name (0 where none is given)."""
    network = build(layers, inputs, batch_size=2, **options)
    network.flat_parameters[...] = 0.0
    network.flat_gradients[...] = 0.0
    for name, gradient in gradients.items():
        network.gradients[name][...] = gradient
    optimizer = _core.Optimizer(rule)
    for _ in range(2):  # the second time over used buffers
        network.flat_parameters[...] = 0.0
        optimizer.step(network)
    return {name: values.copy() for name, values in network.parameters.items()}


def dense_step(gradient, rule=PLAIN, **options):
    rows, columns = gradient.shape
    layers = [{"type": "dense", "units": rows, "use_bias": False}]
    return step_of(layers, [columns], {"dense_1.weight": gradient}, rule, **options)["dense_1.weight"]


@pytest.mark.parametrize("shape", SHAPES)
def test_matrices_of_many_shapes(shape):
    gradient = np.random.default_rng(3).normal(size=shape)
    size = max(1.0, shape[0] / shape[1]) ** 0.5
    found = [dense_step(gradient, threads=threads) for threads in (1, 2, 5)]
    np.testing.assert_allclose(found[0], -size * ORTHOGONALIZED(gradient), rtol=0, atol=1e-13 * size)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    single = [dense_step(gradient.astype(np.float32), threads=t, dtype="float32") for t in (1, 3)]
    # Rounding, 6e-8 of a value, grows by at most 485 times.
    np.testing.assert_allclose(single[0], found[0], rtol=0, atol=485 * 6e-8 * size)
    assert single[0].tobytes() == single[1].tobytes()


@pytest.mark.parametrize("shape", [(12, 30), (30, 12), (70, 70)])
@pytest.mark.parametrize("scaling", ["original", "match_rms_adamw"])
def test_singular_values(shape, scaling):
    """The step keeps the gradient's singular vectors and brings all values that are not tiny near 1."""
    generator = np.random.default_rng(4)
    left, _, right = np.linalg.svd(generator.normal(size=shape), full_matrices=False)
    values = np.geomspace(1.0, 1e-3, min(shape))
    step = dense_step((left * values) @ right, {**PLAIN, "scaling": scaling})
    x = values / np.linalg.norm(values)
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    rows, columns = shape
    size = {"original": max(1.0, rows / columns) ** 0.5, "match_rms_adamw": 0.2 * max(rows, columns) ** 0.5}
    np.testing.assert_allclose(step, -size[scaling] * (left * x) @ right, rtol=0, atol=1e-12 * size[scaling])
    found = np.linalg.svd(step, compute_uv=False)[: np.sum(values > 0.05)] / size[scaling]
    assert 0.6 < found.min() <= found.max() < 1.3


def test_a_convolution_is_a_matrix_of_its_filters():
    """(units, rest): whatever the window and the groups."""
    layers = [{"type": "convolution", "units": 6, "kernel": 2, "kernel_width": 3, "groups": 2}]
    generator = np.random.default_rng(5)
    weight, bias = generator.normal(size=(6, 2, 3, 2)), generator.normal(size=6)
    rule = {**PLAIN, "adamw_ratio": 0.1, "beta1": 0.0, "beta2": 0.0, "epsilon": 1e-12}
    step = step_of(
        layers, (4, 4, 4), {"convolution_1.weight": weight, "convolution_1.bias": bias}, rule, dtype="float64"
    )
    expected = -ORTHOGONALIZED(weight.reshape(6, 12)).reshape(weight.shape)
    np.testing.assert_allclose(step["convolution_1.weight"], expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(step["convolution_1.bias"], -0.1 * np.sign(bias), rtol=1e-9)


def test_what_is_a_matrix():
    """Weights and directions are; gains, biases, and scales of any rank move as AdamW's do; gains decay."""
    layers = [
        {"type": "layer_normalization"},
        {"type": "convolution", "units": 3, "kernel": 2, "weight_normalization": True},
        "flatten",
        {"type": "dense", "units": 4, "weight_normalization": True},
    ]
    network = build(layers, [3, 3, 2], batch_size=2)
    generator = np.random.default_rng(6)
    network.flat_parameters[...] = start = generator.normal(size=network.flat_parameters.size)
    network.flat_gradients[...] = generator.normal(size=start.size)
    before = {name: values.copy() for name, values in network.parameters.items()}
    rule = {"beta1": 0.0, "beta2": 0.0, "epsilon": 1e-12, "adamw_ratio": 0.1, "weight_decay": 0.5}
    _core.Optimizer({**PLAIN, **rule, "learning_rate": 0.2}).step(network)
    for name, values in network.parameters.items():
        gradient = network.gradients[name]
        if name.endswith("direction"):
            rows = len(gradient)
            size = max(1.0, rows / (gradient.size / rows)) ** 0.5
            orthogonal = ORTHOGONALIZED(gradient.reshape(rows, -1)).reshape(gradient.shape)
            expected = before[name] - 0.2 * size * orthogonal
        else:
            kept = 1.0 - 0.1 * 0.2 * 0.5 if name.endswith("gain") else 1.0
            expected = kept * before[name] - 0.1 * 0.2 * np.sign(gradient)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-11, err_msg=name)
    assert len(network.parameters) == 8


@pytest.mark.parametrize("size", [1e-30, 1e25])
def test_gradients_of_extreme_size_in_float32(size):
    """Their squares lie beyond float32; the huge one gives the same step, the tiny one as good as none."""
    gradient = np.random.default_rng(7).normal(size=(8, 5))
    step = dense_step((gradient * size).astype(np.float32), dtype="float32")
    expected = -((8 / 5) ** 0.5) * ORTHOGONALIZED(gradient) if size > 1 else np.zeros(gradient.shape)
    np.testing.assert_allclose(step, expected, rtol=0, atol=1e-4)


def test_no_gradient_no_step():
    assert not dense_step(np.zeros((5, 3))).any()


def test_frozen_matrices_stay():
    """And cost no memory of their own; the other matrix moves as it would without them."""
    layers = [{"type": "dense", "units": 5}, {"type": "dense", "units": 4}]
    moved = []
    for groups in ([], [{"match": "dense_1.*", "freeze": True}]):
        network = build(layers, [6], batch_size=2)
        network.flat_gradients[...] = np.random.default_rng(8).normal(size=network.flat_gradients.size)
        before = network.parameters["dense_1.weight"].copy()
        optimizer = _core.Optimizer(PLAIN, groups=groups)
        optimizer.step(network)
        moved.append(network.parameters["dense_2.weight"].copy())
        assert np.array_equal(before, network.parameters["dense_1.weight"]) == bool(groups)
    assert moved[0].tobytes() == moved[1].tobytes()

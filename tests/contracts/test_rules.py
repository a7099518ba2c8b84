"""Activations, losses and layers against their NumPy references in float64."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import fitted, names, reference, resolved
from reference.network import build, randomize

TOLERANCE = {"rtol": 1e-12, "atol": 1e-12}
# Both sides of zero, saturation, and sizes that are no multiple of a vector register.
GRID = np.concatenate([np.linspace(-30, 30, 4001), [0.0, -0.0, 1e-300, -1e-12, 1e-12, -700.0, 700.0]])


def settings_of(kind):
    return [(name, settings) for name in names(kind) for settings in reference(kind, name).CASES]


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("name", "settings"), settings_of("activation"))
def test_activation(name, settings):
    rule, full = reference("activation", name), resolved("activation", name, settings)
    network = build([{"type": name, **settings}], [GRID.size])
    np.testing.assert_allclose(network.forward(GRID[None])[0], rule.forward(GRID, full), **TOLERANCE)


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize(("name", "settings"), settings_of("activation"))
@pytest.mark.parametrize("fused", [False, True])
def test_activation_derivative(name, settings, fused):
    """The gradient of a unit's bias is f'(net): alone, and multiplied in by a product."""
    rule, full = reference("activation", name), resolved("activation", name, settings)
    function = {"type": name, **settings}
    x = GRID[GRID != 0.0]
    if fused:  # x passes a unit bias for bias, then one weight of 1
        layers = [{"type": "dense", "units": 1, "activation": function}, {"type": "dense", "units": 1}]
    else:
        layers = [{"type": "dense", "units": 1}, "identity", function]
    network = build(layers, [1])
    for key, values in network.parameters.items():
        values[...] = 1.0 if key.endswith("weight") else 0.0
    for value in x[::13]:
        network.forward(np.array([[value]]), training=True)
        network.backward(output_gradient=np.ones((1, 1)))
        expected = rule.derivative(np.array([value]), full)[0]
        assert network.gradients["dense_1.bias"][0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(("name", "settings"), settings_of("loss"))
@pytest.mark.parametrize(("rows", "outputs"), [(1, 2), (7, 5), (33, 19), (300, 70)])
def test_loss(name, settings, rows, outputs):
    settings = fitted("loss", name, settings, outputs)
    rule, full = reference("loss", name), resolved("loss", name, settings)
    generator = np.random.default_rng(rows)
    network = build([{"type": "dense", "units": outputs}], [3], {"type": name, **settings})
    randomize(network, generator, scale=5.0)
    x = generator.normal(size=(rows, 3))
    y = rule.targets(generator, rows, (outputs,))
    output = network.forward(x, training=True).copy()
    assert network.loss(y) == pytest.approx(rule.loss(output, y, full), rel=1e-12)
    network.backward()
    gradient = rule.gradient(output, y, full)
    np.testing.assert_allclose(network.gradients["dense_1.bias"], gradient.sum(axis=0), **TOLERANCE)
    np.testing.assert_allclose(network.gradients["dense_1.weight"], gradient.T @ x, **TOLERANCE)
    np.testing.assert_allclose(network.predict(x), rule.shown(output), **TOLERANCE)
    metrics = network.evaluate(x, y)
    assert metrics["loss"] == pytest.approx(rule.loss(output, y, full), rel=1e-12)
    if network.classifies:
        assert metrics["accuracy"] == np.mean(output.argmax(axis=1) == y)
        ranks = (output > output[np.arange(rows), y][:, None]).sum(axis=1)
        if outputs > 5:
            assert metrics["top5"] == np.mean(ranks < 5)
        else:
            assert "top5" not in metrics
    elif network.has_accuracy:
        assert metrics["accuracy"] == rule.accuracy(output, y)


def test_cross_entropy_of_extreme_logits():
    """Large logits neither overflow nor lose the loss; of equal ones the first is the answer."""
    network = build(["identity"], [3], "softmax_cross_entropy")
    logits = np.array([[1000.0, 0.0, -1000.0], [-1e4, -1e4, -1e4], [5.0, 5.0, 5.0]])
    labels = np.array([1, 0, 1], dtype=np.int32)
    assert network.evaluate(logits, labels) == {
        "loss": pytest.approx((1000.0 + 2 * np.log(3.0)) / 3, rel=1e-14),
        "accuracy": pytest.approx(1 / 3),
    }


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("name", "settings", "shape"),
    [
        (name, settings, shape)
        for name in names("layer")
        for settings, shape in reference("layer", name).CASES
    ],
)
def test_layer(name, settings, shape, training):
    rule, full = reference("layer", name), resolved("layer", name, settings)
    seed, step = 2**40 + 5, 3
    network = build(["identity", {"type": name, **settings}], shape, seed=seed)
    generator = np.random.default_rng(5)
    randomize(network, generator)
    network.step = step
    x = generator.normal(size=(9, *shape))
    for values in network.state.values():
        values[...] = generator.uniform(0.5, 2.0, size=values.shape)
    parameters = {key.split(".")[1]: values for key, values in (network.parameters | network.state).items()}
    expected = rule.forward(x, parameters, full, (seed, 1, step) if training else None)
    output = network.forward(x, training=training)
    assert output.shape == (9, *network.output_shape)
    np.testing.assert_allclose(output, expected, **TOLERANCE)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.99999])
def test_dropout_mask_is_exact(rate):
    """Bit for bit the mask of the reference, in both types, over several tiles; another one each step."""
    shape, rows, seed = (517,), 65, 11
    masks = []
    for dtype in ("float32", "float64"):
        network = build(["identity", {"type": "dropout", "rate": rate}], shape, seed=seed, dtype=dtype)
        for step in (0, 1, 2**31):
            network.step = step
            x = np.ones((rows, *shape), dtype=dtype)
            output = network.forward(x, training=True)
            expected = reference("layer", "dropout").forward(
                x.astype(np.float64), {}, {"rate": rate}, (seed, 1, step)
            )
            np.testing.assert_array_equal(output, expected.astype(dtype))
            masks.append(output != 0)
    if 0 < rate < 0.9:
        assert abs(masks[0].mean() - (1 - rate)) < 4 * np.sqrt(rate * (1 - rate) / masks[0].size)
        assert not np.array_equal(masks[0], masks[1])


def test_an_entry_without_a_reference_fails(monkeypatch):
    with pytest.raises(pytest.fail.Exception, match=r"add tests/reference/optimizer/nothing\.py"):
        reference("optimizer", "nothing")

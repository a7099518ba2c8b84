"""Losses: targets they have no meaning for, right answers of yes-or-no losses, huge inputs in float32."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import fitted, names, reference, resolved
from reference.network import build

import ravine
from ravine import _core
from ravine.errors import InputError

CASES = [(name, settings) for name in names("loss") for settings in reference("loss", name).CASES]
YES_OR_NO = [name for name in names("loss") if hasattr(reference("loss", name), "accuracy")]


@pytest.mark.parametrize(
    ("loss", "target", "words"),
    [
        ("binary_cross_entropy", 1.5, "from 0 to 1"),
        ("binary_cross_entropy", -1.0, "from 0 to 1"),
        ("hinge", 0.0, "-1 or 1"),
        ("hinge", 2.0, "-1 or 1"),
    ],
)
def test_targets_without_meaning(loss, target, words):
    network = build([{"type": "dense", "units": 3}], [2], loss, batch_size=2)
    x, y = np.zeros((4, 2)), np.ones((4, 3))
    assert network.evaluate(x, y)["loss"] > 0
    y[2, 1] = target
    for call in (
        lambda: network.evaluate(x, y),
        lambda: network.train(_core.Optimizer("adam"), x, y, batch_size=2),
        lambda: (network.forward(x), network.loss(y)),
    ):
        with pytest.raises(InputError, match=f"row 2 .*{words}"):
            call()
    assert network.step == 0


@pytest.mark.parametrize("name", YES_OR_NO)
def test_accuracy_while_training(name):
    """Recorded for each step, and over an epoch; a sample is right where all its outputs are."""
    rule = reference("loss", name)
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(64, 5)), rule.targets(generator, 64, (2,))
    network = build([{"type": "dense", "units": 2}], [5], name, batch_size=16)
    still = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0})
    expected = [
        rule.accuracy(network.forward(x[at]), y[at]) for at in (slice(k, k + 16) for k in range(0, 64, 16))
    ]
    result = network.train(still, x, y, batch_size=16)
    assert result.correct == round(64 * np.mean(expected))
    _, values = network.drain()
    np.testing.assert_allclose(values[:, network.columns.index("accuracy")], expected, rtol=1e-7)
    assert 0.05 < np.mean(expected) < 0.95


def test_yes_or_no_is_learned():
    """A line between two classes is found; predict gives probabilities."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(400, 2))
    y = (x @ [1.0, -2.0] > 0.3).astype(np.float64)
    trainer = ravine.Trainer(
        ravine.Sequential(ravine.layers.Dense(1)), loss="binary_cross_entropy", optimizer="adam", seed=1
    )
    trainer.optimizer.set("learning_rate", 0.05)
    history = trainer.fit(x, y, epochs=20)
    assert trainer.evaluate(x, y)["accuracy"] > 0.97
    assert history["accuracy"][-1] > 0.9
    predicted = trainer.predict(x)[:, 0]
    assert predicted.min() >= 0.0
    assert predicted.max() <= 1.0
    assert np.mean((predicted > 0.5) == (y > 0.5)) == pytest.approx(trainer.evaluate(x, y)["accuracy"])


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_float32(name, settings):
    """As exact as its type, finite for large outputs, and NaN is never a right answer."""
    settings = fitted("loss", name, settings, 7)
    rule, full = reference("loss", name), resolved("loss", name, settings)
    generator = np.random.default_rng(3)
    network = build(["identity"], [7], {"type": name, **settings}, dtype="float32")
    y = rule.targets(generator, 50, (7,))
    targets = y if y.dtype == np.int32 else y.astype(np.float32)
    for scale in (1e-3, 1.0, 30.0, 1e3):
        x = (generator.normal(size=(50, 7)) * scale).astype(np.float32)
        exact = rule.loss(x.astype(np.float64), targets.astype(y.dtype), full)
        assert network.evaluate(x, targets)["loss"] == pytest.approx(exact, rel=2e-6)
    x[:] = np.nan
    metrics = network.evaluate(x, targets)
    assert np.isnan(metrics["loss"])
    assert metrics.get("accuracy", 0.0) == 0.0


def test_label_smoothing_bounds():
    for value in (-0.1, 1.1):
        with pytest.raises(InputError, match="label_smoothing"):
            _core.resolve("loss", {"type": "softmax_cross_entropy", "label_smoothing": value})

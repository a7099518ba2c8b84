"""Both forms of dropout in training and evaluation, and dropout of the input."""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import build, randomize

from ravine import Sequential, Trainer, _core
from ravine.experiment import load_experiment
from ravine.layers import Convolution, Dense, Dropout, Flatten
from ravine.training.loaded import load_run
from ravine.training.session import train_experiment

RATE = 0.25  # a multiple of 1/65536: exact


def dropout(form, rate=RATE):
    return {"type": "dropout", "rate": rate, "form": form}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["inverted", "standard"])
def test_values_of_each_form(form, dtype):
    """Training: 0, or x / (1 - p) (inverted) or x (standard). Evaluation: x, or (1 - p) x."""
    network = build(["identity", dropout(form)], [700], dtype=dtype)
    x = np.random.default_rng(1).uniform(1.0, 2.0, size=(16, 700)).astype(dtype)
    kept = x / x.dtype.type(1 - RATE) if form == "inverted" else x
    output = network.forward(x, training=True)
    np.testing.assert_allclose(output[output != 0], kept[output != 0], rtol=1e-6)
    assert abs(np.mean(output == 0) - RATE) < 4 * np.sqrt(RATE * (1 - RATE) / output.size)
    evaluated = x if form == "inverted" else x * x.dtype.type(1 - RATE)
    np.testing.assert_array_equal(network.forward(x), evaluated)
    np.testing.assert_array_equal(network.predict(x), evaluated)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("form", ["inverted", "standard"])
def test_evaluation_is_the_mean_of_training(form, rate):
    """Of a linear layer behind dropout, over 4,000 masks, to 5 standard errors of each output."""
    network = build([dropout(form, rate), {"type": "dense", "units": 6}], [9])
    generator = np.random.default_rng(2)
    randomize(network, generator)
    x = np.tile(generator.normal(size=9), (4000, 1))
    outputs = network.forward(x, training=True)
    error = outputs.std(axis=0) / np.sqrt(len(x))
    assert np.all(np.abs(outputs.mean(axis=0) - network.forward(x[:1])[0]) < 5 * error)
    assert np.all(error < 0.1)


def test_standard_form_is_weights_scaled_at_test_time():
    """L1: the whole network is used, with the weights behind dropout multiplied by 1 - p."""
    network = build([dropout("standard"), {"type": "dense", "units": 6, "activation": "tanh"}], [9])
    generator = np.random.default_rng(3)
    randomize(network, generator)
    x = generator.normal(size=(5, 9))
    weight, bias = network.parameters["dense_1.weight"], network.parameters["dense_1.bias"]
    expected = np.tanh(x @ ((1 - RATE) * weight).T + bias)
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-14)


def test_forms_differ_by_a_factor_of_the_weights():
    """Standard with weights W trains as inverted does with (1 - p) W: same outputs, gradients times 1 - p."""
    found = []
    for form, factor in (("inverted", 1 - RATE), ("standard", 1.0)):
        hidden = {"type": "dense", "units": 8, "activation": "relu"}
        network = build([hidden, dropout(form), {"type": "dense", "units": 3}], [7], "softmax_cross_entropy")
        randomize(network, np.random.default_rng(4))
        network.parameters["dense_2.weight"][...] *= factor
        x = np.random.default_rng(5).normal(size=(16, 7))
        y = np.arange(16, dtype=np.int32) % 3
        output = network.forward(x, training=True).copy()
        network.loss(y)
        network.backward()
        gradients = {name: values.copy() for name, values in network.gradients.items()}
        found.append((output, network.evaluate(x, y), gradients))
    (output, metrics, gradients), (standard_output, standard_metrics, standard_gradients) = found
    np.testing.assert_allclose(output, standard_output, rtol=1e-13, atol=1e-13)
    assert metrics == pytest.approx(standard_metrics, rel=1e-13)
    for name, values in gradients.items():
        factor = 1 - RATE if name == "dense_2.weight" else 1.0
        np.testing.assert_allclose(standard_gradients[name], factor * values, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("form", ["inverted", "standard"])
@pytest.mark.parametrize("shape", [(30,), (28, 28, 1)])
def test_dropout_of_the_input(shape, form):
    """The first layer: what follows sees masked inputs in training, and gradients fit these."""
    rest = [{"type": "convolution", "units": 3, "kernel": 5, "activation": "relu"}] if len(shape) > 1 else []
    rest = [*rest, "flatten", {"type": "dense", "units": 4}]
    network = build([dropout(form), *rest], shape, "softmax_cross_entropy", batch_size=8)
    alone = build(["identity", *rest], shape, "softmax_cross_entropy", batch_size=8)
    masks = build([dropout(form)], shape, batch_size=8)
    randomize(network, np.random.default_rng(6))
    for name, values in network.parameters.items():
        alone.parameters[name][...] = values
    x = np.random.default_rng(7).uniform(0.5, 1.0, size=(8, *shape))
    y = np.arange(8, dtype=np.int32) % 4
    masked = masks.forward(x, training=True).copy()
    assert 0.15 < np.mean(masked == 0) < 0.35
    np.testing.assert_array_equal(network.forward(x, training=True), alone.forward(masked, training=True))
    assert network.loss(y) == alone.loss(y)
    network.backward()
    alone.backward()
    np.testing.assert_array_equal(network.flat_gradients, alone.flat_gradients)
    evaluated = x if form == "inverted" else (1 - RATE) * x
    np.testing.assert_array_equal(network.forward(x), alone.forward(evaluated))


def striped(samples, seed=8):
    """Images [28, 28, 1] with a bright stripe whose place is their class, of four."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, samples).astype(np.int32)
    images = generator.normal(0.0, 0.3, size=(samples, 28, 28, 1)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        image[7 * label : 7 * label + 7] += 0.5
    return images, labels


@pytest.mark.parametrize("form", ["inverted", "standard"])
def test_dropout_of_images_from_python(form):
    inputs, labels = striped(600)
    model = Sequential(
        Dropout(0.2, form=form), Convolution(4, kernel=5, stride=3, activation="relu"), Flatten(), Dense(4)
    )
    trainer = Trainer(model, loss="softmax_cross_entropy", optimizer="adam", batch_size=32, seed=1)
    trainer.fit(inputs, labels, epochs=4)
    assert trainer.evaluate(*striped(200, seed=9))["accuracy"] > 0.95


EXPERIMENT = """
name = "run"
loss = "softmax_cross_entropy"
[data]
source = "npz"
file = "data.npz"
[data.split]
test_fraction = 0.25
[model]
layers = [
  { type = "dropout", rate = 0.2, form = "standard" },
  { type = "convolution", units = 4, kernel = 5, stride = 3, activation = "relu" },
  { type = "flatten" },
  { type = "dense", units = 4 },
]
[optimizer]
type = "muon"
[training]
epochs = 4
batch_size = 32
"""


def test_dropout_of_images_from_an_experiment(tmp_path):
    inputs, labels = striped(800)
    np.savez(tmp_path / "data.npz", inputs=inputs, targets=labels)
    path = tmp_path / "experiment.toml"
    path.write_text(EXPERIMENT)
    outcome = train_experiment(load_experiment(path), parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] > 0.95
    # The stored run computes as evaluation does: with 0.8 times the images.
    network = load_run(outcome.path).network
    settings = {"dtype": "float32", "batch_size": 32, "device": network.device}
    rest = build(["identity", *_rest()], (28, 28, 1), "softmax_cross_entropy", **settings)
    for name, values in network.parameters.items():
        rest.parameters[name][...] = values
    keep = np.float32(1 - round(0.2 * 65536) / 65536)
    np.testing.assert_array_equal(network.predict(inputs[:32]), rest.predict(inputs[:32] * keep))


def _rest():
    return [
        {"type": "convolution", "units": 4, "kernel": 5, "stride": 3, "activation": "relu"},
        "flatten",
        {"type": "dense", "units": 4},
    ]


def test_an_unknown_form_is_refused():
    with pytest.raises(Exception, match="inverted"):
        _core.resolve("layer", dropout("inverse"))

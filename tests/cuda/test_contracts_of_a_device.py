"""What a device owes whoever chose it: each layer and loss as on the CPU, real data, masks, the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.catalog import fitted, names, reference
from reference.network import build, randomize

from ravine import Sequential, Trainer, _core
from ravine.data import load_digits, read_idx
from ravine.layers import AveragePooling, Convolution, Dense, Dropout, Flatten

CLOSE = {"float32": 2e-5, "float64": 1e-11}
STEPS, BATCH, ROWS = 10, 32, 6
LAYERS = [
    pytest.param({"type": name, **settings}, shape, id=f"{name}-{number}")
    for name in names("layer")
    for number, (settings, shape) in enumerate(reference("layer", name).CASES)
]

pytestmark = pytest.mark.usefixtures("needs_device")


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("compares a device with the CPU: give it with --device")


def passes(place: str, layers: list[Any], shape: Any, loss: Any, dtype: str, steps: int = 2) -> Any:
    """All that a network gives by hand and in training, on inputs that are the same everywhere."""
    network = build(layers, shape, loss, batch_size=ROWS, dtype=dtype, device=place, seed=5)
    generator = np.random.default_rng(2)
    randomize(network, generator, scale=0.7)
    x = generator.normal(size=(steps * ROWS, *shape)).astype(dtype)
    rule = reference("loss", loss["type"])
    y = rule.targets(generator, steps * ROWS, network.output_shape)
    y = y.astype(np.int32 if y.dtype.kind in "iu" else dtype)
    found = {"evaluated": network.forward(x[:ROWS]), "trained": network.forward(x[:ROWS], training=True)}
    found["loss"] = np.array([network.loss(y[:ROWS])])
    network.backward()
    found["gradient"] = network.flat_gradients.copy()
    result = network.train(_core.Optimizer("momentum"), x, y, batch_size=ROWS)
    assert (result.steps, result.trouble) == (steps, "")
    found["weights"] = network.flat_parameters.copy()
    found |= {name: values.copy() for name, values in network.state.items()}
    found["recorded"] = network.drain()[1]
    found["predicted"] = network.predict(x)
    found["losses"] = network.losses(x, y)
    found["metrics"] = np.array(list(network.evaluate(x, y).values()))
    return found


def compare(found: Any, expected: Any, close: float) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(values), err_msg=name)
        scale = float(np.nanmax(np.abs(values), initial=0.0))
        tolerance = close * max(scale, 1.0)
        np.testing.assert_allclose(found[name], values, rtol=close, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_every_layer(device, dtype, layer, shape):
    layers = [layer, "flatten", {"type": "dense", "units": 5}]
    loss = {"type": "softmax_cross_entropy"}
    expected = passes("cpu", layers, shape, loss, dtype)
    compare(passes(device, layers, shape, loss, dtype), expected, CLOSE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", names("loss"))
def test_every_loss_with_all_its_settings(device, dtype, name):
    for settings in reference("loss", name).CASES:
        loss = fitted("loss", name, {"type": name, **settings}, 7)
        layers = [{"type": "dense", "units": 7}]
        expected = passes("cpu", layers, [4], loss, dtype)
        compare(passes(device, layers, [4], loss, dtype), expected, CLOSE[dtype])


def mnist(folder: Path) -> tuple[Any, Any]:
    images = read_idx(folder / "mnist" / "train-images-idx3-ubyte.gz")[: STEPS * BATCH]
    labels = read_idx(folder / "mnist" / "train-labels-idx1-ubyte.gz")[: STEPS * BATCH]
    return images[..., None].astype(np.float32) / 255.0, labels.astype(np.int32)


def digits(folder: Path) -> tuple[Any, Any]:
    loaded = load_digits()
    return loaded.inputs[: STEPS * BATCH].astype(np.float32) / 16.0, loaded.targets[: STEPS * BATCH]


def perceptron(units: int) -> list[Any]:
    return [Flatten(), Dense(units, activation="relu"), Dropout(0.2), Dense(units, "tanh"), Dense(10)]


LENET = [
    Convolution(6, kernel=5, activation="tanh"),
    AveragePooling(2),
    Convolution(16, kernel=5, activation="tanh"),
    AveragePooling(2),
    Flatten(),
    Dense(120, activation="tanh"),
    Dropout(0.1),
    Dense(84, activation="tanh"),
    Dense(10),
]
REAL = {"digits": (digits, perceptron(64)), "mnist": (mnist, perceptron(128)), "lenet": (mnist, LENET)}


@pytest.mark.parametrize("rule", ["momentum", "adam"])
@pytest.mark.parametrize("name", REAL)
def test_the_first_losses_on_real_data(device, name, rule, datasets):
    load, layers = REAL[name]
    x, y = load(datasets)
    losses = []
    for place in ("cpu", device):
        made = Sequential(*layers).network(
            x.shape[1:], loss="softmax_cross_entropy", batch_size=BATCH, device=place, seed=3
        )
        assert made.train(_core.Optimizer(rule), x, y, batch_size=BATCH).steps == STEPS
        losses.append(made.drain()[1][:, made.columns.index("loss")])
    assert len(losses[0]) == STEPS
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_masks(device, dtype):
    """By hand and in training, in every step, in parts of a batch too: exactly."""
    layers = ["identity", {"type": "dropout", "rate": 0.3}]
    for step in (0, 1, 77):
        masks = []
        for place in ("cpu", device):
            made = build(layers, [9, 7, 3], batch_size=40, dtype=dtype, device=place, seed=8)
            made.step = step
            masks.append(made.forward(np.ones((40, 9, 7, 3), dtype), training=True).tobytes())
        assert masks[0] == masks[1]


@pytest.mark.parametrize("settings", [{}, {"micro_batch": 12}, {"average_weights": 0.9}, {"batch_size": 7}])
def test_the_same_bits_run_to_run(device, settings):
    """Always, however the steps are cut into calls."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(150, 20)).astype(np.float32)
    y = generator.integers(0, 3, 150)

    def trained() -> tuple[bytes, list[float]]:
        trainer = Trainer(
            Sequential(Dense(33, activation="gelu"), Dropout(0.4), Dense(3)),
            loss="softmax_cross_entropy",
            optimizer="adam",
            device=device,
            seed=2,
            **({"batch_size": 32} | settings),
        )
        history = trainer.fit(x, y, validation=(x[:40], y[:40]), epochs=3)
        return trainer.network.flat_parameters.tobytes(), history["loss"].tolist()

    first = trained()
    assert first == trained() == trained()

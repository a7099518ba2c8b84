"""The Python interface: fit, evaluate and predict, schedules, callbacks, history, views without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravine import Callback, InputError, Sequential, Trainer, _core
from ravine.layers import Dense, Dropout, Flatten
from ravine.optimizers import Adam, Momentum
from ravine.training.trainer import Position

RANDOM = np.random.default_rng(8)
INPUTS = RANDOM.normal(size=(50, 4))
LABELS = RANDOM.integers(0, 3, 50)


def classifier(**settings: Any) -> Trainer:
    options: dict[str, Any] = {
        "optimizer": "adam",
        "loss": "softmax_cross_entropy",
        "batch_size": 16,
        **settings,
    }
    return Trainer(Sequential(Dense(6, activation="tanh"), Dense(3)), **options)


def test_fit_evaluate_predict_of_a_classifier() -> None:
    labels = (INPUTS[:, 0] > 0).astype(int) + (INPUTS[:, 1] > 0)
    trainer = classifier(optimizer=Adam(0.05))
    history = trainer.fit(INPUTS, labels, epochs=40, validation=(INPUTS[:20], labels[:20]))
    assert trainer.position.epoch == 40
    assert trainer.position.step == 40 * 4
    assert history.steps.tolist() == list(range(1, 161))
    assert len(history.metric("loss")) == len(history.metric("accuracy", "train")) == 40
    probabilities = trainer.predict(INPUTS)
    assert probabilities.shape == (50, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    metrics = trainer.evaluate(INPUTS, labels)
    assert metrics["accuracy"] == (probabilities.argmax(axis=1) == labels).mean() > 0.9
    expected = -np.log(probabilities[np.arange(50), labels].astype(np.float64)).mean()
    assert metrics["loss"] == pytest.approx(expected, rel=1e-5)
    assert history.metric("loss")[-1] == trainer.evaluate(INPUTS[:20], labels[:20])["loss"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_regression_finds_the_least_squares_solution(dtype: str) -> None:
    inputs = RANDOM.normal(size=(60, 3))
    targets = inputs @ RANDOM.normal(size=(3, 2)) + 0.5 + 0.1 * RANDOM.normal(size=(60, 2))
    trainer = Trainer(
        Sequential(Dense(2)), loss="squared_error", optimizer=Momentum(0.05), batch_size=60, dtype=dtype
    )
    trainer.fit(inputs, targets, epochs=500)
    assert trainer.network.dtype == dtype
    extended = np.hstack([inputs, np.ones((60, 1))])
    solution = np.linalg.lstsq(extended, targets, rcond=None)[0]
    predictions = trainer.predict(inputs)
    assert predictions.dtype == np.dtype(dtype)
    np.testing.assert_allclose(
        predictions, extended @ solution, rtol=0, atol=1e-5 if dtype == "float32" else 1e-10
    )
    assert "accuracy" not in trainer.evaluate(inputs, targets)


def test_images_of_any_shape() -> None:
    images = RANDOM.normal(size=(12, 5, 4))
    model = Sequential(Flatten(), Dense(3))
    trainer = Trainer(model, loss="softmax_cross_entropy", optimizer="adam", batch_size=5)
    trainer.fit(images, np.arange(12) % 3, epochs=1)
    assert trainer.network.input_shape == (5, 4, 1)
    assert trainer.predict(images).shape == (12, 3)


@pytest.mark.parametrize("name", ["learning_rate", "momentum"])
def test_a_schedule_gives_every_step_its_value(name: str) -> None:
    """Full batches of one linear neuron: the whole training fits in four lines of NumPy."""
    inputs, targets = RANDOM.normal(size=(8, 2)), RANDOM.normal(size=(8, 1))

    def schedule(step: int) -> float:
        return 0.01 + 0.02 * step

    trainer = Trainer(
        Sequential(Dense(1, weight_initializer="zeros", use_bias=False)),
        loss="squared_error",
        optimizer=Momentum(0.05, momentum=0.5),
        batch_size=8,
        schedules={name: schedule},
        dtype="float64",
    )
    history = trainer.fit(inputs, targets, epochs=20)
    settings = {"learning_rate": 0.05, "momentum": 0.5}
    weights, velocity = np.zeros((2, 1)), np.zeros((2, 1))
    for step in range(20):
        settings[name] = schedule(step)
        gradient = 2 * inputs.T @ (inputs @ weights - targets) / 8
        velocity = settings["momentum"] * velocity + settings["learning_rate"] * gradient
        weights = weights - velocity
    np.testing.assert_allclose(trainer.network.flat_parameters, weights[:, 0], rtol=1e-9)
    if name == "learning_rate":
        expected = [np.float32(schedule(step)) for step in range(20)]
        assert history["learning_rate"].tolist() == expected


def test_a_schedule_that_is_not_finite_names_the_step() -> None:
    trainer = classifier(schedules={"learning_rate": lambda step: 0.1 if step < 5 else float("nan")})
    with pytest.raises(InputError, match="learning_rate: the schedule gives nan at step 5"):
        trainer.fit(INPUTS, LABELS, epochs=9)


def test_a_schedule_of_an_unknown_setting() -> None:
    with pytest.raises(InputError, match="momentun"):
        classifier(schedules={"momentun": lambda step: 0.9}).fit(INPUTS, LABELS, epochs=1)


class Listener(Callback):
    def __init__(self, name: str, calls: list[Any]) -> None:
        self.name, self.calls = name, calls

    def on_start(self, trainer: Trainer) -> None:
        self.calls.append((self.name, "start"))

    def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
        assert values.shape == (len(steps), len(trainer.network.columns))
        if self.calls[-2:] != [("a", "steps"), ("b", "steps")] or self.name != "a":
            self.calls.append((self.name, "steps"))

    def on_evaluation(self, trainer: Trainer, record: Any) -> None:
        self.calls.append((self.name, record.split))

    def on_epoch_end(self, trainer: Trainer) -> None:
        self.calls.append((self.name, "epoch end"))

    def on_end(self, trainer: Trainer) -> None:
        self.calls.append((self.name, "end"))


def test_callbacks_are_called_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    trainer = classifier(callbacks=[Listener("a", calls), Listener("b", calls)], batch_size=50)
    trainer.fit(INPUTS, LABELS, epochs=2, validation=(INPUTS, LABELS))
    epoch = ["steps", "train", "validation", "epoch end"]
    expected = [(name, what) for what in ["start", *epoch, *epoch, "end"] for name in "ab"]
    assert calls == expected


def test_evaluations_every_few_epochs_and_at_the_end() -> None:
    history = classifier().fit(INPUTS, LABELS, epochs=7, validation=(INPUTS, LABELS), evaluate_every=3)
    epochs = [record.epoch for record in history.evaluations if record.split == "validation"]
    assert epochs == [3, 6, 7]


def test_a_callback_stops_the_training() -> None:
    class Stop(Callback):
        def on_epoch_end(self, trainer: Trainer) -> None:
            if trainer.position.epoch == 2:
                trainer.stop()

    trainer = classifier(callbacks=[Stop()])
    history = trainer.fit(INPUTS, LABELS, epochs=9)
    assert trainer.position.epoch == 2
    assert len(history.steps) == 8
    trainer.callbacks.clear()
    trainer.fit(INPUTS, LABELS, epochs=3)
    assert trainer.position.epoch == 3


def test_going_on_from_a_position() -> None:
    """Two halves are one whole: the order of the samples goes on where it was."""
    from ravine.data import as_dataset

    data = as_dataset(INPUTS.astype(np.float32), LABELS)
    whole, halves = classifier(seed=4), classifier(seed=4)
    whole.fit_datasets(data, {}, epochs=6)
    halves.fit_datasets(data, {}, epochs=3)
    position = halves.position
    assert position == Position(epoch=3, step=12, seconds=position.seconds)
    halves.fit_datasets(data, {}, epochs=6, position=position)
    assert whole.network.flat_parameters.tobytes() == halves.network.flat_parameters.tobytes()


def test_an_exception_in_a_callback_is_passed_on() -> None:
    class Fault(Callback):
        def on_steps(self, trainer: Trainer, *_: object) -> None:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match=r"^mine$"):
        classifier(callbacks=[Fault()]).fit(INPUTS, LABELS)


def test_history_columns() -> None:
    history = classifier().fit(INPUTS, LABELS, epochs=2)
    assert history.values.shape == (8, len(history.columns))
    assert {"loss", "accuracy", "learning_rate"} <= set(history.columns)
    with pytest.raises(InputError, match=r"los: is not recorded; there are: .*loss"):
        history["los"]
    assert classifier(record_every=0).fit(INPUTS, LABELS, epochs=1).steps.tolist() == []


def test_views_are_the_memory_of_the_network() -> None:
    trainer = classifier()
    trainer.fit(INPUTS, LABELS, epochs=1)
    network, optimizer = trainer.network, trainer.optimizer
    named, flat = network.parameters, network.flat_parameters
    assert sum(view.size for view in named.values()) == flat.size
    for views, whole in ((named, flat), (network.gradients, network.flat_gradients)):
        for view in views.values():
            assert view.flags.writeable
            assert np.shares_memory(view, whole)
    before = trainer.predict(INPUTS)
    for view in named.values():
        view[...] = 0
    assert not flat.any()
    np.testing.assert_allclose(trainer.predict(INPUTS), 1 / 3, rtol=1e-6)
    flat[:] = 1
    assert all((view == 1).all() for view in named.values())
    assert not np.array_equal(before, trainer.predict(INPUTS))
    for slot in optimizer.slots.values():
        assert slot.flags.writeable
        assert np.shares_memory(slot, next(s for s in optimizer.slots.values() if np.shares_memory(s, slot)))
    slots = optimizer.slots
    slots["first_moment"][:] = 7
    assert (optimizer.slots["first_moment"] == 7).all()


def test_views_outlive_the_network() -> None:
    network = Sequential(Dense(3)).network([2], loss="squared_error", seed=1)
    view, copy = network.parameters["dense_1.weight"], network.parameters["dense_1.weight"].copy()
    del network
    assert np.array_equal(view, copy)


def test_inputs_that_fit_are_not_copied() -> None:
    """By hand: what is given is read where it lies, also by the backward pass."""
    network = Sequential(Dense(3)).network([2], loss="squared_error", batch_size=4, dtype="float64")
    inputs, targets = RANDOM.normal(size=(4, 2)), RANDOM.normal(size=(4, 3))
    network.forward(inputs, training=True)
    network.loss(targets)
    inputs[:] = 0
    network.backward()
    # The gradient of the weights is a product with the inputs, as they are by now.
    assert not network.gradients["dense_1.weight"].any()
    assert network.gradients["dense_1.bias"].any()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (np.zeros((4, 2), np.float32), "float64"),
        (np.zeros((4, 3)), "expected shape rows x 2"),
        (np.zeros((4, 4))[:, ::2], "contiguous"),
        (np.zeros((0, 2)), "no rows"),
    ],
)
def test_inputs_that_would_need_a_copy_are_refused_by_hand(inputs: Any, words: str) -> None:
    network = Sequential(Dense(3)).network([2], loss="squared_error", batch_size=4, dtype="float64")
    with pytest.raises(InputError, match=words):
        network.forward(inputs)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 0}, "batch"),
        ({"loss": None}, "loss: a Sequential needs a loss"),
        ({"optimizer": "adm"}, "adam"),
        ({"optimizer": {"type": "adam", "learning_rat": 1}}, "learning_rat.*learning_rate"),
        ({"loss": "softmax"}, "softmax"),
        ({"dtype": "float16"}, "dtype"),
        ({"device": "tpu"}, "tpu"),
        ({"l2": -1.0}, "l2"),
        ({"threads": -1}, "threads"),
    ],
)
def test_settings_that_cannot_be(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        classifier(**change).fit(INPUTS, LABELS, epochs=1)


def test_calls_that_cannot_be() -> None:
    with pytest.raises(InputError, match="compiled by fit"):
        classifier().predict(INPUTS)
    with pytest.raises(InputError, match="epochs: is 0"):
        classifier().fit(INPUTS, LABELS, epochs=0)
    with pytest.raises(InputError, match="50 inputs and 49 targets"):
        classifier().fit(INPUTS, LABELS[1:])
    poisoned = INPUTS.copy()
    poisoned[7, 2] = np.nan
    with pytest.raises(InputError, match="row 7"):
        classifier().fit(poisoned, LABELS)
    with pytest.raises(InputError, match=r"label 3 .*outside"):
        classifier().fit(INPUTS, np.where(np.arange(50) == 9, 3, LABELS), epochs=1)
    network = Sequential(Dense(3)).network([4], loss="softmax_cross_entropy")
    with pytest.raises(InputError, match="has its loss already"):
        Trainer(network, optimizer="adam", loss="softmax_cross_entropy")
    with pytest.raises(InputError, match=r"train: row 0: label .* is not a whole number; .* squared_error"):
        Trainer(network, optimizer="adam").fit(INPUTS, INPUTS[:, 0])


def test_dropout_is_on_in_training_only() -> None:
    trainer = Trainer(
        Sequential(Dropout(0.5), Dense(2, weight_initializer="he_normal")),
        loss="squared_error",
        optimizer="adam",
        batch_size=10,
    )
    trainer.fit(INPUTS, INPUTS[:, :2], epochs=1)
    assert np.array_equal(trainer.predict(INPUTS), trainer.predict(INPUTS))
    network = trainer.network
    rows = INPUTS[:10].astype(np.float32)
    assert not np.array_equal(network.forward(rows, training=True), network.forward(rows))


def test_a_compiled_network_can_be_trained() -> None:
    network = Sequential(Dense(3)).network([4], loss="softmax_cross_entropy", batch_size=8)
    trainer = Trainer(network, optimizer=_core.Optimizer("adam"), batch_size=8)
    trainer.fit(INPUTS, LABELS, epochs=2)
    assert trainer.network is network


@pytest.mark.parametrize(
    ("change", "fit", "words"),
    [
        ({"batch_size": 0}, {}, "batch_size: is 0, expected at least 1"),
        ({"batch_size": 2.5}, {}, "batch_size: expected a whole number, got 2.5"),
        ({"seed": -1}, {}, "seed: is -1, expected at least 0"),
        ({"seed": 2**63}, {}, "seed: is 9223372036854775808, expected"),
        ({"record_every": -1}, {}, "record_every: is -1"),
        ({}, {"evaluate_every": 0}, "evaluate_every: is 0, expected at least 1"),
        ({}, {"epochs": 1.5}, "epochs: expected a whole number, got 1.5"),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_numbers_that_count_are_checked(
    change: dict[str, Any], fit: dict[str, Any], words: str, compiled: bool
) -> None:
    def train() -> None:
        if compiled:
            network = Sequential(Dense(3)).network([4], loss="softmax_cross_entropy")
            trainer = Trainer(network, optimizer="adam", **change)
        else:
            trainer = classifier(**change)
        trainer.fit(INPUTS, LABELS, validation=(INPUTS, LABELS), **fit)

    with pytest.raises(InputError, match=words):
        train()


@pytest.mark.parametrize(("name", "value"), [("seed", -1), ("batch_size", 0)])
def test_numbers_of_a_network_are_checked(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"{name}: is {value}"):
        Sequential(Dense(3)).network([4], loss="squared_error", **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["l2", "clip_norm"])
def test_regularization_beside_an_optimizer_is_refused(name: str) -> None:
    optimizer = _core.Optimizer("adam", l2=0.25, clip_norm=3.0)
    with pytest.raises(InputError, match=f"{name}: is 0.5, but the optimizer is made already"):
        classifier(optimizer=optimizer, **{name: 0.5})
    trainer = classifier(optimizer=optimizer)
    assert (trainer.optimizer.l2, trainer.optimizer.clip_norm) == (0.25, 3.0)


def test_a_label_out_of_range_names_the_row_that_was_given() -> None:
    wrong = np.where(np.arange(50) == 37, 7, LABELS)
    with pytest.raises(InputError, match=r"^train: row 37: label 7 is outside 0\.\.2 \(3 classes\)$"):
        classifier(batch_size=8).fit(INPUTS, wrong, epochs=1)
    trainer = classifier()
    with pytest.raises(InputError, match=r"^validation: row 37: label 7 is outside 0\.\.2"):
        trainer.fit(INPUTS, LABELS, validation=(INPUTS, wrong))
    trainer.fit(INPUTS, LABELS, epochs=1)
    with pytest.raises(InputError, match=r"^inputs: row 37: label 7 is outside 0\.\.2"):
        trainer.evaluate(INPUTS, wrong)


def test_targets_are_taken_as_the_loss_needs_them() -> None:
    def regression() -> Trainer:
        return Trainer(Sequential(Dense(1)), loss="squared_error", optimizer="adam", dtype="float64")

    whole, floating = regression(), regression()
    whole.fit(INPUTS, LABELS, epochs=3)
    floating.fit(INPUTS, LABELS.astype(float)[:, np.newaxis], epochs=3)
    assert whole.network.flat_parameters.tobytes() == floating.network.flat_parameters.tobytes()
    assert whole.evaluate(INPUTS, LABELS) == floating.evaluate(INPUTS, LABELS.astype(float))
    labels = classifier()
    labels.fit(INPUTS, LABELS.astype(float), epochs=1)
    assert labels.evaluate(INPUTS, LABELS.astype(float)) == labels.evaluate(INPUTS, LABELS)
    for targets, words in (
        (LABELS + 0.5, r"train: row 0: label \d\.5 is not a whole number; .*squared_error"),
        (INPUTS, r"train: class labels have shape \[50, 4\], expected one class number a sample"),
    ):
        with pytest.raises(InputError, match=words):
            classifier().fit(INPUTS, targets)
    wide = Trainer(Sequential(Dense(3)), loss="squared_error", optimizer="adam")
    with pytest.raises(
        InputError, match=r"train: there are 1 target values .* the network gives 3 .* loss of"
    ):
        wide.fit(INPUTS, LABELS)


def test_a_second_fit_counts_on() -> None:
    """Recorded steps, evaluations and schedules all count with the optimizer."""
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.01

    trainer = classifier(batch_size=25, schedules={"learning_rate": schedule})
    first = trainer.fit(INPUTS, LABELS, epochs=3)
    assert trainer.total_steps == 6
    second = trainer.fit(INPUTS, LABELS, epochs=3)
    assert trainer.total_steps == trainer.position.step == trainer.optimizer.step_count == 12
    assert second.steps.tolist() == [7, 8, 9, 10, 11, 12]
    assert [record.step for record in first.evaluations] == [2, 4, 6]
    assert [record.step for record in second.evaluations] == [8, 10, 12]
    assert [record.epoch for record in second.evaluations] == [1, 2, 3]
    assert sorted(set(asked)) == list(range(12))

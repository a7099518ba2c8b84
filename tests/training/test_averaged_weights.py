"""The moving average of the weights: its value, where it answers, and that it belongs to a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, Sequential, Trainer, _core, layers, load_run, resume_run, train_experiment
from ravine.errors import CheckpointError
from ravine.experiment import Experiment
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.callback import Callback
from ravine.training.snapshot import restore_network
from ravine.training.weights import PREFIX, AveragedWeights

Array = np.ndarray[Any, Any]
BATCH, STEPS = 6, 30
AVERAGED = "training.average_weights=0.97"


def network(dtype: str = "float64", threads: int = 1) -> _core.Network:
    # Enough weights for several tiles.
    model = Sequential(
        layers.Dense(200, activation="tanh"), layers.Dense(150, activation="relu"), layers.Dense(3)
    )
    return model.network([6], loss="softmax_cross_entropy", dtype=dtype, batch_size=BATCH, threads=threads)


def samples(count: int, seed: int) -> tuple[Array, Array]:
    """Labels that the inputs tell in part."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 6))
    return x, (x[:, 0] + random.normal(size=count) > 0).astype(np.int32) + (x[:, 1] > 1)


def reference(weights: list[Array], decay: float) -> Array:
    """The weighted mean of the weights after steps 1 .. t."""
    fading = decay ** np.arange(len(weights))[::-1]
    return np.asarray(np.tensordot(fading, np.array(weights), 1) / fading.sum())


@pytest.mark.parametrize("decay", [0.5, 0.97, 0.9999])
@pytest.mark.parametrize("rule", ["nesterov", "adam", "lbfgs"])
def test_values(rule: str, decay: float) -> None:
    averaged_network = network()
    x, y = samples(BATCH * STEPS, 1)
    average = _core.WeightAverage(averaged_network, decay=decay)
    optimizer = _core.Optimizer(rule)
    seen = []
    for begin in range(0, len(x), BATCH):
        rows = slice(begin, begin + BATCH)
        averaged_network.train(optimizer, x[rows], y[rows], batch_size=BATCH, average=average)
        seen.append(averaged_network.flat_parameters.copy())
        np.testing.assert_allclose(average.flat_values, reference(seen, decay), rtol=0, atol=1e-12)
    assert average.count == STEPS
    assert np.abs(average.flat_values - seen[-1]).max() > 1e-4

    at_once = network()
    many = _core.WeightAverage(at_once, decay=decay)
    at_once.train(_core.Optimizer(rule), x, y, batch_size=BATCH, average=many, micro_batch=0)
    assert many.flat_values.tobytes() == average.flat_values.tobytes()
    assert at_once.flat_parameters.tobytes() == seen[-1].tobytes()  # training does not know of it


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads(dtype: str) -> None:
    found = []
    for threads in (1, 2, 3):
        one = network(dtype, threads)
        average = _core.WeightAverage(one, decay=0.9)
        x, y = samples(BATCH * STEPS, 1)
        one.train(_core.Optimizer("adam"), x.astype(dtype), y, batch_size=BATCH, average=average)
        found.append(average.flat_values.tobytes())
    assert len(set(found)) == 1


def test_of_another_network() -> None:
    x, y = samples(BATCH, 1)
    with pytest.raises(Exception, match="another network"):
        network().train(
            _core.Optimizer("gradient_descent"),
            x,
            y,
            batch_size=BATCH,
            average=_core.WeightAverage(network(), decay=0.9),
        )


class Raw(Callback):
    """Weights that train, after every step and at the ends of epochs."""

    def __init__(self) -> None:
        self.weights: list[Array] = []
        self.losses: list[float] = []

    def on_start(self, trainer: Trainer) -> None:
        trainer.limit_steps = 1

    def on_steps(self, trainer: Trainer, steps: Array, values: Array) -> None:
        self.weights.append(trainer.network.flat_parameters.copy())

    def on_epoch_end(self, trainer: Trainer) -> None:
        before = trainer.network.flat_parameters.copy()
        self.losses.append(trainer.evaluate(*samples(50, 2))["loss"])
        assert trainer.network.flat_parameters.tobytes() == before.tobytes()


def trainer(callbacks: list[Callback], decay: float = 0.9, **settings: Any) -> Trainer:
    model = Sequential(
        layers.Dense(24, activation="tanh"), layers.BatchNormalization(), layers.Dense(3)
    )  # moving averages stay those of the last step
    return Trainer(
        model, loss="softmax_cross_entropy", optimizer={"type": "gradient_descent", "learning_rate": 0.5},
        batch_size=10, average_weights=decay, callbacks=callbacks, dtype="float64", **settings,
    )  # fmt: skip


def loss_of(weights: Array, state: dict[str, Array]) -> float:
    other = trainer([], 0.0)
    other.compile([6])
    other.network.flat_parameters[...] = weights
    for name, values in other.network.state.items():
        values[...] = state[name]
    return other.evaluate(*samples(50, 2))["loss"]


def test_who_answers() -> None:
    """Validation, evaluations by hand and the trained network have the average, training goes on without."""
    raw = Raw()
    averaged = trainer([raw])
    history = averaged.fit(*samples(60, 1), epochs=4, validation=samples(50, 2))
    expected = reference(raw.weights, 0.9)
    np.testing.assert_allclose(averaged.network.flat_parameters, expected, rtol=0, atol=1e-12)
    assert history.metric("loss") == raw.losses
    state = averaged.network.state
    assert raw.losses[-1] == pytest.approx(loss_of(expected, state), rel=1e-12)
    assert abs(raw.losses[-1] - loss_of(raw.weights[-1], state)) > 1e-3
    assert averaged.evaluate(*samples(50, 2))["loss"] == raw.losses[-1]

    plain = Raw()
    trainer([plain], 0.0).fit(*samples(60, 1), epochs=4, validation=samples(50, 2))
    assert [w.tobytes() for w in raw.weights] == [w.tobytes() for w in plain.weights]

    # A second call goes on with the weights that train, and with the average.
    averaged.fit(*samples(60, 1), epochs=1)
    np.testing.assert_allclose(
        averaged.network.flat_parameters, reference(raw.weights, 0.9), rtol=0, atol=1e-12
    )


def test_early_stopping_chooses_among_averages() -> None:
    raw = Raw()
    averaged = trainer([raw])
    history = averaged.fit(*samples(60, 1), epochs=40, validation=samples(50, 2), patience=4)
    losses = history.metric("loss")
    best = int(np.argmin(losses))
    assert best < len(losses) - 1
    expected = reference(raw.weights[: 6 * (best + 1)], 0.9)
    np.testing.assert_allclose(averaged.network.flat_parameters, expected, rtol=0, atol=1e-12)
    assert averaged.evaluate(*samples(50, 2))["loss"] == losses[best]

    averaged.fit(*samples(60, 1), epochs=1)  # from the last weights, not from the best
    np.testing.assert_allclose(
        averaged.network.flat_parameters, reference(raw.weights, 0.9), rtol=0, atol=1e-12
    )


def test_weights_come_back_from_an_evaluation_that_fails() -> None:
    averaged = trainer([])
    averaged.fit(*samples(60, 1), epochs=1)
    assert averaged.averaged is not None
    averaged.averaged.swap()
    before = averaged.network.flat_parameters.copy()
    with pytest.raises(InputError):
        averaged.predict(np.zeros((2, 7)))
    assert averaged.network.flat_parameters.tobytes() == before.tobytes()


@pytest.mark.parametrize("decay", [1, 1.5, -0.1, float("nan"), "0.9"])
def test_bad_decays(decay: Any, experiment: Callable[..., Experiment]) -> None:
    with pytest.raises(InputError, match="0") as caught:
        trainer([], decay)
    assert caught.value.key == "average_weights"
    if isinstance(decay, (int, float)):
        with pytest.raises(InputError) as caught:
            experiment(f"training.average_weights={decay}")
        assert caught.value.key == "training.average_weights"
        assert decay != 1 or "never take" in caught.value.message


class StopAt(Callback):
    """Stops after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_start(self, trainer: Trainer) -> None:
        trainer.limit_steps = 1

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        if trainer.position.step == self.step:
            trainer.stop()


def test_a_run(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    plan = experiment(AVERAGED, "training.epochs=3")
    outcome = train_experiment(plan, parent=tmp_path)
    last = checkpoints.load_latest(outcome.path).checkpoint
    answering = {name: values for name, values in last.tensors.items() if PREFIX + name in last.tensors}
    assert sorted(answering) == ["dense_1.bias", "dense_1.weight", "dense_2.bias", "dense_2.weight"]
    assert checkpoints.digest(answering) == outcome.sha256
    training = {name: last.tensors[PREFIX + name] for name in answering}
    without = train_experiment(experiment("training.epochs=3"), parent=tmp_path)
    assert checkpoints.digest(training) == without.sha256 != outcome.sha256
    assert outcome.metrics["validation"] != without.metrics["validation"]
    assert outcome.metrics["train"] == without.metrics["train"]

    loaded = load_run(outcome.path, "latest")
    assert checkpoints.digest(dict(loaded.network.parameters)) == outcome.sha256
    with RunFolder.open(outcome.path).reader() as reader:
        kinds = [(event.step, event.kind, event.payload) for event in reader.events()]
    assert (0, "averaged_weights", {"decay": 0.97}) in kinds


@pytest.mark.parametrize("step", [7, 22, 44])
@pytest.mark.parametrize("patience", [0, 50])
def test_resume(experiment: Callable[..., Experiment], tmp_path: Path, step: int, patience: int) -> None:
    """In an epoch, at the end of its steps, and at the end of the training, which is then made longer."""
    settings = [AVERAGED, f"training.patience={patience}", "optimizer.learning_rate=0.2"]
    whole = train_experiment(experiment(*settings, "training.epochs=4"), parent=tmp_path)
    first = experiment(*settings, "training.epochs=2")
    part = train_experiment(first, parent=tmp_path, callbacks=[StopAt(step)])
    resumed = resume_run(part.path, overrides=["training.epochs=4"])
    assert resumed.sha256 == whole.sha256 != part.sha256
    assert resumed.metrics == whole.metrics
    assert resumed.best_step == whole.best_step
    for one in (checkpoints.best_path, checkpoints.latest):
        digests = [checkpoints.digest(checkpoints.load(one(run.path)).tensors) for run in (resumed, whole)]
        assert digests[0] == digests[1]


def test_a_run_that_no_longer_averages_goes_on_from_what_trained(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    part = train_experiment(experiment(AVERAGED, "training.epochs=2"), parent=tmp_path)
    file = part.path / "experiment.toml"
    file.write_text(file.read_text().replace("average_weights = 0.97", "average_weights = 0.0"))
    resumed = resume_run(part.path, overrides=["training.epochs=3"])
    assert resumed.sha256 == train_experiment(experiment("training.epochs=3"), parent=tmp_path).sha256


def test_checkpoints_that_cannot_be() -> None:
    averaged = AveragedWeights(network(), 0.9)
    tensors = averaged.tensors()
    for count, wrong in ((-1, {}), ("3", {}), (2, {PREFIX + "dense_1.bias": np.zeros(3)})):
        with pytest.raises(CheckpointError):
            averaged.restore(count, {**tensors, **wrong})
    assert not averaged.in_place
    restore_network(averaged.network, checkpoints.Checkpoint(0, tensors), Path("step"))
    averaged.restore(0, tensors)

"""Samplers in trainings: the orders they ask for, resumes in mid-epoch, and losses as they are defined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, Sequential, Trainer, resume_run, train_experiment
from ravine.data import BatchSource, HardSampler, as_dataset
from ravine.data.sampler import make_sampler, sampler_settings
from ravine.experiment import Experiment, load_experiment, to_toml
from ravine.layers import Dense, Dropout
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.callback import Callback

SAMPLERS = ["shuffle", "sequential", "mixed", "balanced", "hard"]
RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(53, 6))
LABELS = RANDOM.choice(4, 53, p=[0.5, 0.3, 0.15, 0.05])


class Stop(Callback):
    """Stops the training after some steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
        if trainer.position.step >= self.step:
            trainer.stop()


def recorded(run: Path) -> tuple[Any, ...]:
    with RunFolder.open(run).reader() as reader:
        rows = reader.tail(limit=10**6)
        evaluations = [(e.step, e.split, e.metrics) for e in reader.evaluations()]
    last = checkpoints.load_latest(run).checkpoint
    return checkpoints.digest(last.tensors), rows.values.tobytes(), evaluations


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_resume_in_mid_epoch_gives_the_bits_of_the_unbroken_run(
    experiment: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    chosen = experiment(f"data.sampler.type={kind}", "training.epochs=4", "statistics.level=off")
    whole = train_experiment(chosen, parent=tmp_path / "whole", stop_on_signal=False)
    monkeypatch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)  # a step a call
    # 22 steps an epoch: within the first, at the end of one, within others.
    run = train_experiment(chosen, parent=tmp_path / "broken", callbacks=[Stop(9)], stop_on_signal=False).path
    for step in (22, 35, 48, 66):
        assert checkpoints.load_latest(run).checkpoint.step < step
        resume_run(run, callbacks=[Stop(step)], stop_on_signal=False)
    outcome = resume_run(run, stop_on_signal=False)
    assert outcome.state == "finished"
    assert recorded(run) == recorded(whole.path)
    assert f'type = "{kind}"' in (run / "experiment.toml").read_text()


def test_a_run_made_longer_goes_on_as_if_it_had_been_so_from_the_start(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    long, short = (experiment("data.sampler.type=hard", f"training.epochs={epochs}") for epochs in (4, 2))
    expected = train_experiment(long, parent=tmp_path / "long", stop_on_signal=False)
    run = train_experiment(short, parent=tmp_path / "short", stop_on_signal=False).path
    assert resume_run(run, overrides=["training.epochs=4"], stop_on_signal=False).sha256 == expected.sha256


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("batch_size", [1, 8, "all"])
def test_batches_are_those_of_the_order(kind: str, batch_size: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sampler with single samples, mini-batches and all samples at once."""
    seen: dict[int, list[int]] = {}
    orders: dict[int, list[int]] = {}
    original = BatchSource.chunk

    def chunk(self: BatchSource, epoch: int, first: int, batches: int) -> Any:
        result = original(self, epoch, first, batches)
        orders[epoch] = self.order(epoch).tolist()
        rows = seen.setdefault(epoch, [])
        del rows[first * self.batch_size :]  # of a call that ended early
        rows += [int(np.flatnonzero((INPUTS.astype(np.float32) == row).all(1))[0]) for row in result.inputs]
        return result

    monkeypatch.setattr(BatchSource, "chunk", chunk)
    trainer = Trainer(
        Sequential(Dense(4)), loss="softmax_cross_entropy", optimizer="gradient_descent",
        batch_size=batch_size, seed=5, sampler=kind,
    )  # fmt: skip
    trainer.fit(INPUTS, LABELS, epochs=3)
    assert seen == orders
    data = as_dataset(INPUTS, LABELS)
    if kind != "hard":
        sampler = make_sampler(sampler_settings(kind), data, 5)
        in_order = batch_size == "all" and sampler.permutes
        expected = [np.arange(53) if in_order else sampler.order(epoch) for epoch in range(3)]
        assert [orders[epoch] for epoch in range(3)] == [order.tolist() for order in expected]
    steps = {1: 53, 8: 7, "all": 1}[batch_size]
    assert trainer.position.step == 3 * steps


def observed_losses(threads: int) -> list[bytes]:
    """Of all epochs; on the way they are compared with those of the network after the last step."""
    found: list[np.ndarray] = []
    expected: list[np.ndarray] = []

    class Watch(Callback):
        def on_epoch_end(self, trainer: Trainer) -> None:
            probabilities = trainer.predict(INPUTS).astype(float)
            expected.append(-np.log(probabilities[np.arange(53), LABELS]))

        def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
            assert trainer.plan is not None
            sampler = trainer.plan.source.sampler
            assert isinstance(sampler, HardSampler)
            if trainer.position.epoch == len(found) + 1:
                assert sampler.losses is not None
                found.append(sampler.losses)

    trainer = Trainer(
        Sequential(Dense(8, "tanh"), Dropout(0.3), Dense(4)), loss="softmax_cross_entropy", seed=2,
        optimizer={"type": "momentum", "learning_rate": 0.2}, sampler={"type": "hard", "cap": 3},
        callbacks=[Watch()], threads=threads, dtype="float64", batch_size=9,
    )  # fmt: skip
    trainer.fit(INPUTS, LABELS, epochs=4)
    for losses, reference in zip(found, expected, strict=False):
        np.testing.assert_allclose(losses, reference, rtol=1e-9, atol=1e-12)
    assert len(found) == 3
    return [losses.tobytes() for losses in found]


def test_hard_follows_the_losses_at_the_end_of_the_last_epoch() -> None:
    """Of all samples, as an evaluation takes them, without dropout; the bits are those of any threads."""
    assert observed_losses(1) == observed_losses(2) == observed_losses(4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "loss",
    [
        "softmax_cross_entropy",
        {"type": "softmax_cross_entropy", "label_smoothing": 0.1, "class_weights": [1.0, 2.0, 0.5, 3.0]},
        "squared_error",
        {"type": "huber", "delta": 0.5},
    ],
)
def test_losses_of_rows(loss: Any, weighted: bool, dtype: str) -> None:
    network = Sequential(Dense(4)).network([6], loss=loss, batch_size=16, dtype=dtype, seed=1)
    x = INPUTS.astype(dtype)
    classifies = network.classifies
    targets: Any = LABELS.astype(np.int32) if classifies else RANDOM.normal(size=(53, 4)).astype(dtype)
    weights = RANDOM.uniform(0, 2, 53).astype(dtype) if weighted else None
    z = x.astype(float) @ network.parameters["dense_1.weight"].T.astype(float)
    if classifies:
        logarithms = z - np.log(np.exp(z).sum(1, keepdims=True))
        smoothing = 0.0 if isinstance(loss, str) else 0.1
        classes = np.array([1.0] * 4 if isinstance(loss, str) else [1.0, 2.0, 0.5, 3.0])
        wanted = (1 - smoothing) * np.eye(4)[LABELS] + smoothing / 4
        expected = -(wanted * classes * logarithms).sum(1)
    else:
        error = np.abs(z - targets)
        rule = error**2 if isinstance(loss, str) else np.where(error < 0.5, error**2 / 2, 0.5 * error - 0.125)
        expected = rule.mean(1)
    expected = expected * (1 if weights is None else weights)
    found = network.losses(x, targets, weights)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-4 if dtype == "float32" else 1e-10, atol=1e-6)
    sums = network.measure(x, targets, weights)
    np.testing.assert_allclose(found.sum(), sums.loss, rtol=1e-12)


def test_settings_that_contradict_each_other(experiment_file: Path) -> None:
    for kind in ("mixed", "balanced", "hard"):
        overrides = [f"data.sampler.type={kind}", "training.shuffle=false"]
        with pytest.raises(InputError, match=r"data\.sampler\.type: .* training\.shuffle = false keeps"):
            load_experiment(experiment_file, overrides)
        with pytest.raises(InputError, match=r"sampler: .* shuffle = false keeps"):
            Trainer(Sequential(Dense(1)), optimizer="adam", loss="squared_error", sampler=kind, shuffle=False)
    with pytest.raises(InputError, match=r"data\.sampler.*`cap` belongs to type = \"hard\""):
        load_experiment(experiment_file, ["data.sampler.type=mixed", "data.sampler.cap=2.0"])
    with pytest.raises(InputError, match=r"data\.sampler\.type"):
        load_experiment(experiment_file, ["data.sampler.type=hardest"])
    written = to_toml(load_experiment(experiment_file, ["data.sampler.type=hard", "data.sampler.cap=2.0"]))
    assert '[data.sampler]\ntype = "hard"\ncap = 2.0' in written


@pytest.mark.parametrize("kind", ["mixed", "balanced"])
def test_values_have_no_classes(kind: str) -> None:
    trainer = Trainer(Sequential(Dense(1)), optimizer="adam", loss="squared_error", sampler=kind)
    with pytest.raises(InputError, match=f'sampler: is "{kind}", which needs class labels'):
        trainer.fit(INPUTS, INPUTS[:, 0])


@pytest.mark.parametrize("kind", ["balanced", "hard"])
def test_rules_that_compare_the_loss_of_the_same_samples(
    kind: str, experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    trainer = Trainer(
        Sequential(Dense(4)), optimizer="lbfgs", loss="softmax_cross_entropy", sampler=kind, batch_size="all"
    )
    with pytest.raises(InputError, match="sampler: lbfgs compares the loss of the same samples"):
        trainer.fit(INPUTS, LABELS)
    chosen = experiment(
        f"data.sampler.type={kind}", 'optimizer={type="lbfgs"}', 'training.batch_size="all"',
        "regularization.clip_norm=0.0", "model.layers.1.rate=0.0",
    )  # fmt: skip
    with pytest.raises(InputError, match=r"data\.sampler\.type: lbfgs compares"):
        train_experiment(chosen, parent=tmp_path)
    assert not list(tmp_path.glob("run*"))


def test_hard_learns_what_is_rare() -> None:
    """Two clouds of which one has 2 % of the samples: with equal steps its samples get a lower loss."""
    random = np.random.default_rng(4)
    rare = np.arange(1000) % 50 == 0
    x = random.normal(size=(1000, 2)) + np.where(rare[:, np.newaxis], 2.0, -0.5)
    losses = {}
    for kind in ("shuffle", "hard"):
        trainer = Trainer(
            Sequential(Dense(2)), loss="softmax_cross_entropy", optimizer="gradient_descent", sampler=kind,
            schedules={"learning_rate": lambda step: 0.1},
        )  # fmt: skip
        trainer.fit(x, rare.astype(int), epochs=5)
        losses[kind] = trainer.evaluate(x[rare], rare[rare].astype(int))["loss"]
    assert losses["hard"] < 0.9 * losses["shuffle"]

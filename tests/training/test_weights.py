"""Weights of samples and classes from arrays and files to the trainer: splits, batches, means, resume."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

from ravine import Callback, Sequential, Trainer, load_run, losses, resume_run, train_experiment
from ravine.cli import main
from ravine.errors import InputError
from ravine.experiment import Experiment, load_experiment, parse_experiment
from ravine.layers import Dense
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training import evaluation
from ravine.training.class_weights import balanced
from ravine.training.preparation import load_parts
from ravine.training.snapshot import restored_position

L2 = 0.01


def imbalanced(samples: int = 300, classes: int = 3, seed: int = 1) -> tuple[Any, Any, Any]:
    """Overlapping classes of 70, 20 and 10 percent, and weights of the samples."""
    random = np.random.default_rng(seed)
    labels = random.choice(classes, samples, p=[0.7, 0.2, 0.1][:classes] if classes == 3 else None)
    inputs = random.normal(size=(samples, 4)) + np.eye(classes, 4)[labels]
    return inputs, labels, random.uniform(0.0, 3.0, samples)


def optimum(x: Any, y: Any, loss: Any, **weights: Any) -> Trainer:
    """Minimizes a loss of a linear model with a little L2, in float64 and with all samples at once."""
    outputs = int(y.max()) + 1 if loss["type"] == "softmax_cross_entropy" else 1
    trainer = Trainer(
        Sequential(Dense(outputs)), loss=loss, optimizer="nesterov", batch_size="all", l2=L2, dtype="float64"
    )
    trainer.optimizer.set("learning_rate", 0.5)
    trainer.fit(x, y.astype(float) if outputs == 1 else y, epochs=1500, **weights)
    return trainer


@pytest.mark.parametrize(
    ("class_weights", "theirs", "weighted"),
    [
        ("balanced", "balanced", False),
        ([1.0, 4.0, 0.5], {0: 1.0, 1: 4.0, 2: 0.5}, False),
        ([], None, True),
        ([1.0, 4.0, 0.5], {0: 1.0, 1: 4.0, 2: 0.5}, True),
    ],
)
def test_the_optimum_of_scikit_learn(class_weights: Any, theirs: Any, weighted: bool) -> None:
    """Theirs is sum w l + |W|^2 / 2C: ours times sum w, with C = 1 / (lambda sum w)."""
    x, y, w = imbalanced()
    sample_weight = w if weighted else None
    trainer = optimum(
        x, y, losses.SoftmaxCrossEntropy(class_weights=class_weights), sample_weight=sample_weight
    )
    numbers = trainer.loss["class_weights"]  # type: ignore[index, call-overload]
    total = np.sum((w if weighted else np.ones(len(x))) * np.array(numbers or np.ones(3))[y])
    model = LogisticRegression(C=1 / (L2 * total), class_weight=theirs, tol=1e-10, max_iter=10_000)
    expected = model.fit(x, y, sample_weight=sample_weight).predict_proba(x)
    np.testing.assert_allclose(trainer.predict(x), expected, atol=1e-6)
    plain = LogisticRegression(C=1 / (L2 * len(x)), tol=1e-10, max_iter=10_000).fit(x, y).predict_proba(x)
    assert np.max(np.abs(plain - expected)) > 0.05


def test_positive_weight_is_a_class_weight_of_scikit_learn() -> None:
    """Except that the mean of the loss is over the number of samples: C = 1 / (lambda n)."""
    x, y, _ = imbalanced(classes=2)
    trainer = optimum(x, y, losses.BinaryCrossEntropy(positive_weight=5.0))
    model = LogisticRegression(C=1 / (L2 * len(x)), class_weight={0: 1.0, 1: 5.0}, tol=1e-10)
    np.testing.assert_allclose(trainer.predict(x)[:, 0], model.fit(x, y).predict_proba(x)[:, 1], atol=1e-6)


def test_balanced() -> None:
    y = imbalanced()[1]
    np.testing.assert_allclose(
        balanced(y), compute_class_weight("balanced", classes=np.arange(3), y=y), rtol=1e-15
    )
    with pytest.raises(InputError, match="class_weights: class 1 has no training sample"):
        balanced(np.array([0, 2, 2]))
    with pytest.raises(InputError, match="class_weights: class 3 has no training sample"):
        balanced(np.array([0, 1, 2]), 4)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (4, "class_weights: class 3 has no training sample, so that 'balanced' gives it no weight; give a "),
        (2, "train.*label 2"),
    ],
)
def test_balanced_weights_for_other_outputs_than_classes(outputs: int, message: str) -> None:
    """Nobody gave three weights: what is said is about the classes. The trainer stays as it was."""
    x, y, _ = imbalanced()
    loss = losses.SoftmaxCrossEntropy(class_weights="balanced")
    trainer = Trainer(Sequential(Dense(outputs)), loss=loss, optimizer="adam")
    for _ in range(2):
        with pytest.raises(InputError, match=message):
            trainer.fit(x, y, epochs=1)
    given = Trainer(
        Sequential(Dense(4)), loss=losses.SoftmaxCrossEntropy(class_weights=[1.0, 2.0, 3.0]), optimizer="adam"
    )
    with pytest.raises(InputError, match="there are 3 weights for 4 classes"):
        given.fit(x, y, epochs=1)


def test_means_of_an_epoch() -> None:
    """With a learning rate of 0 the mean over an epoch, whose last batch is smaller, is that of evaluate."""
    x, y, w = imbalanced(101)
    w[:40] *= 100.0
    trainer = Trainer(
        Sequential(Dense(3)), loss="softmax_cross_entropy", optimizer="gradient_descent", dtype="float64"
    )
    trainer.optimizer.set("learning_rate", 0.0)
    history = trainer.fit(x, y, sample_weight=w, epochs=1, validation=(x, y, w))
    weighted = trainer.evaluate(x, y, w)
    assert history.metric("loss", "train")[0] == pytest.approx(weighted["loss"], rel=1e-12)
    assert history.metric("loss") == [weighted["loss"]]
    plain = trainer.evaluate(x, y)
    assert abs(plain["loss"] - weighted["loss"]) > 1e-3
    assert plain["accuracy"] == weighted["accuracy"] == history.metric("accuracy", "train")[0]


def test_an_evaluation_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, w = imbalanced(1000)
    trainer = Trainer(
        Sequential(Dense(3)),
        loss=losses.SoftmaxCrossEntropy(class_weights="balanced"),
        optimizer="adam",
        dtype="float64",
    )
    trainer.fit(x, y, sample_weight=w, epochs=1)
    whole = trainer.evaluate(x, y, w)
    monkeypatch.setattr(evaluation, "SLICE_FLOPS", 1.0)
    parts = trainer.evaluate(x, y, w)
    assert parts.pop("loss") == pytest.approx(whole.pop("loss"), rel=1e-13)
    assert parts == whole


def test_weights_follow_their_samples() -> None:
    """Through the order of the epochs: what weighs nothing may have any target."""
    x, y, w = imbalanced(200)
    w[::3] = 0.0
    wrong = np.where(w == 0.0, (y + 1) % 3, y)
    parameters = []
    for targets in (y, wrong, np.where(np.arange(200) == 1, (y + 1) % 3, y)):
        trainer = Trainer(Sequential(Dense(3)), loss="softmax_cross_entropy", optimizer="adam", batch_size=7)
        trainer.fit(x, targets, sample_weight=w, epochs=3)
        parameters.append(trainer.network.flat_parameters.tobytes())
    assert parameters[0] == parameters[1] != parameters[2]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.ones(9), "train: there are 9 sample weights for 10 samples"),
        (np.where(np.arange(10) == 4, -0.5, 1.0), "train: row 4: the sample weight is -0.5"),
        (np.where(np.arange(10) == 2, np.nan, 1.0), "train: row 2: the sample weight is nan"),
        (np.zeros(10), "train: all sample weights are 0"),
        (["much"] * 10, "train: sample weights must be numbers"),
        (np.ones((10, 2)), r"train: sample weights must be .*\[10, 2\]"),
    ],
)
def test_weights_that_cannot_be_used(weights: Any, words: str) -> None:
    x, y, _ = imbalanced(10)
    trainer = Trainer(Sequential(Dense(3)), loss="softmax_cross_entropy", optimizer="adam")
    with pytest.raises(InputError, match=words) as raised:
        trainer.fit(x, y, sample_weight=weights)
    assert "\n" not in str(raised.value)


class Stop(Callback):
    """Stops a run in the middle of its third epoch."""

    def on_steps(self, trainer: Trainer, *_: object) -> None:
        trainer.limit_steps = 1
        if trainer.position.step > 50:
            trainer.stop()


@pytest.fixture
def weighted_file(experiment_file: Path) -> Path:
    """The experiment with balanced class weights and weights of the samples."""
    with np.load(experiment_file.with_name("data.npz")) as archive:
        arrays = dict(archive)
    weights = np.random.default_rng(3).uniform(0.0, 2.0, len(arrays["targets"]))
    np.savez(experiment_file.with_name("data.npz"), importance=weights, **arrays)
    text = experiment_file.read_text().replace("[data]\n", '[data]\nweights = "importance"\n')
    text = text.replace(
        "[optimizer]", '[loss]\ntype = "softmax_cross_entropy"\nclass_weights = "balanced"\n\n[optimizer]'
    )
    experiment_file.write_text(text)
    return experiment_file


def record(run: Path) -> tuple[Any, ...]:
    with RunFolder.open(run).reader() as reader:
        evaluations = [(e.step, e.split, e.metrics) for e in reader.evaluations()]
        values = reader.tail(limit=10**6).values.tobytes()
    return evaluations, values


def test_a_weighted_run_is_resumed_to_the_same_bits(
    weighted_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the middle of an epoch: the running sums of losses and weights go on."""
    plan = load_experiment(weighted_file)
    whole = train_experiment(plan, parent=tmp_path / "whole")
    saved = load_experiment(whole.path / "experiment.toml")
    assert isinstance(saved.loss, dict)
    parts = load_parts(plan)
    assert saved.loss["class_weights"] == balanced(parts.train.targets, 5)
    assert saved.data.weights == "importance"

    with monkeypatch.context() as patch:
        patch.setattr("ravine.training.meeting.CONTROL_SECONDS", 1e-9)
        broken = train_experiment(plan, parent=tmp_path / "broken", callbacks=[Stop()])
    assert (broken.state, broken.step) == ("stopped", 51)
    position = checkpoints.load_latest(broken.path).checkpoint.state["position"]
    assert 0 < position["batch"] < 22
    assert abs(position["weight"] - position["rows"]) > 1e-3
    resumed = resume_run(broken.path)
    assert resumed.sha256 == whole.sha256
    assert record(broken.path) == record(whole.path)

    loaded = load_run(whole.path, "last")
    assert parts.test is not None
    assert loaded.evaluate_prepared(parts.test) == whole.metrics["test"]
    assert parts.test.weights is not None
    with np.load(weighted_file.with_name("data.npz")) as archive:
        given = [archive[name] for name in ("inputs", "targets", "importance")]
    assert main(["evaluate", str(whole.path), "--data", str(weighted_file.with_name("data.npz"))]) == 0
    printed = re.search(r"loss (\S+)", capsys.readouterr().out)
    assert printed is not None
    expected = load_run(whole.path).evaluate(*given)["loss"]
    assert float(printed[1]) == pytest.approx(expected, rel=1e-3)
    assert load_run(whole.path).evaluate(*given[:2])["loss"] != pytest.approx(expected, rel=1e-3)

    plain = parse_experiment(without_weights(weighted_file), weighted_file.parent)
    assert train_experiment(plain, parent=tmp_path / "plain").sha256 != whole.sha256
    assert load_parts(plain).summary.content_hash != parts.summary.content_hash


def without_weights(file: Path) -> dict[str, Any]:
    table = tomllib.loads(file.read_text())
    del table["data"]["weights"]
    return table


def test_a_position_without_weights(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """Version 0.1 began without weights of samples: each counted 1."""
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path)
    loaded = checkpoints.load_latest(outcome.path)
    state = loaded.checkpoint.state
    state["position"] |= {"rows": 64, "loss": 32.0}
    del state["position"]["weight"]
    position = restored_position(loaded.checkpoint, loaded.path)
    assert position.training_metrics(False) == {"loss": 0.5}


def test_weights_of_the_sources(weighted_file: Path) -> None:
    file = weighted_file.with_name("test.npz")
    with np.load(weighted_file.with_name("data.npz")) as archive:
        np.savez(file, inputs=archive["inputs"][:20], targets=archive["targets"][:20])
    given = ["data.test_file=test.npz", "data.split.test_fraction=0"]
    parts = load_parts(load_experiment(weighted_file, given))
    assert parts.train.weights is not None
    assert parts.validation is not None
    assert parts.validation.weights is not None
    assert parts.test is not None
    assert parts.test.weights is None
    assert parts.train.weights.dtype == np.float32
    with pytest.raises(InputError, match="has no array 'importanc'; did you mean 'importance'"):
        load_parts(load_experiment(weighted_file, ["data.weights=importanc"]))
    with pytest.raises(InputError, match=r'data\.weights: `weights` belongs to source = "npz"'):
        load_experiment("digits", ["data.weights=importance"])


def test_class_weights_that_do_not_fit_the_data(weighted_file: Path, tmp_path: Path) -> None:
    for change, words in (
        ("loss.class_weights=[1.0, 2.0]", r"loss\.class_weights: .*2 weights for 5 classes"),
        ("model.layers.2.units=6", r"loss\.class_weights: class 5 has no training sample"),
    ):
        plan = load_experiment(weighted_file, [change])
        with pytest.raises(InputError, match=words):
            train_experiment(plan, parent=tmp_path)
    with pytest.raises(InputError, match=r"loss\.class_weights: must be at least 0"):
        load_experiment(weighted_file, ["loss.class_weights=[1.0, -2.0]"])
    assert not (tmp_path / "run").exists()


def test_arrays_with_weights(tmp_path: Path) -> None:
    x, y, w = imbalanced()
    plan = parse_experiment(
        {
            "data": {"source": "arrays", "split": {"validation_fraction": 0.2}},
            "model": {"layers": [{"type": "dense", "units": 3}]},
            "optimizer": "adam",
            "training": {"epochs": 2},
        },
        tmp_path,
    )
    found = [
        train_experiment(plan, data=data, parent=tmp_path).sha256
        for data in ((x, y), (x, y, np.ones(len(x))), (x, y, w))
    ]
    assert found[0] == found[1] != found[2]

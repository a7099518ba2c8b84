"""Regularization and groups from an experiment file: live edits, checkpoints, resume, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, custom_optimizer, make_optimizer
from ravine.experiment import Experiment, load_experiment, to_toml
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.preparation import build, load_parts
from ravine.training.session import resume_run, train_experiment
from ravine.training.snapshot import restore
from ravine.training.trainer import Callback, Trainer

SETTINGS = [
    "regularization.l1=0.001", 'regularization.l1_form="proximal"', "regularization.clip_value=0.05",
    "regularization.clip_layer_norm=0.5", "regularization.max_norm=1.5", "training.epochs=4",
    'groups=[{match="*.bias", freeze=true}, {match="dense_2.*", learning_rate=0.5, l2=0.0}]',
]  # fmt: skip


class Edit(Callback):
    """Sets numbers after an epoch, as the command does, and stops after another."""

    def __init__(self, stop: int = 0) -> None:
        self.end = stop

    def on_epoch_end(self, trainer: Trainer) -> None:
        if trainer.position.epoch == 1:
            for name, value in (("l1", 0.2), ("max_norm", 0.75), ("clip_value", 0.01)):
                trainer.optimizer.set(name, value)
        if trainer.position.epoch == self.end:
            trainer.stop()


def test_edits_and_groups_survive_a_resume(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    plan = experiment(*SETTINGS)
    whole = train_experiment(plan, parent=tmp_path, folder=tmp_path / "whole", callbacks=[Edit()])
    plain = train_experiment(plan, parent=tmp_path, folder=tmp_path / "plain")
    assert whole.sha256 != plain.sha256
    # The callback comes before the recording: the edit of epoch 1 is in the checkpoint of epoch 2.
    broken = train_experiment(plan, parent=tmp_path, folder=tmp_path / "broken", callbacks=[Edit(2)])
    saved = checkpoints.load_latest(broken.path).checkpoint
    assert saved.state["regularization"]["l1"] == 0.2
    resumed = resume_run(broken.path)
    assert (resumed.sha256, resumed.metrics) == (whole.sha256, whole.metrics)
    weights = checkpoints.load_latest(resumed.path).checkpoint.tensors
    assert not weights["dense_1.bias"].any()
    assert not weights["optimizer.velocity"][24 * 12 : 24 * 13].any()
    assert (weights["dense_1.weight"] == 0).sum() > 0
    assert np.linalg.norm(weights["dense_1.weight"], axis=1).max() <= 0.75 + 1e-6


def test_l2_of_the_norm_survives_a_resume(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    settings = ["regularization.l2=0.05", "training.epochs=3"]
    plan = experiment('regularization.l2_form="norm"', *settings)
    whole = train_experiment(plan, parent=tmp_path, folder=tmp_path / "whole")
    squared = train_experiment(experiment(*settings), parent=tmp_path, folder=tmp_path / "squared")
    assert whole.sha256 != squared.sha256
    broken = train_experiment(plan, parent=tmp_path, folder=tmp_path / "broken", callbacks=[Edit(2)])
    plain = train_experiment(plan, parent=tmp_path, folder=tmp_path / "plain", callbacks=[Edit()])
    resumed = resume_run(broken.path)
    assert (resumed.sha256, resumed.metrics) == (plain.sha256, plain.metrics)


def test_weight_decay_of_groups_survives_a_resume(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    settings = ['optimizer={type="adamw", weight_decay=0.2}', "training.epochs=3"]
    plan = experiment('groups=[{match="dense_1.*", weight_decay=3.0}]', *settings)
    whole = train_experiment(plan, parent=tmp_path, folder=tmp_path / "whole", callbacks=[Edit()])
    plain = train_experiment(
        experiment(*settings), parent=tmp_path, folder=tmp_path / "plain", callbacks=[Edit()]
    )
    assert whole.sha256 != plain.sha256
    broken = train_experiment(plan, parent=tmp_path, folder=tmp_path / "broken", callbacks=[Edit(2)])
    recorded = load_experiment(RunFolder.open(broken.path).experiment_path)
    assert [group.weight_decay for group in recorded.groups] == [3.0]
    assert recorded == plan
    assert resume_run(broken.path).sha256 == whole.sha256


def test_a_run_of_a_rule_in_python_has_no_groups(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    def descend(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        parameters -= settings["learning_rate"] * gradients

    rule = custom_optimizer(descend, learning_rate=0.1)
    outcome = train_experiment(experiment("training.epochs=1"), optimizer=rule, parent=tmp_path)
    path = RunFolder.open(outcome.path).experiment_path
    text = path.read_text()
    assert "\ngroups = []\n" in text
    path.write_text(text.replace("groups = []", 'groups = [{ match = "*", weight_decay = 0.1 }]'))
    with pytest.raises(InputError, match="a rule in Python") as caught:
        resume_run(outcome.path, optimizer=rule, overrides=["training.epochs=2"])
    assert caught.value.key == "groups.0.weight_decay"


def test_groups_in_the_file(experiment_file: Path) -> None:
    text = experiment_file.read_text()
    experiment_file.write_text(
        f'{text}\n[[groups]]\nmatch = "dense_1.*"\nlearning_rate = 0.1\n\n'
        '[[groups]]\nmatch = "*.bias"\nl2 = 0.0\nfreeze = true\n'
    )
    plan = load_experiment(experiment_file)
    trainer = build(plan, load_parts(plan))
    assert trainer.optimizer.groups == [
        {"match": "dense_1.*", "learning_rate": 0.1, "freeze": False},
        {"match": "*.bias", "learning_rate": 1.0, "l2": 0.0, "freeze": True},
    ]
    again = experiment_file.with_name("again.toml")
    again.write_text(to_toml(plan))
    assert load_experiment(again) == plan


@pytest.mark.parametrize(
    ("setting", "key", "words"),
    [
        ('groups=[{match="conv*"}]', "groups.0.match", ["conv*", "dense_1.weight", "dense_2.bias"]),
        ('groups=[{match="*", learning_rate=-1}]', "groups.0.learning_rate", [">= 0"]),
        ('groups=[{match="*", rate=1}]', "groups.0.rate", ["unknown"]),
        ("groups=[{freeze=true}]", "groups.0.match", ["missing"]),
        (
            'groups=[{match="*", weight_decay=0.1}]',
            "groups.0.weight_decay",
            ["momentum", "adamw, lion, muon"],
        ),
        ('regularization.l1_form="lasso"', "regularization.l1_form", ["subgradient", "proximal"]),
        ('regularization.l2_form="group"', "regularization.l2_form", ["squared", "norm"]),
        ("regularization.l1=-1", "regularization.l1", [">= 0"]),
    ],
)
def test_what_is_refused(
    setting: str, key: str, words: list[str], experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        train_experiment(experiment(setting), parent=tmp_path)
    assert caught.value.key == key, str(caught.value)
    for word in words:
        assert word in caught.value.message
    assert not list(tmp_path.glob("run*"))


def test_an_optimizer_of_ones_own_is_recorded_with_all_of_it(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    def made(**changes: Any) -> Any:
        settings: dict[str, Any] = {
            "l2_form": "norm", "l1": 0.01, "l1_form": "proximal", "clip_value": 0.1,
            "groups": [{"match": "*.bias", "l2": 0.5}]
        }  # fmt: skip
        return make_optimizer("momentum", **(settings | changes))

    outcome = train_experiment(experiment("training.epochs=1"), optimizer=made(), parent=tmp_path)
    recorded = load_experiment(RunFolder.open(outcome.path).experiment_path)
    assert (recorded.regularization.l2_form, recorded.regularization.l1_form) == ("norm", "proximal")
    assert (recorded.regularization.l1, recorded.regularization.clip_value) == (0.01, 0.1)
    assert [(group.match, group.l2) for group in recorded.groups] == [("*.bias", 0.5)]
    assert resume_run(outcome.path, optimizer=made(), overrides=["training.epochs=2"]).epochs == 2
    for change in ({"l1_form": "subgradient"}, {"l2_form": "squared"}, {"groups": []}):
        with pytest.raises(InputError, match="was given"):
            resume_run(outcome.path, optimizer=made(**change), overrides=["training.epochs=3"])


def test_a_checkpoint_with_the_old_names(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """Two numbers were kept under their own names before there was a table of all."""
    plan = experiment("training.epochs=1")
    outcome = train_experiment(plan, parent=tmp_path)
    loaded = checkpoints.load_latest(outcome.path)
    state = loaded.checkpoint.state
    del state["regularization"]
    state |= {"l2": 0.125, "clip_norm": 2.5}
    trainer = build(plan, load_parts(plan))
    restore(trainer, loaded.checkpoint, loaded.path)
    found = trainer.optimizer.regularization
    assert (found["l2"], found["clip_norm"], found["l1"]) == (0.125, 2.5, 0.0)

"""Batches of all samples, and batches in parts (gradient accumulation), through the trainer and in runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, Sequential, Trainer, layers, load_run, resume_run, train_experiment
from ravine.cli import main
from ravine.data import BatchSource, Dataset, Sampler, SequentialSampler
from ravine.experiment import Experiment, to_toml
from ravine.training.preparation import build, load_parts

Array = np.ndarray[Any, Any]
SAMPLES = 53


def samples() -> tuple[Array, Array]:
    random = np.random.default_rng(4)
    x = random.normal(size=(SAMPLES, 6))
    return x, (x[:, 0] > 0).astype(np.int32) + (x[:, 1] > 1)


def trained(**settings: Any) -> Trainer:
    model = Sequential(layers.Dense(24, activation="tanh"), layers.Dropout(0.3), layers.Dense(3))
    trainer = Trainer(model, loss="softmax_cross_entropy", optimizer="momentum", dtype="float64", **settings)
    trainer.fit(*samples(), epochs=5)
    return trainer


@pytest.mark.parametrize(
    ("batch_size", "micro_batch"), [(20, 1), (20, 6), (20, 100), ("all", 8), ("all", 53)]
)
def test_parts_and_the_whole(batch_size: Any, micro_batch: int) -> None:
    """53 samples in batches of 20: the last batch of 13 is cut into parts too."""
    whole = trained(batch_size=batch_size)
    parts = trained(batch_size=batch_size, micro_batch=micro_batch)
    np.testing.assert_allclose(
        parts.network.flat_parameters, whole.network.flat_parameters, rtol=0, atol=1e-12
    )
    largest = max(rows for mode, rows, _ in parts.network.plans if mode == "training")
    assert largest == min(micro_batch, SAMPLES if batch_size == "all" else batch_size)
    assert parts.position.step == whole.position.step == (5 if batch_size == "all" else 15)


def test_all_samples_in_one_step() -> None:
    """As a batch of so many, which are not shuffled; the gradient is taken by hand."""
    assert (
        trained(batch_size="all").network.flat_parameters.tobytes()
        == trained(batch_size=SAMPLES, shuffle=False).network.flat_parameters.tobytes()
    )
    trainer = Trainer(
        Sequential(layers.Dense(1)), loss="squared_error",
        optimizer={"type": "gradient_descent", "learning_rate": 0.1}, batch_size="all", dtype="float64",
    )  # fmt: skip
    x, y = samples()
    trainer.compile([6])
    before = trainer.network.parameters["dense_1.weight"].copy()
    trainer.fit(x, y.astype(float), epochs=1)
    error = x @ before[0] - y
    expected = before[0] - 0.1 * 2 * error @ x / SAMPLES
    np.testing.assert_allclose(trainer.network.parameters["dense_1.weight"][0], expected, rtol=1e-12)


def test_a_source_of_one_batch_is_gathered_once() -> None:
    data = Dataset(np.arange(10, dtype=np.uint8).reshape(5, 2), np.ones((5, 1), np.float32))
    source = BatchSource(data, SequentialSampler(0, 5), batch_size=5)
    chunk = source.chunk(0, 0, 3)
    assert chunk.inputs.tolist() == data.inputs.tolist()
    assert source.chunk(7, 0, 1) is chunk
    shuffled = BatchSource(data, Sampler(0, 5), batch_size=5)
    assert shuffled.chunk(0, 0, 1).inputs.tolist() != shuffled.chunk(1, 0, 1).inputs.tolist()


@pytest.mark.parametrize(
    "settings",
    [["training.batch_size='all'"], ["training.batch_size='all'", "training.micro_batch=100"],
     ["training.batch_size=64", "training.micro_batch=24"]],
)  # fmt: skip
def test_runs(experiment: Callable[..., Experiment], tmp_path: Path, settings: list[str]) -> None:
    plan = experiment(*settings, "training.epochs=6")
    assert to_toml(plan) == to_toml(experiment(*settings, "training.epochs=6"))
    whole = train_experiment(plan, parent=tmp_path)
    part = train_experiment(experiment(*settings, "training.epochs=2"), parent=tmp_path)
    resumed = resume_run(part.path, overrides=["training.epochs=6"])
    assert (resumed.sha256, resumed.step) == (whole.sha256, whole.step)
    assert whole.step == (6 if "all" in settings[0] else 66)
    assert resumed.metrics == whole.metrics
    parts = load_parts(plan)
    assert parts.validation is not None
    found = load_run(whole.path, "latest").evaluate_prepared(parts.validation)
    assert found == whole.metrics["validation"]


def test_parts_may_change_between_sittings(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    """They concern memory; the batch, which is another matter, may not."""
    part = train_experiment(experiment("training.batch_size='all'", "training.epochs=2"), parent=tmp_path)
    assert resume_run(part.path, overrides=["training.epochs=3", "training.micro_batch=50"]).step == 3
    with pytest.raises(InputError) as caught:
        resume_run(part.path, overrides=["training.batch_size=32"])
    assert caught.value.key == "training.batch_size"


def test_describe(experiment_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def described(*settings: str) -> dict[str, Any]:
        text = experiment_file.read_text().replace("batch_size = 32", "\n".join(settings))
        file = experiment_file.with_name("other.toml")
        file.write_text(text)
        assert main(["describe", str(file), "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    whole = described('batch_size = "all"')
    assert (whole["batch_size"], whole["parts"]) == (701, 1)
    parts = described('batch_size = "all"', "micro_batch = 50")
    assert (parts["batch_size"], parts["parts"]) == (50, 15)
    assert parts["arena_bytes"] < 0.1 * whole["arena_bytes"]


def test_no_plan_of_the_whole_batch(experiment: Callable[..., Experiment]) -> None:
    plan = experiment("training.batch_size='all'", "training.micro_batch=50")
    parts = load_parts(plan)
    trainer = build(plan, parts)
    trainer.fit_datasets(parts.train, {"validation": parts.validation}, epochs=1)
    assert all(rows <= 256 for _, rows, _ in trainer.network.plans)


def test_bad_settings(experiment: Callable[..., Experiment]) -> None:
    wrong: list[tuple[str, Any]] = [
        ("batch_size", "most"), ("batch_size", 0), ("micro_batch", -1), ("micro_batch", 1.5)
    ]  # fmt: skip
    for name, value in wrong:
        with pytest.raises(InputError) as caught:
            Trainer(
                Sequential(layers.Dense(1)),
                loss="squared_error",
                optimizer="gradient_descent",
                **{name: value},
            )
        assert caught.value.key == name
    for setting, words in (
        ("batch_size='most'", "choose from all"),
        ("batch_size=[]", "'all'"),
        ("micro_batch=-1", ">= 0"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            experiment(f"training.{setting}")
        assert caught.value.key == f"training.{setting.partition('=')[0]}"


def test_a_part_that_a_layer_cannot_train_on(experiment: Callable[..., Experiment]) -> None:
    model = 'model.layers=["batch_normalization", {type = "dense", units = 5}]'
    plan = experiment(model, "training.batch_size='all'", "training.micro_batch=50")
    with pytest.raises(InputError, match="701 samples in parts of 50 leaves a last one of 1") as caught:
        build(plan, load_parts(plan))
    assert caught.value.layer == "batch_normalization_1"

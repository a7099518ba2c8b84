"""Reading, overriding, resolving and writing experiments."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from ravine import Sequential, _core, resume_run, train_experiment
from ravine.experiment import embedded_experiments, load_experiment, to_toml
from ravine.layers import Dense

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("source", [*embedded_experiments(), *sorted(EXAMPLES.glob("*.toml"))], ids=str)
def test_written_and_read_again_it_is_the_same(source: str | Path, tmp_path: Path) -> None:
    experiment = load_experiment(source)
    path = tmp_path / "elsewhere" / "experiment.toml"
    path.parent.mkdir()
    path.write_text(to_toml(experiment), encoding="utf-8")
    again = load_experiment(path)
    assert again == experiment
    assert to_toml(again) == to_toml(experiment)


def test_every_setting_is_written_out() -> None:
    table = tomllib.loads(to_toml(load_experiment("digits")))
    assert set(table) == {
        "name", "seed", "loss", "data", "model", "optimizer", "schedules", "regularization", "groups",
        "training", "compute", "parallel", "statistics",
    }  # fmt: skip
    dense = next(entry for entry in _core.catalog("layer") if entry.name == "dense")
    assert {parameter.name for parameter in dense.parameters} <= set(table["model"]["layers"][0])
    assert table["training"]["drop_last"] is False
    assert table["data"]["split"]["test_fraction"] == 0.15


def test_hard_values_survive_writing(tmp_path: Path) -> None:
    overrides = [
        "name='ünï \"quoted\" \\ #'",
        f"seed={2**63 - 1}",
        "regularization.l2=1e-300",
        "optimizer.learning_rate=0.1000000000000000055511151231257827",
        "training.checkpoint_seconds=1e-9",
        "compute.threads=7",
    ]
    experiment = load_experiment("digits", overrides)
    path = tmp_path / "e.toml"
    path.write_text(to_toml(experiment), encoding="utf-8")
    assert load_experiment(path) == experiment
    assert experiment.name == 'ünï "quoted" \\ #'
    assert experiment.seed == 2**63 - 1


def test_overrides() -> None:
    experiment = load_experiment(
        "digits",
        [
            "training.epochs=3",
            "optimizer.learning_rate = 0.5",
            "model.layers.0.units=50",
            "model.layers.0.activation=relu",
            "data.split.stratify=true",
            "name=mine",
            "regularization.l2=1",
        ],
    )
    assert experiment.training.epochs == 3
    assert experiment.optimizer["learning_rate"] == 0.5  # type: ignore[index]
    assert experiment.model.layers[0]["units"] == 50  # type: ignore[index]
    assert experiment.model.layers[0]["activation"] == "relu"  # type: ignore[index]
    assert experiment.data.split.stratify is True
    assert experiment.name == "mine"
    assert experiment.regularization.l2 == 1.0


def test_a_setting_of_a_component_that_stands_as_a_name(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text(
        'optimizer = "adam"\n[data]\n[model]\nlayers = [{ type = "dense", units = 10 }, "relu"]\n'
    )
    experiment = load_experiment(path, ["optimizer.learning_rate=0.5", "loss.type=squared_error"])
    assert experiment.optimizer["type"] == "adam"  # type: ignore[index]
    assert experiment.optimizer["learning_rate"] == 0.5  # type: ignore[index]
    assert experiment.loss["type"] == "squared_error"  # type: ignore[index]
    assert experiment.model.layers[1]["type"] == "activation"  # type: ignore[index]


def test_paths_start_at_the_file_and_may_hold_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "experiments"
    folder.mkdir()
    path = folder / "e.toml"
    text = 'optimizer = "adam"\nmodel.layers = ["relu"]\n[data]\nsource = "npz"\nfile = "{}"\n'
    monkeypatch.setenv("SAMPLES", "/somewhere")
    monkeypatch.setenv("HOME", "/home/of/mine")
    monkeypatch.chdir(tmp_path)
    for written, expected in {
        "a.npz": folder / "a.npz",
        "../b/a.npz": folder / "../b/a.npz",
        "/c/a.npz": Path("/c/a.npz"),
        "$SAMPLES/a.npz": Path("/somewhere/a.npz"),
        "~/a.npz": Path("/home/of/mine/a.npz"),
        "~nobody-of-that-name/a.npz": folder / "~nobody-of-that-name/a.npz",
    }.items():
        path.write_text(text.format(written))
        assert Path(load_experiment("experiments/e.toml").data.file) == expected


def test_the_file_and_python_describe_the_same_network() -> None:
    model = Sequential(Dense(100, activation="tanh"), Dense(10))
    assert model.specification([64]).layers == load_experiment("digits").model.layers


def test_a_run_folder_is_an_experiment_too(tmp_path: Path) -> None:
    (tmp_path / "experiment.toml").write_text(to_toml(load_experiment("digits")))
    assert load_experiment(tmp_path) == load_experiment("digits")


def test_paths_are_expanded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for folders with a dollar sign in their name, and again when the written file is read."""
    monkeypatch.setenv("SAMPLES", "/somewhere")
    folder = tmp_path / "in $SAMPLES or $$"
    folder.mkdir()
    random = np.random.default_rng(1)
    inputs, targets = random.normal(size=(40, 3)), np.arange(40) % 2
    np.savez(folder / "points.npz", inputs=inputs, targets=targets)
    path = folder / "e.toml"
    text = to_toml(load_experiment("digits", ["model.layers=[{type='dense', units=2}]", "training.epochs=1"]))
    path.write_text(text.replace('source = "digits"', 'source = "npz"\nfile = "points.npz"'))
    experiment = load_experiment(path)
    assert Path(experiment.data.file) == folder / "points.npz"
    run = train_experiment(experiment, parent=folder / "runs").path
    assert load_experiment(run) == experiment
    assert resume_run(run, overrides=["training.epochs=2"]).epochs == 2
    literal = folder / "cost $$SAMPLES.toml"
    literal.write_text(path.read_text().replace("points.npz", "$$SAMPLES.npz"))
    assert Path(load_experiment(literal).data.file) == folder / "$SAMPLES.npz"

"""Nonsense is refused with a reason: one line with file and key, exit code 2, and no run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Columns, InputError, Residual, Sequential, Trainer, layers, optimizers, schedules
from ravine.cli import main

CLASSES = 3
SAMPLES = 13  # of 6 x 6 x 2; in batches of 4 the last one has 1
OUTPUT = f'"flatten", {{ type = "dense", units = {CLASSES} }}'


def experiment(
    before: str = "",
    *,
    model: str = "",
    optimizer: str = '{ type = "gradient_descent", learning_rate = 0.01 }',
    training: str = "batch_size = 5",
    more: str = "",
) -> str:
    """A good experiment, but for what is given: layers before the last, or all of them, and the rest."""
    return f"""
        name = "small"
        optimizer = {optimizer}
        data = {{ source = "npz", file = "images.npz" }}
        model.layers = [{model or before + (", " if before else "") + OUTPUT}]
        training = {{ epochs = 2, {training} }}
        {more}
    """


def convolution(settings: str) -> str:
    return f'{{ type = "convolution", units = 4, {settings} }}'


NORMALIZED = '"flatten", { type = "dense", units = 5 }, "batch_normalization"'
SCHEDULE = "schedules.learning_rate = "
# What is wrong, the experiment, the key in the message and words that it holds: the value, what it should be.
NONSENSE: list[tuple[str, str, str, list[str]]] = [
    (
        "batch normalization of single samples",
        experiment(NORMALIZED, training="batch_size = 1"),
        "training.batch_size",
        ["'batch_normalization_1'", "one value a channel", "at least 2 samples"],
    ),
    (
        "batch normalization of a last batch of 1",
        experiment(NORMALIZED, training="batch_size = 4"),
        "training.batch_size",
        ["'batch_normalization_1'", "13 samples in batches of 4 leave a last batch of 1", "drop_last"],
    ),
    (
        "a plateau of nothing",
        experiment(more=SCHEDULE + '"on_plateau"'),
        "schedules.learning_rate",
        ["validation samples, and there are none", "data.split.validation_fraction"],
    ),
    (
        "a warm-up longer than the run",
        experiment(more=SCHEDULE + '{ type = "cosine", warmup = 50 }'),
        "schedules.learning_rate.warmup",
        ["shorter than the run, which has 6 steps in 2 epochs; it takes 150 steps"],
    ),
    (
        "a schedule that leaves its hyperparameter's range",
        experiment(
            optimizer='{ type = "momentum", momentum = 0.9 }',
            more='schedules.momentum = { type = "linear_ramp", start = 1.5 }',
        ),
        "schedules.momentum",
        ["from 0 and below 1"],
    ),
    (
        "early stopping without validation",
        experiment(training="batch_size = 5, patience = 2"),
        "training.patience",
        ["validation samples, and there are none", "data.split.validation_fraction"],
    ),
    (
        "gamma = 1",
        experiment(optimizer='{ type = "momentum", momentum = 1.0 }'),
        "optimizer.momentum",
        ["below 1, got 1.0; at 1 no step is ever forgotten"],
    ),
    (
        "Nesterov's gamma = 1",
        experiment(optimizer='{ type = "nesterov", momentum = 1 }'),
        "optimizer.momentum",
        ["below 1, got 1; at 1 no step is ever forgotten"],
    ),
    (
        "an average that takes in nothing",
        experiment(optimizer='{ type = "adam", beta2 = 1.0 }'),
        "optimizer.beta2",
        ["below 1, got 1.0; at 1 the running average takes in nothing new"],
    ),
    (
        "a negative rate",
        experiment(optimizer='{ type = "adam", learning_rate = -1e-9 }'),
        "optimizer.learning_rate",
        ["at least 0, got -1e-09; a negative rate climbs"],
    ),
    (
        "a negative factor of the rate",
        experiment(more='groups = [{ match = "*", learning_rate = -1.0 }]'),
        "groups.0.learning_rate",
        [">= 0", "got -1.0"],
    ),
    (
        "a negative penalty",
        experiment(more="regularization.l2 = -0.5"),
        "regularization.l2",
        [">= 0", "got -0.5"],
    ),
    (
        "a proximal step without a rate",
        experiment(optimizer='"rprop"', more='regularization = { l1 = 0.1, l1_form = "proximal" }'),
        "regularization.l1_form",
        ["needs a learning rate, and rprop has none", '"subgradient"'],
    ),
    (
        "columns that do not meet",
        experiment(
            f'{{ type = "columns", columns = [[{convolution("kernel = 3")}], '
            f'[{convolution("kernel = 5")}]] }}'
        ),
        "model.layers.0",
        ["4 x 4 x 4 and 2 x 2 x 4", "only the last extent may differ", "strides"],
    ),
    (
        "columns that cannot be added",
        experiment(
            '"flatten", { type = "columns", join = "add", columns = '
            '[[{ type = "dense", units = 3 }], [{ type = "dense", units = 4 }]] }',
        ),
        "model.layers.1",
        ["cannot add shapes 3 and 4", "as many units"],
    ),
    (
        "a residual block that changes the shape",
        experiment(f'"relu", {{ type = "residual", body = [{convolution("kernel = 3")}] }}'),
        "model.layers.1",
        ["cannot add shapes 4 x 4 x 4 and 6 x 6 x 2", "one shape"],
    ),
    (
        "a fault within a block within a block",
        experiment(
            '"relu", { type = "residual", body = [{ type = "columns", columns = ['
            f'["relu"], ["relu", {convolution("kernel = 9")}]] }}] }}'
        ),
        "model.layers.1.body.0.columns.1.1",
        ["window of 9 x 9", "6 x 6 x 2"],
    ),
    (
        "a kernel larger than its input",
        experiment(convolution("kernel = 9")),
        "model.layers.0",
        ["'convolution_1'", "window of 9 x 9 does not fit an input of shape 6 x 6 x 2", 'padding = "same"'],
    ),
    (
        "a dilated kernel larger than its input",
        experiment(convolution("kernel = 3, dilation = 3")),
        "model.layers.0",
        ["3 x 3 with dilation 3", "6 x 6 x 2"],
    ),
    (
        "a convolution of a table",
        experiment(model=f'"flatten", {convolution("kernel = 3")}'),
        "model.layers.1",
        ["(height, width, channels)", "shape 72", "before any flatten"],
    ),
    (
        "groups that do not divide the channels",
        experiment(convolution("kernel = 3, groups = 4")),
        "model.layers.0.groups",
        ["2 channels", "cannot be divided among 4 groups", "divisor"],
    ),
    (
        "groups that do not divide the units",
        experiment(convolution("kernel = 3, groups = 3")),
        "model.layers.0.groups",
        ["4 units cannot be divided among 3 groups", "divisor"],
    ),
    (
        "groups that do not divide what is normalized",
        experiment('{ type = "group_normalization", groups = 4 }'),
        "model.layers.0.groups",
        ["2 channels", "4 equal groups", "divisor"],
    ),
    (
        "pooling to nothing",
        experiment('"max_pooling", "max_pooling", "max_pooling"'),
        "model.layers.2",
        ["'max_pooling_3'", "2 x 2 does not fit an input of shape 1 x 1 x 2"],
    ),
    (
        "windows of padding",
        experiment('{ type = "max_pooling", size = 2, pad = 2 }'),
        "model.layers.0.pad",
        ["smaller than the window of 2, got 2"],
    ),
    (
        "a softmax of one output",
        experiment(model='"flatten", { type = "dense", units = 1 }'),
        "model.layers.1",
        ["at least two classes", "shape 1", "a unit for each class"],
    ),
    (
        "fewer outputs than classes",
        experiment(model='"flatten", { type = "dense", units = 2 }, "relu"'),
        "data.file",
        ["label 2 is outside 0..1 (2 classes)"],
    ),
    (
        "a dropout of everything",
        experiment('{ type = "dropout", rate = 1.0 }'),
        "model.layers.0.rate",
        ["from 0 and below 1, got 1.0"],
    ),
    (
        "no units",
        experiment('"flatten", { type = "dense", units = 0 }'),
        "model.layers.1.units",
        ["from 1", "got 0"],
    ),
    (
        "no units in a block",
        experiment(
            '{ type = "columns", columns = [["relu"], [{ type = "convolution", units = 0, kernel = 1 }]] }'
        ),
        "model.layers.0.columns.1.0.units",
        ["from 1", "got 0"],
    ),
    (
        "an activation that nobody knows",
        experiment('"flatten", { type = "dense", units = 5, activation = "rleu" }'),
        "model.layers.1.activation",
        ["unknown activation 'rleu'; did you mean 'relu'?"],
    ),
    (
        "a bare activation that nobody knows",
        experiment('"sigmod"'),
        "model.layers.0.type",
        ["unknown layer 'sigmod'; did you mean 'sigmoid'?"],
    ),
    (
        "two layers of one name",
        experiment(
            '{ type = "activation", function = "relu", name = "a" }, '
            '{ type = "dropout", rate = 0.1, name = "a" }'
        ),
        "model.layers.1.name",
        ["two layers are called 'a'"],
    ),
    ("no samples a step", experiment(training="batch_size = 0"), "training.batch_size", [">= 1", "got 0"]),
    (
        "no full batch, and none else",
        experiment(training="batch_size = 40, drop_last = true"),
        "training.batch_size",
        ["is 40, but there are 13 samples and drop_last leaves none of them; use smaller"],
    ),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with images in three classes."""
    monkeypatch.chdir(tmp_path)
    inputs = np.random.default_rng(1).normal(size=(SAMPLES, 6, 6, 2))
    np.savez(tmp_path / "images.npz", inputs=inputs, targets=np.arange(SAMPLES) % CLASSES)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "key", "words"), [case[1:] for case in NONSENSE], ids=[c[0] for c in NONSENSE]
)
def test_in_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, key: str, words: list[str]
) -> None:
    (folder / "small.toml").write_text(text)
    assert main(["train", "small.toml", "--quiet"]) == 2
    message = capsys.readouterr().err
    file = str(folder / "images.npz") if key == "data.file" else "small.toml"
    assert message.startswith(f"ravine: error: {file}: {key}: "), message
    assert message.count("\n") == 1
    for word in words:
        assert word in message
    assert not (folder / "runs").exists()


def test_nothing_else_is_wrong_with_the_experiment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "small.toml").write_text(experiment())
    assert main(["train", "small.toml", "--quiet"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("command", ["describe", "schedule"])
def test_other_commands_say_the_same(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (folder / "small.toml").write_text(
        experiment(f'{{ type = "residual", body = [{convolution("kernel = 3")}] }}')
    )
    assert main([command, "small.toml"]) == 2
    assert capsys.readouterr().err.startswith("ravine: error: small.toml: model.layers.0: layer 'add_1': ")


def test_a_shipped_experiment_is_called_by_its_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by the place where it is installed; a file of the same name in the working folder is a file."""
    units = ["--set", "model.layers.0.units=0"]
    assert main(["train", "digits", *units]) == 2
    assert capsys.readouterr().err.startswith(
        "ravine: error: digits (shipped): model.layers.0.units: must be"
    )
    norm = ["--set", "training.batch_size=1527"]
    assert main(["train", "digits", *norm, "--set", "model.layers.0={type='max_pooling'}"]) == 2
    assert capsys.readouterr().err.startswith(
        "ravine: error: digits (shipped): model.layers.0: layer 'max_pooling_1': a pooling layer takes images"
    )
    (folder / "digits").write_text(experiment(convolution("kernel = 9")))
    assert main(["train", "digits"]) == 2
    assert capsys.readouterr().err.startswith("ravine: error: digits: model.layers.0: layer 'convolution_1'")


def test_data_that_a_shipped_experiment_misses_can_be_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the user's own files are, an installed package cannot know."""
    assert main(["train", "resnet20_cifar", "--set", "data.file='/nowhere/train.npz'"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("ravine: error: /nowhere/train.npz: data.file: does not exist")
    assert message.endswith("; give yours with --set data.file=PATH\n")


def fit(*model: Any, fit: dict[str, Any] | None = None, **settings: Any) -> Callable[[], object]:
    """A training in Python, to be called."""
    inputs = np.random.default_rng(1).normal(size=(SAMPLES, 6, 6, 2))
    settings = {"optimizer": "adam", "loss": "softmax_cross_entropy", "batch_size": 5, **settings}
    targets = np.arange(SAMPLES) % CLASSES
    return lambda: Trainer(Sequential(*model), **settings).fit(inputs, targets, epochs=1, **(fit or {}))


LAST = ["flatten", {"type": "dense", "units": CLASSES}]
NORMALIZATION = ["flatten", {"type": "dense", "units": 5}, "batch_normalization", *LAST[1:]]


@pytest.mark.parametrize(
    ("nonsense", "message"),
    [
        (fit(*NORMALIZATION, batch_size=1), "batch_size: layer 'batch_normalization_1': .* at least 2"),
        (fit(*NORMALIZATION, batch_size=4), "batch_size: layer 'batch_normalization_1': .*last batch of 1"),
        (fit(*LAST, schedules={"learning_rate": "on_plateau"}), "schedules.learning_rate: .* there are none"),
        (
            fit(*LAST, schedules={"learning_rate": schedules.Cosine(warmup=50)}),
            "schedules.learning_rate.warmup: .* which has 3 steps in 1 epoch; it takes 150 steps",
        ),
        (lambda: optimizers.Momentum(0.1, momentum=1.0), "momentum: must be .* below 1, got 1.0; at 1 no"),
        (lambda: optimizers.Adam(-0.1), "learning_rate: must be at least 0, got -0.1; a negative rate"),
        (lambda: optimizers.Nesterov(0.1, momentum=-0.1), r"momentum: must be .* below 1, got -0.1$"),
        (
            fit(Columns([layers.Convolution(4, kernel=3)], [layers.Convolution(4, kernel=5)]), *LAST),
            r"layers\.0: layer 'concatenate_1': cannot concatenate shapes 4 x 4 x 4 and 2 x 2 x 4",
        ),
        (
            fit("relu", Residual("relu", layers.Convolution(4, kernel=1)), *LAST),
            r"layers\.1: layer 'add_1': cannot add shapes 6 x 6 x 4 and 6 x 6 x 2",
        ),
        (
            fit("relu", Residual("relu", layers.Convolution(4, kernel=3, groups=3)), *LAST),
            r"layers\.1\.body\.1\.groups: layer 'convolution_1': 4 units .* 3 groups",
        ),
        (fit(layers.MaxPooling(9), *LAST), r"layers\.0: layer 'max_pooling_1': a pooling window of 9 x 9"),
        (fit("flatten", layers.Dense(1)), r"layers\.1: layer 'dense_1': softmax .* a unit for each"),
        (fit(*LAST, fit={"patience": 2}), "patience: is 2, but .* validation samples, and there are none"),
        (fit(*LAST, optimizer="rprop", l1=0.1, l1_form="proximal"), "l1_form: .* rprop has none"),
        (lambda: layers.Dropout(1.0), "rate: must be from 0 and below 1, got 1.0"),
        (lambda: layers.Dense(0), "units: must be from 1"),
        (lambda: layers.Dense(2, activation="rleu"), "activation: .* did you mean 'relu'?"),
        (fit(), "layers: the network has no layers"),
    ],
)  # fmt: skip
def test_in_python(nonsense: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as raised:
        nonsense()
    assert "\n" not in str(raised.value)

"""Each way to get an experiment file wrong: one line with the key, what was expected and what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ravine.errors import InputError
from ravine.experiment import load_experiment

GOOD = """
optimizer = "adam"
[data]
source = "digits"
[[model.layers]]
type = "dense"
units = 10
"""

# What is set, the key in the message, and words that it holds.
WRONG: list[tuple[str, str, list[str]]] = [
    ("nme = 'a'", "nme", ["unknown key", "did you mean 'name'?"]),
    ("training.epoch = 3", "training.epoch", ["did you mean 'epochs'?"]),
    ("data.split.see = 1", "data.split.see", ["did you mean 'seed'?"]),
    ("data.splitt = {}", "data.splitt", ["did you mean 'split'?"]),
    ("compute.qqq = 1", "compute.qqq", ["known keys: device, threads, dtype, fuse"]),
    ("training.epochs = 0", "training.epochs", [">= 1"]),
    ("training.epochs = '3'", "training.epochs", ["a whole number", "got text"]),
    ("training.epochs = 1.5", "training.epochs", ["a whole number", "got a number"]),
    ("training.epochs = true", "training.epochs", ["got true or false"]),
    ("training.epochs = 1000000000000000000000", "training.epochs", ["<="]),
    ("training.batch_size = -1", "training.batch_size", [">= 1"]),
    ("training.shuffle = 1", "training.shuffle", ["true or false"]),
    ("training.checkpoint_seconds = nan", "training.checkpoint_seconds", [">= 0"]),
    ("training.checkpoint_seconds = -1", "training.checkpoint_seconds", [">= 0"]),
    ("training.keep_checkpoints = 0", "training.keep_checkpoints", [">= 1"]),
    ("training = [1]", "training", ["a table", "a list"]),
    ("model = 3", "model", ["a table", "3"]),
    ("model.layers = []", "model.layers", ["length >= 1"]),
    ("model.layers = [3]", "model.layers.0", ["text or a table", "a whole number"]),
    ("model.layers = ['dense']", "model.layers.0.units", ["dense needs it"]),
    ("model.layers = ['dens']", "model.layers.0.type", ["did you mean 'dense'?"]),
    ("model.layers = [{ units = 3 }]", "model.layers.0", ["the key 'type'"]),
    ("model.layers = [{ type = 'dense', unit = 3 }]", "model.layers.0.unit", ["did you mean 'units'?"]),
    ("model.layers = [{ type = 'dense', units = 0 }]", "model.layers.0.units", ["from 1", "got 0"]),
    ("model.layers = [{ type = 'dense', units = 2.5 }]", "model.layers.0.units", ["a whole number"]),
    ("model.layers = [{ type = 'dense', units = 2, name = 3 }]", "model.layers.0.name", ["expected text"]),
    (
        "model.layers = [{ type = 'dense', units = 2, activation = 'tahn' }]",
        "model.layers.0.activation",
        ["did you mean 'tanh'?"],
    ),
    (
        "model.layers = ['flatten', { type = 'dropout', rate = 1.5 }]",
        "model.layers.1.rate",
        ["below 1", "got 1.5"],
    ),
    (
        "model.layers = [{ type='dense', units=2, weight_initializer={ type='normal', deviation=-1 } }]",
        "model.layers.0.weight_initializer.deviation",
        ["at least 0", "-1"],
    ),
    ("data.source = 'digit'", "data.source", ["'digit'", "choose from digits, "]),
    ("data.preprocessing = 'scal'", "data.preprocessing", ["choose from none, standardize, scale, centre"]),
    ("data.task = 'x'", "data.task", ["choose from auto, classification, regression"]),
    ("data.split.test_fraction = 1.0", "data.split.test_fraction", ["< 1"]),
    ("data.split.validation_fraction = nan", "data.split.validation_fraction", ["a number"]),
    ("data.split.seed = -1", "data.split.seed", [">= 0"]),
    ("data.split.stratify = 'yes'", "data.split.stratify", ["true or false", "text"]),
    ("data.divisor = 0.0", "data.divisor", ["> 0"]),
    ("data.limit = -1", "data.limit", [">= 0"]),
    ("data.source = 'npz'", "data", ["needs `file`"]),
    ("data.file = 'a.npz'", "data.file", ['source = "npz"', '"digits"']),
    ("compute.dtype = 'float16'", "compute.dtype", ["choose from float32, float64, bfloat16"]),
    ("compute.threads = 0", "compute.threads", [">= 1"]),
    ("compute.threads = 5000", "compute.threads", ["<= 1024"]),
    ("compute.threads = 'many'", "compute.threads", ["auto", "a whole number"]),
    ("compute.device = 3", "compute.device", ["expected text"]),
    ("optimizer = 'adm'", "optimizer.type", ["did you mean 'adam'?"]),
    ("optimizer = [1]", "optimizer", ["text or a table", "a list"]),
    ("optimizer = { learning_rate = 1.0 }", "optimizer", ["the key 'type'"]),
    ("optimizer = { type = 'adam', beta_1 = 0.9 }", "optimizer.beta_1", ["did you mean 'beta1'?"]),
    ("optimizer = { type = 'adam', beta1 = 1.0 }", "optimizer.beta1", ["below 1"]),
    ("optimizer = { type = 'adam', learning_rate = -1 }", "optimizer.learning_rate", ["at least 0", "-1"]),
    ("optimizer = { type = 'adam', learning_rate = nan }", "optimizer.learning_rate", ["nan"]),
    ("optimizer = { type = 'adam', learning_rate = 'x' }", "optimizer.learning_rate", ["a number", "'x'"]),
    ("optimizer = { type = 'adam', learning_rate = 2020-01-01 }", "optimizer.learning_rate", ["a number"]),
    ("loss = 'softmax_cross_entropi'", "loss.type", ["did you mean 'softmax_cross_entropy'?"]),
    ("loss = { type = 'squared_error', x = 1 }", "loss.x", ["half"]),
    ("regularization.l2 = -1.0", "regularization.l2", [">= 0"]),
    ("regularization.l2 = nan", "regularization.l2", [">= 0"]),
    ("regularization.clip_norm = inf", "regularization.clip_norm", ["<="]),
    ("regularization.l2 = 'x'", "regularization.l2", ["a number", "text"]),
    ("statistics.every = -1", "statistics.every", [">= 0"]),
    ("statistics.level = 'all'", "statistics.level", ["'all'", "off, norms, full"]),
    ("statistics.full_every = 0", "statistics.full_every", [">= 1"]),
    ("statistics.layers = 1", "statistics.layers", ["unknown key"]),
    ("seed = -1", "seed", [">= 0"]),
    ("seed = 9223372036854775808", "seed", ["<="]),
    ("name = 3", "name", ["expected text"]),
]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD)
    return path


def check(error: InputError, file: Path, key: str, words: list[str]) -> None:
    text = str(error)
    assert text.startswith(f"{file}: {key}: "), text
    assert error.file == str(file)
    assert error.key == key
    assert "\n" not in text
    for word in words:
        assert word in text, text
    for jargon in ("`str`", "`int`", "Struct", "msgspec", "Expected", "enum"):
        assert jargon not in text, text


@pytest.mark.parametrize(("line", "key", "words"), WRONG, ids=[line for line, _, _ in WRONG])
def test_a_wrong_setting(good: Path, line: str, key: str, words: list[str]) -> None:
    """Once from the command line, once in the file itself."""
    override = line.replace(" = ", "=", 1)
    with pytest.raises(InputError) as raised:
        load_experiment(good, [override])
    check(raised.value, good, key, words)


def test_a_wrong_setting_in_the_file(good: Path) -> None:
    good.write_text(GOOD + "[training]\nepohcs = 3\n")
    with pytest.raises(InputError) as raised:
        load_experiment(good)
    check(raised.value, good, "training.epohcs", ["did you mean 'epochs'?"])


@pytest.mark.parametrize("missing", ["data", "model", "optimizer"])
def test_a_missing_section(tmp_path: Path, missing: str) -> None:
    parts = {
        "optimizer": 'optimizer = "adam"\n',
        "data": "[data]\n",
        "model": "[model]\nlayers = [{ type = 'dense', units = 10 }]\n",
    }
    del parts[missing]
    path = tmp_path / "a.toml"
    path.write_text("".join(parts.values()))
    with pytest.raises(InputError) as raised:
        load_experiment(path)
    check(raised.value, path, missing, ["is missing"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = \n", "is not TOML: .*line 1"),
        (b"a = 1\na = 2\n", "is not TOML: .*"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"", "(data|model|optimizer): is missing"),
        (b"x = " + b"[" * 5000, "is not TOML.*nested too deeply"),
        (b"x = " + b"{a=" * 5000, "is not TOML"),
        (b"a." * 5000 + b"b = 1", "is not TOML|unknown key"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as raised:
        load_experiment(path)
    assert raised.value.file == str(path)
    assert len(str(raised.value)) < 400


def test_no_such_file(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"no such experiment file; did you mean '.*good.toml'\?"):
        load_experiment(good.with_name("god.toml"))
    with pytest.raises(InputError, match="did you mean 'digits'"):
        load_experiment("digit")
    with pytest.raises(InputError, match=r"shipped experiments: .*digits"):
        load_experiment("zzzzzzz")
    with pytest.raises(InputError, match="no such experiment file"):
        load_experiment(good.parent)


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("training.epochs", "--set", "is not key=value"),
        ("=3", "--set", "is not key=value"),
        ("model.layers.1.units=3", "model.layers.1", "entries 0 to 0"),
        ("model.layers.x=3", "model.layers.x", "entries 0 to 0"),
        ("model.layers.-1.units=3", "model.layers.-1", "entries 0 to 0"),
        ("seed.x=3", "seed", "seed|a whole number"),
        ("training.epochs.x=3", "training.epochs", "no settings of its own"),
        ("training..epochs=3", "training.", "unknown key"),
        (".=3", "", "unknown key"),
    ],
)
def test_overrides_that_cannot_be(good: Path, override: str, key: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        load_experiment(good, ["training.epochs=5", "seed=1", override])
    assert (raised.value.key or "").startswith(key)


def test_unknown_sections_of_any_kind_do_not_pass(good: Path) -> None:
    values: list[Any] = ["1", "{}", "[]", "'x'", "2020-01-01", "{ a = { b = 1 } }"]
    for value in values:
        with pytest.raises(InputError, match="schedul: unknown key"):
            load_experiment(good, [f"schedul={value}"])

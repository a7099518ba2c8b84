"""Hostile experiment files: an InputError or an experiment, never anything else."""

from __future__ import annotations

import copy
import datetime
import random
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.errors import InputError
from ravine.experiment import Experiment, load_experiment, parse_experiment, to_toml

BASE = tomllib.loads(to_toml(load_experiment("digits")))
TEXT = tomli_w.dumps(BASE)


def keys_of(table: Any) -> set[str]:
    if isinstance(table, dict):
        return set(table) | {key for value in table.values() for key in keys_of(value)}
    if isinstance(table, list):
        return {key for value in table for key in keys_of(value)}
    return set()


KEYS = [*sorted(keys_of(BASE) | {"file", "train_images", "test_labels"}), "", "a.b", "\n", "ünï", "x" * 300]
WORDS = [
    "adam",
    "dense",
    "digits",
    "npz",
    "idx",
    "tanh",
    "dropout",
    "auto",
    "cuda:0",
    "~x",
    "",
    "\0",
    "\n",
    "0",
]
NUMBERS = [0, 1, -1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**25, True, False]
REALS = [0.0, -0.0, 1.5, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan")]
DATES = [datetime.date(2020, 1, 2), datetime.time(3, 4), datetime.datetime(2020, 1, 2, 3, 4)]

# Hypothesis draws seeds, which is a hundred times faster than to draw every part of a table.
SEEDS = st.integers(0, 2**64 - 1)


def any_value(source: random.Random, depth: int = 0) -> Any:
    kind = source.randrange(8 if depth < 3 else 6)
    if kind == 6:
        return [any_value(source, depth + 1) for _ in range(source.randrange(4))]
    if kind == 7:
        return any_table(source, depth + 1)
    if kind == 5:
        return "".join(
            chr(source.choice([source.randrange(128), source.randrange(0xD7FF)])) for _ in range(5)
        )
    return source.choice([WORDS, NUMBERS, REALS, DATES, WORDS][kind])  # type: ignore[call-overload]


def any_table(source: random.Random, depth: int = 0) -> dict[str, Any]:
    return {source.choice(KEYS): any_value(source, depth) for _ in range(source.randrange(5))}


def places(table: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items: Any = (
        table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    )
    for key, value in items:
        found += places(value, (*path, key))
    return found


def changed_table(source: random.Random) -> dict[str, Any]:
    """The experiment "digits" with some values replaced, removed or added; or any table at all."""
    if source.randrange(10) == 0:
        return any_table(source)
    table = copy.deepcopy(BASE)
    for _ in range(source.choice([1, 1, 2, 3])):
        if not table:
            break
        *parents, last = source.choice(places(table))
        owner: Any = table
        for key in parents:
            owner = owner[key]
        action = source.randrange(4)
        if action == 0 and isinstance(owner, dict):
            owner[source.choice(KEYS)] = any_value(source)
        elif action == 1:
            del owner[last]
        else:
            owner[last] = any_value(source)
    return table


def changed_text(source: random.Random) -> str:
    """The text of an experiment with a part of it replaced by any characters, or moved."""
    begin = source.randrange(len(TEXT))
    end = min(len(TEXT), begin + source.choice([0, 1, 3, 40]))
    inserted = "".join(source.choice("[]{}=.,\"'\\\n#0e-+_tT \u00e9\x00") for _ in range(source.randrange(8)))
    if source.randrange(4) == 0:
        other = source.randrange(len(TEXT))
        inserted = TEXT[other : other + source.randrange(60)]
    return TEXT[:begin] + inserted + TEXT[end:]


def check_error(error: InputError, file: str | None = None) -> None:
    assert "\n" not in str(error)
    assert file is None or error.file == file


def check_table(seed: int) -> None:
    table = changed_table(random.Random(seed))
    begin = time.process_time()
    try:
        experiment = parse_experiment(table, Path("/base"))
    except InputError as error:
        check_error(error)
    else:
        assert isinstance(experiment, Experiment)
        assert parse_experiment(tomllib.loads(to_toml(experiment)), Path("/base")) == experiment
    assert time.process_time() - begin < 2


def check_text(seed: int, folder: Path) -> None:
    path = folder / "fuzz.toml"
    path.write_text(changed_text(random.Random(seed)), encoding="utf-8", newline="")
    try:
        load_experiment(path)
    except InputError as error:
        check_error(error, str(path))


def check_override(seed: int) -> None:
    source = random.Random(seed)
    key = ".".join(source.choice([*KEYS, "0", "1", "9", "-1"]) for _ in range(source.randrange(1, 5)))
    value = source.choice(["3", "[1]", "{ a = 1 }", "'x'", "x", "", "=", "1\n2", str(any_value(source))])
    try:
        load_experiment("digits", [f"{key}={value}"])
    except InputError as error:
        check_error(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=1400)
@given(seed=SEEDS)
def test_tables(seed: int) -> None:
    check_table(seed)


@settings(max_examples=300)
@given(seed=SEEDS)
def test_texts(seed: int, folder: Path) -> None:
    check_text(seed, folder)


@settings(max_examples=300)
@given(seed=SEEDS)
def test_overrides(seed: int) -> None:
    check_override(seed)


@pytest.mark.soak
@settings(max_examples=70_000)
@given(seed=SEEDS)
def test_many_tables(seed: int) -> None:
    check_table(seed)


@pytest.mark.soak
@settings(max_examples=20_000)
@given(seed=SEEDS)
def test_many_texts(seed: int, folder: Path) -> None:
    check_text(seed, folder)


@pytest.mark.soak
@settings(max_examples=10_000)
@given(seed=SEEDS)
def test_many_overrides(seed: int) -> None:
    check_override(seed)

"""Rules for the gradient of all samples say so when batches are smaller."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

from ravine import _core
from ravine.errors import RavineWarning
from ravine.layers import Dense
from ravine.model import Sequential
from ravine.training.trainer import Trainer

SAMPLES = 12
FULL_BATCH = ["sign_descent", "rprop", "delta_bar_delta"]


def fit(rule: str, batch_size: int) -> None:
    generator = np.random.default_rng(3)
    trainer = Trainer(Sequential(Dense(1)), loss="squared_error", optimizer=rule, batch_size=batch_size)
    trainer.fit(generator.normal(size=(SAMPLES, 2)), generator.normal(size=SAMPLES), epochs=1)


def test_which_rules_want_all_samples() -> None:
    assert [entry.name for entry in _core.catalog("optimizer") if entry.full_batch] == FULL_BATCH


@pytest.mark.parametrize("rule", FULL_BATCH)
def test_small_batches(rule: str) -> None:
    with pytest.warns(RavineWarning, match=rf"{rule} .* 11 of 12 samples.* batch_size to \"all\"") as caught:
        fit(rule, SAMPLES - 1)
    assert len(caught) == 1


@pytest.mark.parametrize(("rule", "batch_size"), [*((rule, SAMPLES) for rule in FULL_BATCH), ("adam", 2)])
def test_silence(rule: str, batch_size: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(rule, batch_size)


def test_command_line(tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line on standard error, and one in the log of the run."""
    from ravine.cli import main

    monkeypatch.chdir(tmp_path)
    words = ["train", "digits", "--quiet", "--set", "training.epochs=1", "--set", "optimizer={type='rprop'}"]
    assert main(words) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r'ravine: warning: rprop is made for .*; set batch_size to "all", or .*', line)
    assert line.removeprefix("ravine: ") in (tmp_path / "runs" / "digits" / "log.txt").read_text()

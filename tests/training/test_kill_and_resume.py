"""kill -9 at any moment, then `ravine resume`: the bits are those of the unbroken run."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine.experiment import load_experiment
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.session import train_experiment

# Large enough to train for seconds, with a checkpoint after each epoch.
EPOCHS = 600
LARGER = [
    "--set", "model.layers.0.units=256", "--set", f"training.epochs={EPOCHS}",
    "--set", "statistics.level=full", "--set", "statistics.full_every=30",
]  # fmt: skip
SECONDS = 1.0  # over which the kills are spread; the training takes longer
BATCHES, SAMPLES = 22, 701

# The command line, telling which samples each update of the weights was made with.
OBSERVED = """
import json, sys
from pathlib import Path
from ravine.cli import main
from ravine.data import BatchSource
from ravine.training.loop import Loop

log = open(Path(__file__).with_suffix(".jsonl"), "a")
original_chunk, original_run = BatchSource.chunk, Loop.run_steps
given = []

def chunk(self, *arguments):
    result = original_chunk(self, *arguments)
    first = arguments[1] * self.batch_size
    given.append(self.order(arguments[0])[first : first + len(result.inputs)])
    return result

def run_steps(self):
    optimizer = self.trainer.optimizer
    before = optimizer.step_count
    original_run(self)
    steps = optimizer.step_count - before
    size = min(self.plan.source.batch_size, len(given[-1]))
    indices = given.pop()[: steps * size].tolist()
    log.write(json.dumps([before, [indices[i * size : (i + 1) * size] for i in range(steps)]]) + "\\n")
    log.flush()

BatchSource.chunk, Loop.run_steps = chunk, run_steps
sys.exit(main())
"""


def record(run: Path) -> dict[str, Any]:
    """All that a run leaves that must not depend on how often it was killed."""
    with RunFolder.open(run).reader() as reader:
        rows = reader.tail(limit=10**6)
        evaluations = [(e.step, e.epoch, e.split, e.metrics) for e in reader.evaluations()]
        events = [(event.step, event.kind, event.payload) for event in reader.events()]
        distributions = [
            (one.step, one.name, one.kind, one.minimum, one.maximum, one.bins.tobytes(), one.counts.tobytes())
            for one in reader.distributions()
        ]
        assert reader.state().state == "finished"
    last = checkpoints.load_latest(run)
    assert last.warning is None
    state = {key: value for key, value in last.checkpoint.state.items() if key != "position"}
    state["position"] = {k: v for k, v in last.checkpoint.state["position"].items() if k != "seconds"}
    return {
        "parameters and slots": checkpoints.digest(last.checkpoint.tensors),
        "state": state,
        "best": checkpoints.digest(checkpoints.load(checkpoints.best_path(run)).tensors),
        "steps": rows.steps.tolist(),
        "epochs": rows.epochs.tobytes(),
        "values": rows.values.tobytes(),
        "evaluations": evaluations,
        "events": events,
        "distributions": distributions,
    }


def kill_chain(
    start: Callable[..., Any], file: Path, kills: int, seed: int, words: list[str], script: Path | None = None
) -> tuple[Path, str, int]:
    """Trains with so many kills; returns the run, the SHA-256 at the end and the kills within a write."""
    moments = random.Random(seed)
    within = 0
    process = start("train", file, *words, name="broken", script=script)
    for number in range(kills):
        if number % 3 == 2:  # from the start of the process: also while it reads and resumes
            time.sleep(moments.uniform(0.0, 0.5))
        else:
            process.wait_until(process.training, "training")
            if number % 3 == 0:
                await_write(process)
            else:
                time.sleep(moments.uniform(0.0, SECONDS / kills))
        if process.popen.poll() is not None:
            pytest.fail(f"the run ended before kill {number + 1}: {process.end()}")
        process.popen.kill()
        process.popen.communicate()
        within += any(path.suffix == ".tmp" for path in (process.run / "checkpoints").iterdir())
        process = start("resume", name="broken", script=script)
    answer = process.end()
    assert answer["code"] == 0, answer
    return process.run, answer["sha256"], within


def await_write(process: Any) -> None:
    """Returns when a checkpoint is being written."""
    folder, deadline = process.run / "checkpoints", time.monotonic() + 5
    while time.monotonic() < deadline and process.popen.poll() is None:
        if any(path.suffix == ".tmp" for path in folder.iterdir()):
            return


@pytest.fixture(scope="module")
def unbroken(
    tmp_path_factory: pytest.TempPathFactory, write_experiment: Callable[[Path], Path]
) -> tuple[dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("unbroken")
    experiment = load_experiment(write_experiment(folder), LARGER[1::2])
    outcome = train_experiment(experiment, parent=folder)
    return record(outcome.path), outcome.sha256


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        assert found[name] == value, name


def test_ten_kills_leave_the_same_bits(
    trainer_process: Callable[..., Any], experiment_file: Path, unbroken: tuple[dict[str, Any], str]
) -> None:
    run, sha256, within = kill_chain(trainer_process, experiment_file, 10, 1, LARGER)
    assert sha256 == unbroken[1]
    assert_same(record(run), unbroken[0])
    assert within, "no kill fell into a write"


def test_kills_of_a_training_in_parts_with_averaged_weights(
    trainer_process: Callable[..., Any], experiment_file: Path, tmp_path: Path
) -> None:
    settings = ["training.epochs=250", "training.average_weights=0.99", "training.micro_batch=12"]
    words = [*LARGER, *(word for setting in settings for word in ("--set", setting))]
    whole = train_experiment(load_experiment(experiment_file, words[1::2]), parent=tmp_path)
    run, sha256, _ = kill_chain(trainer_process, experiment_file, 3, 3, words)
    assert sha256 == whole.sha256
    assert_same(record(run), record(whole.path))


def test_kills_of_a_training_on_hard_examples(
    trainer_process: Callable[..., Any], experiment_file: Path, tmp_path: Path
) -> None:
    """The order of an epoch follows from losses, which a checkpoint in its middle holds."""
    words = [*LARGER, "--set", "data.sampler.type=hard", "--set", "training.epochs=200"]
    whole = train_experiment(load_experiment(experiment_file, words[1::2]), parent=tmp_path)
    run, sha256, _ = kill_chain(trainer_process, experiment_file, 3, 4, words)
    assert sha256 == whole.sha256
    assert_same(record(run), record(whole.path))


def test_each_sample_is_used_once_an_epoch_across_ten_kills(
    trainer_process: Callable[..., Any],
    experiment_file: Path,
    unbroken: tuple[dict[str, Any], str],
    tmp_path: Path,
) -> None:
    script = tmp_path / "observed.py"
    script.write_text(OBSERVED)
    run, sha256, _ = kill_chain(trainer_process, experiment_file, 10, 2, LARGER, script)
    assert sha256 == unbroken[1]
    assert_same(record(run), unbroken[0])
    updates: dict[int, list[int]] = {}
    repeated = 0
    for line in script.with_suffix(".jsonl").read_text().splitlines():
        before, batches = json.loads(line)
        for offset, batch in enumerate(batches):
            repeated += before + offset in updates
            updates[before + offset] = batch
    assert repeated  # some steps were lost by a kill and done again
    assert sorted(updates) == list(range(EPOCHS * BATCHES))
    orders = set()
    for epoch in range(EPOCHS):
        seen = [row for step in range(epoch * BATCHES, (epoch + 1) * BATCHES) for row in updates[step]]
        assert sorted(seen) == list(range(SAMPLES)), f"epoch {epoch}"
        orders.add(tuple(seen))
    assert len(orders) == EPOCHS


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(30))
def test_three_hundred_kills(
    trainer_process: Callable[..., Any],
    experiment_file: Path,
    unbroken: tuple[dict[str, Any], str],
    seed: int,
) -> None:
    run, sha256, _ = kill_chain(trainer_process, experiment_file, 10, 100 + seed, LARGER)
    assert sha256 == unbroken[1]
    assert_same(record(run), unbroken[0])


def test_a_kill_loses_at_most_one_interval(
    trainer_process: Callable[..., Any], experiment_file: Path
) -> None:
    process = trainer_process("train", experiment_file, *LARGER)
    process.wait_until(process.training, "training")
    time.sleep(0.5)
    process.popen.kill()
    process.popen.communicate()
    with RunFolder.open(process.run).reader() as reader:
        recorded = reader.state().step
        assert reader.state().state == "crashed"
        assert "ravine resume" in reader.state().reason
    saved = checkpoints.load_latest(process.run).checkpoint.step
    assert recorded > 0
    assert np.floor(recorded / BATCHES) * BATCHES <= saved + BATCHES

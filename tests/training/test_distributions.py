"""Full statistics in a training: in its history, its run folder, after a resume; their cost; and old keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import LayerOutputs, Sequential, Trainer
from ravine.errors import InputError, RavineWarning
from ravine.experiment import Experiment, load_experiment
from ravine.layers import Dense
from ravine.runs import RunFolder
from ravine.training import statistics
from ravine.training.session import resume_run, train_experiment

RANDOM = np.random.default_rng(3)
INPUTS = RANDOM.normal(size=(70, 4)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, 70)
FULL = ["statistics.level=full", "statistics.full_every=5"]


def trainer(**settings: Any) -> Trainer:
    model = Sequential(Dense(6, activation="tanh"), Dense(3))
    return Trainer(model, loss="softmax_cross_entropy", optimizer="adam", batch_size=32, **settings)


def rows(run: Path) -> list[Any]:
    with RunFolder.open(run).reader() as reader:
        found = reader.distributions()
    return [(one.step, one.name, one.kind, one.bins.tolist(), one.counts.tolist()) for one in found]


def test_history_has_distributions_of_every_step_that_was_asked_for() -> None:
    fitted = trainer(statistics="full", full_every=4, record_every=3)
    history = fitted.fit(INPUTS, LABELS, epochs=5)  # of 3 batches, the last of 6 samples
    assert history.steps.tolist() == [3, 6, 9, 12, 15]
    found = history.distributions("dense_1", "output")
    assert [(one.step, one.count) for one in found] == [(4, 32 * 6), (8, 32 * 6), (12, 6 * 6)]
    assert len(history.distributions()) == 3 * (2 + 4 * 2)
    assert len(history.distributions(kind="weight")) == 3 * 4
    last = history.distributions("dense_2.weight", "weight")[-1]
    assert last.count == 18
    with pytest.raises(InputError, match="kind"):
        history.distributions(kind="outputs")  # type: ignore[arg-type]
    assert trainer().fit(INPUTS, LABELS, epochs=5).distributions() == []
    # A second training goes on with the count of steps.
    again = fitted.fit(INPUTS, LABELS, epochs=5)
    assert [one.step for one in again.distributions("dense_1")] == [16, 20, 24, 28]


def test_percentiles_are_those_of_the_outputs_of_the_batch() -> None:
    """Against NumPy on what the layers give for the same samples, before the step."""
    fitted = trainer(statistics="full", full_every=1, shuffle=False)
    network = fitted.compile([4])
    expected = LayerOutputs(network)(INPUTS[:32])
    history = fitted.fit(INPUTS[:32], LABELS[:32], epochs=1)
    for layer in ("dense_1", "dense_2"):
        (found,) = history.distributions(layer, "output")
        wanted = np.percentile(expected[layer], [15, 50, 85])
        np.testing.assert_allclose(found.percentile([15, 50, 85]), wanted, rtol=1 / 16, atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"statistics": "all"}, "statistics"),
        ({"full_every": 0}, "full_every"),
        ({"record_every": -1}, "record"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(InputError, match=key):
        trainer(**settings)


def test_run_folder_has_them_and_a_resume_cuts_them_back(
    experiment: Callable[..., Experiment], tmp_path: Path
) -> None:
    whole = train_experiment(experiment(*FULL), parent=tmp_path, stop_on_signal=False)
    found = rows(whole.path)
    assert sorted({row[0] for row in found}) == list(range(5, whole.step + 1, 5))
    assert len(found) == whole.step // 5 * (3 + 2 * 4)
    short = train_experiment(experiment(*FULL, "training.epochs=2"), parent=tmp_path, stop_on_signal=False)
    with RunFolder.open(short.path).writer() as writer:  # what a killed process had recorded behind it
        lost = [(short.step + 1, *row[1:3], 0.0, 1.0, b"") for row in found[:3]]
        writer.record_distributions(lost)  # type: ignore[arg-type]
    resume_run(short.path, overrides=["training.epochs=6"], stop_on_signal=False)
    assert rows(short.path) == found


def test_level_can_change_in_a_resume(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    outcome = train_experiment(experiment("training.epochs=1"), parent=tmp_path, stop_on_signal=False)
    assert rows(outcome.path) == []
    more = resume_run(
        outcome.path, overrides=["training.epochs=2", "statistics.level=full", "statistics.full_every=10"],
        stop_on_signal=False,
    )  # fmt: skip
    assert sorted({row[0] for row in rows(outcome.path)}) == [30, 40]
    whole = train_experiment(experiment("training.epochs=2"), parent=tmp_path, stop_on_signal=False)
    assert more.sha256 == whole.sha256


def test_cost_is_measured_and_recorded(experiment: Callable[..., Experiment], tmp_path: Path) -> None:
    outcome = train_experiment(experiment(*FULL), parent=tmp_path, stop_on_signal=False)
    cost = outcome.statistics_cost
    assert cost is not None
    assert 1 <= cost.passes <= 64
    assert 0 <= cost.share < 100
    assert f"{100 * cost.share:.1f} % of a step" in str(cost)
    with RunFolder.open(outcome.path).reader() as reader:
        recorded = reader.state().meta["statistics_cost"]
        assert all(event.kind != "statistics" for event in reader.events())
    assert recorded == {"share": cost.share, "seconds": cost.seconds, "passes": cost.passes}
    bare = train_experiment(experiment("statistics.level=off"), parent=tmp_path, stop_on_signal=False)
    assert bare.statistics_cost is None


def test_cost_counts_as_often_as_it_is_paid() -> None:
    """Moments at every third step, distributions at every tenth, for both parts of a batch."""

    class Network:
        def time_passes(self, rows: Any, *, distributions: bool, **_: object) -> dict[str, float]:
            assert len(rows) == 16
            assert distributions
            return {"passes": 64, "bare": 1.0, "observed": 1.25, "distributed": 4.0}

    measured = statistics.Statistics("full", 3, 10)
    assert measured.cost is None
    batch = np.zeros((24, 2))
    measured.measure(Network(), batch, 16, 50000.0, 10000)  # type: ignore[arg-type]
    measured.measure(Network(), batch, 16, 40.0, 10)  # type: ignore[arg-type]
    cost = measured.cost
    assert cost is not None
    seconds = 2 * (0.25 / 3 + 3.0 / 10)
    assert cost.seconds == pytest.approx(seconds)
    assert cost.share == pytest.approx(seconds / 4.0)  # the shortest step
    assert str(cost).endswith("measured on 64 passes with and without")


def test_measuring_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 ms and a percent of the training, up to 64 passes."""
    clock = [0.0]
    monkeypatch.setattr(statistics.time, "perf_counter", lambda: clock[0])

    class Network:
        def time_passes(self, rows: Any, *, seconds: float, **_: object) -> dict[str, float]:
            assert seconds > 0
            clock[0] += 0.2  # one pass of each kind takes that
            return {"passes": 1, "bare": 1.0, "observed": 1.0, "distributed": 1.0}

    measured = statistics.Statistics("norms", 1, 100)
    for step in range(1, 2000):
        measured.measure(Network(), np.zeros((16, 2)), 0, 1.0, 1)  # type: ignore[arg-type]
        assert clock[0] <= 0.05 + 0.01 * step
    assert measured.cost is not None
    assert measured.cost.passes == 64


@pytest.mark.parametrize(("layers", "level"), [("true", "norms"), ("false", "off")])
def test_the_old_key_is_read_with_a_warning(experiment_file: Path, layers: str, level: str) -> None:
    """Run folders of the first versions have it."""
    with experiment_file.open("a") as file:
        file.write(f"\n[statistics]\nevery = 2\nlayers = {layers}\n")
    with pytest.warns(RavineWarning, match=f'level = "{level}"'):
        found = load_experiment(experiment_file)
    assert (found.statistics.level, found.statistics.every) == (level, 2)

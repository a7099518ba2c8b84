"""Times of ranks come to the record of rank 0, and a slow rank is named, not too often."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from ravine.errors import RavineWarning
from ravine.runs import RunFolder
from ravine.training.rank_telemetry import RankTelemetry

HOSTS = ["anna", "bert"]


class Rank:
    """A trainer, as far as the telemetry of its rank looks."""

    def __init__(self, rank: int, recorder) -> None:
        self.telemetry = RankTelemetry(recorder, clock=lambda: Rank.clock)
        self.times = (np.zeros(0, np.int64), np.zeros((0, 4), np.float32))
        self.told: dict = {}
        self.network = SimpleNamespace(drain_times=lambda: self.times)
        self.meeting = SimpleNamespace(tell=self.told.update)
        self.ranks = SimpleNamespace(leads=rank == 0, world=SimpleNamespace(hosts=HOSTS))
        self.position = SimpleNamespace(step=0, seconds=0.0)

    clock = 0.0


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path, "run")


@pytest.fixture
def train(run):
    """Trains for some seconds, of which each rank computes so much of each step of 0.1 s."""
    lines: list[str] = []
    with run.writer(["loss"]) as writer:
        recorder = SimpleNamespace(writer=writer, log=lines.append)
        ranks = [Rank(0, recorder), Rank(1, None)]
        step = 0

        def advance(seconds: int, *compute: float):
            nonlocal step
            for _ in range(seconds):
                Rank.clock += 1.0
                steps = np.arange(step + 1, step + 11)
                step += 10
                for rank, share in zip(ranks, compute, strict=True):
                    times = np.array([[share / 10, (1 - share) / 10, 0, 0]] * 10, np.float32)
                    rank.position.step, rank.times = step, (steps, times)
                    rank.telemetry.on_steps(rank)
                ranks[0].telemetry.on_news(ranks[0], [rank.told for rank in ranks])
            return list(lines)

        yield advance
        ranks[0].telemetry.on_end(ranks[0])


def test_times_are_recorded(train, run):
    train(3, 0.5, 0.75)
    train(0)
    with run.reader() as reader:
        found = reader.rank_times()
    np.testing.assert_array_equal(found.steps, np.arange(1, 31))
    np.testing.assert_allclose(found.seconds[:, :, 0], [[0.05, 0.075]] * 30, rtol=1e-6)
    np.testing.assert_allclose(found.seconds[:, :, 1], [[0.05, 0.025]] * 30, rtol=1e-6)


def test_a_slow_rank_is_named_once_a_minute(train, run):
    text = "rank 1 on bert is the slowest: the others wait 25 % of each step for it"
    with pytest.warns(RavineWarning, match=text):
        assert train(11, 0.5, 0.75) == [f"warning: {text}"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(59, 0.5, 0.75)
    with pytest.warns(RavineWarning, match="rank 0 on anna is the slowest: the others wait 40 %"):
        train(26, 0.9, 0.5)
    with run.reader() as reader:
        events = [(event.step, event.kind, event.payload) for event in reader.events()]
    assert [kind for _, kind, _ in events] == ["straggler", "straggler"]
    assert events[0][2] == {"rank": 1, "host": "bert", "cost": pytest.approx(0.25, abs=1e-5)}


def test_equal_ranks_are_not_named(train):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(100, 0.8, 0.7) == []

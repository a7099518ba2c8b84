"""The watchdog of each rank, turn by turn, with messages and a clock that the test makes."""

from __future__ import annotations

from collections import defaultdict

import pytest

from ravine.distributed import watchdog as module
from ravine.distributed.heartbeats import LENGTH, Heartbeat, State
from ravine.distributed.watchdog import Watchdog

NAMES = ["rank 0 on anna", "rank 1 on anna", "rank 2 on bert"]


class EndedError(Exception):
    """The job was ended."""


class Messages:
    """Heartbeats of one rank that go through lists."""

    def __init__(self, rank: int, boxes: defaultdict) -> None:
        self.rank, self.boxes = rank, boxes
        self.others = [1, 2] if rank == 0 else [0]

    def send(self, beat: Heartbeat) -> bool:
        for other in self.others:
            self.boxes[other].append((self.rank, Heartbeat.unpacked(beat.packed())))
        return True

    def flush(self) -> bool:
        return True

    def receive(self):
        found, self.boxes[self.rank] = self.boxes[self.rank], []
        return iter(found)


class Job:
    """Three watchdogs, of which each test moves the time and the ranks."""

    def __init__(self) -> None:
        self.boxes = defaultdict(list)
        self.counts = [[0, 0] for _ in NAMES]
        self.told: list[tuple[str, int | None, int]] = []
        self.codes: list[int] = []
        self.now = 1000.0
        self.dogs = [
            Watchdog(Messages(rank, self.boxes), NAMES, self._end, self._tell, self._counts_of(rank))
            for rank in range(3)
        ]
        for dog in self.dogs:
            dog.timeout, dog.strict = 60.0, True

    def _tell(self, line: str, rank: int | None, code: int) -> None:
        self.told.append((line, rank, code))

    def _end(self, code: int) -> None:
        self.codes.append(code)
        raise EndedError

    def _counts_of(self, rank: int):
        return lambda: tuple(self.counts[rank])

    def run(self, seconds: float, *, without: tuple[int, ...] = ()) -> None:
        """Lets time go by; some ranks stand still."""
        for _ in range(int(seconds / 0.25)):
            self.now += 0.25
            for rank, dog in enumerate(self.dogs):
                if rank not in without:
                    dog._look(self.now)

    def train(self, steps: int) -> None:
        """All ranks make some exchanges, half a second each."""
        for _ in range(steps):
            for count in self.counts:
                count[0] += 1
                count[1] += 1
            for dog in self.dogs:
                dog.step += 1
            self.run(0.5)


@pytest.fixture
def job(monkeypatch):
    monkeypatch.setattr(module.signal, "setitimer", lambda *_: None)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    clock = {"job": None}
    monkeypatch.setattr(module.time, "monotonic", lambda: clock["job"].now if clock["job"] else 1000.0)
    clock["job"] = made = Job()
    made.train(10)
    assert made.told == []
    return made


def wait_for_each_other(job: Job, late: int) -> None:
    """All but one rank begin the next exchange."""
    for rank, count in enumerate(job.counts):
        count[0] += rank != late


@pytest.mark.parametrize("late", [0, 1, 2])
def test_a_rank_that_does_not_come_is_named(job, late):
    wait_for_each_other(job, late)
    job.run(58)
    assert job.told == []
    with pytest.raises(EndedError):
        job.run(4)
    [(line, rank, code)] = job.told
    assert line.startswith(f"{NAMES[late]} has kept others waiting for 60 s, after step 10; it is in ")
    assert (rank, code) == (late, 75)
    assert job.codes == [75]


def test_reading_data_may_take_any_time(job):
    for dog in job.dogs:
        dog.strict = False
    wait_for_each_other(job, 1)
    job.run(1000)
    assert job.told == []


@pytest.mark.parametrize("silent", [1, 2])
def test_a_silent_rank_is_named(job, silent):
    job.run(58, without=(silent,))
    assert job.told == []
    with pytest.raises(EndedError):
        job.run(4, without=(silent,))
    assert job.told == [(f"{NAMES[silent]} has given no sign of life for 60 s, after step 10", silent, 75)]


def test_a_silent_rank_0_is_named_by_rank_1_alone(job):
    with pytest.raises(EndedError):
        job.run(62, without=(0,))
    assert job.told == [(f"{NAMES[0]} has given no sign of life for 60 s, after step 10", 0, 75)]
    assert job.dogs[2]._look(job.now) is False  # its turn comes later


def test_a_network_that_is_down_is_nobodys_fault(job):
    for count in job.counts:
        count[0] += 1
    with pytest.raises(EndedError):
        job.run(63)
    assert job.told[0][0] == (
        "all ranks have waited in the same exchange for 60 s, after step 10; is the network between them up?"
    )
    assert job.told[0][1] is None


def test_a_job_that_was_stopped_goes_on(job):
    wait_for_each_other(job, 1)
    job.run(10)
    job.now += 1000  # as by Ctrl+Z, or a closed laptop
    job.run(30)
    job.counts[1][0] += 1
    for count in job.counts:
        count[1] = count[0]
    job.run(100)
    assert job.told == []


def test_rank_0_that_stood_still_for_a_moment_goes_on(job):
    for dog in job.dogs:
        dog.timeout = 3.0
    wait_for_each_other(job, 0)
    job.run(3.25, without=(0,))
    job.dogs[0]._look(job.now)  # hears that the others have waited for more than 3 s: for itself
    job.counts[0][0] += 1
    for count in job.counts:
        count[1] = count[0]
    job.run(10)
    assert job.told == []


def fail(job: Job, rank: int, reason: str, code: int) -> None:
    """What Watchdog.fail does before it waits."""
    dog = job.dogs[rank]
    dog._reason, dog._code, dog._state = reason, code, State.FAILED


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_failure_is_told_once(job, rank):
    fail(job, rank, "there is no disk", 2)
    with pytest.raises(EndedError):
        job.run(2)
    assert job.told == [(f"{NAMES[rank]}: there is no disk", rank, 2)]
    assert job.codes == [2]


def test_failures_of_several_ranks_are_one_line(job):
    for rank, reason in ((1, "no disk"), (2, "no disk"), (0, "no light")):
        fail(job, rank, reason, 2)
    with pytest.raises(EndedError):
        job.run(2)
    assert job.told[0][0] == f"{NAMES[0]}: no light; {NAMES[1]} and {NAMES[2]}: no disk"


def test_what_all_ranks_say_is_said_of_none(job):
    for rank in range(3):
        fail(job, rank, "no disk", 2)
    with pytest.raises(EndedError):
        job.run(2)
    assert job.told == [("no disk", None, 2)]


@pytest.mark.parametrize("rank", [1, 2])
def test_a_rank_that_ends_before_the_others(job, rank):
    job.dogs[rank]._state = State.ENDED
    job.run(60)
    assert job.told == []  # the others may come to their ends, too
    wait_for_each_other(job, rank)
    with pytest.raises(EndedError):
        job.run(8)
    assert job.told == [(f"{NAMES[rank]} ended after step 10, before the others", rank, 75)]


def test_all_end_together(job):
    for rank in (1, 2, 0):
        assert not job.dogs[rank]._look(job.now)
        job.dogs[rank]._state = State.ENDED
    job.now += 0.25
    assert [job.dogs[rank]._look(job.now) for rank in (1, 2, 0, 1, 2)] == [False, False, True, True, True]
    assert job.told == []


def test_a_heartbeat_is_a_message_of_fixed_length():
    beat = Heartbeat(State.FAILED, 70, 2**40, 2**41, 3, 0.5, "ä" * 2000)
    packed = beat.packed()
    assert len(packed) == LENGTH
    found = Heartbeat.unpacked(packed)
    assert (found.state, found.code, found.step, found.begun, found.idle) == (
        State.FAILED,
        70,
        2**40,
        2**41,
        0.5,
    )
    assert found.text.startswith("ä" * 400)

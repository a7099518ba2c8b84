"""What ends a job whose ranks no longer come on: a thread beside the training, outside of every call of MPI.

Each rank tells rank 0 once a second that it lives, how many exchanges with others it has begun and ended, and
its step. Rank 0 finds whoever is late; the other ranks watch rank 0.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ravine.distributed.heartbeats import Heartbeat, Heartbeats, State

TIMEOUT_SECONDS = 60.0
BEAT_SECONDS = 1.0  # between heartbeats
LOOK_SECONDS = 0.25  # between looks at what has arrived
END_SECONDS = 0.01  # the same, where the program waits for this thread
COLLECT_SECONDS = 0.4  # in which others may fail, too, before the first failure is told
ALONE_SECONDS = 5.0  # after which a rank that has failed no longer waits for rank 0, or for MPI
STOPPED_SECONDS = 1.0  # without a look: this process was stopped, or has not had a processor
LEFT_SECONDS = 5.0  # that others wait for a rank which has ended before them
FORWARD_SECONDS = 0.5  # for mpirun to read the line, as it drops what comes with the end of a rank
LOST = 75  # EX_TEMPFAIL of sysexits.h: exit code where a rank was lost

_exchanges = Counter(begun=0, ended=0)


@contextmanager
def exchange() -> Iterator[None]:
    """A call within which this rank may wait for others."""
    _exchanges["begun"] += 1
    try:
        yield
    finally:
        _exchanges["ended"] += 1


class Watchdog:
    """The thread of one rank.

    Args:
        messages: of this rank.
        names: of all ranks, such as "rank 2 on node1".
        end: ends all ranks with an exit code, and may return before they have ended.
        tell: is given the one line that says why, the rank that is the cause or None, and the exit code.
        native: exchanges begun and ended by compiled code.
    """

    def __init__(
        self,
        messages: Heartbeats,
        names: Sequence[str],
        end: Callable[[int], None],
        tell: Callable[[str, int | None, int], None],
        native: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        self.timeout = TIMEOUT_SECONDS
        self.strict = False  # late is also who lives and does not come to an exchange
        self.step = 0
        self._messages = messages
        self._names = names
        self._end = end
        self._tell = tell
        self._native = native
        self._main = threading.main_thread().ident
        self._state, self._code, self._reason = State.RUNS, 0, ""
        self._said = State.RUNS  # to rank 0
        self._left = 0.0  # when this rank ended or failed
        self._wake = threading.Event()
        now = time.monotonic()
        self._last_look, self._last_beat = now, 0.0
        self._counts, self._changed = (0, 0), now
        self._heard = {other: (now, Heartbeat()) for other in messages.others}
        self._first_failure = self._trusted_from = 0.0
        self._telling = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="ravine-watchdog", daemon=True)

    @property
    def leads(self) -> bool:
        """This is the thread of rank 0."""
        return self._messages.rank == 0

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def fail(self, reason: str, code: int) -> None:
        """Ends all ranks, as this one cannot go on; does not return."""
        self._reason, self._code = reason, code
        self._left, self._state = time.monotonic(), State.FAILED
        self._wake.set()
        time.sleep(ALONE_SECONDS)
        self._finish_job([self._messages.rank], f"{self._names[self._messages.rank]}: {reason}", code)

    def end(self, code: int) -> None:
        """Waits until all ranks come to their ends, and stops watching."""
        if self._state is State.RUNS and self._thread.is_alive():
            self._code = code
            self._left, self._state = time.monotonic(), State.ENDED
            self._wake.set()
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._look(time.monotonic()):
                # Ranks that end do so at about the same time; then again they may wait for one for long.
                quick = self._state is not State.RUNS and time.monotonic() - self._left < LEFT_SECONDS
                self._wake.wait(END_SECONDS if quick else LOOK_SECONDS)
                self._wake.clear()
        except BaseException as error:  # without this thread nobody would see a hang
            reason = f"the watchdog failed: {type(error).__name__}: {error}"
            self._finish_job([self._messages.rank], f"{self._names[self._messages.rank]}: {reason}", LOST)

    def _look(self, now: float) -> bool:
        """One turn; whether it was the last."""
        if now - self._last_look > STOPPED_SECONDS:  # the others may have been, too
            self._heard = {other: (now, beat) for other, (_, beat) in self._heard.items()}
            self._changed, self._trusted_from = now, now + 2 * BEAT_SECONDS
        self._last_look = now
        for other, beat in self._messages.receive():
            self._heard[other] = now, beat
        own = self._own(now)
        if self.leads:
            return self._lead(own, now)
        if self._heard[0][1].state is State.RELEASED:
            return True
        if self._said is State.RUNS and (
            own.state is not State.RUNS or now - self._last_beat >= BEAT_SECONDS
        ):
            self._last_beat = now
            if self._messages.send(own):
                self._said = own.state
        # One after the other, so that one of them tells of it; and none before rank 0 has told of another.
        patience = self.timeout + min(6.5, 2.5 * self._messages.rank - 1.0)
        if now - self._heard[0][0] > patience:
            self._finish_job([0], self._silent(0), LOST)
        return False

    def _lead(self, own: Heartbeat, now: float) -> bool:
        beats = [own, *(beat for _, beat in self._heard.values())]
        if all(beat.state is State.ENDED for beat in beats):
            while not self._messages.flush():
                time.sleep(END_SECONDS)
            self._messages.send(Heartbeat(State.RELEASED))
            while not self._messages.flush():
                time.sleep(END_SECONDS)
            return True
        if now - self._last_beat >= BEAT_SECONDS:
            self._last_beat = now
            self._messages.send(Heartbeat())  # that it lives is all that the others need to know
        failed = [rank for rank, beat in enumerate(beats) if beat.state is State.FAILED]
        if failed:
            self._first_failure = self._first_failure or now
            if len(failed) == len(beats) or now - self._first_failure > COLLECT_SECONDS:
                self._finish_job(failed, self._failures(failed, beats), beats[failed[0]].code)
            return False
        silent = [
            other
            for other, (heard, beat) in self._heard.items()
            if now - heard > self.timeout and beat.state is State.RUNS
        ]
        if now < self._trusted_from:
            return False  # what was heard before this process stood still says nothing
        if silent:
            self._finish_job(silent, "; ".join(self._silent(other) for other in silent), LOST)
        elif late := late_ranks(beats, self.timeout if self.strict else math.inf):
            self._finish_job(late, self._late(late, beats), LOST)
        return False

    def _own(self, now: float) -> Heartbeat:
        begun, ended = self._native()
        counts = begun + _exchanges["begun"], ended + _exchanges["ended"]
        if counts != self._counts:
            self._counts, self._changed = counts, now
        text = self._reason or self._place()
        return Heartbeat(self._state, self._code, self.step, *counts, now - self._changed, text)

    def _place(self) -> str:
        """Where the main thread is."""
        frame = sys._current_frames().get(self._main or 0)
        if frame is None:
            return "nowhere"
        return f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"

    def _silent(self, rank: int) -> str:
        return f"{self._names[rank]} has given no sign of life for {self.timeout:g} s, after step {self.step}"

    def _late(self, late: Sequence[int], beats: Sequence[Heartbeat]) -> str:
        ended = [rank for rank in late if beats[rank].state is State.ENDED]
        if ended:
            names = " and ".join(self._names[rank] for rank in ended)
            return f"{names} ended after step {beats[ended[0]].step}, before the others"
        if len(late) == len(beats):
            return (
                f"all ranks have waited in the same exchange for {self.timeout:g} s, "
                f"after step {beats[0].step}; is the network between them up?"
            )
        return "; ".join(
            f"{self._names[rank]} has kept others waiting for {self.timeout:g} s, after step "
            f"{beats[rank].step}; it is in {beats[rank].text}"
            for rank in late
        )

    def _failures(self, failed: Sequence[int], beats: Sequence[Heartbeat]) -> str:
        reasons = dict.fromkeys(beats[rank].text for rank in failed)
        if len(failed) == len(beats) and len(reasons) == 1:
            return next(iter(reasons))
        return "; ".join(
            f"{' and '.join(self._names[r] for r in failed if beats[r].text == reason)}: {reason}"
            for reason in reasons
        )

    def _finish_job(self, causes: Sequence[int], line: str, code: int) -> None:
        """Tells why, once, and ends all ranks; does not return."""
        with self._telling:
            # Should MPI not be able to end the job: a killed rank ends it, too. MPI may keep Python's lock.
            signal.setitimer(signal.ITIMER_REAL, ALONE_SECONDS)
            with suppress(Exception):
                self._tell(line, causes[0] if len(causes) == 1 else None, code)
            time.sleep(FORWARD_SECONDS)
            self._end(code or LOST)
            threading.Event().wait()


def late_ranks(beats: Sequence[Heartbeat], timeout: float) -> list[int]:
    """The ranks that others wait for, where some have waited for too long: those with the fewest exchanges.

    All ranks make the same exchanges in the same order, so who has begun the fewest is who does not come.

    Args:
        beats: the last heartbeat of every rank.
        timeout: seconds.

    Example:
        >>> waits, works = Heartbeat(begun=8, ended=7, idle=61.0), Heartbeat(begun=7, ended=7, idle=61.0)
        >>> late_ranks([waits, works, waits], timeout=60.0), late_ranks([waits, works, waits], timeout=70.0)
        ([1], [])
    """
    fewest = min(beat.begun for beat in beats)
    late = [rank for rank, beat in enumerate(beats) if beat.begun == fewest]
    # A rank that has ended will not come any more: no need to wait for long.
    gone = any(beats[rank].state is State.ENDED for rank in late) and len(late) < len(beats)
    limit = min(timeout, LEFT_SECONDS) if gone else timeout
    return late if any(beat.waiting > limit for beat in beats) else []

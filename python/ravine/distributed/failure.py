"""How ranks end: all together, or all at once where one fails, with one line that says which and why."""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ravine.distributed.watchdog import Watchdog

FACTS = "RAVINE_LAUNCH"  # set by `ravine launch`, which takes lines that begin with this sign out of the text
SIGN = "\x1e"
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG

watchdog: Watchdog | None = None
exit_code = 0  # of this process, as far as it is known
on_failure: Callable[[str], None] | None = None  # is given the line that the job ends with


def die_with_launcher() -> None:
    """Lets the kernel kill this process when the one that started it dies: no rank outlives its launcher."""
    send_at_death(signal.SIGKILL)()


def send_at_death(number: int) -> Callable[[], None]:
    """What a new process calls to get a signal when the one that started it dies; where there is Linux."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)

    def ask() -> None:
        if prctl is not None:
            prctl(_PARENT_DEATH, int(number), 0, 0, 0)

    return ask


def watch(dog: Watchdog) -> None:
    """From here on this rank does not end, or fail, alone.

    Args:
        dog: of this rank, not started yet.
    """
    global watchdog
    watchdog = dog
    die_with_launcher()
    show = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
        show(kind, error, trace)
        fail(f"{kind.__name__}: {error}", 1)

    sys.excepthook = hook
    atexit.register(end)  # before MPI's own end, which waits for all ranks
    dog.start()


def fail(reason: str, code: int) -> None:
    """Ends all ranks because this one cannot go on; returns where there is no watchdog."""
    if watchdog is not None:
        watchdog.fail(" ".join(reason.split()), code)


def end() -> None:
    """Waits until all ranks have come to their ends."""
    if watchdog is not None:
        watchdog.end(exit_code)
        if watchdog.leads:
            fact(ended=exit_code)


@contextmanager
def watched(timeout: float, on_end: Callable[[str], None]) -> Iterator[None]:
    """Within this, ranks take turns at exchanges: one that does not come in time ends all.

    Before and after it a rank may take its time, as for reading data.

    Args:
        timeout: seconds.
        on_end: is given the line that the job ends with.
    """
    global on_failure
    if watchdog is None:
        yield
        return
    on_failure = on_end
    watchdog.timeout, watchdog.strict = timeout, True
    try:
        yield
    finally:
        watchdog.strict = False


def at_step(step: int) -> None:
    """Tells the watchdog how many steps are done."""
    if watchdog is not None:
        watchdog.step = step


def tell(line: str, rank: int | None, code: int) -> None:
    """Tells why a job ends: on standard error, to `ravine launch`, and to the run.

    Args:
        line: which rank, and why.
        rank: that is the cause, where it is one.
        code: exit code.
    """
    fact(failed=line, rank=rank, code=code)
    with suppress(OSError):  # past Python's own buffers, which another thread may hold
        os.write(2, f"ravine: error: {line}\n".encode(errors="backslashreplace"))
    if on_failure is not None:
        on_failure(line)


def fact(**values: object) -> None:
    """Tells `ravine launch` something that it cannot see; nothing without it."""
    if os.environ.get(FACTS):
        with suppress(OSError):
            os.write(2, f"{SIGN}{json.dumps(values)}\n".encode())

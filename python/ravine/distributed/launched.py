"""A job that `mpirun` runs, watched by who started it: what is heard of its ranks, and how it ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any

from ravine.distributed.failure import FACTS, SIGN, send_at_death
from ravine.distributed.watchdog import LOST

END_SECONDS = 6.0  # that mpirun may take to end a job that has failed
START_SECONDS = 120.0  # until the ranks must have found each other
_RULE = re.compile(rb"[-=]{60,}\s*")
_KILLED = re.compile(
    r"noticed that process rank (?P<rank>\d+) with PID \d+ on node (?P<host>\S+) "
    r"exited on (?P<how>signal \d+ \([^)]*\))"
)
_LEFT = re.compile(r"process rank (?P<rank>\d+) with PID \d+ on node (?P<host>\S+) exiting improperly")
_CODE = re.compile(r"Process name: \S+?,(?P<rank>\d+)\]\s+Exit code:\s+(?P<code>\d+)")
# What Open MPI says of connections to ranks that have ended; it follows from what has ended them.
_NOISE = re.compile(
    rb"\[[\w.-]+(:\d+)?\]|\[warn\]|\s*\d+ more process(es)? ha(s|ve) sent help message"
    rb"|Abort\(\d+\) on node \d+"
)
_LOST = re.compile(r"lost communication with a remote daemon\..*Remote daemon\s*: \S+ on node (?P<host>\S+)")
_KNOWN = (
    "MPI_ABORT was invoked on rank",
    'calling "abort"',
    'calling\n"abort"',
    "peer process has unexpectedly",
)


@dataclass
class Ending:
    """How a job ended.

    Args:
        code: exit code of the job: 0 only where rank 0 has said that it came to its end.
        reason: in one line, empty where it ended well.
        told: the reason is on the terminal already.
        run: folder of the run that it trained, where it came so far.
        step: after which it began to train.
        finished: rank 0 came to its end, with this code.
        interrupted: by a signal to this process.
    """

    code: int
    reason: str = ""
    told: bool = False
    run: str = ""
    step: int = 0
    finished: bool = False
    interrupted: bool = False


@dataclass
class _Heard:
    facts: dict[str, Any] = field(default_factory=dict)
    loss: str = ""  # what mpirun says of a rank
    noise: list[bytes] = field(default_factory=list)
    repeated: set[bytes] = field(default_factory=set)
    started: threading.Event = field(default_factory=threading.Event)
    failed: threading.Event = field(default_factory=threading.Event)


def run_job(
    words: Sequence[str],
    *,
    codes_are_signals: bool = False,
    on_fact: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Ending:
    """Runs a job to its end.

    The first SIGINT or SIGTERM is passed on as SIGUSR1, at which ranks finish the step, save and end; the
    second one ends them at once.

    Args:
        words: the command line of mpirun.
        codes_are_signals: where a signal has ended a rank, its number is the exit code, as MPICH has it.
        on_fact: is given what rank 0 says of itself.
    """
    heard = _Heard()
    # A group of its own: Ctrl+C comes to this process alone. It dies with this process, and ranks with it.
    job = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, FACTS: "1"},
        process_group=0,
        preexec_fn=send_at_death(signal.SIGTERM),
    )
    assert job.stderr is not None
    reader = threading.Thread(target=_read, args=(job.stderr, heard, on_fact), daemon=True)
    late = threading.Timer(START_SECONDS, _give_up, args=(job, heard))
    late.daemon = True
    threading.Thread(target=_end_after_failure, args=(job, heard), daemon=True).start()
    with _signals_to(job) as passed_on:
        reader.start()
        late.start()
        code = job.wait()
        late.cancel()
        # Whoever of its children still holds the other end has nothing to say any more.
        reader.join(1)
    if codes_are_signals and 0 < code < 32 and not heard.loss:
        heard.loss = f"a rank was killed by signal {code} ({signal.strsignal(code)})"
        code += 128
    ending = _ending(code, heard)
    ending.interrupted = bool(passed_on)
    return ending


def _ending(code: int, heard: _Heard) -> Ending:
    facts = heard.facts
    run, step = str(facts.get("run", "")), int(facts.get("step", 0))
    code = 128 - code if code < 0 else code
    if "failed" in facts:
        return Ending(int(facts["code"]) or code or LOST, str(facts["failed"]), True, run, step)
    if "ended" in facts:
        ended = int(facts["ended"])
        reason = "" if ended == code or ended else f"mpirun ended with exit code {code}"
        return Ending(ended or code, reason, False, run, step, True)
    if heard.loss:
        if "signal" in heard.loss and "signal 9 " not in heard.loss:
            _pass_on(b"".join(heard.noise))  # where in the program the rank was
        return Ending(code or LOST, heard.loss, False, run, step)
    _pass_on(b"".join(heard.noise))  # may be all that there is to know
    if code:
        return Ending(code, f"mpirun ended with exit code {code}", False, run, step)
    reason = "mpirun ended, but rank 0 has not come to its end: a machine, or the link to one, was lost"
    return Ending(LOST, reason, False, run, step)


@contextmanager
def _signals_to(job: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Passes signals on, each time a stronger one; gives the list of those that came."""
    came: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        came.append(number)
        with suppress(ProcessLookupError):
            job.send_signal((signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL)[min(len(came), 3) - 1])

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _give_up(job: subprocess.Popen[bytes], heard: _Heard) -> None:
    if not heard.started.is_set():
        heard.loss = (
            f"no rank has begun within {START_SECONDS:g} s; try `ssh HOST true` for each host: it must not "
            "ask for anything, and each must have a host name of its own"
        )
        job.terminate()


def _end_after_failure(job: subprocess.Popen[bytes], heard: _Heard) -> None:
    """mpirun may wait for a machine that does not answer any more; without it, nothing of the job stays."""
    heard.failed.wait()
    with suppress(subprocess.TimeoutExpired):
        job.wait(END_SECONDS)
    if job.poll() is None:
        job.kill()


def _read(stream: IO[bytes], heard: _Heard, on_fact: Callable[[dict[str, Any]], None]) -> None:
    """Passes on what the ranks say, and keeps for itself what is said to it."""
    block: list[bytes] | None = None
    for line in stream:
        line = line.lstrip(b"\0")  # which mpirun puts behind its messages
        text, sign, fact = line.partition(SIGN.encode())
        if sign:
            _take_fact(fact, heard, on_fact)
            line = text  # of somebody else, which got in between
        if block is not None:
            block.append(line)
            if _RULE.fullmatch(line):
                _take_block(block, heard)
                block = None
        elif _RULE.fullmatch(line):
            block = [line]
        elif _NOISE.match(line):
            heard.noise.append(line)
        elif line and line not in heard.repeated:
            _pass_on(line)
    if block is not None:
        _take_block(block, heard)


def _take_fact(text: bytes, heard: _Heard, on_fact: Callable[[dict[str, Any]], None]) -> None:
    with suppress(ValueError, TypeError):
        fact = json.loads(text)
        if "failed" in fact and "failed" in heard.facts:
            heard.repeated.add(f"ravine: error: {fact['failed']}\n".encode())
            return  # the first one is the cause
        heard.facts.update(fact)
        heard.started.set()
        if "failed" in fact:
            heard.failed.set()
        on_fact(fact)


def _take_block(block: list[bytes], heard: _Heard) -> None:
    """What mpirun says between two rules: understood, or else passed on."""
    text = b"".join(block).decode(errors="replace")
    flat = " ".join(text.split())
    if match := _KILLED.search(flat):
        heard.loss = f"rank {match['rank']} on {match['host']} was killed by {match['how']}"
    elif match := _LEFT.search(flat):
        heard.loss = f"rank {match['rank']} on {match['host']} left the job without a word"
    elif match := _LOST.search(flat):
        heard.loss = heard.loss or f"{match['host']}, or the link to it, was lost"
    elif match := _CODE.search(flat):
        heard.loss = heard.loss or f"rank {match['rank']} ended with exit code {match['code']}"
    elif not any(known in text for known in _KNOWN):
        _pass_on(b"".join(block))


def _pass_on(text: bytes) -> None:
    with suppress(OSError):
        os.write(2, text)

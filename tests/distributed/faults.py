"""Breaks one rank of a real training. The tests put this file in the way of every Python, as sitecustomize.

FAULT is JSON: the rank, and either the step from which on something happens to it (`how`), or what it has
that is unlike that of the other ranks. With `once` it happens in the first job alone.
"""

import json
import os
import sys
from pathlib import Path

fault = json.loads(os.environ.get("FAULT", "{}"))
rank = os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK"))


def happen(how: str) -> None:
    """What happens to the rank."""
    import ctypes
    import signal
    import time

    if fault.get("once"):
        done = Path("fault-done")
        if done.exists():
            return
        done.touch()
    Path("fault-time").write_text(str(time.time()))
    if how == "throw":
        raise RuntimeError("the flux capacitor\nis empty")
    if how == "refuse":
        from ravine.errors import InputError

        raise InputError("no such picture", file="b.png")
    if how == "exit":
        sys.exit(0)
    if how == "leave":
        os._exit(0)
    if how in ("kill", "stop", "segfault"):
        signals = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "segfault": signal.SIGSEGV}
        os.kill(os.getpid(), signals[how])
    if how == "hang":
        time.sleep(600)
    if how == "hang with the lock":  # no thread of Python runs any more
        ctypes.PyDLL(None).sleep(600)


if fault and rank == str(fault["rank"]):
    import ravine.cli
    from ravine import _core
    from ravine.training.loop import Loop

    if "how" in fault:
        run_steps = Loop.run_steps

        def faulty(self: Loop) -> None:
            if self.trainer.position.step >= fault["step"]:
                happen(fault["how"])
            run_steps(self)

        Loop.run_steps = faulty  # type: ignore[method-assign]
    if "words" in fault:
        ravine.cli.parser = lambda make=ravine.cli.parser: _with_words(make())  # type: ignore[assignment]
    if "version" in fault:
        _core.__version__ = fault["version"]
    if "folder" in fault:
        os.chdir(fault["folder"])


def _with_words(parser):  # type: ignore[no-untyped-def]
    """A parser that reads more than it is given."""
    parse = parser.parse_known_args
    parser.parse_known_args = lambda words: parse([*words, *fault["words"]])
    return parser

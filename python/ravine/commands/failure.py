"""How the command line fails: one line on standard error, an exit code, and JSON where that was asked for."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from contextlib import suppress

from ravine import distributed, errors
from ravine.commands.output import print_json
from ravine.errors import InputError, InternalError, NotFiniteError, RavineError

BAD_INPUT = 2
NOT_FINITE = 3
INTERNAL = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE = 141  # 128 + SIGPIPE


def report(error: BaseException, *, as_json: bool) -> int:
    """Prints an error in one line, on one of the ranks that have it; returns the exit code it stands for."""
    tells = distributed.tells(error)
    if os.environ.get("RAVINE_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        known, code = RavineError("interrupted"), INTERRUPTED
    else:
        known, code = understood(error)
    distributed.fail(error, str(known), code)
    if not tells:
        return code
    if known.ranks is None:
        known.ranks = distributed.who(error)
    # Standard error itself may be closed or full; the exit code still tells.
    with suppress(OSError, ValueError):
        print(f"ravine: error: {known}", file=sys.stderr, flush=True)
    distributed.told(str(known), code)
    if as_json:
        with suppress(OSError, ValueError):
            print_json({"error": described(known, type(known).__name__, code)})
    return code


def understood(error: BaseException) -> tuple[RavineError, int]:
    """The error as one of Ravine's, with its exit code."""
    known = errors.known(error)
    if isinstance(known, InputError):
        return known, BAD_INPUT
    if isinstance(known, NotFiniteError):
        return known, NOT_FINITE
    what = error.message if isinstance(error, RavineError) else f"{type(error).__name__}: {error}"
    return InternalError(
        f"{what}; this is a fault of Ravine, please report it with {written(error)}"
    ), INTERNAL


def written(error: BaseException) -> str:
    """Writes the traceback to a file and says where."""
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="ravine-error-",
            suffix=".log",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as file:
            file.write("".join(traceback.format_exception(error)))
        return file.name
    except OSError:
        return "what RAVINE_TRACEBACK=1 shows"


def described(error: RavineError, kind: str, code: int) -> dict[str, object]:
    """The parts of an error, for JSON."""
    return {
        "type": kind,
        "message": error.message,
        "file": error.file,
        "key": error.key,
        "row": error.row,
        "layer": error.layer,
        "exit_code": code,
    }

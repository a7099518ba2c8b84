"""The command `ravine`: reads its arguments, runs one command, and turns every error into one line."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO

from ravine import distributed
from ravine.commands import COMMANDS, ON_ALL_RANKS, failure
from ravine.commands.output import notice
from ravine.errors import InputError, RavineWarning

EXAMPLES = """examples:
  ravine train digits                   train the embedded experiment
  ravine train my.toml --set seed=7     train an experiment of your own
  ravine evaluate digits                test what was trained, in runs/digits
  ravine <command> --help               more about a command
"""


class Parser(argparse.ArgumentParser):
    """Raises InputError instead of printing usage and leaving."""

    def error(self, message: str) -> NoReturn:
        if match := re.match(
            r"argument .*: invalid choice: '(.*)' \(choose from (.*)\)$", message, re.DOTALL
        ):
            given, choices = match[1], re.findall(r"[\w-]+", match[2])
            close = difflib.get_close_matches(given, choices, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"expected one of {', '.join(choices)}"
            message = f"unknown choice '{given}'; {hint}"
        elif match := re.match(r"unrecognized arguments: (-\S+)", message):
            known = [option for action in self._actions for option in action.option_strings]
            close = difflib.get_close_matches(match[1].split("=")[0], known, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"see `{self.prog} --help`"
            message = f"unknown option '{match[1]}'; {hint}"
        else:
            message = f"{message}; see `{self.prog} --help`"
        raise InputError(message)


class Version(argparse.Action):
    """Prints the version; it is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from ravine import _core

        print(f"ravine {_core.__version__}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    layout = argparse.RawDescriptionHelpFormatter
    main_parser = Parser(
        prog="ravine",
        description="Trains neural networks and looks into their optimization.",
        epilog=EXAMPLES,
        formatter_class=layout,
        allow_abbrev=False,
    )
    main_parser.add_argument("--version", action=Version, nargs=0, help="print the version")
    commands = main_parser.add_subparsers(metavar="<command>", title="commands", required=True)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=command.HELP,
            description=f"{command.HELP[0].upper()}{command.HELP[1:]}.",
            epilog=f"example:\n  {command.EXAMPLE}",
            formatter_class=layout,
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run, parser=sub, on_all_ranks=name in ON_ALL_RANKS)
    return main_parser


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Shows Ravine's warnings as its errors are shown, and those of libraries as Python does."""
    show = warnings.showwarning

    def show_in_one_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, RavineWarning):
            distributed.notes.append(str(message))
            if distributed.place().rank == 0:
                notice(f"ravine: warning: {message}")
        else:
            show(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", RavineWarning)
        warnings.showwarning = show_in_one_line
        yield


def execute(words: Sequence[str]) -> int:
    """Runs one command line; returns the exit code, or raises."""
    try:
        whole = parser()
        arguments, unknown = whole.parse_known_args(words)
        if unknown:
            arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    except SystemExit as leaving:  # --help and --version
        sys.stdout.flush()
        return int(leaving.code or 0)
    if not arguments.on_all_ranks and distributed.place().rank > 0:
        return 0  # rank 0 does it
    with warnings_in_one_line():
        code: int = arguments.run(arguments)
    sys.stdout.flush()
    return code


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    0: done; 2: bad input; 3: NaN or Inf in training; 70: a fault of Ravine; 75: a rank, or the link to one,
    was lost; 130: stopped before the end, as by Ctrl+C.

    Args:
        words: the arguments; None takes those of the process.
    """
    words = sys.argv[1:] if words is None else list(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text in any encoding
            stream.reconfigure(errors="backslashreplace")
    distributed.begin()
    try:
        return distributed.end(execute(words))
    except BrokenPipeError:
        # Who read our output has gone, as in `ravine catalog | head`; the flush at exit must not fail again.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        distributed.abort(failure.BROKEN_PIPE)
        return failure.BROKEN_PIPE
    except BaseException as error:
        code = failure.report(error, as_json="--json" in words)
        distributed.leave(error, code)
        return distributed.end(code)


if __name__ == "__main__":
    sys.exit(main())

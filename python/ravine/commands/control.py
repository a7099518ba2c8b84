"""`ravine control`: sends a command to a run that is training, in this or another terminal."""

from __future__ import annotations

import argparse
import tomllib
from typing import Any, get_args

from ravine.commands.output import print_json
from ravine.commands.run_argument import add_run, find_run
from ravine.errors import InputError

HELP = "pause, resume, stop or checkpoint a run that is training, or change a hyperparameter"
EXAMPLE = "ravine control digits set learning_rate=0.01"
ACTIONS = ("pause", "resume", "stop", "checkpoint", "step", "set")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("ACTION", choices=ACTIONS, help=", ".join(ACTIONS), metavar="ACTION")
    parser.add_argument(
        "VALUE", nargs="?", help="for set: name=value; for step: how many steps a paused run may do"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="wait so long for the answer (default: 10; 0: do not wait)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from ravine.runs import send_command, wait_for_reply
    from ravine.runs.schema import CommandKind

    payload = payload_of(arguments.ACTION, arguments.VALUE)
    folder = find_run(arguments.RUN)
    kind = next(kind for kind in get_args(CommandKind) if kind == arguments.ACTION)
    number = send_command(folder.path, kind, **payload)
    status, step, reply = "pending", None, ""
    if arguments.timeout > 0:
        command = wait_for_reply(folder.path, number, arguments.timeout)
        status, step, reply = command.status, command.taken_step, command.reply
        if status != "done":
            raise InputError(
                f"{arguments.ACTION} was {status}: {reply or 'no reason given'}", file=folder.path
            )
    if arguments.json:
        answer = {"path": folder.path, "id": number, "action": arguments.ACTION, "status": status}
        print_json({**answer, "step": step, "reply": reply})
    elif arguments.timeout > 0:
        print(f"{folder.path}: {arguments.ACTION} done after step {step:,}{': ' if reply else ''}{reply}")
    else:
        print(f"{folder.path}: {arguments.ACTION} sent")
    return 0


def payload_of(action: str, value: str | None) -> dict[str, Any]:
    """What goes with the command: the name and value of `set`, the count of `step`."""
    if action == "set":
        name, equals, text = (value or "").partition("=")
        if not name or not equals:
            raise InputError("set needs name=value, such as learning_rate=0.01")
        return {"name": name.strip(), "value": toml_value(text.strip())}
    if action == "step" and value is not None:
        if not value.isdecimal():
            raise InputError(f"step needs a whole number, got '{value}'")
        return {"count": int(value)}
    if value is not None:
        raise InputError(f"{action} takes no value, got '{value}'")
    return {}


def toml_value(text: str) -> Any:
    """A value as the experiment file writes it; what is no TOML is text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

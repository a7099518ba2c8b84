"""`ravine catalog`: what networks and optimizers can be made of."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

from ravine.commands.output import print_json, table
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine._core import Entry, Parameter

HELP = (
    "list layers, blocks, activations, losses, initializers, calibration, optimizers, schedules and "
    "regularization, with settings"
)
EXAMPLE = "ravine catalog optimizer adam"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = "layer, block, activation, loss, initializer, calibration, optimizer, schedule or regularization"
    parser.add_argument("KIND", nargs="?", help=kinds)
    parser.add_argument("NAME", nargs="?", help="one entry, in detail")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    entries = chosen(arguments.KIND, arguments.NAME)
    if arguments.json:
        print_json({"entries": [described(entry) for entry in entries]})
    elif arguments.NAME or (arguments.KIND and len(entries) == 1):
        print("\n\n".join(detail(entry) for entry in entries))
    else:
        print(overview(entries))
    return 0


def chosen(kind: str | None, name: str | None) -> list[Entry]:
    """The entries of a kind and a name; a single word may be either, and a kind may be in the plural."""
    from ravine import _core

    entries = _core.catalog()
    if kind is None:
        return entries
    kinds = list(dict.fromkeys(entry.kind for entry in entries))
    singular = kind[:-1] if kind.endswith("s") and kind[:-1] in kinds else kind
    singular = "loss" if kind == "losses" else singular
    if singular not in kinds:
        found = [entry for entry in entries if entry.name == kind]
        if found and name is None:
            return found
        words = kinds if name is not None else [*kinds, *[entry.name for entry in entries]]
        what = "kind" if name is not None else "kind or entry"
        raise InputError(f"unknown {what} '{kind}'; {hint(kind, words, kinds)}")
    entries = [entry for entry in entries if entry.kind == singular]
    if name is None:
        return entries
    names = [entry.name for entry in entries]
    if name not in names:
        raise InputError(f"unknown {singular} '{name}'; {hint(name, names, names)}")
    return [entry for entry in entries if entry.name == name]


def hint(word: str, candidates: list[str], expected: list[str]) -> str:
    from ravine import _core

    close = _core.closest(word, candidates)
    return f"did you mean '{close}'?" if close else f"expected one of {', '.join(expected)}"


def overview(entries: list[Entry]) -> str:
    """A table for each kind."""
    parts = []
    for kind in dict.fromkeys(entry.kind for entry in entries):
        rows = [
            [entry.name, entry.formula, ", ".join(each.name for each in entry.parameters)]
            for entry in entries
            if entry.kind == kind
        ]
        parts.append(table([kind, "formula", "settings"], rows))
    return "\n\n".join([*parts, "more: ravine catalog KIND NAME"])


def default_text(parameter: Parameter) -> str:
    value = parameter.default
    if isinstance(value, dict):
        return str(value["type"])
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def detail(entry: Entry) -> str:
    lines = [f"{entry.kind} {entry.name}", f"  {entry.summary}", f"  formula    {entry.formula}"]
    for label, text in (
        ("without it", entry.without),
        ("lectures", entry.slides),
        ("erratum", entry.erratum),
        ("reference", entry.reference),
    ):
        if text:
            lines += textwrap.wrap(
                text, 108, initial_indent=f"  {label:<11}", subsequent_indent=" " * 13, break_long_words=False
            )
    if entry.full_batch:
        lines.append("  wants the gradient of all samples: warns if the batch size is smaller")
    if entry.closure:
        lines.append(
            "  wants the loss of all samples, at several points a step: refuses a smaller batch size"
        )
    if entry.robbins_monro:
        lines.append(f"  satisfies Robbins and Monro's conditions: {entry.robbins_monro}")
    if entry.parameters:
        rows = [
            [
                each.name,
                each.type,
                "required" if each.required else default_text(each),
                allowed(each),
                each.help + (f" [{each.unit}]" if each.unit else ""),
            ]
            for each in entry.parameters
        ]
        text = table(["setting", "type", "default", "allowed", "meaning"], rows)
        lines += ["", *[f"  {line}" for line in text.splitlines()]]
    lines += ["", *[f"  {line}" for line in entry.example.splitlines()]]
    return "\n".join(lines)


def allowed(parameter: Parameter) -> str:
    if parameter.type == "numbers":
        return " or ".join([f"a list, each {parameter.range}", *parameter.choices])
    if parameter.type == "layers":
        return "layers"
    if parameter.choices:
        return " or ".join([*([parameter.range] if parameter.type == "real" else []), *parameter.choices])
    if parameter.component:
        return f"any {parameter.component}"
    if parameter.type == "boolean":
        return "true or false"
    return parameter.range


def described(entry: Entry) -> dict[str, Any]:
    """An entry as plain values, for JSON."""
    return {
        "kind": entry.kind,
        "name": entry.name,
        "summary": entry.summary,
        "formula": entry.formula,
        "reference": entry.reference,
        "family": entry.family,
        "without": entry.without,
        "slides": entry.slides,
        "erratum": entry.erratum or None,
        "example": entry.example,
        "robbins_monro": entry.robbins_monro or None,
        "full_batch": entry.full_batch,
        "closure": entry.closure,
        "parameters": [
            {
                "name": each.name,
                "type": each.type,
                "required": each.required,
                "default": each.default,
                "minimum": each.minimum,
                "maximum": each.maximum,
                "minimum_included": each.minimum_included,
                "maximum_included": each.maximum_included,
                "choices": list(each.choices),
                "component": each.component,
                "unit": each.unit,
                "help": each.help,
            }
            for each in entry.parameters
        ],
    }

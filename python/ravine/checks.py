"""What is wrong with an experiment's tables, with their keys and in the words of the file."""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Struct

from ravine.errors import InputError
from ravine.model import shown
from ravine.settings import Experiment


def _struct_of(annotation: Any) -> type[Struct] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Struct) else None


def _tagged(annotation: Any) -> dict[str, type[Struct]]:
    """Of a union of tables that a "type" tells apart: the table of each type."""
    members = [struct for one in typing.get_args(annotation) if (struct := _struct_of(one))]
    return {str(member.__struct_config__.tag): member for member in members}


def _struct_for(annotation: Any, table: Mapping[str, Any], path: str) -> type[Struct]:
    """What a table is to be read as: the annotation itself, or what its "type" says.

    Raises:
        InputError: no type, or an unknown one.
    """
    struct, choices = _struct_of(annotation), _tagged(annotation)
    if struct is not None:
        return struct
    given = table.get("type")
    if given is None:
        raise InputError(f"is missing; choose from {', '.join(choices)}", key=f"{path}.type")
    if not isinstance(given, str) or given not in choices:
        near = difflib.get_close_matches(str(given), choices, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(choices)}"
        raise InputError(f"unknown type {named(given)}; {hint}", key=f"{path}.type")
    return choices[given]


def check_keys(kind: type[Struct], table: Mapping[str, Any], path: str = "") -> None:
    """Raises InputError for unknown and missing keys, with the key that may have been meant."""
    hints = typing.get_type_hints(kind)
    tag = kind.__struct_config__.tag_field
    for key, value in table.items():
        where = f"{path}.{shown(key)}" if path else shown(key)
        if key == tag:
            continue
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(hints)}"
            raise InputError(f"unknown key; {hint}", key=where)
        section = _struct_of(hints[key])
        if section is not None:
            if not isinstance(value, Mapping):
                raise InputError(f"expected a table [{where}], got {named(value)}", key=where)
            check_keys(section, value, where)
        for element in typing.get_args(hints[key]):
            if not isinstance(value, list) or not (_struct_of(element) or _tagged(element)):
                continue
            for index, one in enumerate(value):
                if not isinstance(one, Mapping):
                    raise InputError(f"expected a table, got {named(one)}", key=f"{where}.{index}")
                check_keys(_struct_for(element, one, f"{where}.{index}"), one, f"{where}.{index}")
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in table:
            where = f"{path}.{field.name}" if path else field.name
            raise InputError("is missing; the experiment needs it", key=where)


_NAMES: dict[type, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number",
    list: "a list", dict: "a table", types.NoneType: "nothing",
}  # fmt: skip


def named(value: object) -> str:
    """A value as a message shows it: itself where it is short, or else what it is.

    Example:
        >>> named(0.5), named([1, 2])
        ('0.5', 'a list')
    """
    return f"{value!r}" if isinstance(value, (str, int, float)) else _NAMES.get(type(value), "something else")


def explained(
    error: msgspec.ValidationError, table: Mapping[str, Any], kind: type[Struct] = Experiment
) -> InputError:
    """msgspec's message about a table of a kind as an error with a dotted key, in the words of the file."""
    text, _, path = str(error).partition(" - at `$")
    key = re.sub(r"\[(\d+)\]", r".\1", path.rstrip("`")).lstrip(".")
    field = re.match(r"`(\w+)` ", text)
    if field and key and field.group(1) != "split":
        key = f"{key}.{field.group(1)}"
    if text.startswith("Invalid enum value"):
        given = text.removeprefix("Invalid enum value ")
        text = f"unknown value {given}; choose from {', '.join(_choices(key, table, kind))}"
    words = {
        "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false",
        "object": "a table", "array": "a list",
    }  # fmt: skip

    def in_words(types: re.Match[str]) -> str:
        found = [words.get(one) for one in types[1].split(" | ")]
        if not all(found):
            return types[0]  # the name of a field
        choices = _choices(key, table, kind) if "str" in types[1] and len(found) > 1 else []
        text_is = " or ".join(map(repr, choices[:1])) or words["str"]
        return " or ".join(text_is if one == words["str"] else str(one) for one in found)

    text = re.sub(r"`(\w+(?: \| \w+)*)`", in_words, text).replace("Expected", "expected")
    if re.search("[<>]=? ", text) and ", got " not in text:
        text += f", got {named(_at(key, table))}"
    return InputError(text, key=key or None)


def _at(key: str, table: Any) -> object:
    """What stands under a dotted key; None if nothing does."""
    for part in key.split("."):
        try:
            table = table[int(part) if isinstance(table, list) else part]
        except (LookupError, TypeError, ValueError):
            return None
    return table


def _choices(key: str, table: Any, kind: Any) -> list[str]:
    """The words that a setting of a table of a kind may be, and in words what else."""
    try:
        for part in key.split("."):
            table = table[int(part) if isinstance(table, list) else part]
            if part.isdecimal():
                element = typing.get_args(kind)[0]
                kind = _struct_for(element, table, key) if isinstance(table, Mapping) else element
            else:
                kind = typing.get_type_hints(kind, include_extras=True)[part]
    except (TypeError, LookupError):  # within a table whose keys are free
        return []
    either = [kind, *typing.get_args(kind)]
    words = [
        str(word) for one in either if typing.get_origin(one) is Literal for word in typing.get_args(one)
    ]
    if len(words) != 1:
        return words
    return words + [_NAMES[one] for one in (bool, int) if one in either or _bounded(one, either)]


def _bounded(kind: type, either: list[Any]) -> bool:
    """Whether a type is there with a range."""
    return any(typing.get_origin(one) is Annotated and typing.get_args(one)[0] is kind for one in either)

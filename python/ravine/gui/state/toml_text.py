"""The text of an experiment after an edit: comments and layout stay where nothing changes."""

from __future__ import annotations

import tomllib
from typing import Any

import tomli_w
import tomlkit
from tomlkit.container import Container
from tomlkit.items import AoT, Array, InlineTable, Item, Table

WIDEST = 100  # characters of an array in one line

Place = Container | Table | InlineTable


def edited(text: str, wanted: dict[str, Any]) -> str:
    """A text that says what is wanted, with the comments of the text that it was before.

    A text without comments is written anew, which takes a tenth of the time.

    Args:
        text: TOML, before the edit.
        wanted: the table after it.

    Raises:
        TypeError, ValueError: a value that TOML has no word for.

    Example:
        >>> edited("epochs = 3  # short\\n", {"epochs": 4})
        'epochs = 4  # short\\n'
    """
    plain = tomli_w.dumps(wanted)
    if "#" not in text:
        return plain
    try:
        document = tomlkit.parse(text)
        _change_table(document, wanted, at_top=True)
        found = tomlkit.dumps(document)
        return found if _same(tomllib.loads(found), wanted) else plain
    except Exception:  # whatever the library does not manage costs the comments, never the edit
        return plain


def _change_table(place: Place, wanted: dict[str, Any], *, at_top: bool = False) -> None:
    for key in [key for key in place if key not in wanted]:
        del place[key]
    for key, value in wanted.items():
        if key not in place:
            place[key] = _section(value) if at_top else _inline(value)
            continue
        before = place[key]
        if isinstance(value, dict) and isinstance(before, (Table, InlineTable)):
            _change_table(before, value)
        elif isinstance(value, list) and isinstance(before, (Array, AoT)) and value:
            _change_list(before, value)
        elif not _same(_plain(before), value):
            place[key] = _inline(value)


def _change_list(place: Array | AoT, wanted: list[Any]) -> None:
    """Changes what lies between the elements that are alike at both ends."""
    before = [_plain(one) for one in place]
    first = 0
    while first < min(len(before), len(wanted)) and _same(before[first], wanted[first]):
        first += 1
    last = 0
    while last < min(len(before), len(wanted)) - first and _same(before[-1 - last], wanted[-1 - last]):
        last += 1
    ends = (len(before) - last, len(wanted) - last)
    for index in range(first, min(ends)):
        inner, value = place[index], wanted[index]
        if isinstance(inner, (Table, InlineTable)) and isinstance(value, dict):
            _change_table(inner, value)
        elif isinstance(inner, Array) and isinstance(value, list) and value:
            _change_list(inner, value)
        elif not _same(before[index], value):
            place[index] = _inline(value)
    for index in reversed(range(ends[1], ends[0])):
        del place[index]
    for index in range(ends[0], ends[1]):
        if isinstance(place, AoT):
            place.insert(index, _table(wanted[index]))
        else:
            place.insert(index, _inline(wanted[index]))


def _section(value: Any) -> Item:
    """A value that is new at the top: tables get sections of their own, which come last."""
    if isinstance(value, dict):
        return _table(value)
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        sections = tomlkit.aot()
        for one in value:
            sections.append(_table(one))
        return sections
    return _inline(value)


def _table(value: dict[str, Any]) -> Table:
    table = tomlkit.table()
    for key, inner in value.items():
        table[key] = _inline(inner)
    return table


def _inline(value: Any) -> Item:
    """A value in the place of another, or within a table."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for key, inner in value.items():
            table[key] = _inline(inner)
        return table
    if isinstance(value, list):
        array: Array = tomlkit.array()
        for inner in value:
            array.append(_inline(inner))
        array.multiline(len(array.as_string()) > WIDEST)
        return array
    item: Item = tomlkit.item(value)
    return item


def _plain(value: Any) -> Any:
    return value.unwrap() if isinstance(value, Item) else value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, and of the same types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (one != one and other != other)

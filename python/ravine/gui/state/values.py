"""Between values of an experiment and what stands in the boxes of a form."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

WHOLE = re.compile(r"[+-]?\d+")
# A word in double quotes, or all up to the next comma.
_ELEMENT = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)')


def parsed(text: str, kinds: tuple[str, ...], several: bool = False, one: bool = True) -> Any:
    """What a text in a form means: a value, or the text itself, which the experiment's check then refuses.

    Args:
        text: as it was typed.
        kinds: of "integer", "real" and "text", those that the value, or an element of a list, may have.
        several: a list may be meant; one in brackets always is.
        one: a single value may be meant; else what is typed without brackets is a list too.

    Example:
        >>> parsed("3", ("integer",)), parsed("many", ("integer",)), parsed("3", ("text",))
        (3, 'many', '3')
        >>> parsed("age, -1, \\"7\\"", ("text", "integer"), several=True, one=False)
        ['age', -1, '7']
        >>> parsed("[]", ("text",), several=True), parsed("224", ("integer",), several=True)
        ([], 224)
    """
    text = text.strip()
    bracketed = text.startswith("[") and text.endswith("]")
    if several and (bracketed or not one):
        inner = (text[1:-1] if bracketed else text).strip().removesuffix(",")
        return [_element(part, kinds, quotes="text" in kinds) for part in _parts(inner)] if inner else []
    return _element(text, kinds, quotes={"text", "integer"} <= {*kinds})


def _parts(text: str) -> list[str]:
    parts, place = [], 0
    while True:
        match = _ELEMENT.match(text, place)
        assert match is not None  # it matches up to the end if nothing else
        parts.append(match[1])
        place = match.end()
        if not match[0].endswith(","):
            return parts


def _element(text: str, kinds: tuple[str, ...], *, quotes: bool) -> Any:
    """One value; quotes tell a text from a number, and keep commas in it."""
    if quotes and len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return _unquoted(text)
    if {"integer", "real"} & {*kinds} and WHOLE.fullmatch(text) and len(text) < 400:
        return int(text) if "integer" in kinds else float(text)
    if "real" in kinds:
        with contextlib.suppress(ValueError):
            return float(text)
    return text


def _unquoted(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, str) else text


def shown(value: Any) -> str:
    """A value as a form shows it.

    Example:
        >>> shown(0.1), shown(True), shown([1.0, 2.0]), shown({"type": "adam"})
        ('0.1', 'true', '[1, 2]', 'adam')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_shown_element(one) for one in value)}]"
    if isinstance(value, dict):
        return str(value.get("type", "table"))
    return "" if value is None else str(value)


def written(value: Any, kinds: tuple[str, ...]) -> str:
    """A value as it is typed: what `parsed` makes the same value of.

    Example:
        >>> written("7", ("text", "integer")), written("7", ("text",)), written(["a, b"], ("text",))
        ('"7"', '7', '["a, b"]')
    """
    ambiguous = isinstance(value, str) and {"text", "integer"} <= {*kinds}
    return _shown_element(value) if ambiguous and value else shown(value)


def _shown_element(value: Any) -> str:
    """An element of a list, in quotes where it would be read as something else."""
    if isinstance(value, str) and (re.search(r'[",\[\]]|^\s|\s$|^$', value) or WHOLE.fullmatch(value)):
        return json.dumps(value, ensure_ascii=False)
    return shown(value)

"""Constructors of everything in the catalog: ``layers.Dense(100, activation="tanh")``.

The names, the settings and their defaults are the catalog's; nothing is repeated here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ravine import _core
from ravine.errors import InputError

Component = dict[str, Any]


def class_name(entry_name: str) -> str:
    """The constructor's name of a catalog entry: ``xavier_uniform`` becomes ``XavierUniform``."""
    return "".join(part.capitalize() for part in entry_name.split("_"))


def constructor(entry: _core.Entry) -> Callable[..., Component]:
    """A function that checks its arguments against a catalog entry and returns the component as a table.

    Args:
        entry: the entry.

    Example:
        >>> dense = constructor(next(e for e in _core.catalog("layer") if e.name == "dense"))
        >>> dense(10)["units"]
        10
    """
    names = [parameter.name for parameter in entry.parameters]
    extra = ["name"] if entry.kind == "layer" else []

    def construct(*positional: Any, **settings: Any) -> Component:
        if len(positional) > len(names):
            raise InputError(f"{entry.name} takes at most {len(names)} settings, got {len(positional)}")
        given = dict(zip(names, positional, strict=False))
        for key in settings:
            if key in given:
                raise InputError(f"{entry.name} got it twice", key=key)
        given.update(settings)
        own_name = given.pop("name", None) if extra else None
        component: Component = _core.resolve(entry.kind, {"type": entry.name, **given})
        if own_name is not None:
            component["name"] = own_name
        return component

    parameters = [
        inspect.Parameter(
            parameter.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if parameter.required else parameter.default,
        )
        for parameter in entry.parameters
    ]
    parameters += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in extra]
    construct.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    construct.__name__ = construct.__qualname__ = class_name(entry.name)
    construct.__doc__ = docstring(entry)
    return construct


def docstring(entry: _core.Entry) -> str:
    """The documentation of a catalog entry, as the docstring of its constructor."""
    lines = [entry.summary, "", f"    {entry.formula}"]
    if entry.parameters:
        lines += ["", "Args:"]
        for parameter in entry.parameters:
            limits = f", {parameter.range}" if parameter.type in ("real", "integer") else ""
            lines.append(f"    {parameter.name}: {parameter.help}{limits}.")
    if entry.reference:
        lines += ["", f"Source: {entry.reference}."]
    return "\n".join(lines)


def constructors(kind: str) -> dict[str, Callable[..., Component]]:
    """All constructors of one kind, by class name."""
    return {class_name(entry.name): constructor(entry) for entry in _core.catalog(kind)}

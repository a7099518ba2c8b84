"""What forms ask for: the settings of an experiment's sections and of the catalog's components."""

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ravine import _core
from ravine.commands.catalog import allowed
from ravine.data.settings import FILE_FIELDS
from ravine.settings import LARGEST, Experiment

FieldKind = Literal["integer", "real", "boolean", "choice", "text", "file", "component", "numbers", "section"]
SECTIONS = (
    "data", "model", "loss", "optimizer", "schedules", "regularization", "groups", "training", "compute",
    "statistics",
)  # fmt: skip
FILES = set(FILE_FIELDS)


@dataclass(frozen=True)
class Field:
    """One setting.

    Args:
        key: its last part.
        kind: of its value.
        default: what it is where the experiment does not say.
        required: whether the experiment has to say.
        help: what it means.
        allowed: its values, in words.
        choices: words that are taken; all there are where the kind is "choice".
        unit: of numbers.
        component: kind in the catalog.
        struct: of a section within a section.
    """

    key: str
    kind: FieldKind
    default: Any = None
    required: bool = False
    help: str = ""
    allowed: str = ""
    choices: tuple[str, ...] = ()
    unit: str = ""
    component: str = ""
    struct: type[Struct] | None = None

    @property
    def label(self) -> str:
        return self.key.replace("_", " ")


def parsed(field: Field, text: str) -> Any:
    """What a text in a form means: a value, or the text itself, which the experiment's check then refuses.

    Example:
        >>> parsed(Field("epochs", "integer"), "3"), parsed(Field("epochs", "integer"), "many")
        (3, 'many')
    """
    text = text.strip()
    if field.kind not in ("integer", "real", "numbers"):
        return text
    try:
        number = int(text)
        return float(number) if field.kind == "real" else number
    except ValueError:
        pass
    try:
        if field.kind == "numbers" and text.startswith("["):
            return [float(part) for part in text.strip("[]").split(",") if part.strip()]
        return text if field.kind == "integer" else float(text)
    except ValueError:
        return text


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
    if isinstance(value, list):
        return f"[{', '.join(shown(one) for one in value)}]"
    if isinstance(value, dict):
        return str(value.get("type", "table"))
    return "" if value is None else str(value)


@functools.cache
def section_fields(struct: type[Struct]) -> tuple[Field, ...]:
    """The fields of a section, in the order of its definition."""
    helps = argument_helps(struct)
    fields = []
    for each in msgspec.inspect.type_info(struct).fields:  # type: ignore[attr-defined]
        default = None if each.default is msgspec.NODEFAULT else each.default
        found = _field(each.name, each.type, default, each.required, helps.get(each.name, ""))
        if found is not None:
            fields.append(found)
    return tuple(fields)


def _field(name: str, kind: Any, default: Any, required: bool, text: str) -> Field | None:
    kinds = list(kind.types) if isinstance(kind, msgspec.inspect.UnionType) else [kind]
    words = tuple(
        str(value) for one in kinds if isinstance(one, msgspec.inspect.LiteralType) for value in one.values
    )
    for one in kinds:
        if isinstance(one, msgspec.inspect.StructType):
            return Field(name, "section", default, required, text, struct=one.cls)
        if isinstance(one, (msgspec.inspect.IntType, msgspec.inspect.FloatType)):
            number: FieldKind = "integer" if isinstance(one, msgspec.inspect.IntType) else "real"
            return Field(name, number, default, required, text, _limits(one, words), words)
        if isinstance(one, msgspec.inspect.BoolType):
            return Field(name, "boolean", default, required, text, "true or false")
    if words:
        return Field(name, "choice", default, required, text, " or ".join(words), words)
    if any(isinstance(one, msgspec.inspect.StrType) for one in kinds) and len(kinds) == 1:
        return Field(name, "file" if name in FILES else "text", default, required, text)
    return None  # a list of tables: the TOML view has it


def _limits(kind: Any, words: tuple[str, ...]) -> str:
    parts = []
    if kind.ge is not None:
        parts.append(f"at least {kind.ge:g}")
    if kind.gt is not None:
        parts.append(f"above {kind.gt:g}")
    if kind.le is not None and kind.le < LARGEST:
        parts.append(f"at most {kind.le:g}")
    if kind.lt is not None and kind.lt < LARGEST:
        parts.append(f"below {kind.lt:g}")
    what = "a whole number" if isinstance(kind, msgspec.inspect.IntType) else "a number"
    return " or ".join([" ".join([what, " and ".join(parts)]).strip(), *words])


def argument_helps(documented: type) -> dict[str, str]:
    """The texts of a docstring's "Args:", by name."""
    helps: dict[str, str] = {}
    match = re.search(r"^Args:\n((?:    .*\n?|\n)+)", inspect.getdoc(documented) or "", re.MULTILINE)
    names: list[str] = []
    for line in match[1].splitlines() if match else []:
        if start := re.match(r"    (\w[\w, ]*): (.*)", line):
            names = [name.strip() for name in start[1].split(",")]
            helps |= dict.fromkeys(names, start[2])
        elif line.strip():
            helps |= {name: f"{helps[name]} {line.strip()}" for name in names}
    return helps


@functools.cache
def component_names(kind: str) -> tuple[str, ...]:
    """The catalog's entries of a kind; of layers the blocks too."""
    names = [entry.name for entry in _core.catalog(kind)]
    return tuple([*names, "residual", "columns"] if kind == "layer" else names)


@functools.cache
def component_fields(kind: str, name: str) -> tuple[Field, ...]:
    """The settings of a catalog entry; none where there is no such entry."""
    kinds: dict[str, FieldKind] = {
        "real": "real", "integer": "integer", "boolean": "boolean", "choice": "choice",
        "component": "component", "numbers": "numbers",
    }  # fmt: skip
    return tuple(
        Field(
            each.name, kinds[each.type], each.default, each.required, each.help, allowed(each),
            tuple(each.choices), each.unit, each.component or "",
        )
        for entry in _core.catalog(kind)
        if entry.name == name
        for each in entry.parameters
        if each.type in kinds
    )  # fmt: skip


def component_help(kind: str, name: str) -> str:
    """What a catalog entry is, in two lines: summary and formula."""
    for entry in _core.catalog(kind):
        if entry.name == name:
            return "\n".join(part for part in (entry.summary, entry.formula) if part)
    return ""


def top_fields() -> tuple[Field, ...]:
    """Name and seed."""
    return tuple(field for field in section_fields(Experiment) if field.key in ("name", "seed"))


def section_struct(name: str) -> type[Struct] | None:
    """The struct of a section of an experiment; None where it is a component or a table of them."""
    for field in section_fields(Experiment):
        if field.key == name:
            return field.struct
    return None

"""What forms ask for: the settings of an experiment's sections and of the catalog's components."""

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ravine import _core
from ravine.commands.catalog import allowed
from ravine.data.settings import FILE_FIELDS, IMAGE_FILE_FIELDS
from ravine.data.tables.settings import CATEGORICAL, KINDS, MISSING
from ravine.gui.state.values import parsed, written
from ravine.settings import LARGEST, Experiment

FieldKind = Literal[
    "integer", "real", "text", "file", "reference", "numbers", "list", "boolean", "choice", "mapping",
    "component", "layers", "columns", "tables", "section", "device",
]  # fmt: skip
SECTIONS = (
    "data", "model", "loss", "optimizer", "schedules", "regularization", "groups", "training", "compute",
    "statistics",
)  # fmt: skip
FILES = {*FILE_FIELDS, *IMAGE_FILE_FIELDS}
# Words of tables by column, which the settings check themselves.
WORDS = {"types": KINDS, "categorical": CATEGORICAL, "missing": MISSING}
NAMES = {"": "(none)", " ": "(space)", True: "yes", False: "no"}  # of choices that cannot be read


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
        choices: words or values that are taken; all there are where the kind is "choice".
        unit: of numbers.
        component: kind in the catalog.
        struct: of a section within a section.
        elements: kinds of a value, or of the elements of a list: "integer", "real", "text".
        several: whether a list may be given; of a "mapping", whether one word for all columns may.
        entries: of "tables": what each is, by its "type", or by "" where there is one kind alone.
    """

    key: str
    kind: FieldKind
    default: Any = None
    required: bool = False
    help: str = ""
    allowed: str = ""
    choices: tuple[Any, ...] = ()
    unit: str = ""
    component: str = ""
    struct: type[Struct] | None = None
    elements: tuple[str, ...] = ()
    several: bool = False
    entries: tuple[tuple[str, type[Struct]], ...] = ()

    @property
    def label(self) -> str:
        return self.key.replace("_", " ")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What a typed text may be."""
        return self.elements or (("real",) if self.kind == "numbers" else (self.kind,))

    def parsed(self, text: str) -> Any:
        """What a typed text means, see `values.parsed`."""
        several = self.several or self.kind in ("list", "numbers")
        return parsed(text, self.kinds, several, self.kind != "list")

    def written(self, value: Any) -> str:
        """A value as it is typed."""
        return written(value, self.kinds)


def named(choice: Any) -> str:
    """What a choice is called in a form.

    Example:
        >>> named("adam"), named(True), named("")
        ('adam', 'yes', '(none)')
    """
    return str(NAMES.get(choice, choice))


@functools.cache
def section_fields(struct: type[Struct]) -> tuple[Field, ...]:
    """The fields of a section, in the order of its definition."""
    helps = argument_helps(struct)
    fields = []
    for each in msgspec.inspect.type_info(struct).fields:  # type: ignore[attr-defined]
        default = None if each.default in (msgspec.NODEFAULT, msgspec.UNSET) else each.default
        if each.default_factory is not msgspec.NODEFAULT:
            default = each.default_factory()
        fields.append(_field(each.name, each.type, default, each.required, helps.get(each.name, "")))
    return tuple(fields)


def _members(kind: Any) -> list[Any]:
    return list(kind.types) if isinstance(kind, msgspec.inspect.UnionType) else [kind]


def _field(name: str, kind: Any, default: Any, required: bool, text: str) -> Field:
    kinds = _members(kind)
    words = tuple(
        value for one in kinds if isinstance(one, msgspec.inspect.LiteralType) for value in one.values
    )
    lists = [one for one in kinds if isinstance(one, _LISTS)]
    elements = [one for each in lists for one in _members(each.item_type)]
    scalars = tuple(_SCALARS[type(one)] for one in (*kinds, *elements) if type(one) in _SCALARS)
    field = Field(name, "text", default, required, text, " or ".join(map(named, words)), words)
    for one in kinds:
        if isinstance(one, msgspec.inspect.StructType):
            return replace(field, kind="section", struct=one.cls)
    if structs := [one for one in elements if isinstance(one, msgspec.inspect.StructType)]:
        entries = tuple((str(one.tag or ""), one.cls) for one in structs)
        return replace(field, kind="tables", entries=entries)
    if any(isinstance(one, msgspec.inspect.DictType) for one in elements):
        return replace(field, kind="layers")
    for one in kinds:
        if isinstance(one, msgspec.inspect.DictType) and name not in WORDS:
            return replace(field, kind="component", component=name)
        if isinstance(one, msgspec.inspect.DictType):
            either = len(kinds) > 1
            allowed = f"{'one for all columns, or ' if either else ''}by column: {', '.join(WORDS[name])}"
            return replace(field, kind="mapping", choices=WORDS[name], several=either, allowed=allowed)
    if any(isinstance(one, msgspec.inspect.BoolType) for one in kinds):
        switch = replace(field, kind="boolean", allowed="true or false")
        choices = (*words, True, False)
        allowed = " or ".join(map(named, choices))
        return replace(field, kind="choice", choices=choices, allowed=allowed) if words else switch
    if (
        scalars
        and (number := "integer" if "integer" in scalars else "real") in scalars
        and "text" not in scalars
    ):
        limits = next(one for one in (*kinds, *elements) if _SCALARS.get(type(one)) == number)
        allowed = _limits(limits, words)
        if lists and len(kinds) == len(lists):
            return replace(
                field, kind="list", elements=tuple(dict.fromkeys(scalars)), allowed=f"a list, each {allowed}"
            )
        allowed = f"{allowed}, or a list in brackets" if lists else allowed
        single: FieldKind = "integer" if number == "integer" else "real"
        return replace(
            field, kind=single, elements=tuple(dict.fromkeys(scalars)), several=bool(lists), allowed=allowed
        )
    if words and lists:
        allowed = f"{' or '.join(map(named, words))}, or a list of names in brackets"
        return replace(field, kind="reference", elements=("text",), several=True, allowed=allowed)
    if words:
        return replace(field, kind="choice")
    if lists and len(kinds) == len(lists):
        return replace(
            field, kind="list", elements=tuple(dict.fromkeys(scalars)), allowed="a list, such as: one, two"
        )
    if "integer" in scalars:
        allowed = "a name or a position" + (", or a list of them in brackets" if lists else "")
        return replace(
            field,
            kind="reference",
            elements=tuple(dict.fromkeys(scalars)),
            several=bool(lists),
            allowed=allowed,
        )
    plain: FieldKind = "device" if name == "device" else "file" if name in FILES else "text"
    return replace(field, kind=plain, elements=("text",))


_LISTS = (msgspec.inspect.ListType, msgspec.inspect.VarTupleType)
_SCALARS: dict[type, str] = {
    msgspec.inspect.IntType: "integer", msgspec.inspect.FloatType: "real", msgspec.inspect.StrType: "text",
}  # fmt: skip


def _limits(kind: Any, words: tuple[Any, ...]) -> str:
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


def catalog(kind: str) -> list[_core.Entry]:
    """The entries of a kind; of layers the blocks too, which are made of layers."""
    return [*_core.catalog(kind), *(_core.catalog("block") if kind == "layer" else [])]


@functools.cache
def component_names(kind: str) -> tuple[str, ...]:
    """The names of the catalog's entries of a kind."""
    return tuple(entry.name for entry in catalog(kind))


@functools.cache
def component_fields(kind: str, name: str) -> tuple[Field, ...]:
    """The settings of a catalog entry; none where there is no such entry."""
    for entry in catalog(kind):
        if entry.name == name:
            own = [_component_field(name, each) for each in entry.parameters]
            return (*own, *_LAYER_FIELDS[: 1 if entry.kind == "block" else 2]) if kind == "layer" else (*own,)
    if kind == "layer" and name in component_names("activation"):  # a layer by the name of its function
        return (*component_fields("activation", name), *_LAYER_FIELDS)
    return ()


def _component_field(entry: str, each: _core.Parameter) -> Field:
    kinds: dict[str, FieldKind] = {
        "real": "real", "integer": "integer", "boolean": "boolean", "choice": "choice",
        "component": "component", "numbers": "numbers",
        "layers": "columns" if (entry, each.name) == ("columns", "columns") else "layers",
    }  # fmt: skip
    return Field(
        each.name, kinds[each.type], each.default, each.required, each.help, allowed(each),
        tuple(each.choices), each.unit, each.component or "",
    )  # fmt: skip


_LAYER_FIELDS = (
    Field("name", "text", "", help="of the layer in tables, plots and errors; made of its type without"),
    Field(
        "inputs", "list", [], help="names of the layers that it takes, instead of the one before; input is "
        "the network's own", allowed="a list of names", elements=("text",),
    ),
)  # fmt: skip


def entry_names(field: Field) -> tuple[str, ...]:
    """What can be chosen for a component, or for one of several tables."""
    return tuple(name for name, _ in field.entries) if field.entries else component_names(field.component)


def entry_fields(field: Field, name: str) -> tuple[Field, ...]:
    """The settings of what is chosen."""
    if not field.entries:
        return component_fields(field.component, name)
    struct = dict(field.entries).get(name)
    return section_fields(struct) if struct is not None else ()


def entry_help(field: Field, name: str) -> str:
    """What an entry is, in two lines: summary and formula."""
    struct = dict(field.entries).get(name)
    if struct is not None:
        return (inspect.getdoc(struct) or "").partition("\n")[0]
    for entry in catalog(field.component) if field.component else []:
        if entry.name == name:
            return "\n".join(part for part in (entry.summary, entry.formula) if part)
    return ""


def fresh(field: Field, name: str) -> Any:
    """A new entry, with something for all that is required.

    Example:
        >>> fresh(Field("type", "component", component="layer"), "dense")
        {'type': 'dense', 'units': 10}
    """
    given = {one.key: _something(one) for one in entry_fields(field, name) if one.required}
    if field.entries:
        return {**({"type": name} if name else {}), **given}
    return {"type": name, **given} if given else name


def some_activation() -> str:
    """An activation that does something, for a layer that fits into any place: the first is the identity."""
    return component_names("activation")[1]


def _something(field: Field) -> Any:
    if field.kind == "component":
        return some_activation() if field.component == "activation" else component_names(field.component)[0]
    if field.kind == "integer":
        return 10 if field.key == "units" else 1
    some: dict[str, Any] = {
        "real": 1.0, "numbers": [1.0], "layers": [some_activation()],
        "columns": [[some_activation()]] * 2, "text": "*",
        "choice": field.choices[0] if field.choices else "",
    }  # fmt: skip
    return some[field.kind]


def top_fields() -> tuple[Field, ...]:
    """Name, seed and loss."""
    return tuple(field for field in section_fields(Experiment) if field.key in ("name", "seed", "loss"))


def section_struct(name: str) -> type[Struct] | None:
    """The struct of a section of an experiment; None where it is a component or a table of them."""
    for field in section_fields(Experiment):
        if field.key == name:
            return field.struct
    return None

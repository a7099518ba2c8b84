"""Writes the typed stubs of the modules whose constructors come from the catalog, such as ravine/layers.pyi.

The catalog is compiled in, so build before. The stub of the compiled module, ravine/_core.pyi, is written by
hand; a test compares it with the module.
"""

from __future__ import annotations

import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

import ravine
from ravine import _core
from ravine.components import class_name, constructor, docstring

MODULES = {
    "activations": "activation",
    "initializers": "initializer",
    "layers": "layer",
    "losses": "loss",
    "optimizers": "optimizer",
    "schedules": "schedule",
}
TYPES = {
    "real": "float",
    "integer": "int",
    "boolean": "bool",
    "component": "Component | str",
    "numbers": "float | Sequence[float]",
}


def literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def annotation(parameter: _core.Parameter) -> str:
    words = f"Literal[{', '.join(literal(choice) for choice in parameter.choices)}]"
    if parameter.type == "choice":
        return words
    # A number that a component may stand for is given by the component's table too.
    table = " | Component" if parameter.type == "real" and parameter.choices else ""
    return TYPES[parameter.type] + (f" | {words}" if parameter.choices else "") + table


def constructor_stub(entry: _core.Entry) -> str:
    """The constructor of a catalog entry as it looks in a stub."""
    annotations = {parameter.name: annotation(parameter) for parameter in entry.parameters}
    lines = []
    for parameter in inspect.signature(constructor(entry)).parameters.values():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and "*," not in lines:
            lines.append("*,")
        default = "" if parameter.default is inspect.Parameter.empty else f" = {literal(parameter.default)}"
        lines.append(f"{parameter.name}: {annotations.get(parameter.name, 'str | None')}{default},")
    arguments = "\n" + textwrap.indent("\n".join(lines), "    ") + "\n" if lines else ""
    text = inspect.cleandoc(docstring(entry))
    if "\n" in text:
        text += "\n"
    quoted = textwrap.indent(f'{"r" if chr(92) in text else ""}"""{text}"""', "    ")
    return f"def {class_name(entry.name)}({arguments}) -> Component:\n{quoted}\n"


def module_stub(kind: str) -> str:
    """The stub of the module that holds the constructors of one kind."""
    entries = _core.catalog(kind)
    choices = any(parameter.choices for entry in entries for parameter in entry.parameters)
    numbers = any(parameter.type == "numbers" for entry in entries for parameter in entry.parameters)
    standard = ["from collections.abc import Sequence"] if numbers else []
    standard += ["from typing import Literal"] if choices else []
    imports = ["\n".join(standard) + "\n"] if standard else []
    imports.append("from ravine.components import Component\n")
    title = f'"""Constructors of the catalog, kind "{kind}". Written by `make stubs`; do not edit."""\n'
    names = sorted(class_name(entry.name) for entry in entries)
    exported = "__all__ = [\n" + "".join(f"    {literal(name)},\n" for name in names) + "]\n"
    return "\n".join([title, *imports, exported, *(constructor_stub(entry) for entry in entries)])


def stubs() -> dict[Path, str]:
    """The text of every generated stub, by its file."""
    package = Path(ravine.__file__).parent
    return {package / f"{module}.pyi": module_stub(kind) for module, kind in MODULES.items()}


if __name__ == "__main__":
    for file, text in stubs().items():
        file.write_text(text, encoding="utf-8")

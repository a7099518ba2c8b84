"""Writes docs/reference/KIND.md from the catalog: every entry with formula, parameters and sources.

python tools/generate_reference.py
"""

from __future__ import annotations

from pathlib import Path

from ravine import _core
from ravine.components import class_name

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
PLURALS = {"loss": "losses"}
KINDS = sorted({entry.kind for entry in _core.catalog()})


def page(kind: str) -> str:
    """The page of one kind as Markdown."""
    entries = _core.catalog(kind)
    lines = [
        f"# {PLURALS.get(kind, kind + 's').capitalize()}",
        "",
        f"Made from the catalog (`make stubs`); `ravine catalog {kind}` prints the same.",
    ]
    for entry in entries:
        lines += ["", f"## {entry.name}", "", entry.summary, ""]
        if entry.formula:
            lines += [f"    {entry.formula}", ""]
        lines += [f"Python: `ravine.{PLURALS.get(kind, kind + 's')}.{class_name(entry.name)}`.", ""]
        if entry.parameters:
            lines += ["| setting | default | range | meaning |", "|---|---|---|---|"]
            lines += [row(parameter) for parameter in entry.parameters]
            lines.append("")
        if entry.reference:
            lines.append(f"Source: {entry.reference}.")
        if lines[-1] == "":
            lines.pop()
    return "\n".join(lines) + "\n"


def row(parameter: _core.Parameter) -> str:
    """One setting as a row of the table."""
    default = "required" if parameter.required else f"`{parameter.default}`"
    if parameter.type in ("real", "integer"):
        allowed = parameter.range
    elif parameter.type == "choice":
        allowed = ", ".join(f"`{choice}`" for choice in parameter.choices)
    elif parameter.type == "component":
        allowed = f"any {parameter.component}"
    else:
        allowed = "true or false"
    return f"| `{parameter.name}` | {default} | {allowed} | {parameter.help} |"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        (FOLDER / f"{kind}.md").write_text(page(kind), encoding="utf-8")


if __name__ == "__main__":
    main()

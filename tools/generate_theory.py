"""Writes docs/theory/*.md: a page a family, from its template in docs/theory/templates and the catalog.

In a template the line `<!-- entries -->` becomes the family's entries of the catalog, `<!-- errata -->` what
the catalog says about the lectures' slides.

python tools/generate_theory.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from ravine import _core

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "theory"
MEASURED = "properties"  # tools/measure_properties.py writes that page
HEADER = "<!-- Made by `make stubs` from templates/{} and the catalog; do not edit. -->\n\n"


def pages() -> dict[Path, str]:
    """The text of every page, by its file."""
    templates = sorted((FOLDER / "templates").glob("*.md"))
    return {FOLDER / each.name: page(each) for each in templates if each.stem != MEASURED}


def page(template: Path) -> str:
    """A template with its marks filled in."""
    family = [entry for entry in _core.catalog() if entry.family == template.stem]
    text = template.read_text(encoding="utf-8")
    text = text.replace("<!-- entries -->\n", "\n".join(section(entry) for entry in family))
    text = text.replace("<!-- errata -->\n", errata())
    return HEADER.format(template.name) + text


def section(entry: _core.Entry) -> str:
    """One entry: formula, what goes wrong without it, settings, lectures, paper, errata, examples."""
    parts = [f"## {entry.name}", entry.summary, f"```text\n{entry.formula}\n```"]
    parts.append(f"**Without it.** {entry.without}")
    if entry.parameters:
        rows = "\n".join(row(parameter) for parameter in entry.parameters)
        parts.append(f"| setting | default | range | meaning |\n|---|---|---|---|\n{rows}")
    if entry.robbins_monro:
        parts.append(f"**Robbins and Monro's conditions.** {entry.robbins_monro.capitalize()}.")
    if entry.closure:
        parts.append(
            "**Batches.** It takes all samples at once, and evaluates their loss several times a step."
        )
    elif entry.full_batch:
        parts.append(
            "**Batches.** It wants the gradient of all samples; with smaller batches the trainer warns."
        )
    parts.append(f"**Lectures.** {entry.slides}. **Paper.** {entry.reference}.")
    if entry.erratum:
        parts.append(f"**Erratum.** {entry.erratum}")
    table = snippet(entry)
    if table:
        parts.append(f"```toml\n{tomli_w.dumps(table).strip()}\n```")
    parts.append(f"```python\n{entry.example}\n```")
    return "\n\n".join(parts) + "\n"


def row(parameter: _core.Parameter) -> str:
    """One setting as a row of a table."""
    default = "required" if parameter.required else f"`{plain(parameter.default)}`"
    if parameter.type in ("real", "integer"):
        allowed = ", ".join([parameter.range, *(f"`{choice}`" for choice in parameter.choices)])
    elif parameter.type == "choice":
        allowed = ", ".join(f"`{choice}`" for choice in parameter.choices)
    elif parameter.type == "component":
        allowed = f"any {parameter.component}"
    elif parameter.type == "numbers":
        words = [f"`{choice}`" for choice in parameter.choices]
        allowed = " or ".join([f"a list, each {parameter.range}", *words])
    elif parameter.type == "layers":
        allowed = "layers"
    else:
        allowed = "`true`, `false`"
    cells = [f"`{parameter.name}`", default, allowed, parameter.help]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def plain(value: Any) -> str:
    """A default as an experiment file writes it."""
    if isinstance(value, dict):
        return str(value["type"])
    return str(value).lower() if isinstance(value, bool) else str(value)


def snippet(entry: _core.Entry) -> dict[str, Any]:
    """What an experiment file says to use it; for regularization the template shows all of it."""
    component: dict[str, Any] = {"type": entry.name}
    for parameter in entry.parameters:
        if parameter.required:
            component[parameter.name] = sample(parameter)
    for parameter in entry.parameters[:2]:
        if parameter.type in ("real", "integer", "boolean", "choice") and not parameter.required:
            component[parameter.name] = parameter.default
    named = component if len(component) > 1 else entry.name
    match entry.kind:
        case "layer":
            return {"model": {"layers": [component]}}
        case "block":
            return {"model": {"layers": [{"type": "dense", "units": 32}, component]}}
        case "calibration":
            return {"model": {"calibrate": True, "layers": [{"type": "dense", "units": 100}]}}
        case "activation":
            return {"model": {"layers": [{"type": "dense", "units": 100, "activation": named}]}}
        case "initializer":
            return {"model": {"layers": [{"type": "dense", "units": 100, "weight_initializer": named}]}}
        case "schedule":
            return {"schedules": {"momentum" if entry.name == "counter_cycle" else "learning_rate": named}}
        case "loss" | "optimizer":
            return {entry.kind: named}
    return {}


def sample(parameter: _core.Parameter) -> Any:
    """A value for a setting that has no default."""
    if parameter.type == "numbers":
        return [30.0, 60.0]
    if parameter.type == "layers":
        layers = [{"type": "dense", "units": 32, "activation": "relu"}]
        return [layers, layers] if parameter.name == "columns" else layers
    if parameter.type == "component":
        return "relu"
    return 2 if parameter.name == "groups" else 32


def errata() -> str:
    """Every erratum of the catalog, with a link to its entry."""
    lines = [
        f"- [{entry.name}]({entry.family}.md#{entry.name}): {entry.erratum}"
        for entry in _core.catalog()
        if entry.erratum
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

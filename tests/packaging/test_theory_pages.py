"""The pages of docs/theory: current, complete, and with examples that run."""

from __future__ import annotations

import doctest
import inspect
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import ravine
from ravine import _core
from ravine.data.settings import DataSettings
from ravine.errors import InputError
from ravine.experiment import parse_experiment
from ravine.settings import ModelSettings, RegularizationSettings, TrainingSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "theory"
GENERATOR = runpy.run_path(str(ROOT / "tools" / "generate_theory.py"))
MEASURE = runpy.run_path(str(ROOT / "tools" / "measure_properties.py"))
ENTRIES = _core.catalog()
PAGES = sorted(path.name for path in FOLDER.glob("*.md"))
CITATION = r"L[0-4] '[^']+'(, '[^']+')*"
SLIDES = re.compile(rf"(extends )?{CITATION}(; {CITATION})*")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_entry_has_its_theory(entry: Any) -> None:
    """Slides by their titles, a paper, what goes wrong without it; an erratum only where there is one."""
    assert SLIDES.fullmatch(entry.slides)
    assert entry.reference
    assert "lecture L" not in entry.reference, "slides belong into `slides`"
    assert entry.without.endswith(".")
    assert not entry.erratum or entry.erratum.endswith(".")
    assert ">>> " in entry.example
    assert (FOLDER / "templates" / f"{entry.family}.md").is_file(), "it stands on no page"


@pytest.mark.parametrize(
    "slides", ["", "L5 'Adam'", "Adam", "L0 Adam", "L0 'Adam',", "L0 'Adam'; 'Adam'", "extends Adam"]
)
def test_a_wrong_citation_is_found(slides: str) -> None:
    assert not SLIDES.fullmatch(slides)


def test_pages_are_those_of_the_templates() -> None:
    assert sorted(path.name for path in (FOLDER / "templates").glob("*.md")) == PAGES


@pytest.mark.parametrize("file", sorted(GENERATOR["pages"]()), ids=lambda file: file.stem)
def test_page_is_current(file: Path) -> None:
    assert file.read_text(encoding="utf-8") == GENERATOR["pages"]()[file], "run `make stubs`"


def test_every_entry_stands_on_one_page() -> None:
    headings = [
        heading
        for page in PAGES
        if page not in ("README.md", "properties.md")
        for heading in re.findall(r"^## (\w+)$", (FOLDER / page).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(headings) == sorted(entry.name for entry in ENTRIES)


def blocks(page: str, language: str) -> list[str]:
    text = (FOLDER / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_python_examples_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        test = doctest.DocTestParser().get_doctest(block, {"np": np, "ravine": ravine}, page, page, 0)
        assert test.examples, f"no example: {block}"
        report: list[str] = []
        assert doctest.DocTestRunner().run(test, out=report.append).failed == 0, "".join(report)


@pytest.mark.parametrize("page", PAGES)
def test_experiment_snippets_are_read(page: str) -> None:
    """Each is part of an experiment that the loader accepts."""
    for block in blocks(page, "toml"):
        table = tomllib.loads(block)
        table.setdefault("optimizer", "adam" if "momentum" not in table.get("schedules", {}) else "momentum")
        table.setdefault("model", {"layers": [{"type": "dense", "units": 10}]})
        table.setdefault("data", {"source": "digits"})
        assert parse_experiment(table, ROOT).data == DataSettings(source="digits")


def test_regularization_has_the_settings_and_defaults_of_experiments() -> None:
    fields = {
        field.name: field.default
        for section in (RegularizationSettings, TrainingSettings)
        for field in msgspec.structs.fields(section)
    }
    entries = _core.catalog("regularization")
    parameters = {each.name: each.default for entry in entries for each in entry.parameters}
    assert {field.name for field in msgspec.structs.fields(RegularizationSettings)} <= set(parameters)
    assert parameters == {name: fields[name] for name in parameters}


def test_calibration_has_the_settings_and_defaults_of_what_it_describes() -> None:
    """`calibrate` of an experiment's model, and the arguments of `ravine.lsuv`."""
    (entry,) = _core.catalog("calibration")
    arguments = inspect.signature(getattr(ravine, entry.name)).parameters.values()
    wanted = {each.name: each.default for each in arguments if each.kind is each.KEYWORD_ONLY}
    fields = {field.name: field.default for field in msgspec.structs.fields(ModelSettings)}
    wanted["calibrate"] = fields["calibrate"]
    assert {each.name: each.default for each in entry.parameters} == wanted


BODIES = {"body": ["relu"], "columns": [["relu"], ["tanh"]], "shortcut": ["tanh"]}


@pytest.mark.parametrize("entry", _core.catalog("block"), ids=lambda entry: entry.name)
def test_blocks_have_the_settings_and_defaults_of_models(entry: Any) -> None:
    """What a model says it takes; defaults given are defaults left out; the choices are those taken."""

    def built(**settings: Any) -> Any:
        return ravine.Sequential({"type": entry.name, **settings}).specification([4]).layers

    with pytest.raises(InputError, match="it takes ") as raised:
        built(zzzzzz=1)
    assert set(str(raised.value).split("it takes ")[1].split(", ")) == {
        "name", *(each.name for each in entry.parameters)
    }  # fmt: skip
    required = {each.name: BODIES[each.name] for each in entry.parameters if each.required}
    plain = built(**required)
    assert plain == built(**required, **{p.name: p.default for p in entry.parameters if not p.required})
    for parameter in entry.parameters:
        for choice in parameter.choices:
            same = built(**required, **{parameter.name: choice}) == plain
            assert same == (choice == parameter.default)
        if parameter.choices:
            with pytest.raises(InputError, match=" or ".join(f"'{each}'" for each in parameter.choices)):
                built(**required, **{parameter.name: "multiply"})
        if parameter.type == "layers" and parameter.required:
            with pytest.raises(InputError, match=f"layers.0.{parameter.name}: "):
                built()


def test_links_lead_to_pages_and_entries() -> None:
    for page in PAGES:
        for target, anchor in re.findall(
            r"\]\((\w+\.md)(?:#(\w+))?\)", (FOLDER / page).read_text(encoding="utf-8")
        ):
            assert target in PAGES, f"{page}: {target}"
            if anchor:
                assert f"\n## {anchor}\n" in (FOLDER / target).read_text(encoding="utf-8"), (
                    f"{page}: {anchor}"
                )


# ---- the measured table of properties ----


def test_properties_are_those_of_the_page() -> None:
    """Every optimizer is on the page, and measuring again gives the same verdicts."""
    text = (FOLDER / "properties.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "](opt" in line
    ]
    written = {re.findall(r"\[(\w+)\]", row[0])[0]: tuple(row[1:4]) for row in rows if row[0].startswith("[")}
    measured = {each.name: each.verdicts for each in MEASURE["measure"]()}
    assert list(measured) == [entry.name for entry in _core.catalog("optimizer")]
    assert written == measured, "run `make stubs`, and see whether the page's text still holds"


def test_exponents_of_rules_that_can_be_computed_by_hand() -> None:
    """Steps of gradient descent grow with the slope; Adam's do not; none knows the unit of the weights."""
    exponent, last_step = MEASURE["exponent"], MEASURE["last_step"]
    for name, slope in (("gradient_descent", 1.0), ("sign_descent", 0.0), ("adam", 0.0)):
        steps = [last_step({"type": name}, [1.0, steepness])[1] for steepness in (1.0, 0.01)]
        assert exponent(steps[1] / steps[0], 0.01) == pytest.approx(slope, abs=1e-3)


def test_steps_off_the_saddle_are_those_of_the_recursion() -> None:
    """Gradient descent on x^2 - y^2 multiplies y by 1 + 2 eta at each step."""
    rule = {"type": "gradient_descent", "learning_rate": 0.1}
    for offset in (1e-3, 1e-6):
        expected = int(np.ceil(np.log(1 / offset) / np.log(1.2)))
        assert MEASURE["leaving"](rule, offset) == expected
        assert MEASURE["leaving_turned"](rule, offset) == expected

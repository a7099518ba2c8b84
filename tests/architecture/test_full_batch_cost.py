"""An optimizer that asks for several gradients in a step costs four places, as CONTRIBUTING.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIST, TABLE = "core/optimizers/list.h", "core/catalog/second_order.cpp"
ROW = re.compile(r'\{"(\w+)", make_(\w+)\}')
STRING = re.compile(r'R"\(.*?\)"|//[^\n]*', re.DOTALL)  # examples and comments


def faults(root: Path) -> list[str]:
    """Rules that are mentioned anywhere but in their four places, or not in one of these."""
    paths = [p for p in root.glob("core/**/*") if p.suffix in {".h", ".cpp"}]
    paths += root.glob("python/ravine/**/*.py")
    texts = {p.relative_to(root).as_posix(): STRING.sub("", p.read_text(encoding="utf-8")) for p in paths}
    found = []
    for name, function in ROW.findall(texts[LIST]):
        own = f"core/optimizers/{name}.cpp"
        mention = re.compile(rf'"{name}"|\bmake_{name}\b')
        places = {path for path, text in texts.items() if mention.search(text)}
        expected = {own, LIST, TABLE}
        found += [f"{name}: also mentioned in {path}" for path in sorted(places - expected)]
        found += [f"{name}: missing in {path}" for path in sorted(expected - places)]
        if function != name:
            found.append(f"{name}: made by make_{function}")
        if len(re.findall(rf'\{{Kind::optimizer,\s*"{name}",', texts[TABLE])) != 1:
            found.append(f"{name}: not one row in {TABLE}")
        if not (root / f"tests/reference/optimizer/{name}.py").is_file():
            found.append(f"{name}: add tests/reference/optimizer/{name}.py")
    return found


def test_cost_of_a_full_batch_rule() -> None:
    assert len(ROW.findall((ROOT / LIST).read_text())) >= 3
    assert faults(ROOT) == []


FILES = {
    LIST: 'make_sesop(const Values&);\n{"sesop", make_sesop},\n',
    TABLE: '{Kind::optimizer, "sesop", R"(example)"}\n',
    "core/optimizers/sesop.cpp": "make_sesop(const Values&) {}\n",
    "core/other.cpp": '// "sesop"\n',
    "tests/reference/optimizer/sesop.py": "",
}


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("core/other.cpp", 'if (name == "sesop")', "sesop: also mentioned in core/other.cpp"),
        ("python/ravine/a.py", 'NAME = "sesop"', "sesop: also mentioned in python/ravine/a.py"),
        ("core/optimizers/sesop.cpp", "", "sesop: missing in core/optimizers/sesop.cpp"),
        (TABLE, "", f"sesop: not one row in {TABLE}"),
        ("tests/reference/optimizer/sesop.py", None, "sesop: add tests/reference/optimizer/sesop.py"),
    ],
)
def test_a_cost_is_found(tmp_path: Path, file: str, text: str | None, fault: str) -> None:
    for name, content in {**FILES, file: text}.items():
        if content is not None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
    found = faults(tmp_path)
    assert fault in found


def test_nothing_is_found_where_all_is_well(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert faults(tmp_path) == []

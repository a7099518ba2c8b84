"""The reference pages in docs/ are those that the catalog gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("generate_reference", ROOT / "tools" / "generate_reference.py")
assert _spec is not None
assert _spec.loader is not None
generate_reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate_reference)


@pytest.mark.parametrize("kind", generate_reference.KINDS)
def test_page_is_up_to_date(kind: str) -> None:
    page = ROOT / "docs" / "reference" / f"{kind}.md"
    assert page.read_text(encoding="utf-8") == generate_reference.page(kind), "run `make stubs`"

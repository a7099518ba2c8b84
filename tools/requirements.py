"""Prints requirements of pyproject.toml, one a line, for `pip install -r`.

Usage: requirements.py [build] [run] [EXTRA ...]
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def requirements(parts: list[str]) -> list[str]:
    """The requirements of the build, of the installed package ("run") and of the named extras."""
    document = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    known = {
        "build": document["build-system"]["requires"],
        "run": project["dependencies"],
        **project["optional-dependencies"],
    }
    return [requirement for part in parts for requirement in known[part]]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))

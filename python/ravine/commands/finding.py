"""One line of `ravine doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``status`` is ok, missing (an option is not there) or broken."""

    name: str
    status: str
    detail: str
    fix: str = ""

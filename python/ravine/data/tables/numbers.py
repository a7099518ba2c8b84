"""Numbers as people write them."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,5})?|[+-]?(?:inf|infinity)", re.IGNORECASE)
_GROUPS = re.compile(r"[+-]?\d{1,3}(?:([,.' _])\d{3})(?:\1\d{3})*(?:[.,]\d*)?")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?:[T ]\d.*)?"
    r"|\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
)
LONGEST = 60


def number_of(text: str, decimal: str = ".", thousands: str = "") -> float | None:
    """The number that a text is, or None.

    Args:
        text: without spaces around it.
        decimal: the decimal point.
        thousands: what may separate thousands; empty: nothing.

    Example:
        >>> number_of("+1.5e3"), number_of("1,5", ","), number_of("1,234", ".", ","), number_of("12a")
        (1500.0, 1.5, 1234.0, None)
    """
    if len(text) > LONGEST:
        return None
    if thousands and thousands in text:
        groups = _GROUPS.fullmatch(text)
        if groups is None or groups[1] != thousands:
            return None
        text = text.replace(thousands, "")
    if decimal != ".":
        if "." in text:
            return None
        text = text.replace(decimal, ".")
    return float(text) if _NUMBER.fullmatch(text) else None


def separated_thousands(text: str) -> str | None:
    """What separates the thousands of a number that is written so, or None.

    Example:
        >>> separated_thousands("1,234,567.8"), separated_thousands("12,34")
        (',', None)
    """
    found = _GROUPS.fullmatch(text) if len(text) <= LONGEST else None
    return found[1] if found else None


def is_date(text: str) -> bool:
    """Whether a text looks like a date or a time of day.

    Example:
        >>> is_date("31/12/2024"), is_date("2024-12-31 10:00"), is_date("3-4")
        (True, True, False)
    """
    return len(text) <= LONGEST and _DATE.fullmatch(text) is not None

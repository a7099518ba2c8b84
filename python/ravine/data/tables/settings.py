"""The `[data.table]` part of an experiment: how a table is read, and what its columns are for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Reference = str | int  # a column by its name, or by its position (from 0; negative ones from the end)
Kind = Literal["number", "boolean", "category"]
KINDS: tuple[Kind, ...] = ("number", "boolean", "category")
CATEGORICAL = ("one_hot", "index")
MISSING = ("refuse", "drop", "mean", "median", "most_frequent")
OTHERS = "*"  # in settings by column: all that are not named
MISSING_VALUES = ("", "NA", "N/A", "NaN", "nan", "null", "?")


class TableSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a table is read, and what its columns are for.

    A column is named by its name or its position, from 0; -1 is the last. Without a header the positions are
    the names too.

    Args:
        target: the column to predict, or several columns of numbers.
        inputs: the columns to predict it from; empty: all others.
        drop: columns that are not to be inputs.
        names: names of the columns of a file without a header, or instead of those that it has.
        types: by column, "number", "boolean" or "category", instead of what its values look like.
        categorical: "one_hot": a 0/1 input for each category; "index": the position in the sorted list of
            categories; or a table by column, "*" for the others.
        missing: for missing values "refuse"; "drop", which leaves out their rows; or the "mean", "median" or
            "most_frequent" value of the training rows, for categories always the most frequent; or a table by
            column, "*" for the others.
        missing_values: texts that mean that a value is missing.
        unseen: categories that no training row has: "ignore", all inputs of a one_hot are 0 and an index is
            -1; or "refuse".
        category_limit: the most categories of a column that become inputs of their own.
        header: whether the first line holds names; "auto": it does where no cell of it is a number.
        delimiter: one character; empty: a tab in .tsv files, in others found among comma, semicolon, tab, |.
        decimal: the decimal point, "." or ",".
        thousands: what separates thousands in numbers; empty: nothing.
        encoding: of the text, such as "utf-8" or "latin-1"; empty: UTF-8, or what its first bytes mark.
        skip_lines: lines to leave out at the start of every file.
        comment: what lines start with that are to be left out; empty: none are.
        member: the file to read in a .tar, .tgz or .zip; empty: the only one that it holds.
        weights: a column of sample weights, at least 0.
        label_suffix: what labels may end in that does not belong to them.

    Raises:
        ValueError: a setting that cannot be (msgspec makes it a ValidationError).

    Example:
        >>> TableSettings(target="price", missing={"*": "median", "district": "most_frequent"}).header
        'auto'
    """

    target: str | int | list[Reference] = ""
    inputs: list[Reference] = []
    drop: list[Reference] = []
    names: list[str] = []
    types: dict[str, str] = {}
    categorical: str | dict[str, str] = "one_hot"
    missing: str | dict[str, str] = "refuse"
    missing_values: list[str] = field(default_factory=lambda: list(MISSING_VALUES))
    unseen: Literal["ignore", "refuse"] = "ignore"
    category_limit: Annotated[int, Meta(ge=1, le=2**20)] = 200
    header: bool | Literal["auto"] = "auto"
    delimiter: str = ""
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'", "_"] = ""
    encoding: str = ""
    skip_lines: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    comment: str = ""
    member: str = ""
    weights: Reference = ""
    label_suffix: str = ""

    def __post_init__(self) -> None:
        _check_words("types", self.types, KINDS)
        _check_words("categorical", self.categorical, CATEGORICAL)
        _check_words("missing", self.missing, MISSING)
        one = self.delimiter
        if one and (len(one) != 1 or not one.isascii() or one in '"\r\n\0'):
            raise ValueError(f'`delimiter` is {one!r}; expected one character, such as "," or ";" or "\\t"')
        if self.decimal in (self.thousands, self.delimiter):
            raise ValueError(f"`decimal` is {self.decimal!r}, which separates something else already")
        if self.thousands and self.thousands == self.delimiter:
            raise ValueError(f"`thousands` is {self.thousands!r}, which is the delimiter")
        if any(character in self.comment for character in "\r\n"):
            raise ValueError("`comment` cannot hold the end of a line")

    @property
    def targets(self) -> list[Reference]:
        """The columns to predict."""
        if isinstance(self.target, list):
            return self.target
        return [] if self.target == "" else [self.target]


def _check_words(key: str, given: str | dict[str, str], words: Iterable[str]) -> None:
    """Raise ValueError for a word that is not one of `words`."""
    known = list(words)
    for column, word in {"": given}.items() if isinstance(given, str) else given.items():
        if word not in known:
            near = difflib.get_close_matches(word, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
            of = f" of column {column!r}" if column else ""
            raise ValueError(f"`{key}`{of} is {word!r}; {hint}")

"""Tables in text files: lines of values with a character between them (CSV, RFC 4180)."""

from __future__ import annotations

import codecs
import csv
import difflib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ravine.data.tables.numbers import number_of
from ravine.data.tables.opening import Content
from ravine.data.tables.settings import TableSettings
from ravine.errors import InputError

if TYPE_CHECKING:
    import pyarrow

DELIMITERS = ",\t;|"
SEEN_BYTES, SEEN_LINES = 1 << 16, 50  # what a delimiter is found by
MOST_COLUMNS = 1 << 14
LONGEST_ROW = 1 << 26
BLOCK = 1 << 20
DICTIONARY = 4096  # texts of a column that are kept once each
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}")
_TRUE, _FALSE = ["true", "True", "TRUE"], ["false", "False", "FALSE"]
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


@dataclass(frozen=True)
class Delimited:
    """A text of which the head was read: what its columns are called, and where its rows begin.

    Args:
        name: of the file, for messages.
        data: the text in UTF-8, without comment lines.
        start: where the rows begin in it.
        names: of the columns.
        has_header: whether a line of the file gave them, or could have.
        delimiter: between the values.
        lines: the line of the file, from 1, in which a row stands, from 0; found by reading once more.
    """

    name: str
    data: bytes
    start: int
    names: tuple[str, ...]
    has_header: bool
    delimiter: str
    line: Callable[[int], int | None]


def read_head(content: Content, settings: TableSettings, inputs_alone: Sequence[str] = ()) -> Delimited:
    """Decode a text, find its delimiter and the names of its columns.

    Args:
        content: of the file.
        settings: how it is to be read.
        inputs_alone: names of the columns of a file without a header that has just so many.

    Raises:
        InputError: an encoding that is unknown or wrong, bytes of no text, nothing to read, names twice.
    """
    try:
        return _read_head(content, settings, inputs_alone)
    except InputError as error:
        raise InputError(error.message, file=content.name, key=error.key) from None


def _read_head(content: Content, settings: TableSettings, inputs_alone: Sequence[str]) -> Delimited:
    original = _utf8(content.data, settings.encoding)
    if (place := original.find(b"\0")) >= 0:
        raise InputError(
            f"line {_line_at(original, place)} holds a NUL byte: this is no text, or one in another "
            'encoding, such as data.table.encoding = "utf-16"'
        )
    if b"\r" in original and b"\n" not in original:
        original = original.replace(b"\r", b"\n")
    data, comment = original, settings.comment.encode()
    begin = 0
    for _ in range(settings.skip_lines):
        begin = _line_end(data, begin)
    if comment and comment in data:
        lines = re.compile(rb"(?m)^[ \t]*" + re.escape(comment) + rb"[^\n]*(?:\n|\Z)")
        data, begin = lines.sub(b"", data[begin:]), 0
    delimiter, width = _found_delimiter(data[begin : begin + SEEN_BYTES], content.suffix, settings.delimiter)
    cells, after = _first_row(data, begin, delimiter)
    if not cells:
        what = "holds no lines" if not original.strip() else "holds no lines but those that are left out"
        raise InputError(f"{what}; expected rows of values")
    if len(cells) > MOST_COLUMNS:
        raise InputError(
            f"has {len(cells):,} columns, more than {MOST_COLUMNS:,}; store so many as Parquet or NPY"
        )
    if len(cells) != width > 1:
        odd = _line_at(original, original.find(data[begin:after].strip()))
        hint = f", or data.table.comment = {cells[0][0]!r}" if cells[0] and not cells[0][0].isalnum() else ""
        raise InputError(
            f"line {odd} has {len(cells)} value{'s' * (len(cells) > 1)}, those below have {width}; leave it "
            f"out with data.table.skip_lines = {odd}{hint}"
        )
    has_header = _has_header(cells, settings)
    names = tuple(settings.names) or (_names(cells) if has_header else tuple(map(str, range(len(cells)))))
    if not has_header and len(cells) == len(inputs_alone):
        names = tuple(inputs_alone)
    elif len(names) != len(cells):
        raise InputError(
            f"the first row has {len(cells)} values, but {len(names)} names are given", key="data.table.names"
        )
    check_names(names)
    start = after if has_header else begin

    def line(row: int) -> int | None:
        rows = _rows(original, delimiter, settings.skip_lines, comment)
        with suppress(csv.Error, UnicodeDecodeError):
            for number, (found, _) in enumerate(rows, -int(has_header)):
                if number == row:
                    return found
        return None

    return Delimited(content.name, data, start, names, has_header, delimiter, line)


def read_rows(
    text: Delimited, columns: Sequence[str], kinds: Mapping[str, str], settings: TableSettings
) -> pyarrow.Table:
    """Read the values of some columns, each of the type that all of its values have.

    Args:
        text: what `read_head` found.
        columns: names of those to read.
        kinds: by name, "category" where values are texts even if they look like numbers.
        settings: decimal point, missing values.

    Raises:
        InputError: a row of another length than the first, with its line; or bytes that are no UTF-8.
    """
    import pyarrow
    from pyarrow import csv as arrow

    texts = pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    body = pyarrow.py_buffer(text.data).slice(text.start)
    if not body.size:
        raise InputError("holds the names of columns, but no rows", file=text.name)
    block = BLOCK
    while True:
        try:
            table = arrow.read_csv(
                pyarrow.BufferReader(body),
                arrow.ReadOptions(column_names=text.names, block_size=block),
                arrow.ParseOptions(
                    delimiter=text.delimiter,
                    newlines_in_values=b'"' in text.data,
                ),
                arrow.ConvertOptions(
                    include_columns=columns,
                    column_types={name: texts for name in columns if kinds.get(name) == "category"},
                    null_values=settings.missing_values,
                    strings_can_be_null=True,
                    true_values=_TRUE,
                    false_values=_FALSE,
                    auto_dict_encode=True,
                    auto_dict_max_cardinality=DICTIONARY,
                    decimal_point=settings.decimal,
                ),
            )
        except (pyarrow.ArrowException, ValueError, UnicodeDecodeError, MemoryError, OSError) as error:
            if "straddl" in str(error) and block < min(body.size, LONGEST_ROW):
                block = min(body.size, LONGEST_ROW)  # a row is longer than a block
                continue
            raise _explained(text, error) from None
        if any(_is_binary(column.type) for column in table.columns):
            raise _explained(text, ValueError("it holds bytes that are no text"))
        return table


def _is_binary(kind: pyarrow.DataType) -> bool:
    return "binary" in str(kind)


def check_names(names: Sequence[str], key: str | None = None) -> None:
    """Raise InputError where two columns have one name."""
    if len(set(names)) < len(names):
        name, _ = Counter(names).most_common(1)[0]
        places = [place for place, one in enumerate(names) if one == name]
        raise InputError(
            f"columns {places[0]} and {places[1]} are both called {name!r}; rename one, or give all names "
            "with data.table.names",
            key=key,
        )


def _utf8(data: bytes, encoding: str) -> bytes:
    """The text in UTF-8; text that says it is in UTF-8 is looked at where it is needed."""
    if not encoding:
        encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        codec = codecs.lookup(encoding).name
        if codec in ("utf-8", "utf-8-sig", "ascii"):
            return data.removeprefix(codecs.BOM_UTF8)
        return data.decode(codec).removeprefix("\ufeff").encode()
    except UnicodeError as error:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise InputError(
            f"line {_line_at(data, at)} is not text in {encoding!r}: {getattr(error, 'reason', error)}",
            key="data.table.encoding",
        ) from None
    except (LookupError, ValueError):
        names = ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030", "euc_jp"]
        near = difflib.get_close_matches(encoding.lower(), names, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names[:4])} and many more"
        raise InputError(f"there is no encoding {encoding!r}; {hint}", key="data.table.encoding") from None


def _wrong_encoding(text: bytes) -> InputError | None:
    """What is wrong with a text that should be in UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return InputError(
            f"line {_line_at(text, error.start)} is not text in UTF-8 (byte {text[error.start]:#04x}); "
            'name its encoding, such as data.table.encoding = "latin-1"'
        )
    return None


def _line_at(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _line_end(data: bytes, begin: int) -> int:
    found = _LINE.match(data, begin)
    return found.end() if found else begin


def _lines(data: bytes, begin: int) -> Iterator[tuple[str, int]]:
    """Lines from a place on, with the places of their ends."""
    while begin < len(data):
        end = _line_end(data, begin)
        yield data[begin:end].decode(), end
        begin = end


def _first_row(data: bytes, begin: int, delimiter: str) -> tuple[list[str], int]:
    """The cells of the first line that is not blank, and where the next begins."""
    end = begin

    def lines() -> Iterator[str]:
        nonlocal end
        for line, after in _lines(data, begin):
            end = after
            if end - begin > LONGEST_ROW:
                raise csv.Error("its first row does not end")
            yield line

    try:
        for cells in csv.reader(lines(), delimiter=delimiter):
            if len(cells) > 1 or any(map(str.strip, cells)):
                return [cell.strip() for cell in cells], end
    except UnicodeDecodeError:
        raise _wrong_encoding(data) or InputError("is not text") from None
    except csv.Error as error:
        raise InputError(f"cannot be read as a table: {error}") from None
    return [], end


def _has_header(cells: Sequence[str], settings: TableSettings) -> bool:
    """Names are no numbers; whoever gives names has a file without them."""
    if settings.header != "auto":
        return settings.header
    if settings.names:
        return [cell.lower() for cell in cells] == [name.lower() for name in settings.names]
    return all(number_of(cell, settings.decimal, settings.thousands) is None for cell in cells)


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell or f"unnamed_{place}" for place, cell in enumerate(cells))


def _found_delimiter(start: bytes, suffix: str, given: str) -> tuple[str, int]:
    """The character that cuts the first lines into the same number of values, the most if several do.

    The number comes with it where more than half of the lines have it, or else 0.
    """
    lines = start.decode("utf-8", "replace").splitlines()
    is_cut = len(start) == SEEN_BYTES
    lines = lines[:-1] if is_cut and len(lines) > 1 else lines
    best, score = given or ",", (0.0, 0)
    for delimiter in given or ("\t" if suffix == ".tsv" else DELIMITERS):
        with suppress(csv.Error):
            counts = [len(row) for row in csv.reader(lines[:SEEN_LINES], delimiter=delimiter) if row]
            widths = [count for count in counts if count > 1]
            if widths:
                common = max(set(widths), key=lambda width: (widths.count(width), width))
                found = (widths.count(common) / len(counts), common)
                if found > score:
                    best, score = delimiter, found
    return best, score[1] if score[0] > 0.5 and len(lines) > is_cut else 0


def _rows(original: bytes, delimiter: str, skipped: int, comment: bytes) -> Iterator[tuple[int, list[str]]]:
    """Each row of a text as Python's csv module reads it, with its line: slow, for messages only."""
    number = first = 0

    def lines() -> Iterator[str]:
        nonlocal number, first
        for line, _ in _lines(original, 0):
            number += 1
            if number <= skipped or (comment and line.lstrip(" \t").startswith(comment.decode())):
                continue
            first = first or number
            yield line

    for row in csv.reader(lines(), delimiter=delimiter):
        if row:
            yield first, row
        first = 0


def _explained(text: Delimited, error: Exception) -> InputError:
    """What Arrow could not read, with its line."""
    wrong = _wrong_encoding(text.data[text.start :])
    if wrong is not None:
        line = int(wrong.message.split()[1]) + _line_at(text.data, text.start) - 1
        words = re.sub(r"^line \d+", f"line {line}", wrong.message)
        return InputError(words, file=text.name, key="data.table.encoding")
    width = len(text.names)
    found = _ragged(text)
    if found is not None:
        line, row = found
        values = "value" if len(row) == 1 else "values"
        message = f"line {line} has {len(row)} {values}, expected {width}"
        return InputError(f"{message}{_hint(row, width, text.delimiter)}", file=text.name)
    words = str(error).removeprefix("CSV parse error: ").removeprefix("CSV conversion error to ")
    return InputError(f"cannot be read as a table: {words[:200]}", file=text.name)


def _ragged(text: Delimited) -> tuple[int, list[str]] | None:
    with suppress(csv.Error, UnicodeDecodeError):
        body = text.data[text.start :]
        for place, (_, row) in enumerate(_rows(body, text.delimiter, 0, b"")):
            if len(row) != len(text.names):
                line = text.line(place)
                return None if line is None else (line, row)
    return None


def _hint(row: Sequence[str], width: int, delimiter: str) -> str:
    """What may have made a row longer or shorter than the first."""
    pairs = itertools.pairwise(row)
    grouped = [
        (a, b) for a, b in pairs if _GROUPED.fullmatch(a.strip()) and re.fullmatch(r"\d{3}(\.\d+)?", b)
    ]
    if len(row) > width and delimiter == "," and grouped:
        a, b = grouped[0]
        number = f"{a.strip()},{b}"
        return f"; is {number} one number? Put it in quotes and set data.table.thousands, or remove its comma"
    if len(row) > width:
        return f'; put values that hold {delimiter!r} in quotes, as in "a{delimiter}b"'
    if len(row) == 1 and len(row[0]) > 1 and not row[0][0].isalnum():
        return f"; if it is a comment, set data.table.comment = {row[0][0]!r}"
    return "; complete the line or remove it"

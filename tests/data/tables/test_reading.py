"""Text files become the columns that pandas finds in them; bad ones become one clear line."""

from __future__ import annotations

import gzip
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from ravine.data.tables.settings import TableSettings
from ravine.data.tables.table import Table, read_table, table_of
from ravine.errors import InputError

BASE = "a,b,y\n1,2,x\n3,4,z\n"


def read(path: Path, content: str | bytes, **settings: Any) -> Table:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    chosen = TableSettings(**settings)
    return read_table(path, chosen, lambda names: (names, chosen.types))


def values(table: Table) -> dict[str, list[Any]]:
    """Columns as lists: None where missing."""
    found = {}
    for name, column in table.columns.items():
        if column.kind == "category":
            found[name] = [None if code < 0 else column.categories[code] for code in column.values]
        else:
            found[name] = [None if np.isnan(value) else value for value in column.values]
    return found


EXPECTED = {"a": [1.0, 3.0], "b": [2.0, 4.0], "y": ["x", "z"]}


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (BASE, {}),
        (BASE.replace("\n", "\r\n"), {}),
        (BASE.replace("\n", "\r"), {}),
        (BASE.rstrip("\n"), {}),
        ("\n\n" + BASE + "\n\n", {}),
        (BASE.encode("utf-8-sig"), {}),
        (BASE.encode("utf-16"), {}),
        (BASE.encode("utf-16-be"), {"encoding": "utf-16-be"}),
        (BASE.replace(",", ";"), {}),
        (BASE.replace(",", "\t"), {}),
        (BASE.replace(",", "|"), {}),
        (BASE.replace(",", ":"), {"delimiter": ":"}),
        (BASE.replace(",", " , "), {}),
        ('"a","b","y"\n"1","2","x"\n"3","4","z"\n', {}),
        ("a;b;y\n1,0;2,0;x\n3,0;4,0;z\n", {"decimal": ","}),
        ("# odd\n" + BASE + "# the end", {"comment": "#"}),
        ("a,b,y\n1,2,x\n  |between\n3,4,z\n", {"comment": "|"}),
        ("odd, line\nanother\n" + BASE, {"skip_lines": 2}),
        ("1,2,x\n3,4,z\n", {"names": ["a", "b", "y"]}),
        (BASE, {"names": ["a", "b", "y"]}),
        ("p,q,r\n1,2,x\n3,4,z\n", {"names": ["a", "b", "y"], "header": True}),
        (gzip.compress(BASE.encode()), {}),
    ],
)
def test_the_same_table(tmp_path: Path, content: str | bytes, settings: dict[str, Any]) -> None:
    assert values(read(tmp_path / "table.csv", content, **settings)) == EXPECTED


def test_without_header(tmp_path: Path) -> None:
    text = "1,2,x\n3,4,z\n"
    renamed = dict(zip("012", EXPECTED.values(), strict=True))
    assert values(read(tmp_path / "table.csv", text)) == renamed
    assert values(read(tmp_path / "table.csv", "p,q\nr,s\n", header=False))["1"] == ["q", "s"]


def archive(kind: str, files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
    else:
        with tarfile.open(fileobj=memory, mode=f"w:{kind.removeprefix('tar')}") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return memory.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "targz"])
def test_archives(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "table.bin"
    alone = archive(kind, {"folder/table.csv": BASE.encode()})
    assert values(read(path, alone)) == EXPECTED
    several = archive(kind, {"one.csv": BASE.encode(), "two.csv": b"a,b,y\n5,6,x\n7,8,y\n"})
    assert values(read(path, several, member="two.csv"))["a"] == [5, 7]
    with pytest.raises(InputError, match=r"archive of 2 files: 'one\.csv', 'two\.csv'; choose one with"):
        read(path, several)
    with pytest.raises(InputError, match=r"there is no 'three\.csv' in the archive"):
        read(path, several, member="three.csv")
    with pytest.raises(InputError, match=r"'\.\./table\.csv', a path that leads out of the archive"):
        read(path, archive(kind, {"../table.csv": BASE.encode()}))
    with pytest.raises(InputError, match="is an archive without files"):
        read(path, archive(kind, {".hidden": b""}))
    with pytest.raises(InputError, match="no archive"):
        read(path, BASE, member="table.csv")


def test_as_pandas_reads_it(tmp_path: Path) -> None:
    """Types, missing values and texts of an odd table, beside pandas."""
    random = np.random.default_rng(1)
    frame = pandas.DataFrame(
        {
            "whole": random.integers(-1000, 1000, 500),
            "float": random.normal(size=500) * 10.0 ** random.integers(-8, 8, 500),
            "truth": random.random(500) < 0.5,
            "text": random.choice(["blue", "dark red", 'say "hi"', "a,b", "two\nlines", "é"], 500),
            "gaps": np.where(random.random(500) < 0.2, np.nan, random.normal(size=500)),
            "holes": random.choice(np.array(["p", "q", None], object), 500),
        }
    )
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False, lineterminator="\r\n")
    settings = TableSettings()
    table = read_table(path, settings, lambda names: (names, {}))
    assert {name: column.kind for name, column in table.columns.items()} == {
        "whole": "number", "float": "number", "truth": "boolean",
        "text": "category", "gaps": "number", "holes": "category",
    }  # fmt: skip
    read_back = pandas.read_csv(path)
    found = values(table)
    for name in frame:
        expected = [None if pandas.isna(value) else value for value in read_back[name]]
        assert found[name] == expected, name
    # The same from the frame itself, from Parquet, from pyarrow and from a mapping.
    frame.to_parquet(tmp_path / "table.parquet")
    others = [
        read_table(tmp_path / "table.parquet", settings, lambda names: (names, {})),
        table_of(frame, settings, lambda names: (names, {})),
        table_of({name: frame[name].to_numpy() for name in frame}, settings, lambda names: (names, {})),
        table_of({name: frame[name].to_list() for name in frame}, settings, lambda names: (names, {})),
    ]
    for other in others:
        assert values(other) == values(table_of(frame, settings, lambda names: (names, {})))
        assert {n: c.kind for n, c in other.columns.items()} == {n: c.kind for n, c in table.columns.items()}


def test_types_can_be_said(tmp_path: Path) -> None:
    text = "zip,flag,n,y\n00501,1,1,x\n10001,0,2,z\n00501,,?,x\n"
    types = {"zip": "category", "flag": "boolean", "n": "category"}
    table = read(tmp_path / "table.csv", text, types=types)
    assert values(table)["zip"] == ["00501", "10001", "00501"]
    assert values(table)["flag"] == [1.0, 0.0, None]
    assert values(table)["n"] == ["1", "2", None]
    frame = pandas.DataFrame({"zip": [501, 10001], "flag": [1, 0], "n": [1.0, np.nan], "y": ["x", "z"]})
    known = table_of(frame, TableSettings(), lambda names: (names, types))
    assert values(known) == {"zip": ["501", "10001"], "flag": [1, 0], "n": ["1", None], "y": ["x", "z"]}


def test_frames_of_many_kinds() -> None:
    frame = pandas.DataFrame(
        {
            1: pandas.Series([1, None, 3], dtype="Int64"),
            "level": pandas.Categorical(["low", "high", None]),
            "grade": pandas.Categorical([2, 1, 2]),
            "text": pandas.Series(["a", None, "b"], dtype="string"),
        }
    )
    table = table_of(frame, TableSettings(), lambda names: (names, {}))
    assert values(table) == {
        "1": [1, None, 3], "level": ["low", "high", None], "grade": ["2", "1", "2"], "text": ["a", None, "b"],
    }  # fmt: skip


BAD: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "long row": ("a,b,y\n1,2,x\n\n3,4,z,7\n", {}, "line 4 has 4 values, expected 3; put values that hold"),
    "short row": ("a,b,y\n1,2,x\n3,z\n", {}, "line 3 has 2 values, expected 3; complete the line or remove"),
    "short row after lines in quotes": ('a,b,y\n1,"2\n3",x\n3,z\n', {}, "line 4 has 2 values, expected 3"),
    "short row after comments": ("#c\na,b\n1,2\n#d\n\n3\n", {"comment": "#"}, "line 6 has 1 value, exp"),
    "short row after skipped": ("x\na,b\n1,2\n3\n", {"skip_lines": 1}, "line 4 has 1 value, expected 2"),
    "thousands bare": ("a,b\n1,2\n1,234,5\n", {}, "line 3 has 3 values, expected 2; is 1,234 one number?"),
    "thousands": ('a,b\n1,"1,234"\n2,"12"\n', {}, "line 2, column 'b': '1,234' is a number with a thousands"),
    "thousands everywhere": ('a,b\n1,"1,234"\n2,"2,345"\n', {}, "set data.table.thousands = ','"),
    "decimal comma": ("a;b\n1;2,5\n2;3,5\n", {}, "line 2, column 'b': '2,5' has a decimal comma; set"),
    "decimal point": ("a;b\n1;2.5\n2;3.5\n", {"decimal": ","}, "'2.5' has a decimal point"),
    "no such encoding": (BASE, {"encoding": "utf9"}, "there is no encoding 'utf9'; did you mean 'utf-8'?"),
    "no encoding of text": (BASE, {"encoding": "zip"}, "there is no encoding 'zip'; known are utf-8, "),
    "wrong encoding": (
        "a,y\n1,x\n2,caf\xe9\n".encode("latin-1"), {},
        'line 3 is not text in UTF-8 (byte 0xe9); name its encoding, such as data.table.encoding = "latin-1"',
    ),
    "wrong encoding of names": ("\xe9,y\n1,x\n".encode("latin-1"), {}, "line 1 is not text in UTF-8"),
    "wrong wide encoding": (b"a,b\n1", {"encoding": "utf-16"}, "is not text in 'utf-16': truncated data"),
    "NUL": ("a,y\n1,x\n\0,z\n", {}, "line 3 holds a NUL byte"),
    "wide without mark": (BASE.encode("utf-16-le"), {}, 'such as data.table.encoding = "utf-16"'),
    "empty": ("", {}, "holds no lines; expected rows of values"),
    "blank": (" \n\n", {}, "holds no lines"),
    "comments alone": ("#a\n#b\n", {"comment": "#"}, "holds no lines but those that are left out"),
    "header alone": ("a,b,y\n", {}, "holds the names of columns, but no rows"),
    "one name twice": ("a,b,a\n1,2,3\n", {}, "columns 0 and 2 are both called 'a'; rename one"),
    "names": ("1,2,3\n", {"names": ["a", "b"]}, "the first row has 3 values, but 2 names are given"),
    "odd first line": ("#odd\na,b\n1,2\n3,4\n", {}, "line 1 has 1 value, those below have 2; leave it"),
    "stray text": ("a,b\n1,2\n3,unknown\n5,6\n", {}, "line 3, column 'b': 'unknown' stands among numbers;"),
    "no number": ("a,b\n1,p\n", {"types": {"b": "number"}}, "line 2, column 'b': 'p' is not a number; "),
    "no boolean": ("a,b\n1,2\n", {"types": {"b": "boolean"}}, "2 is neither true nor false"),
    "infinite": ("a,b\n1,2\n3,inf\n", {}, "line 3, column 'b': inf is infinite"),
    "date": ("a,b\n1,2024-02-03\n", {}, "line 2, column 'b': '2024-02-03' is a date or a time; make numbers"),
    "other date": ("a,b\n1,31.12.2024\n2,1.1.2025\n", {}, "column 'b': '31.12.2024' is a date or a time"),
    "time": ("a,b\n1,12:30\n", {}, "is a date or a time"),
    "no end of quotes": ('a,b,y\n1,"2,x\n3,4,z\n', {}, "line 2 has 2 values, expected 3"),
    "half a gzip": (gzip.compress(BASE.encode())[:-9], {}, "is damaged: Compressed file ended before"),
    "a bomb": (gzip.compress(b"0" * 90_000_000), {}, "unpack to more than 67,108,864, as a decompression"),
    "too many columns": (",".join("1" * 20_000), {}, "has 20,000 columns, more than 16,384"),
    "no Parquet": (b"PAR1" + bytes(100) + b"PAR1", {}, "is no Parquet file that can be read"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), {}, "holds a NUL byte"),
}  # fmt: skip


def sparse_tar(size: int) -> bytes:
    """A tar whose one file has 512 bytes of data in a hole of so many."""
    header = bytearray(tarfile.TarInfo("table.csv").tobuf(tarfile.GNU_FORMAT))
    fields = {124: b"%011o" % 512, 156: tarfile.GNUTYPE_SPARSE, 386: b"%011o" % 0, 398: b"%011o" % 512}
    for place, content in {**fields, 483: b"%011o" % size, 148: b" " * 8}.items():
        header[place : place + len(content)] = content
    header[148:156] = b"%06o\0 " % sum(header[:512])
    return bytes(header) + BASE.encode().ljust(512, b"\n") + bytes(1024)


def damaged_zip(compression: int) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as packed:
        packed.writestr("table.csv", BASE * 100)
    content = bytearray(memory.getvalue())
    content[60:80] = bytes(range(20))
    return bytes(content)


def misnamed_zip() -> bytes:
    return archive("zip", {"t\u00e4.csv": BASE.encode()}).replace("\u00e4".encode(), b"\xff\xfe")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (sparse_tar(1 << 32), "'table.csv' is a sparse file, which no table is"),
        (damaged_zip(zipfile.ZIP_DEFLATED), "is damaged: "),
        (damaged_zip(zipfile.ZIP_LZMA), "is damaged: "),
        (damaged_zip(zipfile.ZIP_BZIP2), "cannot be read: Invalid data stream"),
        (misnamed_zip(), "is damaged: 'utf-8' codec can't decode byte 0xff"),
    ],
    ids=["a hole", "deflate", "lzma", "bzip2", "name"],
)
def test_a_bad_archive(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path / "table.zip", content)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file(tmp_path: Path, name: str) -> None:
    content, settings, message = BAD[name]
    path = tmp_path / "table.csv"
    with pytest.raises(InputError) as caught:
        read(path, content, **settings)
    text = str(caught.value)
    assert message in text
    assert text.startswith(f"{path}: ")
    assert "\n" not in text


def test_a_row_longer_than_a_block(tmp_path: Path) -> None:
    long = "q" * 3_000_000
    assert values(read(tmp_path / "table.csv", f"a,b\n1,{long}\n2,r\n"))["b"] == [long, "r"]


def test_lines_in_quotes_wherever_a_block_ends(tmp_path: Path) -> None:
    cell = '"' + "a,\n" * 30 + '"'
    table = read(tmp_path / "table.csv", "a,b\n" + f"1,{cell}\n" * 30_000)
    assert len(table) == 30_000
    assert table.columns["b"].categories == (("a,\n" * 30).strip(),)


def test_numbers_far_down_are_texts(tmp_path: Path) -> None:
    """What a column is, all of its rows decide, not the first block."""
    rows = [f"{number}" for number in range(300_000)]
    rows[299_000] = "none"
    with pytest.raises(InputError, match=r"line 299002, column 'a': 'none' stands among numbers"):
        read(tmp_path / "table.csv", "a\n" + "\n".join(rows) + "\n")
    table = read(tmp_path / "table.csv", "a\n" + "\n".join(rows) + "\n", missing_values=["none"])
    assert table.columns["a"].missing.sum() == 1
    assert table.columns["a"].values[299_999] == 299_999


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r'not installed: pip install "ravine\[data\]"'):
        read(tmp_path / "table.csv", BASE)


def test_pyarrow_is_imported_by_tables_alone() -> None:
    code = "import sys, ravine, ravine.training.session; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_bad_frames() -> None:
    def refused(data: Any) -> str:
        with pytest.raises(InputError) as caught:
            table_of(data, TableSettings(), lambda names: (names, {}))
        return str(caught.value)

    assert "column 'a' has shape [2, 2], expected one value a row" in refused({"a": np.zeros((2, 2))})
    assert "row 1, column 'a': '2024-01-02 00:00:00' is a date" in refused(
        pandas.DataFrame({"a": pandas.to_datetime([None, "2024-01-02"])})
    )
    assert "holds list<" in refused({"a": [[1], [2]]})
    assert "both called 'a'" in refused(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    assert "cannot be used" in refused({"a": [1, "x"]})
    assert "cannot be used" in refused({"a": [1], "b": [1, 2]})
    assert "has no rows" in refused({"a": []})

"""Whatever a file holds, reading it ends soon, with a table or one clear line."""

from __future__ import annotations

import gzip
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.data.inspection import inspect
from ravine.data.tables.encoder import TableEncoder
from ravine.data.tables.settings import TableSettings
from ravine.data.tables.source import source_of
from ravine.errors import InputError

CELLS = st.one_of(
    st.sampled_from(
        ["", "?", "1", "-2.5", "1e999", "nan", "inf", "true", "1,234", "2020-01-01", '"', '"a\n', "\0",
         "x" * 200, "\ufeff", "٣", "0x10", "1_000", "  7 ", "'", "é", "\x1c", "9" * 30]
    ),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(repr),
)  # fmt: skip
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=5), max_size=12)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n"])


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Something like a table, or not at all."""
    delimiter, end = draw(st.sampled_from([",", ";", "\t", " "])), draw(ENDS)
    text = end.join(delimiter.join(line) for line in draw(LINES)).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.binary(max_size=6)) + text[place:]
    return gzip.compress(text) if draw(st.integers(0, 9)) == 0 else text


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "target": st.sampled_from([0, -1, "y", ["0", 1]]),
        "header": st.sampled_from([True, False, "auto"]),
        "comment": st.sampled_from(["#", "x", "é"]),
        "skip_lines": st.integers(0, 3),
        "encoding": st.sampled_from(["latin-1", "utf-16", "utf-7", "idna", "hex", "undefined", "cp037"]),
        "missing": st.sampled_from(["drop", "mean", "most_frequent"]),
        "decimal": st.just(","),
        "delimiter": st.sampled_from([";", " ", "|", "a"]),
        "types": st.dictionaries(st.sampled_from(["0", "1", "y"]), st.sampled_from(["number", "category"])),
        "categorical": st.just("index"),
    },
)


def within_two_seconds(action: Any) -> None:
    start, message = time.process_time(), ""
    try:
        action()
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    assert time.process_time() - start < 2


def examine(path: Path, chosen: TableSettings) -> None:
    samples = source_of(path, chosen)
    rows = np.arange(len(samples))
    encoder = samples.fit(rows)
    inputs = samples.inputs(encoder, rows[::-1])
    assert inputs.shape == (len(rows), len(encoder.feature_names))
    assert np.isfinite(inputs).all()
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.state())))
    np.testing.assert_array_equal(again.encode(samples.table, None), inputs[::-1])


def check(path: Path, content: bytes, chosen: dict[str, Any]) -> None:
    path.write_bytes(content)
    try:
        table = TableSettings(**{"target": -1, **chosen})
    except ValueError:
        return
    within_two_seconds(lambda: examine(path, table))
    within_two_seconds(lambda: inspect(path, table))


@given(content=texts(), chosen=SETTINGS)
@settings(max_examples=1500)
def test_texts(tmp_path_factory: pytest.TempPathFactory, content: bytes, chosen: dict[str, Any]) -> None:
    check(tmp_path_factory.getbasetemp() / "fuzz.csv", content, chosen)


@pytest.mark.soak
@given(content=texts(), chosen=SETTINGS)
@settings(max_examples=100_000)
def test_many_texts(tmp_path_factory: pytest.TempPathFactory, content: bytes, chosen: dict[str, Any]) -> None:
    check(tmp_path_factory.getbasetemp() / "fuzz.csv", content, chosen)


def parquet() -> bytes:
    memory = io.BytesIO()
    frame = pandas.DataFrame({"a": range(50), "b": ["p", None] * 25, "y": [0.5, 1.5] * 25})
    frame.to_parquet(memory)
    return memory.getvalue()


@given(data=st.data())
@settings(max_examples=500)
def test_damaged_parquet(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(parquet())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(4, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 20))
    content = bytes(whole[: len(whole) - cut])
    check(tmp_path_factory.getbasetemp() / "fuzz.parquet", content, {"missing": "most_frequent"})

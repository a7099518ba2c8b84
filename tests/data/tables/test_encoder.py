"""Columns become inputs as scikit-learn makes them, from the training rows alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas
import pytest

from ravine.data.tables.encoder import TableEncoder, needs_float64
from ravine.data.tables.settings import TableSettings
from ravine.data.tables.source import TableSource, source_of
from ravine.errors import InputError

impute = pytest.importorskip("sklearn.impute")
preprocessing = pytest.importorskip("sklearn.preprocessing")

CLASSES = ["no", "yes"]


@pytest.fixture(scope="module")
def frame() -> pandas.DataFrame:
    random = np.random.default_rng(3)
    count = 400
    numbers = np.round(random.normal(size=(count, 2)) * 3) / 2
    numbers[random.random((count, 2)) < 0.15] = np.nan
    return pandas.DataFrame(
        {
            "p": numbers[:, 0],
            "q": numbers[:, 1],
            "colour": random.choice(np.array(["red", "green", "blue", None], object), count),
            "flag": random.random(count) < 0.3,
            "town": random.choice([f"town {number}" for number in range(12)], count),
            "y": random.choice(CLASSES, count),
        }
    )


def source(frame: Any, **settings: Any) -> TableSource:
    return source_of(frame, TableSettings(target="y", **settings))


ROWS = np.random.default_rng(5).permutation(400)[:300]


@pytest.mark.parametrize("missing", ["mean", "median", "most_frequent"])
@pytest.mark.parametrize("categorical", ["one_hot", "index"])
def test_beside_scikit_learn(frame: pandas.DataFrame, missing: str, categorical: str) -> None:
    samples = source(frame, missing=missing, categorical=categorical)
    encoder = samples.fit(ROWS)
    found = samples.inputs(encoder, None)
    assert found.dtype == np.float32

    numbers = impute.SimpleImputer(strategy=missing).fit(frame[["p", "q"]].iloc[ROWS])
    texts = frame[["colour", "town"]].astype(object).where(frame[["colour", "town"]].notna(), np.nan)
    filled = impute.SimpleImputer(strategy="most_frequent").fit(texts.iloc[ROWS])
    if categorical == "one_hot":
        codes = preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    else:
        codes = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    codes.fit(filled.transform(texts.iloc[ROWS]))
    encoded = codes.transform(filled.transform(texts))
    colours = 3 if categorical == "one_hot" else 1
    expected = np.hstack(
        [
            numbers.transform(frame[["p", "q"]]),
            encoded[:, :colours],
            frame[["flag"]].to_numpy(float),
            encoded[:, colours:],
        ]
    )
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    if categorical == "one_hot":
        names = codes.get_feature_names_out(["colour", "town"]).tolist()
        assert encoder.feature_names == ("p", "q", *names[:3], "flag", *names[3:])
        assert encoder.indicators.tolist() == [False, False, *[True] * 16]
    else:
        assert encoder.feature_names == ("p", "q", "colour", "flag", "town")
        assert encoder.indicators.tolist() == [False, False, False, True, False]


def test_only_training_rows_count(frame: pandas.DataFrame) -> None:
    """Whatever stands in other rows, the encoder and the training inputs stay the same."""
    samples = source(frame, missing="mean")
    other = frame.copy()
    rest = np.setdiff1d(np.arange(400), ROWS)
    other.loc[rest, ["p", "q"]] = 1e6
    other.loc[rest, "colour"] = "violet"
    changed = source(other, missing="mean")
    encoder, again = samples.fit(ROWS), changed.fit(ROWS)
    assert encoder.state()["columns"] == again.state()["columns"]
    np.testing.assert_array_equal(samples.inputs(encoder, ROWS), changed.inputs(again, ROWS))
    unseen = changed.inputs(again, rest)
    violet = [name.startswith("colour_") for name in again.feature_names]
    assert not unseen[:, violet].any()


def test_rows_in_any_order(frame: pandas.DataFrame) -> None:
    samples = source(frame, missing="median")
    encoder = samples.fit(ROWS)
    whole = samples.inputs(encoder, None)
    order = np.random.default_rng(6).integers(0, 400, 9000)
    np.testing.assert_array_equal(samples.inputs(encoder, order), whole[order])


def test_the_state_gives_the_encoder_back(frame: pandas.DataFrame) -> None:
    samples = source(frame, missing={"p": "mean", "*": "most_frequent"}, categorical={"town": "index"})
    encoder = samples.fit(ROWS)
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.state())))
    without = frame.drop(columns="y").iloc[:, ::-1]
    np.testing.assert_array_equal(again.apply(without), samples.inputs(encoder, None))
    np.testing.assert_array_equal(
        again.apply({name: without[name].to_list() for name in without}), samples.inputs(encoder, None)
    )
    assert again.feature_names == encoder.feature_names


def damaged(state: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**state, "columns": [{**state["columns"][0], **changes}, *state["columns"][1:]]}


def test_a_damaged_state_is_refused(frame: pandas.DataFrame) -> None:
    state = source(frame, missing="mean").fit(ROWS).state()
    category = {"kind": "category", "one_hot": True}
    wrong = [
        {}, {**state, "columns": []}, {**state, "columns": 3}, {**state, "dtype": "int8"},
        {**state, "more": 1},
        damaged(state, name="q"), damaged(state, kind="date"), damaged(state, one_hot=True),
        damaged(state, fill=float("nan")), damaged(state, categories=["a"]),
        damaged(state, **category, categories=[]), damaged(state, **category, categories=["b", "a"]),
        damaged(state, **category, categories=["a"], fill=1.0),
        damaged(state, **category, categories=["a", "b"], fill=0.5),
        {**state, "settings": {"missing": "mode"}},
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(InputError):
            TableEncoder.from_state(one)


def refused(frame: Any, rows: Any = None, **settings: Any) -> str:
    try:
        samples = source(frame, **settings)
        samples.inputs(samples.fit(np.arange(len(samples)) if rows is None else rows), None)
    except InputError as error:
        return str(error)
    pytest.fail("nothing was refused")


def test_missing_is_refused_unless_told(frame: pandas.DataFrame) -> None:
    row = int(np.argmax(frame["p"].isna()))
    text = refused(frame)
    assert text.startswith(
        f"row {row}, column 'p': the value is missing ({frame['p'].isna().sum()} of 400 are)"
    )
    assert 'set data.table.missing = {"p" = ...} to "mean", "median", "most_frequent" or "drop"' in text
    text = refused(frame, missing={"p": "mean", "q": "mean"})
    assert f"row {int(np.argmax(frame['colour'].isna()))}, column 'colour'" in text
    encoder = source(frame[["flag", "town", "y"]]).fit(ROWS)
    with pytest.raises(InputError, match="row 1, column 'town': the value is missing"):
        encoder.apply({"flag": [True, False], "town": ["town 1", None]})


def test_rows_can_be_dropped(frame: pandas.DataFrame) -> None:
    samples = source(frame, missing="drop")
    kept = frame.dropna()
    assert len(samples) == len(kept)
    np.testing.assert_array_equal(samples.inputs(samples.fit(np.arange(9)), None)[:, 0], kept["p"])
    np.testing.assert_array_equal(samples.targets, (kept["y"] == "yes").astype(int))
    some = source(frame, missing={"p": "drop", "*": "most_frequent"})
    assert len(some) == frame["p"].notna().sum()
    assert "every row lacks a value" in refused(
        {"a": [None, 1.0], "b": [1.0, None], "y": ["p", "q"]}, missing="drop"
    )


def test_columns_that_cannot_be_inputs() -> None:
    labels = ["p", "q"] * 150
    nothing = {"a": [None] * 300, "b": range(300), "y": labels}
    assert refused(nothing) == "column 'a' holds no value; leave it out with data.table.drop = [\"a\"]"
    half = {"a": [1.0] * 150 + [None] * 150, "y": labels}
    assert "column 'a' holds no value in the training rows" in refused(
        half, np.arange(200, 300), missing="mean"
    )
    texts = {"a": [f"id {number}" for number in range(300)], "y": labels}
    assert "column 'a' holds 300 values that all differ, such as 'id 0'" in refused(texts)
    many = {"a": [f"id {number % 250}" for number in range(300)], "y": labels}
    text = refused(many)
    assert "column 'a' has 250 categories, such as 'id 0'" in text
    assert 'data.table.categorical = {"a" = "index"}' in text
    samples = source(many, categorical={"a": "index"})
    assert samples.inputs(samples.fit(np.arange(300)), None).shape == (300, 1)
    samples = source(many, category_limit=250)
    assert samples.inputs(samples.fit(np.arange(300)), None).shape == (300, 250)


def test_unseen_categories() -> None:
    samples = source({"a": ["p", "q", "r"], "y": [0, 1, 1]}, unseen="refuse")
    with pytest.raises(InputError, match="row 2, column 'a': 'r' is a category that no training row has"):
        samples.inputs(samples.fit(np.arange(2)), None)
    samples = source({"a": ["p", "q", "r"], "y": [0, 1, 1]}, categorical="index")
    assert samples.inputs(samples.fit(np.arange(2)), None)[:, 0].tolist() == [0, 1, -1]


def test_float64_where_float32_would_lose_differences() -> None:
    days = np.arange(100.0) / 100
    assert not needs_float64(days)
    assert needs_float64(1e6 + days)
    assert not needs_float64(np.full(9, 1e6))
    assert needs_float64(np.array([0.0, 1e300]))
    samples = source({"a": (1e8 + days).tolist(), "y": [0, 1] * 50})
    inputs = samples.inputs(samples.fit(np.arange(100)), None)
    assert inputs.dtype == np.float64
    np.testing.assert_array_equal(inputs[:, 0], 1e8 + days)


def test_a_number_beyond_float32_that_is_not_in_the_training_rows() -> None:
    table = {"p": [1.0, 2.0, -1e39], "y": ["a", "b", "a"]}
    samples = source(table)
    encoder = samples.fit(np.array([0, 1]))
    assert samples.inputs(encoder, np.array([1, 0])).dtype == np.float32
    for rows in (None, np.array([2, 0])):
        with pytest.raises(InputError, match="row 2, column 'p': -1e\\+39 is beyond the range of float32"):
            samples.inputs(encoder, rows)


def test_a_table_without_a_column(frame: pandas.DataFrame) -> None:
    encoder = source(frame, missing="mean").fit(ROWS)
    with pytest.raises(
        InputError, match="has no column 'q', 'town', which the network was trained on; it has"
    ):
        encoder.apply(frame.drop(columns=["q", "town"]))

"""Tables on the command line: looked into, trained on, evaluated and predicted for."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from ravine import load_run
from ravine.experiment import load_experiment, parse_experiment
from ravine.training.preparation import load_parts
from ravine.training.session import resume_run, train_experiment

Ravine = Callable[..., Any]
NAMES = ["alba", "nera", "rossa"]
EXPERIMENT = """
name = "cats"
loss = "softmax_cross_entropy"
data = {{ source = "table", file = "{file}", table = {{ target = "kind", missing = "median" }} }}
model = {{ layers = [{{ type = "dense", units = 3 }}] }}
optimizer = {{ type = "gradient_descent", learning_rate = 0.5 }}
training = {{ epochs = 3 }}
"""


def frame(count: int = 200) -> pandas.DataFrame:
    """Cats, whose kind follows from weight and coat."""
    random = np.random.default_rng(7)
    kind = random.integers(0, 3, count)
    weight = kind + random.normal(size=count) * 0.2
    weight[::17] = np.nan
    return pandas.DataFrame(
        {
            "weight": weight,
            "coat": random.choice(["short", "long", "none"], count),
            "indoor": random.random(count) < 0.5,
            "kind": np.array(NAMES)[kind],
        }
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cats.csv and the finished run runs/cats."""
    folder = tmp_path_factory.mktemp("tables")
    frame().to_csv(folder / "cats.csv", index=False)
    (folder / "cats.toml").write_text(EXPERIMENT.format(file="cats.csv"))
    train_experiment(load_experiment(folder / "cats.toml"), folder=folder / "run")
    return folder


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_a_network_with_more_outputs_than_classes(place: Path, ravine: Ravine) -> None:
    text = EXPERIMENT.format(file="cats.csv").replace("units = 3", "units = 5")
    (place / "wide.toml").write_text(text)
    train_experiment(load_experiment(place / "wide.toml"), folder=place / "wide")
    assert ravine("evaluate", place / "wide", "--data", place / "cats.csv", "--json").json["samples"] == 200
    predicted = rows(ravine("predict", place / "wide", place / "cats.csv").out)
    assert predicted[0][2:] == [f"probability_{name}" for name in (*NAMES, "3", "4")]
    assert {row[1] for row in predicted[1:]} <= {*NAMES, "3", "4"}


def test_data_that_changed_is_seen_as_the_training_samples_were(place: Path, ravine: Ravine) -> None:
    """What was learned comes from the checkpoint, not from what the file holds now."""
    path = place / "changing.csv"
    frame().to_csv(path, index=False)
    (place / "changing.toml").write_text(EXPERIMENT.format(file="changing.csv"))
    train_experiment(load_experiment(place / "changing.toml"), folder=place / "changing")
    frame().assign(weight=frame().weight + 1, coat="long").to_csv(path, index=False)
    again = ravine("evaluate", place / "changing", "--json")
    assert "the data has changed" in again.err
    assert (
        again.json["metrics"]
        == ravine("evaluate", place / "changing", "--data", path, "--json").json["metrics"]
    )
    frame().assign(weight="heavy").to_csv(path, index=False)
    message = ravine("evaluate", place / "changing").one_line_error()
    assert message.endswith("column 'weight' is a category, but was a number in training")
    frame().replace("alba", "grigia").to_csv(path, index=False)
    assert "has the classes grigia, nera, rossa" in ravine("evaluate", place / "changing").one_line_error()


def test_predict_and_evaluate(place: Path, ravine: Ravine) -> None:
    evaluated = ravine("evaluate", place / "run", "--data", place / "cats.csv", "--json").json
    assert evaluated["samples"] == 200
    assert evaluated["metrics"]["accuracy"] > 0.6

    run = load_run(place / "run")
    probabilities = run.predict(frame())
    accuracy = (np.array(NAMES)[probabilities.argmax(axis=1)] == frame()["kind"]).mean()
    assert evaluated["metrics"]["accuracy"] == pytest.approx(accuracy)

    # Neither the target nor the order of columns matters.
    frame().drop(columns="kind").iloc[:, ::-1].to_parquet(place / "new.parquet")
    found = rows(ravine("predict", place / "run", place / "new.parquet").out)
    assert found[0] == ["row", "class", *(f"probability_{name}" for name in NAMES)]
    np.testing.assert_allclose(np.array(found[1:])[:, 2:].astype(float), probabilities, rtol=1e-6)
    assert [row[1] for row in found[1:]] == [NAMES[place] for place in probabilities.argmax(axis=1)]
    assert run.evaluate_table(frame()) == (200, evaluated["metrics"])


def test_what_to_type_next_is_for_tables(place: Path, ravine: Ravine, tmp_path: Path) -> None:
    for words in (["train", place / "cats.toml"], ["resume", "cats", "--set", "training.epochs=4"]):
        assert "runs/cats TABLE.csv --output predictions.csv" in ravine(*words, "--quiet").out


def test_unseen_categories_are_told(place: Path, ravine: Ravine, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("weight,coat,indoor\n1,curly,true\n1,none,false\n")
    done = ravine("predict", place / "run", "new.csv")
    assert done.code == 0
    assert "warning: column 'coat' has a category that no training row has, such as 'curly'" in done.err
    assert len(rows(done.out)) == 3


def test_what_cannot_be_predicted_for(place: Path, ravine: Ravine, tmp_path: Path) -> None:
    def refused(text: str, command: str = "predict") -> str:
        (tmp_path / "bad.csv").write_text(text)
        words = [command, place / "run", *(["--data"] if command == "evaluate" else [])]
        message: str = ravine(*words, "bad.csv").one_line_error()
        return message

    assert "bad.csv: has no column 'coat', which the network was trained" in refused(
        "weight,indoor\n1,true\n"
    )
    assert "line 3, column 'weight': 'heavy' is not a number" in refused(
        "weight,coat,indoor\n1,short,true\nheavy,long,false\n"
    )
    assert "line 2, column 'kind': 'verde' is none of the classes: 'alba', 'nera', 'rossa'" in refused(
        "weight,coat,indoor,kind\n1,short,true,verde\n", "evaluate"
    )
    assert "has 3 columns, the training table 4; lacks 'kind'" in refused(
        "weight,coat,indoor\n1,short,true\n", "evaluate"
    )
    np.save(tmp_path / "rows.npy", np.zeros((2, 5)))
    assert "rows.npy" in ravine("predict", place / "run", "rows.npy").one_line_error()
    error = ravine("evaluate", place / "run", "--data", "bad.csv", "--labels", "bad.csv")
    assert "--labels: belong to arrays" in error.one_line_error()


def test_frames_in_python(place: Path, tmp_path: Path) -> None:
    """The same bits from a data frame as from the file, also across a resume."""
    experiment = load_experiment(place / "cats.toml")
    from_file = train_experiment(experiment, parent=tmp_path)
    text = (place / "cats.toml").read_text().replace('file = "cats.csv", ', "")
    without_file = parse_experiment(tomllib.loads(text), tmp_path)
    given = train_experiment(without_file, data=frame(), parent=tmp_path)
    assert given.sha256 == from_file.sha256
    resumed = resume_run(given.path, data=frame(), overrides=["training.epochs=4"])
    longer = train_experiment(load_experiment(place / "cats.toml", ["training.epochs=4"]), parent=tmp_path)
    assert resumed.sha256 == longer.sha256


@pytest.mark.parametrize("target", ["kind", "weight"])
def test_what_inspect_suggests_works(ravine: Ravine, target: str, tmp_path: Path) -> None:
    frame().assign(name=[f"cat {number}" for number in range(200)], born="2020-01-02").to_csv(
        tmp_path / "more.csv", index=False
    )
    done = ravine("data", "inspect", "more.csv", "--target", target)
    assert done.code == 0, done
    lines = done.out.splitlines()
    assert lines[0] == "more.csv: a table of 200 rows and 6 columns"
    assert all(len(line) <= 80 for line in lines[1:10])
    table = lines.index(next(line for line in lines if line.startswith(("0 ", " 0 "))))
    assert "number" in lines[table]
    assert "12" in lines[table]  # are missing
    assert "not usable: line 2, column 'born': '2020-01-02' is a date or a time" in done.out
    assert "column 'name' differs in all rows" in done.out
    section = tomllib.loads(done.out.partition("to start with:")[2])
    assert section["data"]["table"]["drop"] == ["born", "name"]
    values = target == "weight"
    layer = {"type": "dense", "units": 1 if values else 3}
    loss = "squared_error" if values else "softmax_cross_entropy"
    whole = {**section, "model": {"layers": [layer]}, "loss": loss, "optimizer": "adam"}
    parts = load_parts(parse_experiment(whole, tmp_path))
    assert parts.summary.task == ("regression" if values else "classification")
    assert parts.summary.train + parts.summary.validation + parts.summary.test == (188 if values else 200)
    assert parts.summary.validation
    assert parts.summary.test


@pytest.mark.parametrize(
    ("delimiter", "decimal", "thousands", "header"),
    [
        (";", ",", "", True),
        (";", ",", "", False),
        (";", ",", ".", True),
        (";", ",", " ", True),
        ("\t", ",", ".", True),
        (",", ".", ",", True),
        (",", ",", "", True),
        (";", ".", "'", True),
    ],
)
def test_inspect_finds_how_numbers_are_written(
    ravine: Ravine, tmp_path: Path, delimiter: str, decimal: str, thousands: str, header: bool
) -> None:
    """The section that it suggests reads the numbers that were written."""
    random = np.random.default_rng(3)
    price = (random.random(60) * (1e7 if thousands else 100)).round(2)
    area = (random.random(60) * 9).round(3)
    rooms, floor = random.integers(1, 9, (2, 60))

    def written(value: float) -> str:
        return f"{value:,}".replace(",", "t").replace(".", decimal).replace("t", thousands)

    with (tmp_path / "prices.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([["area", "rooms", "floor", "price"]] if header else [])
        columns = map(written, area), rooms, floor, map(written, price)
        writer.writerows(zip(*columns, strict=True))
    done = ravine("data", "inspect", "prices.csv", "--target", "-1")
    assert done.code == 0, done
    assert "not usable" not in done.out
    assert f"numbers are read with data.table.decimal = {decimal!r}" in done.out
    section = tomllib.loads(done.out.partition("to start with:")[2])
    table = section["data"]["table"]
    assert "drop" not in table
    assert (table.get("decimal", "."), table.get("thousands", "")) == (decimal, thousands)
    section["data"].update(preprocessing="none", split={})
    model = {"layers": [{"type": "dense", "units": 1}]}
    whole = {**section, "model": model, "loss": "squared_error", "optimizer": "adam"}
    part = load_parts(parse_experiment(whole, tmp_path)).train
    inputs = np.stack([area, rooms, floor], axis=1)
    np.testing.assert_allclose(part.prepared(0, 60, np.float64), inputs, rtol=1e-6)
    np.testing.assert_allclose(part.targets[:, 0], price, rtol=1e-6)


def test_inspect_keeps_what_was_said_of_numbers(ravine: Ravine, tmp_path: Path) -> None:
    (tmp_path / "mixed.csv").write_text("a;b;c\n1,5;1.5;1\n2,5;2.5;2\n")
    done = ravine("data", "inspect", "mixed.csv")  # no way of writing makes all of them numbers
    assert "column 'a': '1,5' has a decimal comma" in done.out
    assert "numbers are read" not in done.out
    done = ravine("data", "inspect", "mixed.csv", "--set", 'decimal=","')
    assert "column 'b': '1.5' has a decimal point" in done.out


def test_inspect_tells_what_pandas_finds(place: Path, ravine: Ravine) -> None:
    found = ravine("data", "inspect", place / "cats.csv", "--json").json
    expected = frame()
    assert (found["rows"], found["target"]) == (200, "kind")
    weight = found["columns"]["weight"]
    assert weight["missing"] == expected["weight"].isna().sum()
    assert weight["mean"] == pytest.approx(expected["weight"].mean())
    assert weight["deviation"] == pytest.approx(expected["weight"].std(ddof=0))
    assert (weight["minimum"], weight["maximum"]) == (expected["weight"].min(), expected["weight"].max())
    assert found["columns"]["coat"]["categories"] == expected["coat"].value_counts().to_dict()
    assert found["columns"]["indoor"]["type"] == "boolean"
    counts = expected["kind"].value_counts()
    assert f"the rarest '{counts.idxmin()}' with {counts.min()} rows" in found["notes"][0]


def test_inspect_arrays(ravine: Ravine, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    images, labels = random.integers(0, 256, (60, 4, 5), np.uint8), np.arange(60) % 3
    np.savez(tmp_path / "pair.npz", x=images, y=labels)
    done = ravine("data", "inspect", "pair.npz")
    assert "x      uint8  60 x 4 x 5  " in done.out
    assert f"mean {images.mean():.4g} ± {images.std():.4g}" in done.out
    assert "3: 0 33.3 %, 1 33.3 %, 2 33.3 %" in done.out
    section = tomllib.loads(done.out.partition("to start with:")[2])
    whole = {**section, "model": {"layers": ["flatten", {"type": "dense", "units": 3}]}, "optimizer": "adam"}
    assert load_parts(parse_experiment(whole, tmp_path)).summary.train == 48
    np.save(tmp_path / "one.npy", np.array([[1.0, np.nan], [2.0, 3.0]]))
    done = ravine("data", "inspect", "one.npy")
    assert "one.npy: NPY, 1 array" in done.out
    assert "1 .. 3, mean 2" in done.out
    assert "array: 1 values are not finite" in done.out


def test_inspect_what_cannot_be(ravine: Ravine, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2,3\n")
    assert "line 2 has 3 values, expected 2" in ravine("data", "inspect", "bad.csv").one_line_error()
    (tmp_path / "good.csv").write_text("a,b\n1,2\n2,1\n")
    assert "there is no column 'c'" in ravine("data", "inspect", "good.csv", "--target", "c").one_line_error()
    error = ravine("data", "inspect", "good.csv", "--set", "headr=true").one_line_error()
    assert error == "headr: unknown key; did you mean 'header'?"
    error = ravine("data", "inspect", "good.csv", "--set", "header=3").one_line_error()
    assert "expected true or false" in error
    assert "does not exist" in ravine("data", "inspect", "none.csv").one_line_error()
    (tmp_path / "cats.toml").write_text(EXPERIMENT.format(file="cats.csv"))
    error = ravine("data", "inspect", "cats.toml").one_line_error()
    assert "cats.toml: is TOML, not data; if it is an experiment, see it with: ravine describe" in error
    (tmp_path / "rows.json").write_text('[{"a": 1, "b": 2},\n {"a": 2}]\n')
    error = ravine("data", "inspect", "rows.json").one_line_error()
    assert error.endswith("rows.json: is JSON, not a table; store its rows as CSV or Parquet")
    (tmp_path / "one.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "is one picture; give the folder" in ravine("data", "inspect", "one.png").one_line_error()

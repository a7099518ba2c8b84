"""Rows of tables as samples: labels, values, weights, groups and parts; and files for validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from ravine.data.load import DataParts, load
from ravine.data.settings import DataSettings, SplitSettings
from ravine.data.tables.settings import TableSettings
from ravine.data.tables.source import TableSource, source_of
from ravine.errors import InputError

preprocessing = pytest.importorskip("sklearn.preprocessing")


def parts(folder: Path, split: dict[str, Any] | None = None, **settings: Any) -> DataParts:
    given = {"source": "table", "file": "train.csv", "preprocessing": "none"}
    of_table = settings.pop("table", {})
    return load(
        DataSettings(
            **{**given, **settings},
            table=TableSettings(**{"target": "y", **of_table}),
            split=SplitSettings(**(split or {})),
        ),
        folder,
    )


def refused(folder: Path, split: dict[str, Any] | None = None, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        parts(folder, split, **settings)
    return str(caught.value).replace(f"{folder}/", "")


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def source(data: Any, task: Any = "auto", **settings: Any) -> TableSource:
    return source_of(data, TableSettings(**{"target": "y", **settings}), task=task)


@pytest.mark.parametrize(
    "values",
    [
        ["cat", "dog", "ape", "dog"], ["Zoë", "ape", "Ape", "ape"], [3, 9, 4, 3], [-1, 1, 1, -1],
        [True, False, True, True], [2.0, 0.0, 1.0, 2.0],
    ],
)  # fmt: skip
def test_labels_as_scikit_learn_numbers_them(values: list[Any]) -> None:
    samples = source({"a": [1, 2, 3, 4], "y": values})
    encoder = preprocessing.LabelEncoder().fit(values)
    np.testing.assert_array_equal(samples.targets, encoder.transform(values))
    assert samples.targets.dtype == np.int32
    assert samples.classes == len(encoder.classes_)
    names = [str(one).lower() if isinstance(one, np.bool_) else str(one) for one in encoder.classes_]
    assert [name.removesuffix(".0") for name in names] == list(samples.class_names)


def test_what_the_task_is() -> None:
    assert source({"a": [1, 2], "y": [0.5, 1.0]}).classes == 0
    assert source({"a": [1, 2], "y": [0, 1]}).classes == 2
    assert source({"a": range(200), "y": range(200)}).classes == 0
    assert source({"a": range(200), "y": range(200)}, "classification").classes == 200
    values = source({"a": [1, 2], "y": [0, 1]}, "regression")
    assert (values.classes, values.targets.dtype, values.targets.tolist()) == (0, np.float64, [[0], [1]])
    two = source({"a": [1, 2], "y": [0.0, 1.0], "z": [5.0, 6.0]}, target=["z", "y"])
    assert two.targets.tolist() == [[5, 0], [6, 1]]


def test_columns_that_are_no_inputs(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", "a,w,g,s,b,y\n1,2,p,train,5,0\n2,1,q,test,6,1\n3,0.5,p,Train,7,1\n")
    loaded = parts(tmp_path, {"column": "s"}, table={"weights": "w", "drop": ["b", "g"]})
    assert loaded.train.inputs.tolist() == [[1], [3]]
    assert loaded.train.weights is not None
    assert loaded.train.weights.tolist() == [2, 0.5]
    assert loaded.test is not None
    assert loaded.test.inputs.tolist() == [[2]]
    assert loaded.encoder is not None
    assert loaded.encoder.feature_names == ("a",)
    chosen = parts(tmp_path, table={"inputs": ["b", 0], "target": -1})
    assert chosen.train.inputs.tolist() == [[5, 1], [6, 2], [7, 3]]
    assert refused(tmp_path, table={"target": "Y"}) == (
        "train.csv: data.table.target: there is no column 'Y'; there are 'a', 'w', 'g', 's', 'b', 'y'"
    )
    assert "column 'y' is the target" in refused(tmp_path, table={"inputs": ["a", "y"]})
    assert "column 'y' is the target" in refused(tmp_path, table={"drop": ["y"]})
    assert "data.table.drop: there is no column 'bb'; did you mean 'b'?" in refused(
        tmp_path, table={"drop": ["bb"]}
    )
    assert "data.table.missing: there is no column" in refused(tmp_path, table={"missing": {"q": "mean"}})
    assert "data.table.target: name the column to predict; there are 'a', 'w'" in refused(
        tmp_path, table={"target": ""}
    )
    assert "data.split.column: line 2, column 'g': 'p' is none of the values" in refused(
        tmp_path, {"column": "g"}
    )
    assert "data.split.group: there is no column 'h'; there are" in refused(
        tmp_path, {"group": "h", "test_fraction": 0.5}
    )
    write(tmp_path, "train.csv", "a,w,y\n1,2,0\n2,-1,1\n")
    assert "line 3, column 'w': the weight is -1" in refused(tmp_path, table={"weights": "w"})


def test_groups_stay_together(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"a": range(300), "who": np.arange(300) % 30, "y": [0, 1, 1] * 100})
    frame = frame.sample(frac=1, random_state=1)
    frame.to_csv(tmp_path / "train.csv", index=False)
    loaded = parts(tmp_path, {"group": "who", "test_fraction": 0.3, "seed": 1})
    assert loaded.test is not None
    train, test = (set(part.inputs[:, 0].astype(int) % 30) for part in (loaded.train, loaded.test))
    assert not train & test
    assert len(test) == 9


def test_a_target_that_cannot_be(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", "a,y\n1,x\n2,x\n")
    assert "column 'y' is 'x' in all 2 rows; a target must differ" in refused(tmp_path)
    write(tmp_path, "train.csv", "a,y\n1,5\n2,5\n")
    assert "column 'y' is '5' in all 2 rows" in refused(tmp_path, task="regression")
    write(tmp_path, "train.csv", "a,y\n1,x\n2,\n3,z\n")
    assert "line 3, column 'y': the target is missing; remove such rows" in refused(tmp_path)
    assert len(parts(tmp_path, table={"missing": {"y": "drop"}}).train) == 2
    assert "'x' is not a number" in refused(tmp_path, task="regression")
    write(tmp_path, "train.csv", "a,y\n1,0.5\n2,1\n")
    assert "line 2, column 'y': 0.5 is not a whole number, so it is no class" in refused(
        tmp_path, task="classification"
    )
    write(tmp_path, "train.csv", "a,y,z\n1,p,1\n2,q,2\n")
    assert "'p'; values to approximate are numbers" in refused(tmp_path, table={"target": ["y", "z"]})
    write(tmp_path, "train.csv", "y\n1\n2\n")
    assert "leaves no column to predict from" in refused(tmp_path)


def test_a_test_file(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", "n,c,y\n1,p,low\n3,q,high\n5,,low\n")
    write(tmp_path, "test.csv", "|an odd line\ny,c,extra,n\nhigh.,r,?,\nlow.,q,?,7\n")
    table = {"missing": "mean", "comment": "|", "label_suffix": "."}
    loaded = parts(tmp_path, test_file="test.csv", table=table)
    assert loaded.test is not None
    assert loaded.test.inputs.tolist() == [[3, 0, 0], [7, 0, 1]]
    assert loaded.test.targets.tolist() == [0, 1]
    assert loaded.summary.class_names == ("high", "low")

    write(tmp_path, "test.csv", "m,c,y\n1,p,low\n")
    assert refused(tmp_path, test_file="test.csv", table=table) == (
        "test.csv: has 3 columns, the training table 3; lacks 'n' and has 'm' instead"
    )
    write(tmp_path, "test.csv", "n,c,y\n1,p,low\nx,p,low\n")
    assert "test.csv: line 3, column 'n': 'x' is not a number" in refused(
        tmp_path, test_file="test.csv", table=table
    )
    write(tmp_path, "test.csv", "n,c,y\n1,p,medium\n")
    assert "test.csv: line 2, column 'y': 'medium' is none of the classes: 'high', 'low'" in refused(
        tmp_path, test_file="test.csv", table=table
    )
    write(tmp_path, "test.csv", "n,c,y\n1,p,low.\n")
    assert "what labels end in beside that is data.table.label_suffix" in refused(
        tmp_path, test_file="test.csv", table={"missing": "mean"}
    )
    write(tmp_path, "train.csv", "1,p,0\n3,q,1\n")
    write(tmp_path, "test.csv", "1,p\n3,q\n")
    assert refused(tmp_path, test_file="test.csv", table={"target": 2}) == (
        "test.csv: has 2 columns, the training table 3"
    )


def test_categories_that_look_like_numbers_in_one_file(tmp_path: Path) -> None:
    write(tmp_path, "train.csv", "c,y\n1,0\n2b,1\n3c,1\n")
    write(tmp_path, "test.csv", "c,y\n1,0\n1,1\n")
    loaded = parts(tmp_path, test_file="test.csv")
    assert loaded.test is not None
    assert loaded.test.inputs.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_without_files(tmp_path: Path) -> None:
    assert refused(tmp_path, file="") == (
        "data.file: name a CSV or Parquet file, or give a data frame in Python"
    )
    assert "data.file: " in refused(tmp_path, file="trian.csv")

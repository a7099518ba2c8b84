"""`ravine evaluate` and `ravine predict`, beside NumPy and scikit-learn."""

from __future__ import annotations

import csv
import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def truth(workplace: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
    """Test images and labels as scikit-learn splits them, and the probabilities by NumPy."""
    datasets = pytest.importorskip("sklearn.datasets")
    from safetensors.numpy import load_file
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    images, labels = datasets.load_digits(return_X_y=True)
    train, test, _, test_labels = train_test_split(images, labels, test_size=0.15, random_state=37)
    checkpoint = sorted((workplace / "runs/digits/checkpoints").glob("step-*.safetensors"))[-1]
    tensors = {name: array.astype(np.float64) for name, array in load_file(checkpoint).items()}
    scaler = StandardScaler().fit(train)
    hidden = np.tanh(scaler.transform(test) @ tensors["dense_1.weight"].T + tensors["dense_1.bias"])
    logits = hidden @ tensors["dense_2.weight"].T + tensors["dense_2.bias"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return test.astype(np.uint8), test_labels, powers / powers.sum(axis=1, keepdims=True)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_evaluates_the_test_samples(there, truth) -> None:
    _, labels, probabilities = truth
    answer = there("evaluate", "digits", "--json").json
    assert (answer["data"], answer["samples"]) == ("test", len(labels))
    assert answer["metrics"]["accuracy"] == pytest.approx(np.mean(probabilities.argmax(axis=1) == labels))
    loss = -np.mean(np.log(probabilities[np.arange(len(labels)), labels]))
    assert answer["metrics"]["loss"] == pytest.approx(loss, abs=1e-5)


def test_evaluates_the_training_samples_in_words(there) -> None:
    text = there("evaluate", "runs/digits", "--split", "train").out
    assert text.startswith("train accuracy 0.")
    assert "1,527 samples" in text


@pytest.mark.parametrize("kind", ["npz", "idx"])
def test_evaluates_files(there, truth, tmp_path: Path, kind: str) -> None:
    images, labels, _ = truth
    if kind == "npz":
        np.savez(tmp_path / "test.npz", x=images, y=labels)
        words = ["--data", tmp_path / "test.npz"]
    else:
        write_idx(tmp_path / "images.gz", images)
        write_idx(tmp_path / "labels.gz", labels.astype(np.uint8))
        words = ["--data", tmp_path / "images.gz", "--labels", tmp_path / "labels.gz"]
    given = there("evaluate", "digits", *words, "--json").json
    own = there("evaluate", "digits", "--json").json
    assert given["metrics"] == own["metrics"]


def predictions(text: str) -> tuple[list[str], NDArray[np.float64]]:
    header, *rows = list(csv.reader(text.splitlines()))
    assert header == ["row", "class", *[f"probability_{digit}" for digit in range(10)]]
    assert [row[0] for row in rows] == [str(number) for number in range(len(rows))]
    return [row[1] for row in rows], np.array([[float(value) for value in row[2:]] for row in rows])


def test_predicts_as_csv(there, truth, tmp_path: Path) -> None:
    images, _, expected = truth
    np.save(tmp_path / "images.npy", images)
    done = there("predict", "digits", tmp_path / "images.npy")
    assert (done.code, done.err) == (0, "")
    classes, probabilities = predictions(done.out)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert classes == [str(winner) for winner in expected.argmax(axis=1)]


@pytest.mark.parametrize("suffix", ["csv", "npz"])
@pytest.mark.parametrize("source", ["npz", "idx"])
def test_predicts_from_files_into_files(there, truth, tmp_path: Path, suffix: str, source: str) -> None:
    images, _, expected = truth
    if source == "npz":
        np.savez(tmp_path / "images.npz", pictures=images)
    else:
        write_idx(tmp_path / "images.idx", images)
    output = tmp_path / f"predictions.{suffix}"
    done = there(
        "predict", "digits", tmp_path / f"images.{source}", "--output", output, "--checkpoint", "last"
    )
    assert (done.code, done.out) == (0, "")
    if suffix == "csv":
        probabilities = predictions(output.read_text())[1]
    else:
        with np.load(output) as arrays:
            probabilities = arrays["probabilities"]
            np.testing.assert_array_equal(arrays["classes"], expected.argmax(axis=1))
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_predicts_one_sample(there, truth, tmp_path: Path) -> None:
    images, _, expected = truth
    np.save(tmp_path / "image.npy", images[3])
    probabilities = predictions(there("predict", "digits", tmp_path / "image.npy").out)[1]
    np.testing.assert_allclose(probabilities, expected[3:4], atol=1e-5)


def test_predicts_values(ravine, tmp_path: Path) -> None:
    inputs = np.linspace(-1, 1, 80).reshape(40, 2)
    np.savez(tmp_path / "points.npz", inputs=inputs, targets=inputs @ [[2.0], [-1.0]] + 0.5)
    (tmp_path / "line.toml").write_text(
        'name = "line"\nloss = "squared_error"\noptimizer = {type = "adam", learning_rate = 0.05}\n'
        '[data]\nsource = "npz"\nfile = "points.npz"\npreprocessing = "none"\n'
        '[model]\nlayers = [{type = "dense", units = 1}]\n[training]\nepochs = 200\nbatch_size = 8\n'
    )
    assert ravine("train", "line.toml", "--quiet").code == 0
    header, *rows = ravine("predict", "line", "points.npz").out.splitlines()
    assert header == "row,output_0"
    values = [float(row.split(",")[1]) for row in rows]
    np.testing.assert_allclose(values, (inputs @ [[2.0], [-1.0]] + 0.5)[:, 0], atol=1e-3)


def test_predicts_and_measures_values_in_their_units(ravine, tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    inputs = random.normal(size=(200, 4)) * [1.0, 10.0, 0.1, 1.0]
    targets = 2e5 + 3e4 * inputs[:, 0] - 5e3 * inputs[:, 1] + random.normal(size=200) * 1e3
    np.savez(tmp_path / "houses.npz", inputs=inputs, targets=targets)
    (tmp_path / "houses.toml").write_text(
        'name = "houses"\nloss = "squared_error"\noptimizer = {type = "adam", learning_rate = 0.05}\n'
        '[data]\nsource = "npz"\nfile = "houses.npz"\npreprocessing = "pca_whitening"\n'
        'target_preprocessing = "standardize"\n[data.split]\nvalidation_count = 40\n'
        '[model]\nlayers = [{type = "dense", units = 1}]\n[training]\nepochs = 40\nbatch_size = 16\n'
    )
    trained = ravine("train", "houses.toml")
    assert trained.code == 0
    assert re.search(
        r"validation: mae \d+\.\d+, r2 0\.9\d+, rmse \d+\.\d+, loss 0\.\d+", trained.err + trained.out
    )
    rows = ravine("predict", "houses", "houses.npz").out.splitlines()[1:]
    predictions = np.array([float(row.split(",")[1]) for row in rows])
    assert metrics.r2_score(targets, predictions) > 0.99
    found = ravine("evaluate", "houses", "--data", "houses.npz", "--json").json["metrics"]
    expected = {
        "rmse": metrics.root_mean_squared_error(targets, predictions),
        "mae": metrics.mean_absolute_error(targets, predictions),
        "r2": metrics.r2_score(targets, predictions),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-3)
    np.savez(tmp_path / "narrow.npz", inputs=inputs[:, :3], targets=targets)
    message = ravine("evaluate", "houses", "--data", "narrow.npz").one_line_error()
    assert "a sample has shape [3], the preprocessing was fitted on [4]" in message


def test_input_of_another_shape(there, tmp_path: Path) -> None:
    np.save(tmp_path / "wide.npy", np.zeros((3, 65)))
    message = there("predict", "digits", tmp_path / "wide.npy").one_line_error()
    assert message.startswith(f"{tmp_path}/wide.npy: ")
    assert "[65]" in message
    assert "[64]" in message


def test_input_that_is_not_finite(there, tmp_path: Path) -> None:
    images = np.zeros((5, 64))
    images[3, 9] = np.nan
    np.save(tmp_path / "holes.npy", images)
    done = there("predict", "digits", tmp_path / "holes.npy")
    assert "row 3" in done.one_line_error()
    assert done.out == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["predict", "digits", "nothing.npy"], "nothing.npy: does not exist"),
        (["predict", "digits", "runs/digits/run.db"], "NPY, NPZ or IDX"),
        (["predict", "digits", "x.npy", "--output", "y.txt"], "must end in .csv or .npz"),
        (["predict", "dgits", "x.npy"], "did you mean 'digits'?"),
        (["evaluate", "digits", "--split", "validation"], "no validation samples; use --split train or test"),
        (["evaluate", "digits", "--checkpoint", "step-9"], "no such checkpoint"),
        (["evaluate", "digits", "--labels", "x.npy"], "--labels needs --data"),
    ],
)
def test_bad_arguments(there, words: list[str], expected: str) -> None:
    assert expected in there(*words).one_line_error()


def test_unknown_array_of_an_archive(there, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", first=np.zeros((2, 64)), second=np.ones((2, 64)))
    assert (
        "first, second; choose one with --array"
        in there("predict", "digits", tmp_path / "two.npz").one_line_error()
    )
    assert there("predict", "digits", tmp_path / "two.npz", "--array", "second").code == 0


def test_a_table_for_a_run_that_was_trained_on_arrays(there, tmp_path: Path) -> None:
    for name, opened in (("rows.csv", open), ("rows.csv.gz", gzip.open)):
        with opened(tmp_path / name, "wt") as file:
            file.write("a,b\n1,2\n")
        message = there("evaluate", "digits", "--data", tmp_path / name).one_line_error()
        assert message == (
            f"{tmp_path}/{name}: --data: is no file of arrays, and the run was not trained on a table; "
            "give an NPZ file, or an NPY or IDX file with --labels"
        )
    np.save(tmp_path / "images.npy", np.zeros((2, 64)))
    message = there("evaluate", "digits", "--data", tmp_path / "images.npy").one_line_error()
    assert message.endswith("holds inputs only; give their targets with --labels")


def test_output_that_cannot_be_written(there, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.zeros((1, 64)))
    output = tmp_path / "missing" / "out.csv"
    message = there("predict", "digits", tmp_path / "image.npy", "--output", output).one_line_error()
    assert str(output) in message


def test_labels_out_of_range_name_the_row(there, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", inputs=np.zeros((4, 64)), targets=[1, 2, 10, 3])
    message = there("evaluate", "digits", "--data", tmp_path / "data.npz").one_line_error()
    assert "row 2" in message
    assert "10" in message

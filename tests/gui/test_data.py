"""Opening files of data, and what the Data tab shows of them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from PySide6 import QtWidgets

from ravine.gui.state.data_files import run_name
from ravine.gui.state.data_preview import FeatureStatistics
from ravine.gui.widgets.tabs import DataTab

TIMEOUT = 20_000


@pytest.fixture
def frame() -> pandas.DataFrame:
    """Two numbers, a colour, a class of three and a price."""
    generator = np.random.default_rng(7)
    count = 300
    width = generator.normal(5, 2, count)
    return pandas.DataFrame(
        {
            "width": width.round(3),
            "height": generator.normal(-1, 0.5, count).round(3),
            "colour": generator.choice(["red", "green", "blue"], count),
            "price": (3 * width + generator.normal(0, 0.1, count)).round(3),
            "kind": generator.choice(["cat", "dog", "owl"], count, p=[0.5, 0.3, 0.2]),
        }
    )


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (40, 12, 10, 3), dtype=np.uint8)


def opened(qtbot, window, path) -> DataTab:
    """Opens a file as if it was dropped, and waits for the Data tab."""
    window.commands.open_paths([path])
    tab = window.page
    assert isinstance(tab, DataTab)
    assert window.app.opening is not None  # it is read elsewhere, not here
    qtbot.waitUntil(lambda: window.app.opening is None, timeout=TIMEOUT)
    assert not window.app.data_error
    settled(qtbot, window, tab)
    return tab


def settled(qtbot, window, tab) -> None:
    """Waits until what is shown is that of the draft."""
    app = window.app
    qtbot.waitUntil(
        lambda: not app.checking and tab.found is not None and tab.shown == app.checker.loaded,
        timeout=TIMEOUT,
    )
    assert not app.problems


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_table_makes_an_experiment_that_trains(qtbot, make_window, frame, tmp_path, ending):
    path = tmp_path / f"my animals.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    window = make_window(epochs=1)
    tab = opened(qtbot, window, path)
    found = tab.found
    assert (found.task, found.class_names) == ("classification", ("cat", "dog", "owl"))
    expected = frame["kind"].value_counts()
    assert dict(zip(found.class_names, found.counts.sum(0).tolist(), strict=True)) == expected.to_dict()
    assert not found.pictures
    assert tab.samples.currentWidget() is tab.table
    heads = [tab.table.horizontalHeaderItem(column).text() for column in range(tab.table.columnCount())]
    assert heads[:3] == ["target", "width", "height"]
    assert tab.target.currentText() == "kind"
    assert not tab.views.isTabVisible(1)
    first = [tab.table.item(0, column).text() for column in range(3)]
    near = frame[np.isclose(frame["width"], float(first[1]), rtol=1e-3)]
    assert first[0] in set(near["kind"])
    assert len(frame) == found.counts.sum()
    if ending == "csv":
        run = window.app.start()
        qtbot.waitUntil(
            lambda: window.app.status is not None and window.app.status.state == "finished", timeout=TIMEOUT
        )
        assert run.name == "my-animals"
    assert window.app.notices == []


def test_another_column_is_predicted(qtbot, window, frame, tmp_path):
    frame.to_csv(tmp_path / "animals.csv", index=False)
    tab = opened(qtbot, window, tmp_path / "animals.csv")
    tab.target.setCurrentText("price")
    tab.target.activated.emit(tab.target.currentIndex())
    qtbot.waitUntil(lambda: window.app.opened.target == "price", timeout=TIMEOUT)
    settled(qtbot, window, tab)
    assert tab.found.task == "regression"
    assert window.app.draft.get(("loss",)) == "squared_error"
    assert window.app.check.layers[-1].output_shape == (1,)
    values, edges = np.histogram(frame["price"], 12)
    np.testing.assert_array_equal(tab.found.counts.sum(0), values)
    assert tab.found.class_names[0] == f"{edges[0]:.3g}"
    assert np.isclose(frame["price"], float(tab.found.labels[0]), rtol=1e-4).any()
    window.app.draft.undo()
    settled(qtbot, window, tab)
    assert tab.found.task == "classification"


def write_tar(path, pictures) -> None:
    """An archive with a folder a class."""
    with tarfile.open(path, "w") as archive:
        for number, picture in enumerate(pictures):
            memory = io.BytesIO()
            Image.fromarray(picture).save(memory, "PNG")
            member = tarfile.TarInfo(f"set/{'ab'[number % 2]}/{number:03}.png")
            member.size = memory.tell()
            memory.seek(0)
            archive.addfile(member, memory)


def test_pictures_are_shown_and_augmented(qtbot, window, pictures, tmp_path):
    write_tar(tmp_path / "set.tar", pictures)
    tab = opened(qtbot, window, tmp_path / "set.tar")
    found = tab.found
    assert found.class_names == ("a", "b")
    assert found.shape == (12, 10, 3)
    assert found.can_augment
    assert not found.augmented
    assert tab.views.isTabVisible(1)
    tab.views.setCurrentIndex(1)
    assert tab.add_augmentation.isVisible()
    window.app.draft.set(("data", "augmentation"), [{"type": "horizontal_flip", "probability": 1.0}])
    qtbot.waitUntil(lambda: bool(tab.found.augmented), timeout=TIMEOUT)
    shown = np.array(tab.found.augmented).reshape(10, 5, 12, 10, 3)
    np.testing.assert_array_equal(shown[:, 1], shown[:, 0, :, ::-1])
    assert all(any((one == other).all() for other in pictures) for one in shown[:, 0])
    assert tab.found.augmented_labels[1:5] == ("epoch 1", "epoch 2", "epoch 3", "epoch 4")
    assert tab.augmentation.currentWidget() is tab.augmented


def test_a_folder_of_pictures(qtbot, window, pictures, tmp_path):
    for number, picture in enumerate(pictures):
        place = tmp_path / "set" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[..., 0]).save(place / f"{number}.png")
    tab = opened(qtbot, window, tmp_path / "set")
    assert tab.found.shape == (12, 10, 1)
    assert tab.found.counts.sum() == 40


def test_npy_files_find_each_other(qtbot, window, pictures, tmp_path):
    np.save(tmp_path / "train_images.npy", pictures)
    np.save(tmp_path / "train_labels.npy", np.arange(40) % 4)
    tab = opened(qtbot, window, tmp_path / "train_labels.npy")
    assert window.app.draft.get(("data", "source")) == "npy"
    assert tab.found.counts.sum(0).tolist() == [10, 10, 10, 10]
    mean = tab.found.before.mean.reshape(12, 10, 3)
    train = window.app.checker.parts.train
    np.testing.assert_allclose(mean, pictures[train.rows].mean(0), rtol=1e-6)
    tab.add_augmentation.click()
    qtbot.waitUntil(lambda: bool(tab.found.augmented), timeout=TIMEOUT)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ragged.csv", b"a,b,c\n1,2,x\n3,4\n", "ragged.csv"),
        ("noise.npz", b"PK\3\4 nonsense", "noise.npz"),
        ("alone.npy", None, "no file of its targets"),
        ("missing.csv", None, "missing.csv"),
    ],
)
def test_what_cannot_be_opened_is_one_line_in_the_tab(qtbot, window, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    elif name.endswith("npy"):
        np.save(tmp_path / name, np.zeros((4, 2)))
    draft = window.app.draft.text
    window.commands.open_paths([tmp_path / name])
    qtbot.waitUntil(lambda: window.app.opening is None, timeout=TIMEOUT)
    tab = window.page
    assert tab.error.isVisible()
    assert words in tab.error.text()
    assert "\n" not in tab.error.text()
    assert "Traceback" not in tab.error.text()
    assert "Error:" not in tab.error.text()
    assert len(window.app.notices) == 1
    assert window.app.draft.text == draft
    assert not window.findChildren(QtWidgets.QMessageBox)


def test_what_runs_are_called():
    assert run_name(Path("/a/my data.csv.gz")) == "my-data"
    assert run_name(Path("/a/!!.csv")) == "data"


def test_many_features_are_drawn_in_groups():
    mean = np.arange(5000.0)
    places, found = FeatureStatistics(mean, mean, mean - 1, mean + 1).thinned(1000)
    np.testing.assert_allclose(found.mean, mean.reshape(1000, 5).mean(1))
    np.testing.assert_array_equal(found.minimum, mean.reshape(1000, 5).min(1) - 1)
    np.testing.assert_array_equal(found.maximum, mean.reshape(1000, 5).max(1) + 1)
    np.testing.assert_array_equal(places, mean[::5])
    few = FeatureStatistics(mean[:7], mean[:7], mean[:7], mean[:7])
    np.testing.assert_array_equal(few.thinned(1000)[1].mean, mean[:7])

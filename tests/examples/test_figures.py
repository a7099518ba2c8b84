"""The scripts that draw the lectures' figures: each runs on the digits, and its numbers show what it says."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import ravine

pytest.importorskip("matplotlib", reason="the figures need matplotlib: pip install '.[plots]'")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py") if "from figures import" in path.read_text())
GUESS = np.log(10)  # the loss of a guess among ten classes
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a script of examples/ as it sees itself when it is run."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


@pytest.fixture
def quick(
    script: Callable[[str], ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Any]:
    """Runs a script with --quick; its results, after a look at the figure and at what it prints."""

    def run(name: str) -> Any:
        results = script(name).main(["--quick", "--out", str(tmp_path / "pictures")])
        figure = tmp_path / "pictures" / f"{name}.png"
        assert figure.read_bytes().startswith(PNG)
        assert figure.stat().st_size > 5000
        assert f"figure: {figure}" in capsys.readouterr().out
        return results

    return run


def test_every_figure_of_the_lectures_has_its_script_and_its_picture() -> None:
    expected = {
        "batch_normalization", "initialization", "optimizers",
        "overfitting", "sparsity", "vanishing_gradients",
    }  # fmt: skip
    assert set(SCRIPTS) == expected
    gallery = (EXAMPLES.parent / "docs" / "gallery.md").read_text()
    for name in SCRIPTS:
        picture = EXAMPLES.parent / "docs" / "images" / "gallery" / f"{name}.png"
        assert picture.stat().st_size < 60_000, name
        assert f"images/gallery/{name}.png" in gallery
        assert f"examples/{name}.py" in gallery


def test_vanishing_gradients(quick: Callable[[str], Any]) -> None:
    results = quick("vanishing_gradients")
    sigmoid = results.pop("sigmoid")
    assert sigmoid["gradient"].shape == sigmoid["variance"].shape == (20,)
    assert sigmoid["gradient"][0] < 1e-8 * sigmoid["gradient"][-1]
    assert sigmoid["variance"][-1] < 1e-12 * sigmoid["variance"][0]
    assert sigmoid["loss"][-50:].mean() > 0.99 * GUESS
    for name, cured in results.items():
        assert cured["gradient"].shape == (20,)
        assert 0.1 < cured["gradient"][0] / cured["gradient"][-1] < 10, name
        assert 0.05 < cured["variance"][-1] / cured["variance"][0] < 20, name
        assert cured["loss"][-50:].mean() < 0.8 * GUESS, name


def test_initialization(quick: Callable[[str], Any]) -> None:
    results = quick("initialization")
    for activation, best in (("tanh", "Xavier"), ("relu", "He")):
        zero, small, _, *good = results[activation].values()
        assert np.all(zero["outputs"] == 0)
        assert small["variance"][-1] < 1e-12 * small["variance"][0]
        assert abs(zero["loss"][-50:].mean() - GUESS) < 0.02
        assert abs(small["loss"][-50:].mean() - GUESS) < 0.02
        chosen = results[activation][best]
        assert chosen["loss"][-50:].mean() < 0.3 * GUESS
        assert all(found["loss"][-50:].mean() < 0.95 * GUESS for found in good)
        assert 0.1 < chosen["variance"][-1] / chosen["variance"][0] < 10
        for found in results[activation].values():  # moments of the core, against NumPy's
            np.testing.assert_allclose(found["variance"], found["outputs"].var(axis=1), rtol=1e-3)
    assert np.mean(np.abs(results["tanh"]["too large, N(0, 1)"]["outputs"][-1]) > 0.99) > 0.7  # saturated
    assert results["relu"]["too large, N(0, 1)"]["variance"][-1] > 1e10
    assert len(results["relu"]["too large, N(0, 1)"]["loss"]) < 10  # NaN


def test_batch_normalization(quick: Callable[[str], Any]) -> None:
    results = quick("batch_normalization")
    spread = {}
    for name, watch in results.items():
        assert watch.steps == list(range(0, watch.steps[-1] + 1, 10))
        percentiles = np.array(watch.percentiles)
        assert percentiles.shape == (len(watch.steps), 3, 100)
        assert np.all(np.diff(percentiles, axis=1) >= 0)
        spread[name] = (percentiles[:, 2] - percentiles[:, 0]).mean(axis=1)
    assert np.all(np.abs(spread["with"] / spread["with"][0] - 1) < 0.5)
    assert spread["with"].min() > 1.5  # of unit variance
    assert spread["without"][0] < 0.5
    assert results["with"].accuracies[-1] > 0.9
    assert results["with"].accuracies[-1] > results["without"].accuracies[-1] + 0.1


def test_overfitting(quick: Callable[[str], Any]) -> None:
    plain, dropout, stopped = quick("overfitting").values()
    assert plain["training"][-1] < 0.1 * plain["validation"][-1]
    best, end = stopped["best"]["best_epoch"], len(stopped["validation"])
    assert end == best + 5 < len(plain["validation"])
    assert np.array_equal(stopped["validation"], plain["validation"][:end])
    assert best == stopped["validation"].argmin() + 1
    gap = {
        name: found["validation"][-1] - found["training"][-1]
        for name, found in (("plain", plain), ("dropout", dropout))
    }
    assert gap["dropout"] < gap["plain"]


def test_sparsity(quick: Callable[[str], Any]) -> None:
    plain, l2, subgradient, proximal = quick("sparsity").values()
    assert plain["zeros"] == l2["zeros"] == subgradient["zeros"] == 0
    assert proximal["zeros"] > 0.005
    assert proximal["zeros"] == np.mean(proximal["weights"] == 0)
    assert subgradient["near zero"] > 3 * plain["near zero"]
    assert np.linalg.norm(l2["weights"]) < np.linalg.norm(plain["weights"])
    assert all(found["accuracy"] > 0.95 for found in (plain, l2, subgradient, proximal))


def test_optimizers(quick: Callable[[str], Any], script: Callable[[str], ModuleType]) -> None:
    batches, whole = quick("optimizers")
    module = script("optimizers")
    every = {entry.name for entry in ravine.catalog("optimizer")}
    assert every > module.SECOND_ORDER
    assert {*batches, *whole} == every - module.SECOND_ORDER
    for name, found in {**batches, **whole}.items():
        assert found["losses"][-5:].mean() < 0.5 * found["losses"][0], name
        assert found["accuracy"] > 0.6, name


def test_help_and_a_missing_data_set(tmp_path: Path) -> None:
    """As a user runs them: in a process, from another folder."""
    words = [sys.executable, "-W", "error", str(EXAMPLES / "sparsity.py")]
    asked = subprocess.run([*words, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "One should see" in asked.stdout
    assert "(default: ../shared/datasets/mnist, seen from the project's" in " ".join(asked.stdout.split())
    failed = subprocess.run([*words, "--data", "nowhere"], cwd=tmp_path, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith(
        "nowhere: there is no train-images-idx3-ubyte[.gz] of MNIST; name the folder"
    )
    assert list(tmp_path.iterdir()) == []


def test_mnist_is_read_in_three_parts(datasets: Path, script: Callable[[str], ModuleType]) -> None:
    if not (datasets / "mnist").is_dir():
        pytest.skip("needs ../shared/datasets/mnist")
    samples = script("figures").load(str(datasets / "mnist"))
    parts = (samples.train, samples.validation, samples.test)
    assert [inputs.shape for inputs, _ in parts] == [(50_000, 784), (10_000, 784), (10_000, 784)]
    assert all(inputs.min() == 0 and inputs.max() == 1 for inputs, _ in parts)
    assert all(set(labels.tolist()) == set(range(10)) for _, labels in parts)

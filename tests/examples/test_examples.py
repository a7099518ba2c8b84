"""The experiments and scripts of examples/ do what they promise."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from ravine.experiment import embedded_experiments, load_experiment
from ravine.training.preparation import load_parts
from ravine.training.session import train_experiment

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FILES = sorted(EXAMPLES.glob("*.toml"))


def test_all_are_shipped() -> None:
    assert [file.stem for file in FILES] == embedded_experiments()
    assert {"digits", "mnist_mlp"} <= set(embedded_experiments())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_loads_and_is_explained(file: Path) -> None:
    experiment = load_experiment(file)
    assert experiment.name == file.stem
    assert file.read_text().startswith("# ")


def test_digits(tmp_path: Path) -> None:
    """The worked example of lecture L2, on the split that scikit-learn makes."""
    model_selection = pytest.importorskip("sklearn.model_selection")
    experiment = load_experiment(EXAMPLES / "digits.toml")
    parts = load_parts(experiment)
    assert parts.test is not None
    rows = model_selection.train_test_split(range(1797), test_size=0.15, random_state=37)
    assert (len(parts.train), len(parts.test)) == tuple(map(len, rows))
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.epochs == 15
    assert outcome.metrics["test"]["accuracy"] >= 0.96
    assert load_experiment("digits") == experiment


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_digits_with_other_seeds(tmp_path: Path, seed: int) -> None:
    outcome = train_experiment(load_experiment("digits", [f"seed={seed}"]), parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] >= 0.96


def test_digits_gpu(tmp_path: Path) -> None:
    """It says what to type for a GPU, and is good without one; tests/cuda compares the two."""
    outcome = train_experiment(load_experiment("digits_gpu"), parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] >= 0.975
    text = (EXAMPLES / "digits_gpu.toml").read_text()
    assert "ravine train digits_gpu --device cuda" in text


def test_lbfgs_digits(tmp_path: Path) -> None:
    """A hundred steps over all samples: every training sample is right, and the minimum is near."""
    outcome = train_experiment(load_experiment(EXAMPLES / "lbfgs_digits.toml"), parent=tmp_path)
    assert (outcome.step, outcome.epochs) == (100, 100)
    assert outcome.metrics["train"]["accuracy"] == 1.0
    assert outcome.metrics["train"]["loss"] < 0.02
    assert outcome.metrics["test"]["accuracy"] >= 0.97


def test_quickstart(tmp_path: Path) -> None:
    script = EXAMPLES / "quickstart.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = re.search(r"accuracy\D*(\d\.\d+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) >= 0.96
    assert done.stderr == ""
    assert lines_of_code(script.read_text()) < 20


def test_stream(tmp_path: Path) -> None:
    """Half a turn later a network that has stopped learning is no better than a coin; the other is right."""
    script = EXAMPLES / "stream.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rows = re.findall(r"(\d+) °\s+([\d.]+)%\s+([\d.]+)%", done.stdout)
    shares = {int(angle): (float(following), float(stopped)) for angle, following, stopped in rows}
    assert set(shares) == {90, 135, 180, 225, 270, 315, 360}
    assert min(following for following, _ in shares.values()) > 95
    assert shares[90][1] > 95
    assert 40 < shares[180][1] < 60
    assert shares[270][1] < 5
    assert done.stderr == ""


def test_saturation(tmp_path: Path) -> None:
    """With large weights half of all outputs are at the ends of tanh, with those of Xavier they are not."""
    script = EXAMPLES / "saturation.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rows = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("dense_")]
    lower, upper = ([float(row[place]) for row in rows] for place in (1, 3))
    assert len(rows) == 8
    assert max(lower[:4]) < -0.9
    assert min(upper[:4]) > 0.9
    assert min(lower[4:]) > -0.8
    assert max(upper[4:]) < 0.8


def lines_of_code(text: str) -> int:
    """Lines that hold more than comments and docstrings."""
    documented = [ast.Module, ast.ClassDef, ast.FunctionDef]
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if type(node) in documented and ast.get_docstring(node) is not None:  # type: ignore[arg-type]
            first = node.body[0]  # type: ignore[attr-defined]
            docstrings |= set(range(first.lineno, first.end_lineno + 1))
    blank = (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in blank:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def test_lines_of_code_are_counted() -> None:
    text = '"""A\ndocstring."""\n# comment\n\nimport os  # two\n\nprint(\n    os\n)\nx = """a\nb"""\n'
    assert lines_of_code(text) == 6


@pytest.fixture
def mnist(datasets: Path) -> list[str]:
    """Overrides that name the files of MNIST."""
    folder = datasets / "mnist"
    if not folder.is_dir():
        pytest.skip("needs ../shared/datasets/mnist")
    names = {
        "train_images": "train-images", "train_labels": "train-labels",
        "test_images": "t10k-images", "test_labels": "t10k-labels",
    }  # fmt: skip
    overrides = []
    for key, name in names.items():
        file = next(folder.glob(f"{name}*"))
        overrides.append(f'data.{key}="{file}"')
    return overrides


def test_mnist_mlp(tmp_path: Path, mnist: list[str]) -> None:
    experiment = load_experiment(EXAMPLES / "mnist_mlp.toml", mnist)
    units = [layer["units"] for layer in experiment.model.layers if "units" in layer]  # type: ignore[index]
    assert units == [512, 256, 10]
    assert experiment.optimizer["type"] == "adam"  # type: ignore[index]
    assert experiment.training.epochs <= 10
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] >= 0.98


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mnist_mlp_with_other_seeds(tmp_path: Path, mnist: list[str], seed: int) -> None:
    experiment = load_experiment(EXAMPLES / "mnist_mlp.toml", [*mnist, f"seed={seed}"])
    assert train_experiment(experiment, parent=tmp_path).metrics["test"]["accuracy"] >= 0.98


TABLES = {
    "adult": ({"file": "uci-adult/adult.data.gz", "test_file": "uci-adult/adult.test.gz"}, "accuracy", 0.85),
    "housing": ({"file": "california-housing/housing.tgz"}, "r2", 0.78),
    "wine": ({"file": "uci-wine-quality/winequality-white.csv"}, "r2", 0.33),
}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (2, 3))])
@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path: Path, datasets: Path, name: str, seed: int) -> None:
    pytest.importorskip("pyarrow")
    files, metric, least = TABLES[name]
    if not all((datasets / file).is_file() for file in files.values()):
        pytest.skip(f"needs ../shared/datasets/{next(iter(files.values()))}")
    overrides = [f'data.{key}="{datasets / file}"' for key, file in files.items()]
    experiment = load_experiment(EXAMPLES / f"{name}.toml", [*overrides, f"seed={seed}"])
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.metrics["test"][metric] >= least


@pytest.mark.soak
def test_lenet_mnist(tmp_path: Path, mnist: list[str]) -> None:
    experiment = load_experiment(EXAMPLES / "lenet_mnist.toml", mnist)
    assert train_experiment(experiment, parent=tmp_path).metrics["test"]["accuracy"] >= 0.99

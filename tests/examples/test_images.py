"""The experiments on images: what they are made of, a short training on drawn images, and the real ones."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ravine import Sequential
from ravine.experiment import load_experiment
from ravine.training.session import train_experiment

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PREPARE = EXAMPLES / "prepare_cifar10.py"
ROWS = 24


def striped(rows: int, size: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise with a bright band, and how far down it is, as the label."""
    random = np.random.default_rng(0)
    labels = np.arange(rows) % 10
    images = random.integers(0, 120, (rows, size, size, channels), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 4 : 2 * label + 6] = 255
    return images, labels


def write_idx(path: Path, values: np.ndarray) -> str:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())
    return str(path)


@pytest.fixture
def grey(tmp_path: Path) -> list[str]:
    """Overrides that name drawn images in the form of Fashion-MNIST."""
    images, labels = striped(ROWS * 5, 28, 1)
    overrides = []
    for part in ("train", "test"):
        overrides.append(f'data.{part}_images="{write_idx(tmp_path / f"{part}_images", images[..., 0])}"')
        overrides.append(f'data.{part}_labels="{write_idx(tmp_path / f"{part}_labels", labels)}"')
    return overrides


@pytest.fixture
def colour(tmp_path: Path) -> list[str]:
    """Overrides that name drawn images in the form of the prepared CIFAR-10."""
    images, labels = striped(ROWS, 32, 3)
    np.savez(tmp_path / "images.npz", inputs=images, targets=labels)
    file = str(tmp_path / "images.npz")
    return [f'data.file="{file}"', f'data.test_file="{file}"', "data.split.validation_fraction=0"]


def test_cnn_fashion_trains(tmp_path: Path, grey: list[str]) -> None:
    """A few steps tell the stripes apart, which a network whose parts do not work together does not."""
    settings = ["training.epochs=6", "training.batch_size=16"]
    experiment = load_experiment(EXAMPLES / "cnn_fashion.toml", [*grey, *settings])
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] >= 0.9


def test_resnet20_cifar_trains(tmp_path: Path, colour: list[str]) -> None:
    settings = ["training.epochs=2", "training.batch_size=12", "optimizer.learning_rate=0.02"]
    experiment = load_experiment(EXAMPLES / "resnet20_cifar.toml", [*colour, *settings])
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.step == 4
    assert np.isfinite(outcome.metrics["test"]["loss"])


def test_resnet20_is_the_one_of_the_paper() -> None:
    """K. He et al., CVPR 2016, section 4.2: 20 weighted layers, 0.27 M parameters."""
    experiment = load_experiment("resnet20_cifar")
    network = Sequential(*experiment.model.layers).network([32, 32, 3], loss=experiment.loss, threads=1)
    shapes = {name: value.shape for name, value in network.parameters.items() if name.endswith(".weight")}
    projections = [shape for shape in shapes.values() if len(shape) == 4 and shape[1:3] == (1, 1)]
    assert projections == [(32, 1, 1, 16), (64, 1, 1, 32)]  # where stages meet; elsewhere the identity
    assert len(shapes) - len(projections) == 20
    assert sum(layer["type"] == "add" for layer in network.layers) == 9
    sizes = [layer["output_shape"] for layer in network.layers if layer["type"] == "add"]
    assert sizes == [(32, 32, 16)] * 3 + [(16, 16, 32)] * 3 + [(8, 8, 64)] * 3
    assert sum(value.size for value in network.parameters.values()) == 272_474


def write_sprites(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """A folder as the script expects it, of 5 training images in two sprites and 2 of the test."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    (folder / "train_png_sprites").mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    labels = np.array([3, 0, 9, 9, 1, 2, 7], np.uint8)
    for number, rows in (("00", pixels[:3]), ("01", pixels[3:5]), ("50", pixels[5:])):
        sprite = image.fromarray(rows.reshape(len(rows), 1024, 3))
        sprite.save(folder / "train_png_sprites" / f"cifar10_batch_{number}.png")
    labels[:5].tofile(folder / "labels_train_20000.u8")
    labels[5:].tofile(folder / "labels_test_1000.u8")
    return pixels, labels


def prepare(*words: object, before: str = "pass") -> subprocess.CompletedProcess[str]:
    """Runs the script as a user does; `before` is run in its process first."""
    code = "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-W", "error", "-c", f"import runpy, sys; {before}; {code}", PREPARE, *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def test_a_wrong_folder_of_sprites_is_one_clear_line(tmp_path: Path) -> None:
    """What is missing, and what the folder should hold; nothing is written."""
    write_sprites(tmp_path / "sprites")
    (tmp_path / "sprites" / "labels_test_1000.u8").unlink()
    for folder, missing in (("nowhere", "labels_train_20000.u8"), ("sprites", "labels_test_1000.u8")):
        failed = prepare(tmp_path / folder, tmp_path / "out")
        assert failed.returncode == 1
        expected = f"{tmp_path / folder}: there is no {missing}; name the folder that has train_png_sprites, "
        assert failed.stderr.startswith(expected)
        assert failed.stderr.count("\n") == 1
        assert "Errno" not in failed.stderr
        assert not (tmp_path / "out").exists()


def test_prepared_sprites_are_the_images(tmp_path: Path) -> None:
    pixels, labels = write_sprites(tmp_path / "sprites")
    done = prepare(tmp_path / "sprites", tmp_path / "out" / "cifar10")
    assert done.returncode == 0, done
    for part, rows in (("train", slice(0, 5)), ("test", slice(5, 7))):
        with np.load(tmp_path / "out" / "cifar10" / f"{part}.npz") as arrays:
            np.testing.assert_array_equal(arrays["inputs"], pixels[rows])
            np.testing.assert_array_equal(arrays["targets"], labels[rows])
            assert arrays["inputs"].dtype == np.uint8


def test_preparing_says_what_is_missing(tmp_path: Path) -> None:
    write_sprites(tmp_path)
    without = prepare(tmp_path, tmp_path, before="sys.modules['PIL'] = None")
    assert (without.returncode, without.stderr) == (1, "needs Pillow to read PNG files: pip install pillow\n")
    nowhere = prepare(tmp_path / "nowhere", tmp_path)
    assert nowhere.returncode == 1
    assert "labels_train_20000.u8" in nowhere.stderr
    assert "Traceback" not in nowhere.stderr
    np.zeros(4, np.uint8).tofile(tmp_path / "labels_train_20000.u8")
    fewer = prepare(tmp_path, tmp_path)
    assert "4 labels for 5 images" in fewer.stderr


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_cnn_fashion(tmp_path: Path, datasets: Path, seed: int) -> None:
    folder = datasets / "fashion-mnist"
    overrides = []
    for part, start in (("train", "train"), ("test", "t10k")):
        for kind in ("images", "labels"):
            overrides.append(f'data.{part}_{kind}="{next(folder.glob(f"{start}-{kind}*"))}"')
    experiment = load_experiment(EXAMPLES / "cnn_fashion.toml", [*overrides, f"seed={seed}"])
    assert train_experiment(experiment, parent=tmp_path).metrics["test"]["accuracy"] >= 0.915


@pytest.fixture
def sprites(datasets: Path) -> list[str]:
    """Overrides that name the part of CIFAR-10."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    folder = datasets / "cifar10"
    if not folder.is_dir():
        pytest.skip("needs ../shared/datasets/cifar10")
    return [
        f'data.train_images="{folder}/train_png_sprites/cifar10_batch_[01]*.png"',
        f'data.train_labels="{folder / "labels_train_20000.u8"}"',
        f'data.test_images="{folder}/train_png_sprites/cifar10_batch_50.png"',
        f'data.test_labels="{folder / "labels_test_1000.u8"}"',
    ]


def test_cifar_augmented_trains(tmp_path: Path, sprites: list[str]) -> None:
    """Two epochs of some of the pictures, which are augmented: it is better than a guess."""
    settings = ["data.limit=1280", "training.epochs=2", "model.layers.0.units=8", "model.layers.4.units=16"]
    experiment = load_experiment(EXAMPLES / "cifar_augmented.toml", [*sprites, *settings])
    assert [step.__struct_config__.tag for step in experiment.data.augmentation] == [
        "random_crop", "horizontal_flip", "brightness", "contrast", "cutout",
    ]  # fmt: skip
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] >= 0.2


@pytest.mark.soak
def test_resnet20_cifar(tmp_path: Path, datasets: Path) -> None:
    """Three epochs of the part of CIFAR-10: it descends."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    assert prepare(datasets / "cifar10", tmp_path).returncode == 0
    files = [f'data.file="{tmp_path / "train.npz"}"', f'data.test_file="{tmp_path / "test.npz"}"']
    experiment = load_experiment(EXAMPLES / "resnet20_cifar.toml", [*files, "training.epochs=3"])
    outcome = train_experiment(experiment, parent=tmp_path)
    assert outcome.metrics["test"]["accuracy"] >= 0.5


def write_hands(folder: Path) -> None:
    """Class folders of pictures of several sizes, in the place of photographs."""
    from PIL import Image

    random = np.random.RandomState(0)
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for number in range(14):
            side = 40 + 10 * number
            pixels = random.randint(0, 256, (side, side, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / str(label) / f"{number}.jpg")


def test_sign_language_trains(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    write_hands(tmp_path / "hands")
    settings = ["training.epochs=1", f'data.images.cache="{tmp_path / "cache"}"']
    files = [f'data.file="{tmp_path / "hands"}"']
    experiment = load_experiment(EXAMPLES / "sign_language.toml", [*files, *settings])
    outcome = train_experiment(experiment, parent=tmp_path)
    assert np.isfinite(outcome.metrics["test"]["loss"])


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_sign_language(tmp_path: Path, datasets: Path, seed: int) -> None:
    settings = [f'data.images.cache="{tmp_path / "cache"}"', f"seed={seed}"]
    files = [f'data.file="{datasets / "sign-language-digits" / "Dataset.tar"}"']
    experiment = load_experiment(EXAMPLES / "sign_language.toml", [*files, *settings])
    assert train_experiment(experiment, parent=tmp_path).metrics["test"]["accuracy"] >= 0.93

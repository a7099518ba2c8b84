"""Pictures that a device augments have the bits of those that the processor augments."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from ravine import Sequential, Trainer
from ravine import augmentations as steps
from ravine.data import Dataset, fit
from ravine.data.augmentation import for_training
from ravine.layers import Dense, Dropout, Flatten
from ravine.training import device_data

pytestmark = pytest.mark.usefixtures("needs_device")

SEED, EPOCH, SAMPLES, CLASSES = 4, 3, 61, 5
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, CLASSES, SAMPLES).astype(np.int32)
PLACES = RANDOM.permutation(np.repeat(np.arange(SAMPLES), 2))[:77]


def dense(shape: tuple[int, ...], device: str, dtype: str = "float32", loss: Any = None) -> Any:
    model = Sequential(Flatten(), Dense(CLASSES))
    loss = loss or "softmax_cross_entropy"
    return model.network(shape, loss=loss, batch_size=16, dtype=dtype, device=device, seed=1)


def made_here(data: Dataset, places: Any, epoch: int | None, dtype: str) -> Any:
    out = np.empty((len(places), *data.input_shape), dtype)
    data.gather(places, out, epoch=epoch)
    return out


def made_there(
    data: Dataset, places: Any, epoch: int | None, device: str, dtype: str, loss: Any = None
) -> Any:
    network = dense(data.input_shape, device, dtype, loss)
    return device_data.resident(network, data).samples(places, epoch).arrays()


GEOMETRY: list[Any] = [
    steps.Translation(border="reflect"), steps.Scaling(), steps.Rotation(30.0, border="edge"),
    steps.Stretch(), steps.Shear(20.0, 10.0), steps.LensDistortion(), steps.HorizontalFlip(),
    steps.RandomCrop(0, 4), steps.RandomCrop([9, 12], 2, border="reflect"), steps.RandomCrop(11, 0),
    steps.RandomResizedCrop(10, 13, 19), steps.Scaling(0.5, 0.9, fill=77.0, probability=0.5),
]  # fmt: skip
VALUES: list[Any] = [
    steps.Brightness(0.9), steps.Contrast(0.9), steps.PcaColour(0.3), steps.GaussianNoise(25.0),
    steps.Cutout(5), steps.Cutout(7, 3.0, probability=0.5), steps.Contrast(0.5, probability=0.5),
]  # fmt: skip
LISTS: list[list[Any]] = [
    [],
    [steps.RandomCrop(0, 2), steps.HorizontalFlip()],
    [steps.HorizontalFlip(), steps.Brightness(), steps.Rotation(), steps.Contrast(), steps.RandomCrop(8, 1)],
    [steps.LensDistortion(border="edge"), steps.Rotation(border="edge"), steps.LensDistortion(border="edge")],
    [steps.RandomCrop(0, 2), steps.HorizontalFlip(), steps.Rotation(border="reflect"),
     steps.LensDistortion(border="reflect"), steps.Brightness(), steps.Contrast(), steps.PcaColour(),
     steps.GaussianNoise(), steps.Cutout(), steps.Mixup(0.5)],
    [steps.Cutout(3), steps.Mixup(2.0, probability=0.7)],
    [steps.Mixup(0.2)],
]  # fmt: skip


def pictures(channels: int, height: int = 13, width: int = 17) -> Any:
    return np.random.default_rng(1).integers(0, 256, (SAMPLES, height, width, channels), np.uint8)


def augmented(
    given: list[Any], stored: Any, scaled: bool = True, targets: Any = LABELS, rows: Any = None
) -> Dataset:
    augmentation = for_training(given, SEED, stored, rows)
    transform = None
    if scaled:
        shape = augmentation.output_shape(stored.shape[1:])
        transform = fit("standardize", RANDOM.integers(0, 256, (20, *shape), np.uint8))
    classes = CLASSES if targets.ndim == 1 else 0
    return Dataset(stored, targets, classes, rows=rows, transform=transform, augmentation=augmentation)


def agree(found: Any, expected: Any, device_is_twin: bool) -> None:
    """The same bits on the twin; on a card its sines, logarithms and powers differ in the last place."""
    if device_is_twin:
        assert found.tobytes() == expected.tobytes()
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.fixture
def twin() -> bool:
    return "twin" in os.environ.get("RAVINE_CUDA_LIBRARY", "")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("step", [*GEOMETRY, *VALUES], ids=lambda step: type(step).__name__)
def test_every_step(device, twin, step, channels):
    if step.channels not in (None, channels):
        pytest.skip("a step for three channels")
    data = augmented([step], pictures(channels), scaled=False)
    for epoch in (EPOCH, None):
        found = made_there(data, PLACES, epoch, device, "float32")["inputs"]
        agree(found, made_here(data, PLACES, epoch, "float32"), twin)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", LISTS, ids=lambda given: f"{len(given)} steps")
def test_lists_of_steps(device, twin, given, dtype):
    rows = np.random.default_rng(2).permutation(SAMPLES)[:40].astype(np.int64)
    data = augmented(given, pictures(3), targets=LABELS[:40], rows=rows)
    places = PLACES[PLACES < 40]
    found = made_there(data, places, EPOCH, device, dtype)
    agree(found["inputs"], made_here(data, places, EPOCH, dtype), twin)
    mixing = data.mixing(places, EPOCH)
    assert (mixing is None) == ("mixture" not in found)
    if mixing is not None:
        labels, shares = found["mixture"]
        assert np.array_equal(labels, data.targets[mixing.partners])
        agree(shares, mixing.shares.astype(dtype), twin)
        assert "mixture" not in made_there(data, places, None, device, dtype)


def test_large_pictures_are_made_in_parts(device, twin, monkeypatch):
    """More than one part of the work space, and more than one part of the sums of contrast."""
    stored = np.random.default_rng(3).integers(0, 256, (40, 210, 300, 3), np.uint8)
    given = [steps.Contrast(0.5), steps.Rotation(), steps.Mixup(1.0)]
    data = augmented(given, stored, scaled=False, targets=LABELS[:40])
    places = np.arange(39, -1, -1)
    found = made_there(data, places, EPOCH, device, "float32")["inputs"]
    agree(found, made_here(data, places, EPOCH, "float32"), twin)


def test_mixed_values(device, twin):
    targets = RANDOM.normal(size=(SAMPLES, CLASSES))
    data = augmented([steps.Mixup(0.7)], pictures(3), targets=targets)
    found = made_there(data, PLACES, EPOCH, device, "float64", "squared_error")["targets"]
    mixing = data.mixing(PLACES, EPOCH)
    assert mixing is not None
    own = mixing.shares[:, np.newaxis]
    agree(found, targets[PLACES] * own + (1 - own) * targets[mixing.partners], twin)


def test_another_epoch_and_seed_give_other_pictures(device):
    data = augmented([steps.RandomCrop(0, 4)], pictures(3))
    first, second = (made_there(data, PLACES, epoch, device, "float32")["inputs"] for epoch in (0, 1))
    assert not np.array_equal(first, second)


def fitted(device: str, data: Dataset, share: float) -> tuple[Any, Any]:
    model = Sequential(Flatten(), Dense(31, "tanh"), Dropout(0.25), Dense(CLASSES))
    trainer = Trainer(
        model, loss="softmax_cross_entropy", optimizer="adam", batch_size=16, seed=3, device=device,
        device_data=share,
    )  # fmt: skip
    history = trainer.fit_datasets(data, {}, epochs=3)
    assert len(trainer.on_device.lines) == (device != "cpu")
    assert all(("lie on" in line) == (share > 0) for line in trainer.on_device.lines)
    return trainer.network.flat_parameters.copy(), history["loss"]


def test_augmented_trainings_are_those_of_the_processor(device, twin):
    data = augmented(LISTS[4], pictures(3))
    here, resident, copied = (
        fitted(place, data, share) for place, share in (("cpu", 0.5), (device, 0.5), (device, 0.0))
    )
    agree(resident[0], copied[0], twin)
    np.testing.assert_allclose(resident[1], here[1], rtol=1e-4)

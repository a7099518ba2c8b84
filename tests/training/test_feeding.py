"""Trainings whose chunks cost something: the same bits, the same errors, and no thread is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, NotFiniteError, Sequential, Trainer
from ravine.data import Dataset, as_dataset, fit
from ravine.layers import Dense, Dropout, Flatten
from ravine.training import meeting
from ravine.training.callback import Callback

RANDOM = np.random.default_rng(0)
INPUTS = RANDOM.normal(size=(203, 6)).astype(np.float32)
LABELS = RANDOM.integers(0, 3, 203).astype(np.int32)
IMAGES = RANDOM.integers(0, 256, (203, 4, 4, 2), np.uint8)


class Brighter:
    """Stands in for an augmentation: adds a number that depends on epoch and sample."""

    def __init__(self, chance: bool = True) -> None:
        self.chance = chance

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def apply(
        self,
        source: Any,
        indices: Any,
        epoch: int,
        mean: Any,
        scale: Any,
        out: Any,
        threads: int,
        rows: Any,
        mixing: Any = None,
    ) -> None:
        more = (indices * 7 + epoch * 3) % 11 if self.chance else np.zeros(len(indices))
        out[...] = (source[rows] + more[:, None, None, None] - mean) * scale

    def mixing(self, *arguments: Any) -> None:
        return None

    def evaluation(self) -> Brighter:
        return Brighter(chance=False)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    def ours() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("ravine")]

    assert ours() == []
    yield
    assert ours() == []


def trainer(**settings: Any) -> Trainer:
    model = Sequential(Flatten(), Dense(8, "tanh"), Dropout(0.25), Dense(3))
    defaults = {"loss": "softmax_cross_entropy", "optimizer": "adam", "seed": 3, "batch_size": 16}
    return Trainer(model, **{**defaults, **settings})


def mapped(tmp_path: Path, inputs: Any = INPUTS) -> Any:
    np.save(tmp_path / "x.npy", inputs)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def augmented() -> Dataset:
    transform = fit("standardize", IMAGES)
    return Dataset(IMAGES, LABELS, classes=3, transform=transform, augmentation=Brighter())


class Watch(Callback):
    """Does something in every step; counts the steps that a prefetching thread was there for."""

    def __init__(self, action: Callable[[Trainer], None] = lambda trainer: None) -> None:
        self.action = action
        self.prefetched = 0

    def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
        self.prefetched += any(one.name == "ravine prefetch" for one in threading.enumerate())
        self.action(trainer)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_memory_map_gives_the_bits_of_an_array(tmp_path: Path, dtype: str) -> None:
    found = []
    for inputs in (INPUTS, mapped(tmp_path)):
        watch = Watch()
        fitted = trainer(dtype=dtype, callbacks=[watch])
        history = fitted.fit(inputs, LABELS, epochs=4, validation=(inputs[:50], LABELS[:50]))
        assert bool(watch.prefetched) == (inputs is not INPUTS)
        found.append(
            (fitted.network.flat_parameters.tobytes(), history.values.tobytes(), history.evaluations)
        )
    assert found[0] == found[1]


def test_bits_depend_on_neither_chunks_nor_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for seconds, most, threads in ((0.05, 1024, 1), (1e-9, 1024, 2), (10.0, 5, 2), (1e-4, 3, 4)):
        monkeypatch.setattr(meeting, "CONTROL_SECONDS", seconds)
        monkeypatch.setattr(meeting, "MOST_STEPS", most)
        fitted = trainer(threads=threads)
        fitted.fit_datasets(augmented(), {"validation": augmented()}, epochs=3)
        found.add(fitted.network.flat_parameters.tobytes())
    assert len(found) == 1


def test_training_sees_each_epoch_otherwise_and_evaluation_the_same() -> None:
    """Step by step in NumPy's hands: the batches are those of the definition."""
    data, fitted = augmented(), trainer()
    fitted.fit_datasets(data, {"validation": data}, epochs=2)
    by_hand = trainer()
    network = by_hand.compile(data.input_shape, len(data))
    by_hand.attach()
    assert data.transform is not None
    from ravine.data import epoch_order

    for epoch in range(2):
        order = epoch_order(3, epoch, 203)
        for begin in range(0, 203, 16):
            rows = order[begin : begin + 16]
            pictures = IMAGES[rows] + ((rows * 7 + epoch * 3) % 11)[:, None, None, None]
            inputs = (pictures - data.transform.mean) * (1 / data.transform.deviation)
            network.forward(inputs.astype(np.float32), training=True)
            network.loss(LABELS[rows])
            network.backward()
            by_hand.optimizer.step(network)
    assert network.flat_parameters.tobytes() == fitted.network.flat_parameters.tobytes()
    plain = (IMAGES - data.transform.mean) * (1 / data.transform.deviation)
    expected = network.evaluate(plain.astype(np.float32), LABELS)
    assert fitted.evaluate_dataset(data) == pytest.approx(expected, rel=1e-6)


def interrupt(trainer: Trainer) -> None:
    raise KeyboardInterrupt


def fail(trainer: Trainer) -> None:
    raise ValueError("of a callback")


@pytest.mark.parametrize(
    ("action", "error"), [(interrupt, KeyboardInterrupt), (fail, ValueError), (Trainer.stop, None)]
)
def test_the_thread_ends_with_the_training(action: Callable[[Trainer], None], error: Any) -> None:
    watch = Watch(action)
    fitted = trainer(callbacks=[watch])
    if error is None:
        fitted.fit_datasets(augmented(), {}, epochs=100)
        assert 0 < fitted.position.step < 100
    else:
        with pytest.raises(error):
            fitted.fit_datasets(augmented(), {}, epochs=100)
    assert watch.prefetched == 1


def test_the_thread_ends_when_the_loss_is_not_finite() -> None:
    optimizer = {"type": "gradient_descent", "learning_rate": 1e38}
    fitted = Trainer(Sequential(Flatten(), Dense(1)), loss="squared_error", optimizer=optimizer)
    values = LABELS[:, np.newaxis].astype(np.float32)
    data = Dataset(IMAGES, values, transform=fit("none", IMAGES), augmentation=Brighter())
    with pytest.raises(NotFiniteError):
        fitted.fit_datasets(data, {}, epochs=9)


def test_an_error_of_the_thread_names_file_and_row(tmp_path: Path) -> None:
    broken = INPUTS.copy()
    broken[77, 3] = np.nan
    fitted = trainer()
    with pytest.raises(InputError, match=r"x\.npy: train: row 77: inputs\[3\] is NaN"):
        fitted.fit(mapped(tmp_path, broken), LABELS, epochs=2)
    assert fitted.position.epoch == 0
    part = as_dataset(mapped(tmp_path, broken), LABELS, name="validation").view(np.arange(70, 80))
    with pytest.raises(InputError, match=r"x\.npy: validation: row 77: inputs\[3\] is NaN"):
        trainer().fit_datasets(as_dataset(INPUTS, LABELS), {"validation": part}, epochs=1)


def test_a_training_goes_on_from_a_position_in_mid_epoch() -> None:
    whole, parts = trainer(), trainer()
    whole.fit_datasets(augmented(), {}, epochs=4)
    limits = [5, 13, 20, 37, 10**9]

    def stop(trainer: Trainer) -> None:
        if trainer.position.step >= limits[0]:
            trainer.stop()

    parts.callbacks.append(Watch(stop))
    position = None
    while limits:
        parts.fit_datasets(augmented(), {}, epochs=4, position=position)
        position = parts.position
        del limits[0]
    assert parts.position.step == whole.position.step == 52
    assert parts.network.flat_parameters.tobytes() == whole.network.flat_parameters.tobytes()

"""Data sets in the memory of a device: its batches are those of the processor, and so are its trainings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Sequential, Trainer, resume_run, train_experiment
from ravine.data import BatchSource, Dataset, Sampler, SequentialSampler, fit
from ravine.errors import InputError
from ravine.experiment import load_experiment
from ravine.layers import Dense, Dropout, Flatten
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training import device_data
from ravine.training.callback import Callback

pytestmark = pytest.mark.usefixtures("needs_device")

SAMPLES, CLASSES = 61, 5
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, CLASSES, SAMPLES).astype(np.int32)
WEIGHTS = RANDOM.uniform(0.1, 2.0, SAMPLES)
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


PICTURES = RANDOM.integers(0, 256, (SAMPLES, 13, 17, 3), np.uint8)
STORED = {
    "bytes": RANDOM.integers(0, 256, (SAMPLES, 7, 3, 1), np.uint8),
    "words": RANDOM.normal(size=(SAMPLES, 5)).astype(np.float32),
    "whole vectors": RANDOM.normal(size=(SAMPLES, 8)).astype(np.float32),
    "float64": RANDOM.normal(size=(SAMPLES, 6)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("stored", STORED)
def test_rows_have_the_bits_of_the_processor(device, stored, scaled, dtype):
    inputs = STORED[stored]
    rows = RANDOM.permutation(SAMPLES)[:50].astype(np.int64)
    for chosen in (None, rows):
        count = SAMPLES if chosen is None else len(chosen)
        transform = fit("standardize", inputs) if scaled else None
        data = Dataset(
            inputs, LABELS[:count], CLASSES, weights=WEIGHTS[:count].astype(dtype), rows=chosen,
            transform=transform,
        )  # fmt: skip
        places = PLACES[count > PLACES]
        found = made_there(data, places, 0, device, dtype)
        assert found["inputs"].tobytes() == made_here(data, places, 0, dtype).tobytes()
        assert np.array_equal(found["targets"], data.targets[places])
        assert np.array_equal(found["weights"], data.weights[places])


def test_values_that_are_approximated(device):
    inputs, targets = STORED["words"], RANDOM.normal(size=(SAMPLES, CLASSES)).astype(np.float32)
    data = Dataset(inputs, targets)
    found = made_there(data, PLACES, 0, device, "float32", "squared_error")
    assert np.array_equal(found["targets"], targets[PLACES])
    assert set(found) == {"inputs", "targets"}


@pytest.mark.parametrize("place", [-1, SAMPLES])
def test_an_index_outside_is_refused(device, place):
    data = Dataset(STORED["words"], LABELS, CLASSES)
    network = dense(data.input_shape, device)
    samples = device_data.resident(network, data).samples(np.array([0, place]))
    with pytest.raises(InputError, match=f"index {place} is outside the 61 samples"):
        network.predict(samples)


def test_labels_outside_are_refused(device):
    data = Dataset(STORED["words"], LABELS, CLASSES + 1)
    data.targets[0] = CLASSES
    try:
        with pytest.raises(InputError, match="label"):
            device_data.resident(dense(data.input_shape, device), data)
    finally:
        data.targets[0] = 0


def test_samples_of_another_network_are_refused(device):
    data = Dataset(STORED["words"], LABELS, CLASSES)
    one, other = dense(data.input_shape, device), dense(data.input_shape, device)
    with pytest.raises(InputError, match="another network"):
        other.predict(device_data.resident(one, data).samples(PLACES))


def test_evaluations_and_predictions(device):
    data = Dataset(STORED["words"], LABELS, CLASSES, weights=WEIGHTS.astype(np.float32))
    network = dense(data.input_shape, device)
    samples = device_data.resident(network, data).samples(PLACES)
    arrays = data.inputs[PLACES], LABELS[PLACES], data.weights[PLACES]
    assert network.predict(samples).tobytes() == network.predict(arrays[0]).tobytes()
    assert network.losses(samples).tobytes() == network.losses(*arrays).tobytes()
    assert network.evaluate(samples) == network.evaluate(*arrays)
    assert len(samples[3:9]) == 6
    assert np.array_equal(network.predict(samples[3:9]), network.predict(arrays[0][3:9]))


class Log(Callback):
    """What is known of the data when the training begins."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.resident: list[bool] = []

    def on_start(self, trainer: Trainer) -> None:
        self.lines = list(trainer.on_device.lines)
        assert trainer.plan is not None
        train = trainer.plan.source.dataset
        assert train is not None
        self.resident = [
            trainer.on_device.of(one) is not None for one in (train, *trainer.plan.splits.values())
        ]


def fitted(device: str, data: Dataset, share: float = 0.5, **settings: Any) -> tuple[Any, Any, Any, Log]:
    log = Log()
    model = Sequential(Flatten(), Dense(31, "tanh"), Dropout(0.25), Dense(CLASSES))
    trainer = Trainer(
        model, loss="softmax_cross_entropy", optimizer="adam", batch_size=16, seed=3, device=device,
        device_data=share, callbacks=[log], **settings,
    )  # fmt: skip
    validation = Dataset(data.inputs[:30], LABELS[:30], CLASSES, name="validation")
    prepared = data.augmentation is not None or data.transform is not None
    splits = {} if prepared else {"validation": validation}
    history = trainer.fit_datasets(data, splits, epochs=3)
    return trainer.network.flat_parameters.copy(), history, trainer, log


CASES = {
    "plain": {},
    "parts": {"micro_batch": 6},
    "hard samples": {"sampler": "hard"},
    "last batch left out": {"drop_last": True},
    "steps by the host": {"compute": {"device_steps": False}},
    "averaged": {"average_weights": 0.9},
    "distributions": {"statistics": "full", "full_every": 3},
    "one batch of all": {"batch_size": "all"},
}


@pytest.mark.parametrize("case", CASES)
def test_trainings_are_those_of_the_processor(device, case):
    settings = {"dtype": "float64"} | CASES[case]
    size = settings.pop("batch_size", 16)
    data = Dataset(STORED["float64"], LABELS, CLASSES, weights=WEIGHTS, name="train")
    found = {}
    for place, share in (("cpu", 0.5), (device, 0.5), (device, 0.0)):
        log = Log()
        model = Sequential(Dense(31, "tanh"), Dropout(0.25), Dense(CLASSES))
        trainer = Trainer(
            model, loss="softmax_cross_entropy", optimizer="adam", batch_size=size, seed=3, device=place,
            device_data=share, callbacks=[log], **settings,
        )  # fmt: skip
        validation = Dataset(STORED["float64"][:30], LABELS[:30], CLASSES, name="validation")
        history = trainer.fit_datasets(data, {"validation": validation}, epochs=3)
        records = [record.metrics for record in history.evaluations]
        found[place, share] = trainer.network.flat_parameters.copy(), history["loss"], records, log
    here, resident, copied = found.values()
    assert here[3].lines == []
    assert resident[3].resident == [True, True]
    assert copied[3].resident == [False, False]
    assert "61 samples of train lie on cuda:0" in resident[3].lines[0]
    assert "batches of train are made by the processor: device_data is 0" in copied[3].lines[0]
    # Where the rows come from changes no bit; where they are computed changes roundings.
    assert resident[0].tobytes() == copied[0].tobytes()
    assert np.array(resident[1]).tobytes() == np.array(copied[1]).tobytes()
    assert resident[2] == copied[2]
    np.testing.assert_allclose(resident[0], here[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(resident[1], here[1], rtol=1e-8)
    for one, other in zip(resident[2], here[2], strict=True):
        assert one == pytest.approx(other, rel=1e-8)


def test_a_memory_map(device, tmp_path):
    np.save(tmp_path / "inputs.npy", STORED["float64"])
    mapped = np.load(tmp_path / "inputs.npy", mmap_mode="r")
    results = [
        fitted(device, Dataset(inputs, LABELS, CLASSES), dtype="float32")
        for inputs in (mapped, STORED["float64"].astype(np.float32))
    ]
    assert results[0][3].resident[0]
    assert results[0][0].tobytes() == results[1][0].tobytes()
    broken = STORED["float64"].copy()
    broken[17, 2] = np.nan
    np.save(tmp_path / "inputs.npy", broken)
    with pytest.raises(InputError, match="row 17"):
        fitted(device, Dataset(np.load(tmp_path / "inputs.npy", mmap_mode="r"), LABELS, CLASSES))


def test_what_cannot_lie_there_says_why(device):
    mixing = Dataset(PICTURES, LABELS, CLASSES, name="train", transform=fit("pca", PICTURES, components=8))
    assert device_data.why_not(mixing).startswith("pca mixes the features")
    _, _, trainer, log = fitted(device, mixing)
    assert log.resident[0] is False
    assert "made by the processor: pca mixes" in log.lines[0]
    assert trainer.on_device.of(mixing) is None  # and nothing is kept after the training


BUDGET = """
import numpy as np
from ravine import Sequential, Trainer
from ravine.layers import Dense
from ravine.training.callback import Callback

class Log(Callback):
    def on_start(self, trainer):
        print("\\n".join(trainer.on_device.lines))

random = np.random.default_rng(0)
inputs, targets = random.normal(size=(30_000, 512)), random.normal(size=30_000)
trainer = Trainer(Sequential(Dense(1)), loss="squared_error", optimizer="adam", batch_size=500,
                  device="cuda", callbacks=[Log()])
history = trainer.fit(inputs, targets, epochs=1, validation=(inputs[:600], targets[:600]))
print(len(history["loss"]))
"""


def test_a_budget_that_is_too_small(device):
    """What is larger than its share of the free memory is copied batch by batch; the rest lies there."""
    if "twin" not in os.environ.get("RAVINE_CUDA_LIBRARY", ""):
        pytest.skip("needs a card of which the memory can be said: the twin")
    environment = os.environ | {"RAVINE_TWIN_MEMORY": str(140 << 20)}
    done = subprocess.run(
        [sys.executable, "-c", BUDGET],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second, count = done.stdout.splitlines()
    assert "batches of train are made by the processor: they need 58.7 MiB, and samples may take" in first
    assert "600 samples of validation lie on cuda:0, 1.2 MiB" in second
    assert count == "60"


TEXT = """
name = "run"
seed = 11

[data]
source = "npz"
file = "pictures.npz"

[[data.augmentation]]
type = "random_crop"
padding = 2

[[data.augmentation]]
type = "horizontal_flip"

[[data.augmentation]]
type = "mixup"

[data.split]
validation_fraction = 0.2
test_fraction = 0.1

[model]
layers = ["flatten", { type = "dense", units = 17, activation = "relu" }, { type = "dense", units = 5 }]

[optimizer]
type = "momentum"
learning_rate = 0.01

[training]
epochs = 3
batch_size = 16
checkpoint_seconds = 0
"""


class Stop(Callback):
    """Stops the training after some steps."""

    def on_steps(self, trainer: Trainer, steps: Any, values: Any) -> None:
        if trainer.position.step >= 4:
            trainer.stop()


def test_a_run_says_where_its_data_lies_and_goes_on_to_the_same_bits(device, tmp_path):
    np.savez(tmp_path / "pictures.npz", inputs=PICTURES, targets=LABELS)
    (tmp_path / "experiment.toml").write_text(TEXT)
    experiment = load_experiment(str(tmp_path / "experiment.toml"), [f"compute.device={device}"])
    whole = train_experiment(experiment, parent=tmp_path / "whole", stop_on_signal=False).path
    begun = train_experiment(
        experiment, parent=tmp_path / "begun", callbacks=[Stop()], stop_on_signal=False
    ).path
    resume_run(begun, stop_on_signal=False)
    log = (whole / "log.txt").read_text()
    assert "samples of train lie on cuda:0" in log
    assert "samples of validation lie on cuda:0" in log
    ends = []
    for run in (whole, begun):
        with RunFolder.open(run).reader() as reader:
            rows = reader.tail(limit=10**6).values.tobytes()
            evaluations = [(one.step, one.split, one.metrics) for one in reader.evaluations()]
        ends.append((checkpoints.digest(checkpoints.load_latest(run).checkpoint.tensors), rows, evaluations))
    assert ends[0] == ends[1]


def test_chunks_of_samples_are_those_of_arrays(device):
    """The same samples in the same order, with the share of a rank and a last batch that is not full."""
    data = Dataset(STORED["words"], LABELS, CLASSES)
    resident = device_data.resident(dense(data.input_shape, device), data)

    def share(rows: int) -> tuple[int, int]:
        return rows // 2, rows - rows // 2

    for sampler in (Sampler(2, SAMPLES), SequentialSampler(2, SAMPLES)):
        for given in (None, share):
            one, other = (
                BatchSource(data, sampler, batch_size=16, share=given, resident=there)
                for there in (None, resident)
            )
            for epoch, batch in ((0, 0), (0, 3), (1, 1)):
                here, there = one.chunk(epoch, batch, 2), other.chunk(epoch, batch, 2)
                assert (here.batches, here.size, here.first_row, here.global_batch) == (
                    there.batches, there.size, there.first_row, there.global_batch,
                )  # fmt: skip
                made = there.inputs.arrays()
                assert np.array_equal(here.inputs, made["inputs"])
                assert np.array_equal(here.targets, made["targets"])
                last = there.part(there.batches - 1, 1)
                assert np.array_equal(last.inputs.arrays()["targets"], here.part(here.batches - 1, 1).targets)


def test_samples_that_come_from_elsewhere(device, tmp_path: Path) -> None:
    """Settings of the share are checked where they are given."""
    with pytest.raises(InputError, match="expected 0 to 1"):
        Trainer(Sequential(Dense(1)), loss="squared_error", optimizer="adam", device_data=1.5)

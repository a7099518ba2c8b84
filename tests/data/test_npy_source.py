"""`source = "npy"`: arrays that stay in their files, larger than the memory that there is."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ravine.data import DataParts, DataSettings, load
from ravine.data.mapping import mapped_file
from ravine.data.npz import map_npy
from ravine.errors import InputError
from ravine.experiment import parse_experiment


def loaded(folder: Path, **settings: Any) -> DataParts:
    table = {
        "source": "npy",
        "inputs": "inputs.npy",
        "targets": "targets.npy",
        "preprocessing": "none",
        **settings,
    }
    return load(msgspec.convert(table, DataSettings), folder)


def save(folder: Path, inputs: np.ndarray, targets: np.ndarray, prefix: str = "") -> None:
    np.save(folder / f"{prefix}inputs.npy", inputs)
    np.save(folder / f"{prefix}targets.npy", targets)


@pytest.mark.parametrize("element", [np.uint8, np.float32, np.float64])
def test_arrays_that_can_be_used_stay_in_their_file(tmp_path: Path, element: type) -> None:
    inputs = (np.random.RandomState(0).random_sample((7, 4, 3)) * 200).astype(element)
    np.save(tmp_path / "a.npy", inputs)
    found = map_npy(tmp_path / "a.npy")
    assert mapped_file(found) == tmp_path / "a.npy"
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, inputs)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_others_are_read(tmp_path: Path, version: tuple[int, int]) -> None:
    for array in (np.asfortranarray(np.eye(3)[:2]), np.eye(3).astype(">f4"), np.array(4.0)):
        with (tmp_path / "a.npy").open("wb") as file:
            np.lib.format.write_array(file, array, version)
        found = map_npy(tmp_path / "a.npy")
        np.testing.assert_array_equal(found, array)
        assert found.shape == array.shape
        assert found.dtype.isnative


def test_parts_and_weights(tmp_path: Path) -> None:
    inputs = np.random.RandomState(0).standard_normal((30, 4)).astype(np.float32)
    targets, weights = np.arange(30) % 3, np.linspace(0, 1, 30)
    save(tmp_path, inputs, targets)
    save(tmp_path, inputs[:5] + 1, targets[:5], "test_")
    np.save(tmp_path / "weights.npy", weights)
    parts = loaded(
        tmp_path,
        weights="weights.npy",
        test_inputs="test_inputs.npy",
        test_targets="test_targets.npy",
        split={"validation_count": 10, "seed": 3},
    )
    assert parts.validation is not None
    assert parts.test is not None
    order = np.random.RandomState(3).permutation(30)  # as scikit-learn divides
    for part, rows in ((parts.validation, order[:10]), (parts.train, order[10:])):
        np.testing.assert_array_equal(part.prepared(0, len(part), np.float32), inputs[rows])
        np.testing.assert_array_equal(part.targets, targets[rows])
        np.testing.assert_allclose(part.weights, weights[rows], rtol=1e-6)
    np.testing.assert_array_equal(parts.test.prepared(0, 5, np.float32), inputs[:5] + 1)


def test_a_mapped_file_trains_as_the_array_does(tmp_path: Path) -> None:
    """The same samples, and the same transform to the last bit."""
    inputs = np.random.RandomState(0).standard_normal((200, 6)).astype(np.float32)
    targets = np.arange(200) % 4
    save(tmp_path, inputs, targets)
    np.savez(tmp_path / "both.npz", inputs=inputs, targets=targets)
    split = {"validation_fraction": 0.2, "test_fraction": 0.2, "seed": 1}
    mapped = loaded(tmp_path, preprocessing="standardize", split=split)
    table = {"source": "npz", "file": "both.npz", "preprocessing": "standardize", "split": split}
    held = load(msgspec.convert(table, DataSettings), tmp_path)
    np.testing.assert_array_equal(mapped.transform.mean, held.transform.mean)
    np.testing.assert_array_equal(mapped.transform.deviation, held.transform.deviation)
    for one, other in (
        (mapped.train, held.train),
        (mapped.validation, held.validation),
        (mapped.test, held.test),
    ):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(
            one.prepared(0, len(one), np.float32), other.prepared(0, len(other), np.float32)
        )
    assert mapped.summary.content_hash == held.summary.content_hash


def test_messages(tmp_path: Path) -> None:
    save(tmp_path, np.zeros((4, 2)), np.arange(3))
    with pytest.raises(InputError, match=r"targets.npy: data.targets: there are 4 inputs and 3 targets"):
        loaded(tmp_path)
    np.save(tmp_path / "targets.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(InputError, match=r"targets.npy: data.targets: holds Python objects"):
        loaded(tmp_path)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296,), }\n"
    claim = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    (tmp_path / "inputs.npy").write_bytes(claim + bytes(1000))
    text = (
        r"inputs.npy: data.inputs: is truncated: its header promises 34,359,738,368 bytes .* there are 1,000"
    )
    with pytest.raises(InputError, match=text):
        loaded(tmp_path)
    with pytest.raises(msgspec.ValidationError, match='source = "npy" needs `targets`'):
        msgspec.convert({"source": "npy", "inputs": "a.npy"}, DataSettings)
    with pytest.raises(msgspec.ValidationError, match="`test_inputs` and `test_targets` belong together"):
        loaded(tmp_path, test_inputs="a.npy")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"targets": [0.0, np.nan, 1.0, 2.0]}, r"/targets.npy: data.targets: row 1: targets\[0\] is NaN"),
        ({"targets": [0, 1, -1, 1]}, "/targets.npy: data.targets: row 2: label -1 "),
        ({"targets": [["a"]] * 4}, "/targets.npy: data.targets: has type .<U1."),
        ({"inputs": np.full((4, 2), 1j)}, "/inputs.npy: data.inputs: has type .<c16."),
        ({"weights": [1.0, 1.0, 1.0, -1.0]}, "/weights.npy: data.weights: row 3: the sample weight is -1"),
        ({"weights": [1.0]}, "/weights.npy: data.weights: there are 1 sample weights for 4 samples"),
        (
            {"test_targets": [0, 1, 0, -3]},
            "/test_targets.npy: data.test_targets: row 3: label -3 ",
        ),
    ],
)
def test_what_is_wrong_names_the_file_that_it_is_in(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    for prefix in ("", "test_"):
        save(tmp_path, np.zeros((4, 2)), np.arange(4) % 2, prefix)
    np.save(tmp_path / "weights.npy", np.ones(4))
    for name, array in changes.items():
        np.save(tmp_path / f"{name}.npy", np.array(array))
    files = {name: f"{name}.npy" for name in ("weights", "test_inputs", "test_targets")}
    with pytest.raises(InputError, match=expected):
        loaded(tmp_path, **files)


def test_paths_start_at_the_experiment_and_names_do_not(tmp_path: Path) -> None:
    table = {
        "data": {"source": "npy", "inputs": "a.npy", "targets": "b.npy"},
        "model": {"layers": [{"type": "dense", "units": 3}]},
        "loss": "softmax_cross_entropy",
        "optimizer": {"type": "adam"},
    }
    assert parse_experiment(table, tmp_path).data.inputs == str(tmp_path / "a.npy")
    named = {**table, "data": {"source": "npz", "file": "a.npz", "inputs": "pixels"}}
    assert parse_experiment(named, tmp_path).data.inputs == "pixels"


LARGE = """
import resource, sys
from pathlib import Path
import numpy as np
from ravine import Sequential, Trainer
from ravine.data import load, DataSettings, SplitSettings
from ravine.layers import Dense
from ravine.optimizers import Momentum
from ravine.data.source import ArraySource

now = int(next(line for line in open("/proc/self/status") if line.startswith("VmData")).split()[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (now + (400 << 20), resource.RLIM_INFINITY))
settings = DataSettings(
    source="npy", inputs="inputs.npy", targets="targets.npy", preprocessing="standardize",
    split=SplitSettings(validation_fraction=0.01, test_fraction=0.01),
)
parts = load(settings, Path(sys.argv[1]), threads=2)
print(len(parts.train), len(parts.validation), len(parts.test), parts.summary.input_shape)
network = Sequential(Dense(2))
trainer = Trainer(network, loss="softmax_cross_entropy", optimizer=Momentum(0.001), batch_size=512)
trainer.fit_datasets(parts.train, {"validation": parts.validation}, epochs=1)
print(sorted(trainer.evaluate_dataset(parts.validation)))
"""


def test_an_array_larger_than_the_memory_that_may_be_used(tmp_path: Path) -> None:
    """2 GiB of bytes, most of them a hole in the file, trained on with 400 MiB of memory at the most."""
    samples, features = 1 << 18, 1 << 13
    array = np.lib.format.open_memmap(tmp_path / "inputs.npy", "w+", np.uint8, (samples, features))
    array[:: samples // 64] = np.arange(features) % 251
    del array
    np.save(tmp_path / "targets.npy", np.arange(samples) % 2)
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] in (-1, resource.RLIM_INFINITY)
    run = subprocess.run([sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout == "256900 2622 2622 (8192,)\n['accuracy', 'loss']\n"

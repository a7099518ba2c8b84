"""Checkpoints: what is saved comes back bit for bit, old ones go, the best stays."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from ravine.errors import CheckpointError
from ravine.runs import files
from ravine.training import checkpoint as checkpoints
from ravine.training.checkpoint import Checkpoint


def example(step: int) -> Checkpoint:
    random = np.random.default_rng(step)
    tensors: dict[str, Any] = {
        "0.weight": random.standard_normal((5, 3)).astype(np.float32),
        "0.bias": random.standard_normal(3),
        "optimizer.step": np.array(step, np.int64),
        "empty": np.zeros((0, 4), np.float32),
        "transposed": random.standard_normal((3, 4)).T,
    }
    return Checkpoint(step, tensors, {"seed": 2**64 - 1, "rate": 0.1, "name": 'é"seal"', "list": [1, None]})


def assert_equal(actual: Checkpoint, expected: Checkpoint) -> None:
    assert actual.step == expected.step
    assert actual.state == expected.state
    assert actual.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        assert actual.tensors[name].dtype == tensor.dtype
        assert actual.tensors[name].shape == tensor.shape
        assert actual.tensors[name].tobytes() == tensor.tobytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    saved = checkpoints.save(tmp_path, example(7), metrics={"validation.loss": 0.25})
    loaded = checkpoints.load(saved.path)
    assert_equal(loaded, example(7))
    assert loaded.metrics == {"validation.loss": 0.25}
    assert saved.path == tmp_path / "checkpoints" / "step-00000007.safetensors"
    assert saved.size == saved.path.stat().st_size
    loaded.tensors["0.weight"][:] = 0.0  # training goes on in these arrays


def test_another_reader_opens_the_file(tmp_path: Path) -> None:
    saved = checkpoints.save(tmp_path, example(7))
    tensors = load_file(saved.path)
    for name, tensor in example(7).tensors.items():
        np.testing.assert_array_equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype


def test_seal_is_the_hash_of_the_header(tmp_path: Path) -> None:
    saved = checkpoints.save(tmp_path, example(7))
    content = saved.path.read_bytes()
    header = content[: 8 + int.from_bytes(content[:8], "little")]
    blank = header.replace(saved.sha256.encode(), b"0" * 64)
    assert hashlib.sha256(blank).hexdigest() == saved.sha256


def test_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    first = checkpoints.save(tmp_path / "a", example(7))
    second = checkpoints.save(tmp_path / "b", example(7))
    assert first.path.read_bytes() == second.path.read_bytes()


def test_digest_tells_any_difference() -> None:
    tensors = example(1).tensors
    assert checkpoints.digest(tensors) == checkpoints.digest(dict(reversed(tensors.items())))
    for name in ("0.weight", "0.bias", "optimizer.step"):
        changed = {**tensors, name: tensors[name] + 1}
        assert checkpoints.digest(changed) != checkpoints.digest(tensors)
    reshaped = {**tensors, "0.weight": tensors["0.weight"].reshape(3, 5)}
    assert checkpoints.digest(reshaped) != checkpoints.digest(tensors)


def test_last_ones_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in range(1, 8):
        checkpoints.save(tmp_path, example(step), keep_last=3, kind="best" if step == 2 else "last")
    kept = [f"step-{step:08d}.safetensors" for step in (5, 6, 7)]
    assert names(tmp_path) == ["best.safetensors", *kept]
    assert_equal(checkpoints.load(checkpoints.best_path(tmp_path)), example(2))
    assert checkpoints.latest(tmp_path) == tmp_path / "checkpoints" / kept[-1]
    checkpoints.save(tmp_path, example(8), keep_last=1, kind="best")
    assert names(tmp_path) == ["best.safetensors", "step-00000008.safetensors"]
    assert_equal(checkpoints.load(checkpoints.best_path(tmp_path)), example(8))


def test_best_is_copied_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoLinks(files.FileSystem):
        def link(self, source: Path, target: Path) -> None:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(files, "system", NoLinks())
    saved = checkpoints.save(tmp_path, example(3), kind="best")
    assert checkpoints.best_path(tmp_path).read_bytes() == saved.path.read_bytes()
    assert checkpoints.best_path(tmp_path).stat().st_ino != saved.path.stat().st_ino
    assert names(tmp_path) == ["best.safetensors", "step-00000003.safetensors"]


def test_a_resumed_run_forgets_what_came_after(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        checkpoints.save(tmp_path, example(step))
    checkpoints.discard_after(tmp_path, 20)
    assert names(tmp_path) == ["step-00000010.safetensors", "step-00000020.safetensors"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_tensors_never_become_the_latest(tmp_path: Path, value: float) -> None:
    checkpoints.save(tmp_path, example(1))
    bad = example(2)
    bad.tensors["0.bias"][1] = value
    with pytest.raises(
        CheckpointError, match=r"tensor '0.bias' is not finite \((nan|inf|-inf) at element 1\)"
    ):
        checkpoints.save(tmp_path, bad)
    assert checkpoints.load_latest(tmp_path).checkpoint.step == 1
    checkpoints.save(tmp_path, bad, allow={"0.bias"})
    assert_equal(checkpoints.load_latest(tmp_path).checkpoint, bad)


def test_other_dtypes_and_names_are_refused(tmp_path: Path) -> None:
    for name, tensor in (("x", np.zeros(2, np.float16)), ("x", np.zeros(2, "O")), ("", np.zeros(2))):
        with pytest.raises(CheckpointError, match=r"expected float32, float64 or int64|cannot name a tensor"):
            checkpoints.save(tmp_path, Checkpoint(1, {name: tensor}))
    with pytest.raises(CheckpointError, match="cannot be written as JSON"):
        checkpoints.save(tmp_path, Checkpoint(1, {}, {"object": object()}))
    assert checkpoints.latest(tmp_path) is None


def test_big_endian_arrays_keep_their_values(tmp_path: Path) -> None:
    saved = checkpoints.save(tmp_path, Checkpoint(1, {"x": np.array([1.5, -2.0], ">f8")}))
    np.testing.assert_array_equal(checkpoints.load(saved.path).tensors["x"], [1.5, -2.0])


def test_none_yet(tmp_path: Path) -> None:
    assert checkpoints.latest(tmp_path) is None
    with pytest.raises(CheckpointError, match="holds no checkpoint yet"):
        checkpoints.load_latest(tmp_path)
    with pytest.raises(CheckpointError, match="is missing"):
        checkpoints.load(tmp_path / "absent.safetensors")


def test_a_full_file_system_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    checkpoints.save(tmp_path, example(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(
            CheckpointError, match=r"step-00000002.safetensors: step 2 cannot be saved: file too"
        ):
            checkpoints.save(tmp_path, Checkpoint(2, {"x": np.zeros(50_000, np.float32)}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == ["step-00000001.safetensors"]


def test_a_temporary_name_left_behind_never_harms_the_best(tmp_path: Path) -> None:
    """A killed writer of the same process number may leave a second name of the best file."""
    checkpoints.save(tmp_path, example(1), kind="best")
    os.link(checkpoints.best_path(tmp_path), files.temporary_path(checkpoints.checkpoint_path(tmp_path, 2)))
    checkpoints.save(tmp_path, example(2))
    assert_equal(checkpoints.load(checkpoints.best_path(tmp_path)), example(1))
    assert_equal(checkpoints.load_latest(tmp_path).checkpoint, example(2))

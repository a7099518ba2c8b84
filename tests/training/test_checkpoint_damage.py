"""Damaged and hostile checkpoints are never loaded silently."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from ravine.errors import CheckpointError
from ravine.training import checkpoint as checkpoints
from ravine.training.checkpoint import Checkpoint


def saved(folder: Path, step: int = 5) -> Path:
    random = np.random.default_rng(step)
    tensors: dict[str, Any] = {
        "0.weight": random.standard_normal((8, 4)).astype(np.float32),
        "0.bias": random.standard_normal(4),
    }
    return checkpoints.save(folder, Checkpoint(step, tensors, {"epoch": step})).path


def sealed(header: str, payload: bytes) -> bytes:
    """A file with a right seal around any header; ``SEAL`` marks its place."""
    text = header.replace("SEAL", "0" * 64).encode()
    text += b" " * (-len(text) % 8)
    length = struct.pack("<Q", len(text))
    seal = hashlib.sha256(length + text).hexdigest().encode()
    return length + text.replace(b'"seal":"' + b"0" * 64, b'"seal":"' + seal) + payload


def file_of(tensors: dict[str, Any], payload: bytes, **metadata: str) -> bytes:
    digests = {
        name: hashlib.sha256(payload[slice(*entry.get("data_offsets", (0, 0)))]).hexdigest()
        for name, entry in tensors.items()
    }
    texts = {
        "format": "ravine-checkpoint-1",
        "step": "1",
        "state": "{}",
        "metrics": "{}",
        "digests": json.dumps(digests),
        **metadata,
        "seal": "SEAL",
    }
    return sealed(json.dumps({"__metadata__": texts, **tensors}, separators=(",", ":")), payload)


def entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def assert_refused(path: Path, content: bytes, pattern: str | None = None) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=pattern) as caught:
        checkpoints.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_crafted_files_are_right_but_for_the_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(file_of({"a": entry(0, 8, [2]), "b": entry(8, 12, [1])}, b"\0" * 12))
    assert checkpoints.load(path).tensors["a"].shape == (2,)


def test_each_bit_of_the_header(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    random = np.random.default_rng(0)
    for position in range(end):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(random.integers(8))
        assert_refused(path, damaged)


def damage(random: np.random.Generator, content: bytes) -> bytes:
    position = int(random.integers(len(content)))
    match int(random.integers(5)):
        case 0 | 1:
            changed = bytearray(content)
            changed[position] ^= 1 << int(random.integers(8))
            return bytes(changed)
        case 2:
            return content[:position]
        case 3:
            return content + random.bytes(int(random.integers(1, 20)))
        case _:
            return content[:position] + random.bytes(1) + content[position:]


def check_damage(folder: Path, count: int) -> None:
    path = saved(folder)
    content = path.read_bytes()
    random = np.random.default_rng(1)
    for _ in range(count):
        changed = damage(random, content)
        if changed != content:
            assert_refused(path, changed)


def test_random_damage(tmp_path: Path) -> None:
    check_damage(tmp_path, 2_000)


@pytest.mark.soak
def test_random_damage_at_length(tmp_path: Path) -> None:
    check_damage(tmp_path, 25_000)


def test_damage_in_the_payload_names_the_tensor(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    assert_refused(path, content, "is damaged: tensor '0.weight' does not match its SHA-256")
    content[-1] ^= 1
    begin = 8 + int.from_bytes(content[:8], "little")
    content[begin] ^= 1
    assert_refused(path, content, "is damaged: tensor '0.bias' does not match its SHA-256")


@pytest.mark.parametrize(
    ("tensors", "payload", "pattern"),
    [
        ({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, 12, "tensor 'b' overlaps another"),
        ({"a": entry(0, 8, [2]), "b": entry(12, 16, [1])}, 16, "tensor 'b' leaves a gap"),
        ({"a": entry(0, 8, [2])}, 9, "1 bytes follow the last tensor"),
        ({"a": entry(0, 8, [2])}, 7, "truncated in tensor 'a'"),
        ({"a": entry(0, 8, [3])}, 8, r"tensor 'a' of shape \[3\] does not fit its 8 bytes"),
        ({"a": entry(0, 8, [2], "F16")}, 8, "tensor 'a' has the dtype 'F16'"),
        ({"a": entry(0, 8, [2], "BOOL")}, 8, "tensor 'a' has the dtype 'BOOL'"),
        ({"a": entry(0, 2**40, [2**38])}, 8, "truncated in tensor 'a'"),
        ({"a": entry(0, 0, [0, 2**47, 2**47])}, 0, "tensor 'a'"),
        ({"a": entry(8, 0, [-2])}, 8, "tensor 'a'"),
        ({"a": entry(0, 4, [1] * 33)}, 4, "33 dimensions"),
        ({"a": {"dtype": "F32", "shape": [1]}}, 4, "tensor 'a' has the keys"),
        ({"a": {**entry(0, 4, [1]), "shape": [1.0]}}, 4, "tensor 'a' has the shape"),
        ({"a": {**entry(0, 4, [1]), "shape": [True]}}, 4, "tensor 'a' has the shape"),
    ],
)
def test_hostile_headers_with_a_right_seal(
    tmp_path: Path, tensors: dict[str, Any], payload: int, pattern: str
) -> None:
    assert_refused(tmp_path / "x.safetensors", file_of(tensors, b"\0" * payload), pattern)


def test_duplicates_and_odd_metadata(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    whole = {"a": entry(0, 4, [1])}
    text = file_of(whole, b"\0" * 4)[8:-4].decode().rstrip()
    text = re.sub('"seal":"[0-9a-f]{64}"', '"seal":"SEAL"', text)
    twice = text[:-1] + ',"a":' + json.dumps(entry(0, 4, [1])) + "}"
    assert_refused(path, sealed(twice, b"\0" * 4), "'a' stands there twice")
    assert_refused(path, file_of(whole, b"\0" * 4, step="x"), "header")
    assert_refused(path, file_of(whole, b"\0" * 4, state="[" * 100_000), "header")
    assert_refused(path, file_of(whole, b"\0" * 4, state="[]"), "expected a JSON object")
    assert_refused(path, file_of(whole, b"\0" * 4, metrics='{"loss":{}}'), "header")
    assert_refused(path, file_of(whole, b"\0" * 4, format="other"), "format 'other' is unknown")
    assert_refused(path, file_of(whole, b"\0" * 4, digests="{}"), "tensors and digests differ")
    assert_refused(path, sealed('["seal","SEAL"]', b""), "no seal")
    assert_refused(path, sealed('{"__metadata__":{"seal":"SEAL"}}', b""), "header")
    assert_refused(path, sealed("[" * 100_000 + '"seal":"SEAL"', b""), "header")


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for content in (b"", b"\0" * 7, b"\xff" * 8, b"\xff" * 100, b"\0" * 8, struct.pack("<Q", 2) + b"{}"):
        assert_refused(path, content)
    save_file({"a": np.zeros(3)}, path)
    assert_refused(path, path.read_bytes(), "is not a checkpoint of Ravine")
    folder = tmp_path / "folder.safetensors"
    folder.mkdir()
    with pytest.raises(CheckpointError, match="is not a file"):
        checkpoints.load(folder)


def test_swapped_files_are_refused(tmp_path: Path) -> None:
    first, second = saved(tmp_path, 1), saved(tmp_path, 2)
    assert_refused(first, second.read_bytes(), "it holds step 2 under the name of another step")


def test_the_one_before_is_used_with_a_warning(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    saved(tmp_path, 2)
    newest = saved(tmp_path, 3)
    newest.write_bytes(newest.read_bytes()[:-1])
    loaded = checkpoints.load_latest(tmp_path)
    assert loaded.checkpoint.step == 2
    assert loaded.warning is not None
    assert "step-00000003.safetensors: is damaged" in loaded.warning
    assert "loaded step-00000002.safetensors instead" in loaded.warning
    for path in (tmp_path / "checkpoints").iterdir():
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint is whole"):
        checkpoints.load_latest(tmp_path)

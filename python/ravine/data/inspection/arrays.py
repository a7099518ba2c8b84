"""What is in files of arrays: NPY, NPZ, IDX."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.data.files import open_regular
from ravine.data.idx import ELEMENT_TYPES, read_idx
from ravine.data.inspection.report import Report, as_toml, balance, place, spread
from ravine.data.npz import npz_names, read_npy, read_npz
from ravine.data.signatures import GZIP
from ravine.data.sources.npz import DEFAULT_INPUTS, DEFAULT_TARGETS

MOST_CLASSES = 1000
# Parts of the names of pairs of files, as MNIST and its descendants have them.
PAIRS = (("images-idx3", "labels-idx1"), ("images", "labels"))
# Words in the names of NPY files of inputs and of their targets.
NPY_PAIRS = (
    ("x", "y"), ("inputs", "targets"), ("images", "labels"), ("data", "labels"), ("features", "labels"),
    ("features", "targets"),
)  # fmt: skip
TEST_NAMES = (("train", "t10k"), ("train", "test"))


def is_npz(path: Path) -> bool:
    """Whether a zip archive holds arrays."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return path.suffix.lower() == ".npz"


def is_idx(path: Path) -> bool:
    """Whether a file, plain or gzip, starts as IDX files do."""
    file, _ = open_regular(path)
    with file:
        start = file.read(4)
        if start.startswith(GZIP):
            file.seek(0)
            try:
                with gzip.GzipFile(fileobj=file) as stream:
                    start = stream.read(4)
            except (OSError, EOFError, zlib.error):
                return "idx" in path.name
    return len(start) == 4 and start[:2] == b"\0\0" and start[2] in ELEMENT_TYPES


def inspect_npy(path: Path) -> Report:
    """An NPY file: one array, and the file of its targets or inputs if it lies beside."""
    array = read_npy(path)
    other = _npy_partner(path)
    if other is None:
        return _report(
            path, "NPY", {"array": array}, ["no file of its targets, or inputs, lies beside it"], {}
        )
    partner, is_targets = other
    targets, inputs = (array, read_npy(partner)) if is_targets else (read_npy(partner), array)
    names = (partner, path) if is_targets else (path, partner)
    if len(inputs) != len(targets):
        problem = f"{names[0].name} and {names[1].name} have different numbers of samples"
        return _report(path, "NPY", {"array": array}, [problem], {})
    section = {"source": "npy", "inputs": place(names[0]), "targets": place(names[1])}
    section |= _ready(inputs, targets)
    return _report(path, "NPY", {"inputs": inputs, "targets": targets}, [], section)


def _npy_partner(path: Path) -> tuple[Path, bool] | None:
    """The other file of inputs and targets, and whether `path` is the targets."""
    words = re.split(r"([A-Za-z]+)", path.stem)
    for inputs, targets in NPY_PAIRS:
        for mine, other, is_targets in ((inputs, targets, False), (targets, inputs, True)):
            for index, word in enumerate(words):
                if word.lower() != mine:
                    continue
                for spelling in (other, other.capitalize(), other.upper()):
                    name = "".join([*words[:index], spelling, *words[index + 1 :]])
                    partner = path.with_name(f"{name}{path.suffix}")
                    if partner.is_file() and partner != path:
                        return partner, is_targets
    return None


def inspect_npz(path: Path) -> Report:
    """An NPZ file: which arrays could be inputs and targets."""
    names = npz_names(path)
    arrays = read_npz(path, names)
    inputs = next((name for name in DEFAULT_INPUTS if name in arrays), None)
    targets = next((name for name in DEFAULT_TARGETS if name in arrays), None)
    by_size = sorted(arrays, key=lambda name: -arrays[name].ndim)
    inputs = inputs or (by_size[0] if arrays[by_size[0]].ndim > 1 else None)
    if inputs is not None and targets is None:
        rows = len(arrays[inputs])
        fitting = [name for name in arrays if name != inputs and arrays[name].shape[:1] == (rows,)]
        targets = fitting[0] if len(fitting) == 1 else None
    notes: list[str] = []
    section: dict[str, Any] = {}
    if inputs and targets:
        if len(arrays[inputs]) != len(arrays[targets]):
            notes.append(f"{inputs} and {targets} have different numbers of samples")
        section = {"source": "npz", "file": place(path)}
        section |= {"inputs": inputs} if inputs not in DEFAULT_INPUTS else {}
        section |= {"targets": targets} if targets not in DEFAULT_TARGETS else {}
        section |= _ready(arrays[inputs], arrays[targets])
    else:
        notes.append(
            "which arrays are inputs and targets cannot be told; name them: inputs = ..., targets = ..."
        )
    return _report(path, "NPZ", arrays, notes, section)


def inspect_idx(path: Path) -> Report:
    """An IDX file: images or labels, and the file of the others if it lies beside."""
    array = read_idx(path)
    notes: list[str] = []
    section: dict[str, Any] = {}
    is_labels = array.ndim == 1
    for images, labels in PAIRS:
        mine, other = (labels, images) if is_labels else (images, labels)
        partner = path.with_name(path.name.replace(mine, other)) if mine in path.name else None
        if partner is not None and partner.is_file():
            files = {
                "train_images": partner if is_labels else path,
                "train_labels": path if is_labels else partner,
            }
            section = {"source": "idx", **{key: place(file) for key, file in files.items()}}
            for train, test in TEST_NAMES:
                beside = {
                    key.replace("train", "test"): file.with_name(file.name.replace(train, test))
                    for key, file in files.items()
                    if train in file.name
                }
                if len(beside) == 2 and all(file.is_file() for file in beside.values()):
                    section |= {key: place(file) for key, file in beside.items()}
                    break
            section |= _ready(None if is_labels else array, array if is_labels else None)
            if "test_images" in section:
                section["split"].pop("test_fraction", None)
            break
    else:
        notes.append(f"no file of {'images' if is_labels else 'labels'} lies beside it")
    return _report(path, "IDX", {"labels" if is_labels else "images": array}, notes, section)


def _report(
    path: Path, kind: str, arrays: dict[str, NDArray[Any]], notes: list[str], section: dict[str, Any]
) -> Report:
    rows, facts = [], {}
    for name, array in arrays.items():
        shape = " x ".join(f"{length:,}" for length in array.shape) or "one value"
        values, found = _values(array)
        rows.append((name, array.dtype.name, shape, values))
        facts[name] = {"dtype": array.dtype.name, "shape": list(array.shape), **found}
        if missing := found.get("not_finite"):
            notes.append(
                f"{name}: {missing:,} values are not finite; remove these samples or replace the values"
            )
    count = f"{len(arrays)} arrays" if len(arrays) != 1 else "1 array"
    return Report(
        f"{path.name}: {kind}, {count}",
        ("array", "type", "shape", "values"),
        tuple(rows),
        notes=tuple(notes),
        suggestion=as_toml(section) if section else "",
        facts={"kind": kind.lower(), "arrays": facts},
    )


def _values(array: NDArray[Any]) -> tuple[str, dict[str, Any]]:
    """Labels by class, all else by range."""
    if not array.size:
        return "no values", {}
    if array.dtype.kind in "iu" and array.ndim == 1:
        different, counts = np.unique(array, return_counts=True)
        if len(different) <= min(MOST_CLASSES, len(array) // 2):
            classes = {str(one): int(count) for one, count in zip(different, counts, strict=True)}
            return balance(classes), {"classes": classes}
    finite = array
    found: dict[str, Any] = {}
    if array.dtype.kind == "f":
        is_finite = np.isfinite(array)
        if not is_finite.all():
            finite = array[is_finite]
            found["not_finite"] = int(array.size - finite.size)
    if not finite.size:
        return "none is finite", found
    found |= {"minimum": float(finite.min()), "maximum": float(finite.max())}
    found |= {"mean": float(np.mean(finite, dtype=np.float64))}
    return spread(finite), found


def _ready(inputs: NDArray[Any] | None, targets: NDArray[Any] | None) -> dict[str, Any]:
    """Preprocessing and split that suit the arrays."""
    grey = inputs is None or (inputs.dtype == np.uint8 and inputs.max(initial=0) > 127)
    labels = targets is None or targets.dtype.kind in "iub"
    smallest = 2
    if targets is not None and labels:
        smallest = int(np.unique(targets, return_counts=True)[1].min())
    split: dict[str, Any] = {"validation_fraction": 0.1, "test_fraction": 0.1, "seed": 1}
    if labels and smallest >= 10:
        split["stratify"] = True
    return {"preprocessing": "scale" if grey else "standardize", "split": split}

"""What the `[data]` section says about files that were dropped on the window."""

from __future__ import annotations

from pathlib import Path

from ravine.errors import InputError
from ravine.settings import Table

_PAIRS = (("images-idx3", "labels-idx1"), ("images.idx3", "labels.idx1"), ("images", "labels"))


def data_table(path: Path, before: Table) -> Table:
    """The `[data]` section for a file; the split stays as it was.

    An IDX file brings its pair, and the pair of the test, where they lie beside it under the customary names.

    Raises:
        InputError: a kind of file that Ravine does not read, or an IDX file without its pair.
    """
    split = {"split": before["split"]} if isinstance(before.get("split"), dict) else {}
    path = path.absolute()
    name = path.name.removesuffix(".gz")
    if name.endswith(".npz"):
        split = split or {"split": {"validation_fraction": 0.15, "test_fraction": 0.15}}
        return {"source": "npz", "file": str(path), **split}
    if "idx" in name or name.endswith("ubyte"):
        images, labels = _pair(path)
        table: Table = {"source": "idx", "train_images": str(images), "train_labels": str(labels)}
        table["preprocessing"] = "scale"
        for train, test in (("train", "t10k"), ("train", "test")):
            others = [one.with_name(one.name.replace(train, test)) for one in (images, labels)]
            if all(other.is_file() and other not in (images, labels) for other in others):
                table |= {"test_images": str(others[0]), "test_labels": str(others[1])}
                table["split"] = {"validation_fraction": 0.1}
                return table
        return {**table, "split": {"validation_fraction": 0.15, "test_fraction": 0.15}}
    raise InputError("is no kind of file that the app opens as data: choose NPZ or IDX files", file=path)


def _pair(path: Path) -> tuple[Path, Path]:
    name = path.name.replace("t10k", "train") if path.name.startswith("t10k") else path.name
    for images, labels in _PAIRS:
        if images in name or labels in name:
            pair = (
                path.with_name(name.replace(labels, images)),
                path.with_name(name.replace(images, labels)),
            )
            for one in pair:
                if not one.is_file():
                    raise InputError("is missing beside the other file of its pair", file=one)
            return pair
    raise InputError(
        "is an IDX file whose name does not tell images from labels; name both in the form", file=path
    )

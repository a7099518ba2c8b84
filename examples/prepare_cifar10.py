"""Turns a part of CIFAR-10 that is stored as PNG sprites into the two NPZ files of resnet20_cifar.toml.

    python examples/prepare_cifar10.py FOLDER_OF_CIFAR10 [~/.cache/ravine/cifar10]

Needs Pillow (`pip install pillow`), which Ravine itself does not. The first folder is only read. It holds

- train_png_sprites/cifar10_batch_NN.png: RGB, one row of pixels is one image of 32 x 32, row by row;
- labels_train_20000.u8 and labels_test_1000.u8: one byte a label, in the order of the images; the test images
  begin with sprite 50.

The files written are train.npz and test.npz with `inputs` (uint8 [images, 32, 32, 3]) and `targets` (int32).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

SIZE = 32
SPRITES = "train_png_sprites"
PARTS = {"train": ("labels_train_20000.u8", 0), "test": ("labels_test_1000.u8", 50)}  # labels, first sprite


def read_part(folder: Path, labels_file: str, first_sprite: int) -> tuple[np.ndarray, np.ndarray]:
    """The images and labels of one part; sprites are read until there is an image for every label."""
    from PIL import Image

    labels = np.fromfile(folder / labels_file, np.uint8)
    images = np.empty((0, SIZE, SIZE, 3), np.uint8)
    while len(images) < len(labels):
        path = folder / SPRITES / f"cifar10_batch_{first_sprite:02d}.png"
        with Image.open(path) as sprite:
            pixels = np.asarray(sprite.convert("RGB"))
        if pixels.shape[1] != SIZE * SIZE:
            raise ValueError(
                f"{path}: is {pixels.shape[1]} pixels wide, expected {SIZE * SIZE}, an image a row"
            )
        images = np.concatenate([images, pixels.reshape(-1, SIZE, SIZE, 3)])
        first_sprite += 1
    if len(images) > len(labels):
        raise ValueError(f"{folder / labels_file}: {len(labels):,} labels for {len(images):,} images")
    return images, labels.astype(np.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder of the sprites and labels")
    parser.add_argument(
        "target", type=Path, nargs="?", default=Path("~/.cache/ravine/cifar10"), metavar="TARGET",
        help="folder of train.npz and test.npz (default: ~/.cache/ravine/cifar10)",
    )  # fmt: skip
    arguments = parser.parse_args()
    needed = [arguments.source / labels for labels, _ in PARTS.values()]
    missing = [path for path in [*needed, arguments.source / SPRITES] if not path.exists()]
    if missing:
        sys.exit(
            f"{arguments.source}: there is no {missing[0].name}; name the folder that has {SPRITES}, "
            + " and ".join(path.name for path in needed)
        )
    target = arguments.target.expanduser()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for part, (labels_file, first_sprite) in PARTS.items():
            images, labels = read_part(arguments.source, labels_file, first_sprite)
            np.savez(target / f"{part}.npz", inputs=images, targets=labels)
            print(f"{target / part}.npz: {len(images):,} images of {len(set(labels.tolist()))} classes")
    except ImportError:
        sys.exit("needs Pillow to read PNG files: pip install pillow")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename}: is missing; there are more labels than images")
    except OSError as error:
        sys.exit(f"{error.filename or arguments.source}: {error.strerror or error}")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

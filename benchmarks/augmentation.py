"""Times augmenting pictures beside NumPy, Pillow and albumentations.

    python benchmarks/augmentation.py [--only jitter warp] [--threads 1 2] [--repeats 5]

jitter: random crop with 4 pixels of padding, flip, brightness and contrast, then standardized to float32.
warp: rotation, scaling and shear as one affine map with bilinear sampling, to bytes. Prints the table, and
writes augmentation.json and augmentation.md to benchmarks/results/.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from reporting import parse, parser, progress, table, write

from ravine import _core, augmentations
from ravine.data.augmentation import for_training

SIDES = {"jitter": (32,), "warp": (32, 224)}
BYTES = 768 << 10  # of the pictures of a batch: 256 of 32 x 32
TURN_SECONDS = 0.2  # for which a contender goes on before the next one
MEAN, DEVIATION = np.array([125.3, 123.0, 113.9]), np.array([63.0, 62.1, 66.7])
STRENGTH, PADDING = 0.2, 4

Part = Callable[[np.ndarray, np.ndarray, np.random.Generator], None]  # pictures, out, random numbers


def numpy_at_once(pictures: np.ndarray, out: np.ndarray, random: np.random.Generator) -> None:
    """All pictures of a batch by one operation each."""
    count, side = len(pictures), pictures.shape[1]
    padded = np.pad(pictures, [(0, 0), (PADDING, PADDING), (PADDING, PADDING), (0, 0)])
    y, x = random.integers(0, 2 * PADDING + 1, (2, count))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))
    values = windows[np.arange(count), y, x].transpose(0, 2, 3, 1).astype(np.float32)
    flipped = random.random(count) < 0.5
    values[flipped] = values[flipped, :, ::-1]
    factors = random.uniform(1 - STRENGTH, 1 + STRENGTH, (2, count, 1, 1, 1)).astype(np.float32)
    values *= factors[0]
    np.clip(values, 0, 255, values)
    grey = (values @ np.array([0.299, 0.587, 0.114], np.float32)).mean((1, 2))[:, None, None, None]
    values -= grey
    values *= factors[1]
    values += grey
    np.clip(values, 0, 255, values)
    values -= MEAN.astype(np.float32)
    np.multiply(values, (1 / DEVIATION).astype(np.float32), out)


def numpy_one_by_one(pictures: np.ndarray, out: np.ndarray, random: np.random.Generator) -> None:
    """A picture after the other, as the transforms of torchvision do."""
    side, mean, scale = pictures.shape[1], MEAN.astype(np.float32), (1 / DEVIATION).astype(np.float32)
    for picture, to in zip(pictures, out, strict=True):
        padded = np.pad(picture, [(PADDING, PADDING), (PADDING, PADDING), (0, 0)])
        y, x = random.integers(0, 2 * PADDING + 1, 2)
        values = padded[y : y + side, x : x + side].astype(np.float32)
        if random.random() < 0.5:
            values = values[:, ::-1]
        values = np.clip(values * np.float32(random.uniform(1 - STRENGTH, 1 + STRENGTH)), 0, 255)
        grey = (values @ np.array([0.299, 0.587, 0.114], np.float32)).mean()
        factor = np.float32(random.uniform(1 - STRENGTH, 1 + STRENGTH))
        to[...] = (np.clip(grey + factor * (values - grey), 0, 255) - mean) * scale


def pillow(pictures: np.ndarray, out: np.ndarray, random: np.random.Generator) -> None:
    """As torchvision on pictures of Pillow."""
    from PIL import Image, ImageEnhance, ImageOps

    side, mean, scale = pictures.shape[1], MEAN.astype(np.float32), (1 / DEVIATION).astype(np.float32)
    for picture, to in zip(pictures, out, strict=True):
        image = ImageOps.expand(Image.fromarray(picture), PADDING)
        y, x = (int(place) for place in random.integers(0, 2 * PADDING + 1, 2))
        image = image.crop((x, y, x + side, y + side))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = ImageEnhance.Brightness(image).enhance(random.uniform(1 - STRENGTH, 1 + STRENGTH))
        image = ImageEnhance.Contrast(image).enhance(random.uniform(1 - STRENGTH, 1 + STRENGTH))
        to[...] = (np.asarray(image, np.float32) - mean) * scale


def with_albumentations(task: str, side: int) -> Part | None:
    """Its own transforms, where it is installed."""
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    try:
        import albumentations as peer
        import cv2
    except ModuleNotFoundError:
        return None
    cv2.setNumThreads(1)
    if task == "warp":
        steps = [peer.Affine(rotate=(-15, 15), scale=(0.8, 1.25), shear=(-10, 10), p=1)]
    else:
        steps = [
            peer.Pad(PADDING, p=1), peer.RandomCrop(side, side, p=1), peer.HorizontalFlip(p=0.5),
            peer.RandomBrightnessContrast(STRENGTH, STRENGTH, p=1),
            peer.Normalize(MEAN / 255, DEVIATION / 255, p=1),
        ]  # fmt: skip
    compose = peer.Compose(steps)

    def part(pictures: np.ndarray, out: np.ndarray, random: np.random.Generator) -> None:
        for picture, to in zip(pictures, out, strict=True):
            to[...] = compose(image=picture)["image"]

    return part


def pillow_warp(pictures: np.ndarray, out: np.ndarray, random: np.random.Generator) -> None:
    """Image.transform with the matrix of the three steps."""
    from PIL import Image

    side = pictures.shape[1]
    for picture, to in zip(pictures, out, strict=True):
        angle, slant = np.radians(random.uniform(-15, 15)), np.tan(np.radians(random.uniform(-10, 10)))
        factor = np.exp(random.uniform(np.log(0.8), np.log(1.25)))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        back = np.linalg.inv(turn @ np.array([[1, slant], [0, 1]]) * factor)
        shift = side / 2 - back @ [side / 2, side / 2]
        matrix = (*back[0], shift[0], *back[1], shift[1])
        image = Image.fromarray(picture)
        to[...] = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def in_threads(part: Part, pictures: np.ndarray, out: np.ndarray, threads: int) -> None:
    """Each thread takes a share of the pictures."""
    ends = [len(pictures) * number // threads for number in range(threads + 1)]
    workers = [
        threading.Thread(
            target=part, args=(pictures[begin:end], out[begin:end], np.random.default_rng(begin))
        )
        for begin, end in itertools.pairwise(ends)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def contenders(task: str, side: int, count: int, threads: int, peers: bool) -> dict[str, Callable[[], None]]:
    """What augments `count` pictures, by name."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (count, side, side, 3), np.uint8)
    order = random.permutation(count)
    out = np.empty(pictures.shape, np.uint8 if task == "warp" else np.float32)
    warp = [augmentations.Rotation(15.0), augmentations.Scaling(0.8, 1.25), augmentations.Shear(10.0)]
    jitter = [
        augmentations.RandomCrop(padding=PADDING), augmentations.HorizontalFlip(),
        augmentations.Brightness(STRENGTH), augmentations.Contrast(STRENGTH),
    ]  # fmt: skip
    ours = for_training(warp if task == "warp" else jitter, 0, pictures)
    mean, scale = (
        (None, None)
        if task == "warp"
        else (np.broadcast_to(one, pictures.shape[1:]).copy() for one in (MEAN, 1 / DEVIATION))
    )
    runs = {"Ravine": lambda: ours.apply(pictures, order, 0, mean, scale, out, threads)}
    parts: dict[str, Part | None] = {"albumentations": with_albumentations(task, side)} if peers else {}
    if peers and task == "warp":
        parts["Pillow"] = pillow_warp
    elif peers:
        parts |= {"NumPy, batches": numpy_at_once, "NumPy": numpy_one_by_one, "Pillow": pillow}
    for name, part in parts.items():
        if part is not None:
            runs[name] = lambda part=part: in_threads(part, pictures, out, threads)  # type: ignore[misc]
    return runs


def shortest(run: Callable[[], None], seconds: float) -> float:
    """The shortest of the runs that begin within some time."""
    begin = start = time.perf_counter()
    least = float("inf")
    while start - begin <= seconds:
        run()
        end = time.perf_counter()
        least, start = min(least, end - start), end
        if seconds == 0:
            break
    return least


NAMES = ("Ravine", "albumentations", "NumPy, batches", "NumPy", "Pillow")


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table: thousands of pictures a second, and by how much Ravine is ahead."""
    speed = {name: row["pictures"] / seconds / 1e3 for name, seconds in row["seconds"].items()}
    best = max((value for name, value in speed.items() if name != "Ravine"), default=0.0)
    ahead = f"{speed['Ravine'] / best:.1f}" if best else "-"
    shown = [f"{speed[name]:.1f}" if name in speed else "-" for name in NAMES]
    return [row["task"], f"{row['side']} x {row['side']}", str(row["threads"]), *shown, ahead]


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(parser(__doc__, SIDES), words)
    rows = []
    for task in chosen.only or SIDES:
        for side in SIDES[task]:
            for threads in chosen.threads or sorted({1, min(2, _core.available_processors())}):
                count = 8 if chosen.quick else BYTES // (3 * side * side)
                runs = contenders(task, side, count, threads, not chosen.without_peers)
                seconds = dict.fromkeys(runs, float("inf"))
                for _ in range(chosen.repeats):
                    for name, run in runs.items():
                        run()  # a warm-up
                        seconds[name] = min(seconds[name], shortest(run, 0 if chosen.quick else TURN_SECONDS))
                rows.append(
                    {"task": task, "side": side, "threads": threads, "pictures": count, "seconds": seconds}
                )
                progress(" | ".join(cells(rows[-1])))
    introduction = f"""
        Thousands of pictures of three channels a second, from the shortest batch (of {BYTES >> 10} KiB)
        of {chosen.repeats} turns of {TURN_SECONDS} s.
        jitter: random crop with {PADDING} pixels of padding, horizontal flip, brightness and contrast by up
        to {STRENGTH:.0%}, standardized to float32. warp: rotation by up to 15 degrees, scaling from 0.8 to
        1.25 and shear by up to 10 degrees, bilinear, to bytes. NumPy and Pillow do what torchvision does, a
        picture after the other, or, "batches", all pictures by one operation each. Several threads share the
        pictures. Ahead: Ravine over the fastest of the others.
    """
    body = table(["task", "pictures", "threads", *NAMES, "ahead"], map(cells, rows))
    write(chosen, "augmentation", "Augmenting pictures beside other libraries", introduction, body, rows)


if __name__ == "__main__":
    main()

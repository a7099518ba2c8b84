"""Pictures in class folders, in a folder, tar or zip, as pixels and labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravine.data.files import locate
from ravine.data.images.archives import Loader
from ravine.data.images.arrangement import Arrangement, arrange, is_left_by_programs, is_picture, natural
from ravine.data.images.cache import Cache, Entry, Index, cache_of, in_threads, needs_hash, now
from ravine.data.images.containers import Container, Folder, open_container
from ravine.data.images.decode import bombs_are_errors, decode
from ravine.data.images.labels import arrange_by_labels, read_labels
from ravine.data.images.settings import ImageSettings
from ravine.data.images.stamp import digest, file_digest, stamp_of
from ravine.data.progress import progress_line
from ravine.errors import InputError, RavineWarning

IN_MEMORY_BYTES = 64 << 20  # pixels up to here are read; more stay mapped
NAMED = 3  # ignored files that a warning names

Decoded = Callable[[], tuple[int, str, NDArray[np.uint8]]]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Decoded pictures in the order of part, class and name.

    Args:
        pixels: uint8 [pictures, height, width, channels]; mapped from the cache where they are many.
        labels: int32 [pictures].
        parts: uint8 [pictures], TRAIN, VALIDATION or TEST, ascending.
        class_names: of the folders.
        names: of the files.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int32]
    parts: NDArray[np.uint8]
    class_names: tuple[str, ...]
    names: tuple[str, ...]


def read_pictures(root: Path, settings: ImageSettings, *, threads: int = 1) -> Pictures:
    """Pictures in class folders, decoded once and from then on taken from the cache.

    Args:
        root: a folder, a .tar, .tar.gz or .zip.
        settings: what becomes of a picture.
        threads: the most threads to decode with; the result is the same for any number.

    Raises:
        InputError: see `arrange`, `open_container` and `decode`; the file in the folder or archive is named.
            Pictures of several sizes without `settings.size`. A cache that cannot be written.

    Example:
        >>> pictures = read_pictures(Path("animals"), ImageSettings(size=(64, 64)))  # doctest: +SKIP
    """
    looked = now()
    cache = cache_of(root, settings)
    index, pixels = cache.index(), None
    container: Container | None = None
    arrangement: Arrangement | None = None
    if root.is_dir():
        container, arrangement = _arranged(root, settings)
    if index is not None:
        current = _confirmed(index, container, arrangement, cache.root, looked)
        pixels = None if current is None else cache.pixels(current, threads)
        if current is not None and current is not index and pixels is not None:
            cache.write_index(current)
    if index is None or pixels is None:
        if container is None or arrangement is None:
            container, arrangement = _arranged(root, settings)
        index = _decode_all(container, arrangement, settings, cache, threads, looked)
        pixels = cache.pixels(index, threads)
        if pixels is None:
            raise InputError("was changed while it was written; try again", file=cache.pixels_path)
    _warn_of_ignored(root, index)
    if pixels.nbytes <= IN_MEMORY_BYTES:
        pixels = np.array(pixels)
    return Pictures(
        pixels,
        np.array([picture.label for picture in index.pictures], np.int32),
        np.array([picture.part for picture in index.pictures], np.uint8),
        index.class_names,
        tuple(picture.name for picture in index.pictures),
    )


def read_loose(
    root: Path, settings: ImageSettings, *, threads: int = 1
) -> tuple[NDArray[np.uint8], list[str]]:
    """One picture, or all pictures of a folder or archive whatever folders they lie in, without a cache.

    Args:
        root: a PNG or JPEG file, a folder, a tar or a zip.
        settings: what becomes of a picture; its size must be given.
        threads: the most threads to decode with.

    Returns:
        uint8 [pictures, height, width, channels], and the names of the files, in the order of the names.

    Raises:
        InputError: as `read_pictures`.
    """
    if not root.is_dir() and is_picture(root.name):
        container: Container = Folder.of_file(root)
    else:
        container = open_container(root)
    names = sorted(
        (name for name in container.files if is_picture(name) and not is_left_by_programs(name)), key=natural
    )
    if not names:
        raise InputError("holds no PNG or JPEG pictures", file=root)
    pixels = np.empty((len(names), *settings.size, settings.channels), np.uint8)
    with bombs_are_errors():
        tasks = _tasks(container, names, settings)
        for place, _, picture in in_threads(lambda task: task(), tasks, threads):
            pixels[place] = picture
    return pixels, names


def with_classes(pictures: Pictures, class_names: tuple[str, ...], root: Path) -> Pictures:
    """Pictures with labels by other class names, which must have theirs among them.

    Raises:
        InputError: a class that is not among them.
    """
    strange = [name for name in pictures.class_names if name not in class_names]
    if strange:
        known = ", ".join(map(repr, class_names[:10])) + (", ..." if len(class_names) > 10 else "")
        raise InputError(f"has a class folder {strange[0]!r}; the classes trained on are {known}", file=root)
    places = np.array([class_names.index(name) for name in pictures.class_names], np.int32)
    return Pictures(pictures.pixels, places[pictures.labels], pictures.parts, class_names, pictures.names)


def _arranged(root: Path, settings: ImageSettings) -> tuple[Container, Arrangement]:
    container = open_container(root)
    try:
        if settings.labels:
            labels = locate(settings.labels, Path())
            arrangement = arrange_by_labels(container.files, read_labels(labels), labels)
            own = tuple(name for name in arrangement.ignored if root / name != labels)
            return container, replace(arrangement, ignored=own)
        return container, arrange(container.files, container.folders)
    except InputError as error:
        raise InputError(error.message, file=error.file or root) from error


def _confirmed(
    index: Index, container: Container | None, arrangement: Arrangement | None, root: Path, looked: int
) -> Index | None:
    """The index, with new times where only these changed; None where the files are not those decoded."""
    if container is None or arrangement is None:
        try:
            stamps = [stamp_of(root.stat())]
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=root) from error
        paths = [root]
    else:
        names = [picture.name for picture in arrangement.pictures]
        listed = tuple(Entry(one.name, one.part, one.label) for one in arrangement.pictures)
        if listed != index.pictures or arrangement.class_names != index.class_names:
            return None
        stamps = container.stamps(names)
        paths = [Path(container.where(name)) for name in names]
    if not len(stamps) == len(index.stamps) == len(index.digests):
        return None
    doubtful = [
        place
        for place, (current, then) in enumerate(zip(stamps, index.stamps, strict=True))
        if needs_hash(current, then, index.confirmed)
    ]
    for place in doubtful:
        if stamps[place][0] != index.stamps[place][0]:
            return None
        if file_digest(paths[place]) != index.digests[place]:
            return None
    ignored = index.ignored if arrangement is None else _ignored(arrangement)
    if not doubtful and ignored == index.ignored:
        return index
    return Index(
        index.key, index.root, index.shape, index.class_names, index.pictures, ignored, tuple(stamps),
        index.digests, looked, index.blocks,
    )  # fmt: skip


def _decode_all(
    container: Container,
    arrangement: Arrangement,
    settings: ImageSettings,
    cache: Cache,
    threads: int,
    looked: int,
) -> Index:
    names = [picture.name for picture in arrangement.pictures]
    stamps = container.stamps(names)
    archive = container.digests(names)
    with bombs_are_errors(), progress_line("decoding pictures", len(names), "pictures") as line:
        shape = (len(names), *_first_shape(container, names, settings), settings.channels)
        tasks = _tasks(container, names, settings, shape[1:3])
        hashes, blocks = cache.write_pixels(shape, tasks, threads, line.update)
    if archive is not None and container.stamps(names) != stamps:
        raise InputError("was changed while it was read; try again", file=container.root)
    index = Index(
        cache.key,
        str(cache.root),
        shape,
        arrangement.class_names,
        tuple(Entry(picture.name, picture.part, picture.label) for picture in arrangement.pictures),
        _ignored(arrangement),
        tuple(stamps),
        tuple(archive if archive is not None else hashes),
        looked,
        blocks,
    )
    cache.write_index(index)
    return index


def _first_shape(container: Container, names: Sequence[str], settings: ImageSettings) -> tuple[int, int]:
    """Height and width of all pictures: the settings', or those of the first one."""
    if settings.size:
        return settings.size[0], settings.size[1]
    _, load = next(container.contents(names[:1]))
    return _picture(container, names[0], load, settings, None)[1].shape[:2]


def _tasks(
    container: Container, names: Sequence[str], settings: ImageSettings, size: tuple[int, int] | None = None
) -> Iterator[Decoded]:
    """What decodes each picture, wherever it is run."""

    def task(place: int, load: Loader) -> Decoded:
        return lambda: (place, *_picture(container, names[place], load, settings, (names[0], size)))

    for place, load in container.contents(names):
        yield task(place, load)


def _picture(
    container: Container,
    name: str,
    load: Loader,
    settings: ImageSettings,
    expected: tuple[str, tuple[int, int] | None] | None,
) -> tuple[str, NDArray[np.uint8]]:
    """Hash of a file and pixels of its picture; expected: the first picture and its size."""
    content = load()
    try:
        pixels = decode(content, settings)
        if expected is not None and expected[1] is not None and pixels.shape[:2] != expected[1]:
            height, width = expected[1]
            raise InputError(
                f"is {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width), {expected[0]} is "
                f"{height} x {width}; set data.images.size = [height, width], to which all are resized"
            )
    except InputError as error:
        raise InputError(error.message, file=error.file or container.where(name)) from error
    return digest(content), pixels


def _ignored(arrangement: Arrangement) -> tuple[int, tuple[str, ...]]:
    return len(arrangement.ignored), arrangement.ignored[:NAMED]


def _warn_of_ignored(root: Path, index: Index) -> None:
    count, names = index.ignored
    if count:
        listed = ", ".join(names) + (", ..." if count > len(names) else "")
        files = "file is no picture and is" if count == 1 else "files are no pictures and are"
        warnings.warn(f"{root}: {count:,} {files} ignored: {listed}", RavineWarning, stacklevel=3)

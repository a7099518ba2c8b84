"""Pictures given to `predict` and `evaluate`: a PNG or JPEG file, a folder, a tar or a zip of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ravine.commands.inputs import found_or_folder
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.data import Array
    from ravine.data.images.settings import ImageSettings
    from ravine.training.loaded import LoadedRun

SUFFIXES = (".png", ".jpg", ".jpeg")
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")


def are_pictures(written: str) -> bool:
    """Whether a path means a folder, a picture, or an archive of pictures; an NPZ file is none.

    Raises:
        InputError: there is nothing of that name.
    """
    from ravine.data import npz_names
    from ravine.data.signatures import kind_of

    path = found_or_folder(written)
    if path.is_dir():
        return True
    kind = kind_of(path)
    if kind == "zip":
        return any("/" in name or name.lower().endswith(SUFFIXES) for name in npz_names(path))
    return kind in ("png", "jpeg") or path.name.lower().endswith(TAR_SUFFIXES)


def read_unlabelled(loaded: LoadedRun, written: str) -> tuple[Array, list[str]]:
    """Pixels of a picture or of all pictures in a folder or archive, as the run's, and their names.

    Raises:
        InputError: none that can be decoded, or the run was not trained on pictures.
    """
    from ravine import _core
    from ravine.data.images.pictures import read_loose

    settings = _settings(loaded, written)
    return read_loose(found_or_folder(written), settings, threads=_core.available_processors())


def read_labelled(loaded: LoadedRun, written: str, labels: str | None) -> tuple[Array, Array]:
    """Pixels and labels of pictures whose classes are the run's.

    Args:
        loaded: the run.
        written: the folder or archive, with class folders.
        labels: a CSV file that says the classes in the place of folders.

    Raises:
        InputError: as `ravine.data.images.pictures.read_pictures`, or a class that the run does not know.
    """
    import msgspec

    from ravine import _core
    from ravine.data.files import expanded
    from ravine.data.images.pictures import read_pictures, with_classes

    root, settings = found_or_folder(written), _settings(loaded, written)
    if labels is not None:
        settings = msgspec.structs.replace(settings, labels=expanded(labels))
    if not loaded.network.classifies:
        raise InputError("holds pictures in class folders, but the run gives values, not classes", file=root)
    names = loaded.class_names or tuple(map(str, range(loaded.network.output_shape[-1])))
    pictures = read_pictures(root, settings, threads=_core.available_processors())
    return pictures.pixels, with_classes(pictures, names, root).labels


def _settings(loaded: LoadedRun, written: str) -> ImageSettings:
    """What the run did to pictures; the size that its samples have where the experiment names none."""
    import msgspec

    settings, shape = loaded.experiment.data.images, loaded.transform.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise InputError(
            f"holds pictures, but the run was trained on samples of shape {list(shape)}, not [height, width, "
            "channels]",
            file=written,
        )
    return msgspec.structs.replace(
        settings, size=settings.size or shape[:2], colour="rgb" if shape[2] == 3 else "grey", labels=""
    )

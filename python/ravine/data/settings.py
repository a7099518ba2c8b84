"""The `[data]` part of an experiment."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ravine.data.augmentation.settings import CropSettings, Steps
from ravine.data.corruption import CorruptionSettings
from ravine.data.images.settings import ImageSettings
from ravine.data.preprocessing import Kind
from ravine.data.sampler import SamplerSettings
from ravine.data.tables.settings import TableSettings
from ravine.data.targets import TargetKind

Fraction = Annotated[float, Meta(ge=0.0, lt=1.0)]

# Fields and tables that only some sources know, with the sources.
FIELD_SOURCES = {
    "train_images": ("idx", "sprites"),
    "train_labels": ("idx", "sprites"),
    "validation_images": ("idx", "sprites"),
    "validation_labels": ("idx", "sprites"),
    "test_images": ("idx", "sprites"),
    "test_labels": ("idx", "sprites"),
    "file": ("npz", "images", "table"),
    "validation_file": ("npz", "images", "table"),
    "test_file": ("npz", "images", "table"),
    "inputs": ("npz", "npy"),
    "targets": ("npz", "npy"),
    "weights": ("npz", "npy"),
    "validation_inputs": ("npy",),
    "validation_targets": ("npy",),
    "test_inputs": ("npy",),
    "test_targets": ("npy",),
    "images": ("images", "sprites"),
    "table": ("table",),
}
# Fields that are paths: relative ones start at the experiment's folder.
FILE_FIELDS = (
    *("train_images", "train_labels", "validation_images", "validation_labels", "test_images", "test_labels"),
    *("file", "validation_file", "test_file"),
    *("validation_inputs", "validation_targets", "test_inputs", "test_targets"),
)
COLUMN_SOURCES = ("npz", "table")  # whose columns or arrays `split.group` and `split.column` can name
IMAGE_FILE_FIELDS = ("labels", "cache")  # of the table `images`
NPY_FIELDS = ("inputs", "targets", "weights")  # which are names for other sources
REQUIRED_FIELDS = {
    "idx": ("train_images", "train_labels"),
    "sprites": ("train_images", "train_labels"),
    "npz": ("file",),
    "npy": ("inputs", "targets"),
    "images": ("file",),
}
# Pairs of which one is nothing without the other, by part.
PAIRS = (("images", "labels"), ("inputs", "targets"))


class SplitSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How samples are divided; see `ravine.data.split.split`.

    Args:
        test_fraction: part of all samples kept for the test, 0 <= f < 1.
        validation_fraction: part of all samples kept for validation, 0 <= f < 1.
        test_count, validation_count: samples kept, instead of a fraction.
        seed: of the split; not the seed of the run, so that runs with other seeds see the same split.
        stratify: keep the share of every class.
        group: name of a column or array: samples with the same value in it come into one part. Fractions and
            counts are then of groups.
        column: name of a column or array that says which part a sample is in; what is drawn comes from its
            training samples.
        train_values, validation_values, test_values: what the column says for each part.
    """

    test_fraction: Fraction = 0.0
    validation_fraction: Fraction = 0.0
    test_count: Annotated[int, Meta(ge=0)] = 0
    validation_count: Annotated[int, Meta(ge=0)] = 0
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    stratify: bool = False
    group: str = ""
    column: str = ""
    train_values: tuple[str | int, ...] = ("train", "training")
    validation_values: tuple[str | int, ...] = ("validation", "valid", "val", "dev")
    test_values: tuple[str | int, ...] = ("test", "testing")

    def __post_init__(self) -> None:
        for part in ("test", "validation"):
            if getattr(self, f"{part}_fraction") and getattr(self, f"{part}_count"):
                raise ValueError(f"`{part}_fraction` and `{part}_count` exclude each other: give one of them")
        if self.stratify and self.group:
            raise ValueError("`stratify` keeps shares of classes, which whole groups cannot; give up one")
        words: dict[str, str] = {}
        for field in ("train_values", "validation_values", "test_values"):
            for word in getattr(self, field):
                if words.setdefault(str(word).casefold(), field) != field:
                    raise ValueError(f"`{field}` and `{words[str(word).casefold()]}` both have {word!r}")


class DataSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where samples come from and what is done to them.

    Args:
        source: "digits" (shipped), "npz", "npy", "idx", "images", "sprites", "table" (CSV, TSV, Parquet; or a
            data frame given in Python), or "arrays" (given in Python).
        train_images, train_labels, validation_images, validation_labels, test_images, test_labels: IDX files,
            plain or .gz, or for "sprites" pictures in which every row of pixels is an image, by a pattern
            such as "batch_*.png", with a file of one byte a label; only those for training must be given.
        file, validation_file, test_file: NPZ files or tables, or for "images" folders or archives (.tar,
            .tar.gz, .zip) with a folder of pictures a class; only the first must be given.
        inputs, targets: names of the arrays in the NPZ file; empty: "inputs" and "targets", or "x" and "y".
            For "npy" the files of these arrays; inputs stay there, and are read as they are needed.
        weights: name of an array of sample weights [samples], at least 0, in the NPZ file; empty: all samples
            count the same. The test samples count the same where the test file has no such array. For "npy"
            the file of the array.
        validation_inputs, validation_targets, test_inputs, test_targets: for "npy" the other parts.
        images: what becomes of pictures.
        table: what the columns of a table are for, and how it is read.
        split: how samples are divided.
        sampler: which training samples an epoch visits, and in which order.
        preprocessing: "none", "standardize", "scale", "centre", "min_max", "pca", "pca_whitening" or "zca",
            fitted on the training samples; see `ravine.data.fit`.
        divisor: of "scale".
        components: of "pca" and "pca_whitening": how many are kept; below 1, as many as hold this share of
            the variance; 0 keeps all.
        epsilon: of "pca_whitening" and "zca": added to variances, as a share of the largest.
        target_preprocessing: of the values of a regression: "none", "standardize" or "min_max", fitted on the
            training samples; losses are then those of these values, predictions are turned back.
        corruption: labels or pixels that are made random.
        augmentation: steps that change the pictures of the training part, see `ravine.augmentations`.
        crops: windows of each test picture over whose answers is averaged.
        task: "auto" takes integer targets for classes and floating targets for values.
        classes: number of classes; 0: the largest label plus one.
        limit: use the first so many training samples only; 0: all.

    Raises:
        ValueError: a file is missing or does not belong to the source (msgspec makes it a ValidationError).

    Example:
        >>> DataSettings(source="digits", split=SplitSettings(test_fraction=0.15, seed=37)).preprocessing
        'standardize'
    """

    source: Literal["digits", "npz", "npy", "idx", "images", "sprites", "table", "arrays"] = "digits"
    train_images: str = ""
    train_labels: str = ""
    validation_images: str = ""
    validation_labels: str = ""
    test_images: str = ""
    test_labels: str = ""
    file: str = ""
    validation_file: str = ""
    test_file: str = ""
    inputs: str = ""
    targets: str = ""
    weights: str = ""
    validation_inputs: str = ""
    validation_targets: str = ""
    test_inputs: str = ""
    test_targets: str = ""
    images: ImageSettings = ImageSettings()
    table: TableSettings = TableSettings()
    split: SplitSettings = SplitSettings()
    sampler: SamplerSettings = SamplerSettings()
    preprocessing: Kind = "standardize"
    divisor: Annotated[float, Meta(gt=0.0, le=1e300)] = 255.0
    components: Annotated[float, Meta(ge=0.0, le=1e9)] = 0.0
    epsilon: Annotated[float, Meta(ge=0.0, le=1e300)] = 1e-5
    target_preprocessing: TargetKind = "none"
    corruption: CorruptionSettings = CorruptionSettings()
    augmentation: list[Steps] = []
    crops: CropSettings = CropSettings()
    task: Literal["auto", "classification", "regression"] = "auto"
    classes: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        defaults = dict(zip(self.__struct_fields__, self.__struct_defaults__, strict=True))
        for field, sources in FIELD_SOURCES.items():
            if getattr(self, field) != defaults[field] and self.source not in sources:
                raise ValueError(
                    f'`{field}` belongs to source = "{sources[0]}", but the source is "{self.source}"'
                )
        for field in REQUIRED_FIELDS.get(self.source, ()):
            if not getattr(self, field):
                raise ValueError(f'source = "{self.source}" needs `{field}`')
        for part in ("validation", "test"):
            for first, second in ((f"{part}_{one}", f"{part}_{other}") for one, other in PAIRS):
                if bool(getattr(self, first)) != bool(getattr(self, second)):
                    raise ValueError(f"`{first}` and `{second}` belong together: give both or neither")
            from_file = any(getattr(self, f"{part}_{what}") for what in ("images", "inputs", "file"))
            for way in ("fraction", "count"):
                if from_file and getattr(self.split, f"{part}_{way}") > 0:
                    raise ValueError(
                        f"`split.{part}_{way}` and {part} files exclude each other: give one of them"
                    )
        for field in ("group", "column"):
            if getattr(self.split, field) and self.source not in COLUMN_SOURCES:
                raise ValueError(f'`split.{field}` names a column, which source = "{self.source}" has not')

    @property
    def file_fields(self) -> tuple[str, ...]:
        """Fields that are paths: relative ones start at the experiment's folder."""
        return (*FILE_FIELDS, *(NPY_FIELDS if self.source == "npy" else ()))

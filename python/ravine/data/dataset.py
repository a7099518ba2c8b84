"""Samples with their targets, checked once when they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ravine.data._gather import gather_rows
from ravine.data.arrays import as_array
from ravine.data.checks import FLOAT_TYPES, check_weights
from ravine.data.checks import check_finite as check_finite
from ravine.data.checks import check_inputs as check_inputs
from ravine.data.checks import check_labels as check_labels
from ravine.data.content import content_hash as content_hash
from ravine.data.mapping import mapped_file
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.data.augmentation import Crops, Mixing
    from ravine.data.preprocessing import Transform

Array = NDArray[Any]
Indices = NDArray[np.int64]
Task = Literal["classification", "regression"]


class Augmentation(Protocol):
    """What changes pictures at random while they are gathered; see `ravine.data.augmentation`."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a sample when it has been changed."""

    def apply(
        self,
        source: Array,
        indices: Indices,
        epoch: int,
        mean: NDArray[np.float64] | None,
        scale: NDArray[np.float64] | None,
        out: Array,
        threads: int,
        rows: Indices | None = None,
        mixing: Mixing | None = None,
    ) -> None:
        """Writes (changed - mean) * scale of the samples `indices` to `out` [count, *output_shape].

        What happens to a sample is keyed by its index and the epoch; it lies in `source` at `rows`, where
        these are given, or else at its index. Then it may be mixed with others.
        """

    def mixing(
        self, indices: Indices, epoch: int, samples: int, rows: Indices | None = None
    ) -> Mixing | None:
        """With which of the samples those at `indices` are mixed, or None where none are."""

    def evaluation(self) -> Augmentation:
        """The counterpart without chance, to the same shape: a crop of the centre where crops are random."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and targets of the same samples.

    With `rows`, `transform` or `augmentation` the inputs are prepared as they are gathered: `len`,
    `input_shape`, `gather` and `prepared` are those of the prepared samples, `inputs` what is stored.

    Args:
        inputs: uint8, float32 or float64 [stored samples, *shape], C-contiguous and finite. Of a memory map
            it is checked as it is gathered whether values are finite.
        targets: int32 class labels [samples] in [0, classes), or float32 or float64 [samples, outputs].
        classes: number of classes; 0 for regression.
        class_names: one name a class, or empty.
        name: what messages call it.
        weights: float32 or float64 [samples], at least 0: what each sample counts in the mean loss
            sum w l / sum w; None where all count the same.
        rows: int64 [samples]: where each sample lies in `inputs`, so that a part of a memory map or of a
            shared array is no copy; None: sample i is row i.
        transform: applied to inputs as they are gathered; None where that is done, or nothing is to be done.
        augmentation: of uint8 images [height, width, channels], as they are gathered for training.
        target_transform: what the targets of a regression were transformed by before they came here; errors
            are measured in the units they had.
        crops: windows of each image over whose answers an evaluation averages.

    Raises:
        InputError: no samples, unequal numbers of samples, a value that is not finite, a label out of range
            or a negative weight; the row is named.

    Example:
        >>> Dataset(np.zeros((2, 3), np.float32), np.array([0, 1], np.int32), classes=2).input_shape
        (3,)
    """

    inputs: Array
    targets: Array
    classes: int = 0
    class_names: tuple[str, ...] = ()
    name: str = "data"
    weights: Array | None = None
    rows: Indices | None = None
    transform: Transform | None = None
    augmentation: Augmentation | None = None
    target_transform: Transform | None = None
    crops: Crops | None = None

    def __post_init__(self) -> None:
        check_inputs(self.inputs, self.name)
        self._check_preparation()
        samples = len(self)
        if len(self.targets) != samples:
            raise InputError(
                f"there are {samples:,} inputs and {len(self.targets):,} targets; give one target a sample",
                key=self.name,
            )
        if self.weights is not None:
            check_weights(self.weights, samples, self.name)
        if not self.targets.flags.c_contiguous:
            raise InputError("targets must be C-contiguous", key=self.name)
        if self.classes > 0:
            if self.targets.dtype != np.int32 or self.targets.ndim != 1:
                raise InputError(
                    f"class labels must be int32 [samples], not {self.targets.dtype} "
                    f"{list(self.targets.shape)}",
                    key=self.name,
                )
            self.require_classes(self.classes)
            if self.class_names and len(self.class_names) != self.classes:
                raise InputError(
                    f"{len(self.class_names)} class names for {self.classes} classes", key=self.name
                )
        else:
            if self.targets.dtype not in FLOAT_TYPES or self.targets.ndim != 2:
                raise InputError(
                    "regression targets must be float32 or float64 [samples, outputs], not "
                    f"{self.targets.dtype} {list(self.targets.shape)}",
                    key=self.name,
                )
            check_finite(self.targets, "targets", self.name)

    def _check_preparation(self) -> None:
        if self.rows is not None:
            if self.rows.dtype != np.int64 or self.rows.ndim != 1 or not self.rows.flags.c_contiguous:
                raise InputError("rows must be contiguous int64 [samples]", key=self.name)
            if len(self.rows) == 0:
                raise InputError("there are no samples", key=self.name)
            if self.rows.min() < 0 or self.rows.max() >= len(self.inputs):
                raise InputError(f"rows must be in 0..{len(self.inputs) - 1}", key=self.name)
        stored = self.inputs.shape[1:]
        if self.augmentation is not None and (self.inputs.dtype != np.uint8 or len(stored) != 3):
            raise InputError(
                "augmentation needs uint8 images [samples, height, width, channels], not "
                f"{self.inputs.dtype} {list(self.inputs.shape)}",
                key=self.name,
            )
        if self.transform is None:
            return
        if self.augmentation is not None and self.transform.matrix is not None:
            raise InputError(
                f"{self.transform.kind} mixes the features of a sample, which augmentation changes one by "
                'one; use "standardize", "scale", "centre", "min_max" or "none"',
                key="data.preprocessing",
            )
        if self.augmentation is None and self.crops is None and self.transform.input_shape != stored:
            raise InputError(
                f"a sample has shape {list(stored)}, the preprocessing was fitted on "
                f"{list(self.transform.input_shape)}",
                key=self.name,
            )

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.inputs if self.rows is None else self.rows)

    @property
    def task(self) -> Task:
        """What the targets ask for."""
        return "classification" if self.classes > 0 else "regression"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one prepared sample."""
        if self.transform is not None and self.transform.matrix is not None:
            return self.transform.output_shape
        stored = self.inputs.shape[1:]
        if self.augmentation is not None:
            return self.augmentation.output_shape(stored)
        return stored if self.transform is None else self.transform.output_shape

    @property
    def outputs(self) -> int:
        """Values a network must give for each sample: the classes, or the columns of the targets."""
        return self.classes if self.classes > 0 else int(self.targets.shape[1])

    @property
    def costs(self) -> bool:
        """Whether gathering samples takes so long that it is worth doing while others are trained on."""
        return self.augmentation is not None or mapped_file(self.inputs) is not None

    def require_classes(self, classes: int) -> None:
        """Raise InputError, with the row, where a label is not in [0, classes)."""
        check_labels(self.targets, classes, self.name)

    def gather(self, indices: Indices, out: Array, *, epoch: int | None = None, threads: int = 1) -> None:
        """Writes the prepared inputs of the samples at `indices` to `out`.

        Args:
            indices: int64 [count], each in [0, samples).
            out: float32 or float64 [count, *input_shape], C-contiguous.
            epoch: of a training, whose augmentation differs from epoch to epoch; None: as an evaluation sees
                the samples.
            threads: the most threads to use; the result is the same bits for any number.

        Raises:
            InputError: a value of a memory map is not finite; file and row are named.
        """
        rows = indices if self.rows is None else self.rows[indices]
        transform = self.transform
        if self.augmentation is not None:
            chosen = self.augmentation if epoch is not None else self.augmentation.evaluation()
            mean, scale, changed = None, None, out
            if transform is not None and transform.matrix is not None:
                changed = np.empty((len(indices), *transform.input_shape), np.float32)
            elif transform is not None:
                mean, scale = transform.mean, 1.0 / transform.deviation
            mixing = None if epoch is None else self.mixing(indices, epoch)
            chosen.apply(self.inputs, indices, epoch or 0, mean, scale, changed, threads, rows, mixing)
            if transform is not None and changed is not out:
                transform.gather(changed, None, out, threads=threads)
        elif transform is not None:
            transform.gather(self.inputs, rows, out, threads=threads)
        else:
            gather_rows(self.inputs, rows, out, threads)
        if self.inputs.dtype != np.uint8:
            file = mapped_file(self.inputs)
            if file is not None:
                check_finite(out, "inputs", self.name, rows=rows, file=file)

    def mixing(self, indices: Indices, epoch: int) -> Mixing | None:
        """With which other samples those at `indices` are mixed in an epoch (mixup); None where none are."""
        if self.augmentation is None:
            return None
        return self.augmentation.mixing(indices, epoch, len(self), self.rows)

    def prepared(self, begin: int, end: int, dtype: DTypeLike, out: Array | None = None) -> Array:
        """Inputs of the samples [begin, end) as an evaluation sees them, of type `dtype`.

        Args:
            begin, end: of a slice; `end` may lie beyond the last sample.
            dtype: float32 or float64.
            out: [at least end - begin, *input_shape] of that type, written to where inputs are prepared.

        Returns:
            A view of the inputs where nothing is to be done, or else of `out` or of a new array.

        Example:
            >>> data = Dataset(np.eye(2, dtype=np.uint8), np.zeros((2, 1), np.float32))
            >>> data.prepared(1, 9, np.float32)
            array([[0., 1.]], dtype=float32)
        """
        if self.as_stored(dtype):
            return self.inputs[begin:end]
        indices = np.arange(begin, min(end, len(self)), dtype=np.int64)
        if out is None:
            out = np.empty((len(indices), *self.input_shape), dtype)
        out = out[: len(indices)]
        self.gather(indices, out)
        return out

    def as_stored(self, dtype: DTypeLike) -> bool:
        """Whether inputs of type `dtype` are those that are stored, in their order."""
        prepares = self.rows is not None or self.transform is not None or self.augmentation is not None
        return not prepares and self.inputs.dtype == dtype and mapped_file(self.inputs) is None

    def take(self, indices: Indices, *, name: str | None = None, threads: int = 1) -> Dataset:
        """A new data set with copies of the samples at `indices`, in that order."""
        rows = indices if self.rows is None else self.rows[indices]
        inputs = np.empty((len(indices), *self.inputs.shape[1:]), self.inputs.dtype)
        gather_rows(self.inputs, rows, inputs, threads)
        return self._part(inputs, None, indices, name)

    def view(self, indices: Indices, *, name: str | None = None) -> Dataset:
        """The samples at `indices`, in that order, without a copy of their inputs.

        Example:
            >>> data = Dataset(np.eye(3, dtype=np.float32), np.arange(3, dtype=np.float32)[:, np.newaxis])
            >>> part = data.view(np.array([2, 0]))
            >>> part.inputs is data.inputs, part.targets.ravel()
            (True, array([2., 0.], dtype=float32))
        """
        indices = np.ascontiguousarray(indices, np.int64)
        return self._part(self.inputs, indices if self.rows is None else self.rows[indices], indices, name)

    def _part(self, inputs: Array, rows: Indices | None, indices: Indices, name: str | None) -> Dataset:
        """Samples that are part of these: with their targets and weights, prepared in the same way."""
        targets = np.empty((len(indices), *self.targets.shape[1:]), self.targets.dtype)
        gather_rows(self.targets, indices, targets)
        weights = None
        if self.weights is not None:
            weights = np.empty(len(indices), self.weights.dtype)
            gather_rows(self.weights, indices, weights)
        return Dataset(
            inputs, targets, self.classes, self.class_names, name or self.name, weights,
            rows, self.transform, self.augmentation, self.target_transform, self.crops,
        )  # fmt: skip

    def content_hash(self) -> str:
        """See `ravine.data.content.content_hash`: of what is stored, before it is prepared."""
        return content_hash(self.inputs, self.targets, self.weights, rows=self.rows)


def as_dataset(
    inputs: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    task: Task | Literal["auto"] = "auto",
    classes: int = 0,
    class_names: Sequence[str] = (),
    name: str = "data",
) -> Dataset:
    """Make a data set from arrays: integer targets are class labels, floating targets are values.

    Args:
        inputs: numbers [samples, *shape], in an array of any kind that `as_array` takes, as are the others;
            [samples] becomes [samples, 1], and images [samples, height, width] become [..., 1].
        targets: integers [samples] or [samples, 1], or floats [samples] or [samples, outputs].
        weights: numbers [samples], at least 0; see `Dataset`.
        task: says what the targets are where their type does not.
        classes: number of classes; 0: the names given, or else the largest label plus one.
        class_names: one name a class.
        name: what messages call the data.

    Raises:
        InputError: the arrays cannot be used; the row is named.

    Example:
        >>> as_dataset([[0.0, 1.0], [1.0, 0.0]], [1, 0]).task
        'classification'
    """
    input_array = as_inputs(inputs, name)
    weight_array = None if weights is None else as_weights(weights, name)
    target_array = as_array(targets, name)
    if target_array.dtype.kind not in "biuf" or target_array.dtype.itemsize > 8:
        raise InputError(f"targets must be integers or floats, not {target_array.dtype}", key=name)
    if target_array.ndim not in (1, 2) or target_array.size == 0:
        raise InputError(
            f"targets have shape {list(target_array.shape)}, expected [samples] or [samples, outputs]",
            key=name,
        )
    if task == "auto":
        task = "regression" if target_array.dtype.kind == "f" else "classification"
    if task == "regression":
        if target_array.ndim == 1:
            target_array = target_array[:, np.newaxis]
        working = np.float32 if target_array.dtype == np.float32 else np.float64
        values = np.ascontiguousarray(target_array, working)
        return Dataset(input_array, values, name=name, weights=weight_array)

    labels = as_labels(target_array, name)
    known = classes or len(class_names) or max(int(labels.max()) + 1, 1)
    return Dataset(input_array, labels, known, tuple(class_names), name, weight_array)


def as_inputs(inputs: ArrayLike, name: str = "inputs") -> Array:
    """Inputs as a contiguous array of one of the working types, with at least one feature axis.

    uint8 and bool stay bytes; types that float32 holds exactly become float32; wider integers become float64.
    """
    array = as_array(inputs, name)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "biuf" or size > 8:
        raise InputError(f"inputs must be integers or floats, not {array.dtype}", key=name)
    if array.ndim == 0:
        raise InputError("inputs must be an array [samples, features...], not a single number", key=name)
    if kind == "b" or (kind == "u" and size == 1):
        working: type[np.generic] = np.uint8
    elif size <= 2 or (kind == "f" and size == 4):
        working = np.float32
    else:
        working = np.float64
    if array.ndim == 1:
        array = array[:, np.newaxis]
    elif array.ndim == 3:
        array = array[..., np.newaxis]
    return np.ascontiguousarray(array, working)


def as_weights(weights: ArrayLike, name: str = "weights") -> Array:
    """Weights as contiguous floats [samples]; [samples, 1] is taken too."""
    array = as_array(weights, name)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise InputError(f"sample weights must be numbers, not {array.dtype}", key=name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return np.ascontiguousarray(array, np.float32 if array.dtype == np.float32 else np.float64)


def as_labels(targets: Array, name: str) -> NDArray[np.int32]:
    """Class labels as int32 [samples]."""
    if targets.ndim == 2:
        if targets.shape[1] != 1:
            raise InputError(
                f"class labels have shape {list(targets.shape)}, expected one class number a sample", key=name
            )
        targets = targets[:, 0]
    if targets.dtype.kind == "f":
        check_finite(targets[:, np.newaxis], "targets", name)
        broken = targets != np.floor(targets)
        if broken.any():
            row = int(np.argmax(broken))
            raise InputError(
                f"label {targets[row]} is not a whole number; "
                "values to approximate need a loss over values, such as squared_error",
                key=name,
                row=row,
            )
    limit = np.iinfo(np.int32).max
    outside = (targets < 0) | (targets >= limit)
    if outside.any():
        row = int(np.argmax(outside))
        raise InputError(
            f"label {targets[row]} is outside 0..{limit - 1}; number the classes from 0", key=name, row=row
        )
    return np.ascontiguousarray(targets, np.int32)

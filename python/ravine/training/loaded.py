"""A trained network, read from its run folder to evaluate and predict with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine import _core
from ravine.data import Dataset, Transform, as_dataset, as_inputs
from ravine.data.augmentation import Crops, test_crops, without_chance
from ravine.data.corruption import shuffled_pixels
from ravine.data.tables.encoder import TableEncoder
from ravine.data.tables.source import Expected, source_of
from ravine.data.tables.table import Frame, is_table
from ravine.data.targets import restored, transformed
from ravine.errors import CheckpointError, InputError
from ravine.experiment import Experiment, load_experiment
from ravine.model import specification
from ravine.runs import RunFolder
from ravine.training import checkpoint as checkpoints
from ravine.training.batches import rows_at_once
from ravine.training.crops import probabilities
from ravine.training.evaluation import evaluate
from ravine.training.snapshot import (
    restore_encoder,
    restore_network,
    restore_target_transform,
    restore_transform,
)


@dataclass(frozen=True)
class LoadedRun:
    """A network with the preprocessing it was trained with.

    Args:
        path: of the run folder.
        network: with the weights of the checkpoint.
        experiment: of the run.
        transform: applied to inputs before the network sees them.
        class_names: one a class, or empty.
        step: of the checkpoint.
        target_transform: what the targets of a regression were transformed by, or None; predictions are
            turned back.
        encoder: makes inputs of tables, where the run was trained on one.
        warning: says so if a damaged checkpoint was passed over, or if this machine has no bfloat16 and the
            network computes in float32.
    """

    path: Path
    network: _core.Network
    experiment: Experiment
    transform: Transform
    class_names: tuple[str, ...]
    step: int
    warning: str | None
    target_transform: Transform | None = None
    encoder: TableEncoder | None = None

    def predict(self, inputs: ArrayLike | Mapping[str, Any] | Frame) -> NDArray[Any]:
        """Class probabilities, or the outputs of a regression, for raw inputs [samples, *shape].

        Where the run was trained on a table, inputs may be a data frame, a pyarrow table or a mapping of
        columns; its target need not be there.

        Raises:
            InputError: samples of another shape, or NaN in them; the row is named.
        """
        samples = self._numbers(inputs)
        crops = self._crops(samples)
        if crops is not None:
            rows = np.arange(len(samples), dtype=np.int64)
            found = probabilities(self.network, crops, self.transform, samples, rows)
            return found.astype(self.network.array_dtype)
        return restored(self.target_transform, self.network.predict(self._prepared(samples)))

    def evaluate(
        self, inputs: ArrayLike, targets: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Loss and metrics for raw inputs and targets; sample weights change the loss alone.

        The loss of a regression is that of the targets as they were preprocessed for training; rmse, mae and
        r2 are in their original units.
        """
        outputs = self.network.output_shape[-1]
        dataset = as_dataset(
            self._numbers(inputs),
            targets,
            sample_weight,
            task="classification" if self.network.classifies else "regression",
        )
        if self.network.classifies:
            dataset.require_classes(outputs)
        dtype = self.network.array_dtype
        targets = dataset.targets
        if not self.network.classifies:
            if dataset.outputs != self.network.output_shape[-1]:
                raise InputError(
                    f"there are {dataset.outputs} target values a sample, but the network gives {outputs}",
                    key="targets",
                )
            targets = transformed(self.target_transform, targets, dtype)
        weights = None if dataset.weights is None else dataset.weights.astype(dtype)
        crops = self._crops(dataset.inputs)
        return self.evaluate_prepared(
            Dataset(
                dataset.inputs if crops is not None else self._prepared(dataset.inputs),
                targets,
                dataset.classes,
                name=dataset.name,
                weights=weights,
                transform=None if crops is None else self.transform,
                target_transform=self.target_transform,
                crops=crops,
            )
        )

    def evaluate_prepared(self, dataset: Dataset) -> dict[str, float]:
        """Loss and metrics for a split that was loaded with the run's experiment."""
        metrics = evaluate(self.network, dataset)
        assert metrics is not None  # nothing is there to give it up
        return metrics

    def evaluate_table(self, data: Path | Mapping[str, Any] | Frame) -> tuple[int, dict[str, float]]:
        """The number of rows of a table with targets, and loss and metrics on them.

        Args:
            data: a file (a `Path`), a data frame, a pyarrow table or a mapping of columns, with the columns
                of the training table.

        Raises:
            InputError: the run was not trained on a table, or a column or a value cannot be used.
        """
        if self.encoder is None:
            raise InputError("was not trained on a table; give arrays", file=self.path)
        kinds = {column.name: column.kind for column in self.encoder.columns}
        expected = Expected(self.encoder.names, kinds, self.class_names, self.network.classifies)
        source = source_of(data, self.encoder.settings, expected=expected)
        self.encoder.warn_unseen(source.table)
        inputs = source.inputs(self.encoder, None)
        return len(source), self.evaluate(inputs, source.targets, source.weights)

    def _numbers(self, inputs: ArrayLike | Mapping[str, Any] | Frame) -> NDArray[Any]:
        """Inputs as numbers, not yet preprocessed."""
        if not is_table(inputs):
            return as_inputs(inputs)  # type: ignore[arg-type]  # all but tables are arrays
        if self.encoder is None:
            raise InputError(
                "the run was not trained on a table; give an array [samples, *shape]", key="inputs"
            )
        return self.encoder.apply(inputs)

    def _crops(self, samples: NDArray[Any]) -> Crops | None:
        """The windows of pictures, where the experiment asks for several."""
        settings = self.experiment.data.crops
        if not settings.scales:
            return None
        return test_crops(settings, samples, self.transform.input_shape, self.network.classifies)

    def _prepared(self, inputs: NDArray[Any]) -> NDArray[Any]:
        expected = self.transform.input_shape
        if inputs.shape[1:] != expected and int(np.prod(inputs.shape[1:])) == int(np.prod(expected)):
            inputs = inputs.reshape(len(inputs), *expected)  # images as rows of pixels, or the reverse
        steps = self.experiment.data.augmentation
        if steps and inputs.dtype == np.uint8 and inputs.ndim == 4 and inputs.shape[1:] != expected:
            centre = without_chance(steps, inputs.shape[1:])
            if centre.output_shape(inputs.shape[1:]) == expected:
                places = np.arange(len(inputs), dtype=np.int64)
                out = np.empty((len(inputs), *expected), self.network.array_dtype)
                centre.apply(inputs, places, 0, self.transform.mean, 1.0 / self.transform.deviation, out)
                return out
        return self.transform.apply(
            shuffled_pixels(inputs, self.experiment.data.corruption), dtype=self.network.array_dtype
        )


def load_run(path: Path, checkpoint: str = "best", *, device: str | None = None) -> LoadedRun:
    """Loads a trained network.

    Args:
        path: of the run folder.
        checkpoint: "best" (by validation loss; the latest where there was no validation), "latest" or "last",
            or a step such as "step-1234".
        device: "cpu", "cuda" or "cuda:N"; None: where it was trained.

    Raises:
        DeviceError: the device is not there.
        RunError: no such run.
        CheckpointError: no such checkpoint, or a damaged one.
    """
    run = RunFolder.open(path)
    experiment = load_experiment(run.experiment_path)
    file, warning = checkpoints.best_path(run.path), None
    if checkpoint == "best" and file.exists():
        loaded = checkpoints.load(file)
    elif checkpoint in ("best", "latest", "last"):
        loaded, file, warning = checkpoints.load_latest(run.path)
    else:
        file = checkpoints.named_path(run.path, checkpoint)
        loaded = checkpoints.load(file)
    try:
        transform, target_transform = restore_transform(loaded), restore_target_transform(loaded)
    except InputError as error:
        raise CheckpointError(error.message, file=file, key=error.key) from None
    names = loaded.state.get("class_names")
    if not isinstance(names, list):
        raise CheckpointError("holds no class names; it was not written by a training run", file=file)
    device = experiment.compute.device if device is None else device
    dtype, instead = _dtype(experiment, device)
    try:
        network = _core.Network(
            specification(transform.output_shape, experiment.model.layers),
            experiment.loss,
            batch_size=_rows(experiment, loaded.state.get("samples_at_once")),
            dtype=dtype,
            device=device,
            threads=0 if experiment.compute.threads == "auto" else experiment.compute.threads,
            seed=experiment.seed,
            compute=experiment.compute.options(),
        )
    except InputError as error:
        raise type(error)(error.message, file=run.experiment_path, key=error.key, layer=error.layer) from None
    restore_network(network, loaded, file)
    warning = "; ".join(filter(None, (warning, instead))) or None
    return LoadedRun(
        path=run.path,
        network=network,
        experiment=experiment,
        transform=transform,
        class_names=tuple(map(str, names)),
        step=loaded.step,
        warning=warning,
        target_transform=target_transform,
        encoder=restore_encoder(loaded, file),
    )


def _dtype(experiment: Experiment, device: str) -> tuple[str, str | None]:
    """What the network computes in, and a warning where that is not the run's bfloat16."""
    wanted = experiment.compute.dtype
    if device != "cpu":  # which says itself what it lacks
        return wanted, None
    for name, there, detail in _core.report():
        if wanted == name == "bfloat16" and not there:
            return "float32", f"computes in float32, for bfloat16 {detail}"
    return wanted, None


def _rows(experiment: Experiment, saved: object) -> int:
    """Samples at once as in the training, so that an evaluation gives the same bits."""
    if isinstance(saved, int) and not isinstance(saved, bool) and saved > 0:
        return saved
    return rows_at_once(experiment.training.batch_size, experiment.training.micro_batch)

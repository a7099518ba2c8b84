"""From an experiment to its data and its trainer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ravine import _core
from ravine.components import Component
from ravine.data import ArraySource, DataParts, Dataset, DataSettings, as_dataset
from ravine.data import load as load_data
from ravine.data.batch_source import check_batches
from ravine.data.load import Fitted
from ravine.data.tables.source import TableSource, source_of
from ravine.data.tables.table import Frame, is_table
from ravine.distributed.ranks import Ranks
from ravine.errors import InputError
from ravine.experiment import CUSTOM, Experiment
from ravine.groups import checked_groups, refuse_groups
from ravine.model import layer_at_fault, specification
from ravine.training.batches import compile_smaller, rows_at_once, rows_of_batch
from ravine.training.class_weights import with_class_weights
from ravine.training.early_stopping import EarlyStopping
from ravine.training.feeding import training_sampler
from ravine.training.optimizer import advice
from ravine.training.resume import hyperparameters
from ravine.training.samples import Samples
from ravine.training.schedules import Schedule
from ravine.training.trainer import Trainer

Arrays = Samples | ArraySource | Mapping[str, Any] | Frame  # the last two are tables
_KEYS = {
    "batch_size": "training.batch_size",
    "dtype": "compute.dtype",
    "sampler": "data.sampler.type",
}  # of experiment files


def build(
    experiment: Experiment,
    parts: DataParts,
    optimizer: _core.Optimizer | None = None,
    schedules: Mapping[str, Schedule] | None = None,
    ranks: Ranks | None = None,
) -> Trainer:
    """The trainer that an experiment describes, for data that was loaded for it.

    Args:
        experiment: what to train.
        parts: its data.
        optimizer: takes the place of the experiment's, whose type and numbers it must have.
        schedules, ranks: see `Trainer`.

    Raises:
        InputError: layers that do not fit the data or each other, or settings out of range.
    """
    compute, training, samples = experiment.compute, experiment.training, len(parts.train)
    ranks = ranks or Ranks()
    device = ranks.device(compute.device)
    try:
        network = _core.Network(
            specification(parts.train.input_shape, experiment.model.layers),
            balanced_loss(experiment, parts),
            batch_size=rows_at_once(training.batch_size, training.micro_batch, samples),
            dtype=compute.dtype,
            device=device,
            threads=0 if compute.threads == "auto" else compute.threads,
            seed=experiment.seed,
            compute=compute.options(),
            ranks=ranks.native,
        )
        check_batches(samples, rows_of_batch(training.batch_size, samples), training.drop_last)
        compile_smaller(
            network, samples, training.batch_size, training.micro_batch, training.drop_last, ranks.rows
        )
        _check_task(network, parts)
    except InputError as error:
        found = layer_at_fault(error, experiment.model.layers)
        sections = dict.fromkeys(("device", "threads", "dtype"), "compute")
        sections |= {"batch_size": "training", "layers": "model"} | dict.fromkeys(experiment.loss, "loss")
        section = sections.get((found.key or "").partition(".")[0])
        key = f"{section}.{found.key}" if section else found.key
        raise type(found)(found.message, key=key, layer=found.layer) from None
    trainer = Trainer(
        network,
        optimizer=_optimizer(experiment, optimizer),
        schedules={**experiment.schedules, **(schedules or {})},
        batch_size=training.batch_size,
        micro_batch=training.micro_batch,
        average_weights=training.average_weights,
        seed=experiment.seed,
        shuffle=training.shuffle,
        sampler=experiment.data.sampler,
        drop_last=training.drop_last,
        record_every=experiment.statistics.every,
        statistics=experiment.statistics.level,
        full_every=experiment.statistics.full_every,
        device_data=compute.device_data,
        ranks=ranks,
    )
    try:  # here, so that a group that matches nothing leaves no run folder
        trainer.attach()
        sampler = training_sampler(trainer, parts.train)
        rows = rows_of_batch(training.batch_size, samples)
        advice(trainer.optimizer, rows, samples, resamples=not sampler.permutes)
    except InputError as error:
        raise type(error)(error.message, key=_KEYS.get(error.key or "", error.key)) from None
    splits = ["validation"] if parts.validation is not None else []
    if training.patience > 0:
        trainer.early_stopping = EarlyStopping(training.patience, training.minimum_change)
        try:
            trainer.early_stopping.check_splits(splits)
        except InputError as error:
            raise InputError(error.message, key=f"training.{error.key}") from None
    per_epoch = steps_per_epoch(experiment, parts)
    trainer.schedules.start(
        steps=training.epochs * per_epoch,
        steps_per_epoch=per_epoch,
        splits=splits,
    )
    return trainer


def balanced_loss(experiment: Experiment, parts: DataParts) -> Component | str:
    """The experiment's loss, with numbers for balanced class weights, from its training samples.

    Raises:
        InputError: a class without a training sample.
    """
    if parts.train.task != "classification":
        return experiment.loss
    try:
        return with_class_weights(experiment.loss, lambda: parts.train.targets, parts.summary.outputs)
    except InputError as error:
        raise InputError(error.message, key=f"loss.{error.key}") from None


def steps_per_epoch(experiment: Experiment, parts: DataParts) -> int:
    """Batches of the training samples; at least 1: whoever makes the batches refuses what leaves none."""
    samples = len(parts.train)
    full, rest = divmod(samples, rows_of_batch(experiment.training.batch_size, samples))
    return max(1, full + (rest > 0 and not experiment.training.drop_last))


def _check_task(network: _core.Network, parts: DataParts) -> None:
    last = network.layers[-1]["name"]
    if network.classifies != (parts.summary.task == "classification"):
        wanted = "class labels" if network.classifies else "values to approximate"
        given = "class labels" if parts.summary.task == "classification" else "values"
        raise InputError(
            f"this loss needs {wanted}, but the data holds {given}; choose another loss or set data.task",
            key="loss",
        )
    outputs = network.output_shape
    if network.classifies and parts.summary.outputs > outputs[-1]:
        raise InputError(
            f"the last layer gives {outputs[-1]} outputs for {parts.summary.outputs} classes; "
            f"set its units to {parts.summary.outputs}",
            layer=last,
        )
    if not network.classifies and outputs != (parts.summary.outputs,):
        raise InputError(
            f"the last layer gives shape {list(outputs)}, the targets have shape [{parts.summary.outputs}]",
            layer=last,
        )


def _optimizer(experiment: Experiment, given: _core.Optimizer | None) -> _core.Optimizer:
    """The experiment's optimizer: made here, or given and set to the experiment's numbers."""
    regularization, wanted = experiment.regularization, experiment.optimizer
    assert isinstance(wanted, dict)
    groups = checked_groups(experiment.groups)
    if wanted["type"] == CUSTOM:
        refuse_groups(groups)
    if given is None:
        if wanted["type"] == CUSTOM:
            raise InputError(
                'is "custom", a rule in Python that no file can hold; give it again: '
                "resume_run(path, optimizer=custom_optimizer(...))",
                key="optimizer.type",
            )
        try:
            return _core.Optimizer(wanted, groups=groups, **msgspec.structs.asdict(regularization))
        except InputError as error:
            ours = error.key in msgspec.structs.asdict(regularization)
            key = f"regularization.{error.key}" if ours else error.key
            raise InputError(error.message, key=key) from None
    settings = given.settings
    if settings["type"] != wanted["type"] or set(settings) != set(wanted):
        raise InputError(
            f"the run was trained with {_described(wanted)}, but {_described(settings)} was given",
            key="optimizer",
        )
    forms = (regularization.l2_form, regularization.l1_form)
    if (given.l2_form, given.l1_form) != forms or given.groups != groups:
        raise InputError(
            f"the run was trained with L2 in the form {forms[0]}, L1 in the form {forms[1]} and the groups "
            f"{groups}, but an optimizer with {given.l2_form}, {given.l1_form} and {given.groups} was given",
            key="optimizer",
        )
    for name, value in hyperparameters(experiment).items():
        given.set(name, value)
    return given


def _described(rule: Mapping[str, object]) -> str:
    names = ", ".join(sorted(set(rule) - {"type"}))
    return f"{rule['type']} ({names})"


def load_parts(
    experiment: Experiment,
    data: Arrays | None = None,
    test_data: Arrays | None = None,
    fitted: Fitted | None = None,
) -> DataParts:
    """The data of an experiment, split and preprocessed; arrays where its source is "arrays".

    Where the source is "table", data given may be a data frame, a pyarrow table or a mapping of columns.
    What a run has learned of its training samples is taken from `fitted`.
    """
    classifier = experiment.loss["type"] == "softmax_cross_entropy"  # type: ignore[index]
    units = [
        layer["units"] for layer in experiment.model.layers if isinstance(layer, dict) and "units" in layer
    ]
    # One output alone is the network's fault, and not that of the labels above 0.
    classes = units[-1] if classifier and units and units[-1] > 1 else 0
    settings = experiment.data
    train, test = _given(settings, data, test_data, settings.classes or classes)
    return load_data(
        settings,
        Path(),
        train=train,
        test=test,
        classes=classes,
        dtype=experiment.compute.array_dtype,
        seed=experiment.seed,
        threads=_core.available_processors(),
        fitted=fitted,
    )


def _given(
    settings: DataSettings, data: Arrays | None, test_data: Arrays | None, classes: int
) -> tuple[Dataset | ArraySource | TableSource | None, Dataset | ArraySource | TableSource | None]:
    """Samples given in Python, for training and for the test."""
    if settings.source == "table" and data is not None:
        for given, name in ((data, "data"), (test_data, "test_data")):
            if given is not None and not is_table(given):
                raise InputError(
                    "is not a table: give a data frame, a pyarrow table or a mapping of columns; "
                    'arrays need data.source = "arrays"',
                    key=name,
                )
        train = source_of(data, settings.table, settings.split, settings.task)
        if test_data is None:
            return train, None
        return train, source_of(test_data, settings.table, name="test_data", expected=train.expected())
    samples: list[Dataset | ArraySource | None] = []
    for arrays, name in ((data, "data"), (test_data, "test_data")):
        if arrays is None:
            samples.append(None)
            continue
        if isinstance(arrays, ArraySource):
            samples.append(arrays)
            continue
        if is_table(arrays):
            raise InputError('is a table; give (inputs, targets), or set data.source = "table"', key=name)
        assert isinstance(arrays, (tuple, list))
        samples.append(as_dataset(*arrays, task=settings.task, classes=classes, name=name))
    return samples[0], samples[1]

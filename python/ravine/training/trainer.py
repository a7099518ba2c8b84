"""The training loop: epochs of native chunks, evaluations, and events for whoever listens."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine import _core
from ravine.components import Component
from ravine.data import BatchSource, Dataset, as_dataset, as_inputs
from ravine.errors import InputError, NotFiniteError, RavineWarning
from ravine.model import Sequential, Threads, whole_number
from ravine.training.early_stopping import EarlyStopping
from ravine.training.evaluation import evaluate
from ravine.training.history import EvaluationRecord, History
from ravine.training.optimizer import advice, make_optimizer
from ravine.training.position import Position as Position
from ravine.training.schedules import Schedule, Schedules

CONTROL_SECONDS = 0.05  # Python gets control back at least this often
MOST_STEPS = 1024  # of one native call: the rows of the statistics ring
STAGING_BYTES = 8 << 20


class Callback:
    """Base of what listens to a training: override what is wanted; all is called between steps.

    Example:
        >>> class Stop(Callback):
        ...     def on_epoch_end(self, trainer):
        ...         trainer.stop()
    """

    def on_start(self, trainer: Trainer) -> None:
        """The training begins or goes on."""

    def on_steps(self, trainer: Trainer, steps: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Some steps were done; `steps` and `values` [n, columns] are those that were recorded."""

    def on_pause_of_evaluation(self, trainer: Trainer) -> None:
        """A large split is being evaluated, and control is back for a moment."""

    def on_evaluation(self, trainer: Trainer, record: EvaluationRecord) -> None:
        """A split was evaluated."""

    def on_schedule(self, trainer: Trainer, change: dict[str, Any]) -> None:
        """A schedule has acted on what was measured: the hyperparameter's name, the values before and now."""

    def on_best_weights(self, trainer: Trainer, summary: dict[str, Any]) -> None:
        """The training is over, and the network has got the weights of the lowest validation loss back."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """An epoch is over, its evaluations too."""

    def on_end(self, trainer: Trainer) -> None:
        """The training is over, or was stopped."""


@dataclass
class _Plan:
    """What `fit` was asked for."""

    source: BatchSource
    epochs: int
    evaluate_every: int
    splits: dict[str, Dataset] = field(default_factory=dict)
    first_step: int = 0  # steps that the optimizer had done in trainings before this one


class Trainer:
    """Trains a network with an optimizer on arrays in memory.

    Args:
        model: a `Sequential`, compiled at the first fit, or a compiled network.
        optimizer: from `ravine.optimizers`, a catalog name, or an optimizer.
        loss: from `ravine.losses` or a catalog name; for a `Sequential`.
        batch_size: samples a step, at least 1.
        seed: of weights, order and masks.
        schedules: for a hyperparameter, a schedule from `ravine.schedules`, or a function of the step
            (counted from 0) that gives its value.
        callbacks: what listens, in order.
        shuffle, drop_last: of the batches.
        l2, l1, l1_form, clip_value, clip_layer_norm, clip_norm, max_norm, groups: see `make_optimizer`.
        record_every: steps between records, 0 for none.
        observe_layers: record the moments of every layer's output.
        dtype, device, threads: see `Sequential.network`.

    Raises:
        InputError: settings or data that cannot be used.
        NotFiniteError: a loss, an output or a gradient is NaN or Inf; layer and step are named.

    Example:
        >>> from ravine.layers import Dense
        >>> trainer = Trainer(Sequential(Dense(1)), loss="squared_error", optimizer="adam", batch_size=2)
        >>> history = trainer.fit([[0.0], [1.0]], [0.0, 2.0], epochs=3)
        >>> len(history["loss"])
        3
    """

    def __init__(
        self,
        model: Sequential | _core.Network,
        *,
        optimizer: Component | str | _core.Optimizer,
        loss: Component | str | None = None,
        batch_size: int = 32,
        seed: int = 0,
        schedules: Mapping[str, Schedule | Component | str] | None = None,
        callbacks: Sequence[Callback] = (),
        shuffle: bool = True,
        drop_last: bool = False,
        l2: float = 0.0,
        l1: float = 0.0,
        l1_form: str = "subgradient",
        clip_value: float = 0.0,
        clip_layer_norm: float = 0.0,
        clip_norm: float = 0.0,
        max_norm: float = 0.0,
        groups: Sequence[Mapping[str, Any]] = (),
        record_every: int = 1,
        observe_layers: bool = True,
        dtype: str = "float32",
        device: str = "cpu",
        threads: Threads = "auto",
    ) -> None:
        self.optimizer = make_optimizer(
            optimizer, l2=l2, l1=l1, l1_form=l1_form, clip_value=clip_value, groups=groups,
            clip_layer_norm=clip_layer_norm, clip_norm=clip_norm, max_norm=max_norm,
        )  # fmt: skip
        self.model = model
        self.loss = loss
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.seed = whole_number("seed", seed, 0)
        self.schedules = Schedules(schedules or {}, self.optimizer)
        self.callbacks = list(callbacks)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.record_every = whole_number("record_every", record_every, 0)
        self.observe_layers = observe_layers
        self._compute: dict[str, Any] = {"dtype": dtype, "device": device, "threads": threads}
        self._network = model if isinstance(model, _core.Network) else None
        if self._network is not None and loss is not None:
            raise InputError("a compiled network has its loss already", key="loss")
        self.position = Position()
        self.stopping = False
        self.early_stopping: EarlyStopping | None = None
        self.limit_steps: int | None = None  # a callback may ask for so many steps at most in the next call
        self.plan: _Plan | None = None
        self.step_seconds = 0.0  # of the last native call

    @property
    def network(self) -> _core.Network:
        """The compiled network."""
        if self._network is None:
            raise InputError("the network is compiled by fit, which has not been called yet", key="model")
        return self._network

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        if self.plan is None:
            return 0
        return self.plan.first_step + self.plan.epochs * self.plan.source.batches_per_epoch

    @property
    def epochs_done(self) -> float:
        """Epochs so far, with fraction."""
        if self.plan is None:
            return 0.0
        return self.position.epoch + self.position.batch / self.plan.source.batches_per_epoch

    @property
    def finished(self) -> bool:
        """All epochs are done, or early stopping has lost its patience."""
        if self.plan is None:
            return False
        exhausted = self.early_stopping is not None and self.early_stopping.exhausted
        return exhausted or self.position.epoch >= self.plan.epochs

    def stop(self) -> None:
        """Ends the training after the steps that run now."""
        self.stopping = True

    def fit(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        *,
        epochs: int = 10,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        evaluate_every: int = 1,
        patience: int = 0,
        minimum_change: float = 0.0,
    ) -> History:
        """Trains for some epochs; a second call goes on with the weights, and counts its steps on.

        Args:
            inputs: [samples, *shape].
            targets: class labels [samples], or for a loss over values [samples] or [samples, outputs].
            epochs: passes over the samples, at least 1.
            validation: inputs and targets to evaluate on after epochs.
            evaluate_every: epochs between evaluations.
            patience: evaluations in a row without a lower validation loss after which training ends early;
                the network then gets the weights of the lowest loss, as it does after the last epoch. 0 for
                neither.
            minimum_change: by how much the validation loss must fall to count as lower.

        Returns:
            Recorded steps and evaluations.

        Raises:
            InputError: data that does not fit the network or its loss; the row is named. Patience without
                validation samples.
        """
        inputs = as_inputs(inputs, "train")
        self.compile(inputs.shape[1:])
        dataset = self._dataset(inputs, targets, "train")
        splits = {}
        if validation is not None:
            splits["validation"] = self._dataset(*validation, "validation")
        self.early_stopping = (
            EarlyStopping(patience, minimum_change) if whole_number("patience", patience, 0) > 0 else None
        )
        return self.fit_datasets(dataset, splits, epochs=epochs, evaluate_every=evaluate_every)

    def fit_datasets(
        self,
        train: Dataset,
        splits: Mapping[str, Dataset],
        *,
        epochs: int,
        evaluate_every: int = 1,
        position: Position | None = None,
    ) -> History:
        """Trains on data sets that are typed already; `position` goes on from there."""
        whole_number("epochs", epochs, 1)
        whole_number("evaluate_every", evaluate_every, 1)
        stopping = self.early_stopping
        if stopping is not None:
            stopping.check_splits(splits)
        network = self.compile(train.input_shape)
        self.optimizer.attach(network)
        network.drain()  # what a broken call left
        sample = train.inputs[0].nbytes if len(train) else 1
        source = BatchSource(
            train,
            batch_size=self.batch_size,
            seed=self.seed,
            drop_last=self.drop_last,
            shuffle=self.shuffle,
            dtype=network.dtype,
            maximum_batches=max(1, min(MOST_STEPS, STAGING_BYTES // (sample * self.batch_size))),
            threads=network.threads,
        )
        if not self.drop_last and len(train) % self.batch_size:
            # Compiled now, so that a last batch which a layer cannot train on is refused before the first.
            network.describe("training", len(train) % self.batch_size)
        self.position = position or Position(step=self.optimizer.step_count)
        before = self.position.step - self.position.epoch * source.batches_per_epoch - self.position.batch
        self.plan = _Plan(source, epochs, evaluate_every, dict(splits), max(0, before))
        for message in advice(self.optimizer, self.batch_size, len(train)):
            warnings.warn(message, RavineWarning, stacklevel=3)
        self.schedules.start(
            steps=epochs * source.batches_per_epoch,
            steps_per_epoch=source.batches_per_epoch,
            splits=splits,
            first_step=self.plan.first_step,
        )
        history = History(network.columns)
        try:
            if stopping is not None and stopping.restored and not self.finished:
                stopping.swap(network)  # a run that is longer now goes on from its last weights
            for callback in self.callbacks:
                callback.on_start(self)
            while not self.stopping and not self.finished:
                if self.position.batch < source.batches_per_epoch:
                    self._run_steps(source, history)
                if self.position.batch == source.batches_per_epoch:
                    self._end_epoch(history)
            if stopping is not None and self.finished and not stopping.restored and stopping.metrics:
                stopping.swap(network)
                for callback in self.callbacks:
                    callback.on_best_weights(self, stopping.summary())
            for callback in self.callbacks:
                callback.on_end(self)
        finally:
            self.stopping = False  # here and not at the start: a signal may have come before it
        return history

    def compile(self, input_shape: Sequence[int]) -> _core.Network:
        """Compiles a `Sequential` for samples of a shape; does nothing for a network."""
        if self._network is None:
            if not isinstance(self.model, Sequential) or self.loss is None:
                raise InputError("a Sequential needs a loss", key="loss")
            self._network = self.model.network(
                input_shape,
                loss=self.loss,
                batch_size=self.batch_size,
                seed=self.seed,
                **self._compute,
            )
        return self._network

    def evaluate(self, inputs: ArrayLike, targets: ArrayLike) -> dict[str, float]:
        """Loss and metrics ("accuracy", "top5" with more than five classes) on other samples."""
        metrics = evaluate(self.network, self._dataset(inputs, targets, "inputs"))
        assert metrics is not None  # nothing is there to give it up
        return metrics

    def evaluate_dataset(self, dataset: Dataset) -> dict[str, float] | None:
        """Metrics on a data set that is typed already; None if the training was stopped meanwhile."""
        return evaluate(self.network, dataset, self._between_slices)

    def predict(self, inputs: ArrayLike) -> NDArray[Any]:
        """Class probabilities, or the outputs of a regression, [samples, outputs]."""
        return self.network.predict(np.ascontiguousarray(as_inputs(inputs), self.network.dtype))

    def _dataset(self, inputs: ArrayLike, targets: ArrayLike, name: str) -> Dataset:
        """The samples as the loss needs them, in the network's element type."""
        network = self.network
        outputs = network.output_shape[-1]
        if network.classifies:
            data = as_dataset(inputs, targets, task="classification", classes=outputs, name=name)
            values = data.targets
        else:
            data = as_dataset(inputs, targets, task="regression", name=name)
            if (data.outputs,) != network.output_shape:
                raise InputError(
                    f"there are {data.outputs} target values a sample, but the network gives "
                    f"{' x '.join(map(str, network.output_shape))} and its loss compares them one by one; "
                    "use as many units, or for class labels a loss of classification",
                    key=name,
                )
            values = data.targets.astype(network.dtype)
        return Dataset(
            np.ascontiguousarray(data.inputs, network.dtype), values, data.classes, data.class_names, name
        )

    def _between_slices(self) -> bool:
        for callback in self.callbacks:
            callback.on_pause_of_evaluation(self)
        return self.stopping

    def _run_steps(self, source: BatchSource, history: History) -> None:
        position, network = self.position, self.network
        wanted = MOST_STEPS
        if self.step_seconds > 0:
            wanted = max(1, min(MOST_STEPS, int(0.8 * CONTROL_SECONDS / self.step_seconds)))
        else:
            wanted = 1  # nothing is known of the first step
        if self.limit_steps is not None:
            wanted = min(wanted, self.limit_steps)
        start = time.perf_counter()
        chunk = source.chunk(position.epoch, position.batch, wanted)
        steps = chunk.batches
        result = network.train(
            self.optimizer,
            chunk.inputs,
            chunk.targets,
            batch_size=len(chunk.inputs) // steps,
            schedule=self.schedules.values(position.step, steps),
            loss_so_far=position.loss,
            budget_seconds=CONTROL_SECONDS,
            record_every=self.record_every,
            observe_layers=self.observe_layers,
        )
        elapsed = time.perf_counter() - start
        position.seconds += elapsed
        position.batch += result.steps
        position.step += result.steps
        position.rows += result.rows
        position.loss = result.loss  # a running sum: its bits do not depend on when control came back
        position.correct += result.correct
        if result.steps:
            self.step_seconds = elapsed / result.steps
        recorded = network.drain()
        history.append(*recorded)
        for callback in self.callbacks:
            callback.on_steps(self, *recorded)
        if result.trouble:
            raise NotFiniteError(
                f"{result.trouble} became NaN or Inf at step {position.step + 1}; "
                "use a smaller learning rate, clip_norm, or check the data",
                layer=result.trouble_layer or None,
            )

    def _end_epoch(self, history: History) -> None:
        position, plan, network = self.position, self.plan, self.network
        assert plan is not None
        records = [("train", position.training_metrics(network.has_accuracy))]
        last = position.epoch + 1 == plan.epochs
        if last or (position.epoch + 1) % plan.evaluate_every == 0:
            for split, dataset in plan.splits.items():
                found = self.evaluate_dataset(dataset)
                if found is None:
                    return  # stopped: the end of the epoch is made up for when the training goes on
                records.append((split, found))
        position.epoch += 1
        position.batch = position.rows = position.correct = 0
        position.loss = 0.0
        for split, metrics in records:
            if not all(math.isfinite(value) for value in metrics.values()):
                raise NotFiniteError(
                    f"the {split} loss is NaN or Inf after epoch {position.epoch}; "
                    "use a smaller learning rate"
                )
        # Before anyone else hears of it: a checkpoint saved from here on knows what the schedules made of it.
        for change in [change for record in records for change in self.schedules.observe(*record)]:
            for callback in self.callbacks:
                callback.on_schedule(self, change)
        if self.early_stopping is not None and "validation" in dict(records):
            metrics = dict(records)["validation"]
            self.early_stopping.observe(network, metrics, position.step, position.epoch)
        for split, metrics in records:
            record = EvaluationRecord(position.step, float(position.epoch), split, metrics)
            history.evaluations.append(record)
            for callback in self.callbacks:
                callback.on_evaluation(self, record)
        for callback in self.callbacks:
            callback.on_epoch_end(self)

"""The training loop: epochs of native chunks, evaluations, and events for whoever listens."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine import _core
from ravine.components import Component
from ravine.data import Dataset, SamplerSettings, as_array, as_inputs, as_labels
from ravine.data.sampler import sampler_settings
from ravine.distributed.ranks import Ranks
from ravine.errors import InputError, RavineWarning
from ravine.hyperparameters import check_decay
from ravine.model import Sequential, Threads, whole_number
from ravine.training import loop, meeting
from ravine.training.batches import (
    BatchSize,
    checked_batch_size,
    compile_smaller,
    rows_at_once,
    rows_of_batch,
)
from ravine.training.callback import Callback as Callback
from ravine.training.class_weights import check_classes, with_class_weights
from ravine.training.device_data import DEVICE_SHARE, DeviceData
from ravine.training.early_stopping import EarlyStopping
from ravine.training.evaluation import evaluate
from ravine.training.feeding import feeding
from ravine.training.history import History
from ravine.training.optimizer import advice, make_optimizer
from ravine.training.plan import Plan
from ravine.training.position import Position as Position
from ravine.training.samples import Samples, typed_samples
from ravine.training.schedules import Schedule, Schedules
from ravine.training.statistics import Statistics
from ravine.training.streaming import fit_stream
from ravine.training.weights import AveragedWeights


class Trainer:
    """Trains a network with an optimizer on arrays in memory.

    Args:
        model: a `Sequential`, compiled at the first fit, or a compiled network.
        optimizer: from `ravine.optimizers`, a catalog name, or an optimizer.
        loss: from `ravine.losses` or a catalog name; for a `Sequential`.
        batch_size: samples a step, at least 1; "all": the whole training set in one step (full-batch gradient
            descent), in the order in which it is given.
        micro_batch: samples that are computed at once, 0 for all of a batch: gradient accumulation, with the
            memory of a part and the gradient of the whole. Batch normalization takes its moments over a part.
        average_weights: decay of an exponential moving average of the weights, which evaluations and the
            trained network have, see `AveragedWeights`; in [0, 1), 0 for none.
        seed: of weights, order and masks.
        schedules: for a hyperparameter, a schedule from `ravine.schedules`, or a function of the step
            (counted from 0) that gives its value.
        callbacks: what listens, in order.
        shuffle, drop_last: of the batches. Without shuffling samples keep their order.
        sampler: which samples an epoch visits in which order: "shuffle", "sequential", "mixed", "balanced",
            "hard", or settings; see `ravine.data.SamplerSettings`.
        l2, l2_form, l1, l1_form, clip_value, clip_layer_norm, clip_norm, max_norm, groups: see
            `make_optimizer`.
        record_every: steps between records, 0 for none.
        statistics: what is recorded of layers: "off", nothing; "norms", the moments of every layer's output
            and the norms of its gradient, weights and update; "full", every `full_every` steps distributions
            too, see `History.distributions`.
        full_every: steps between distributions.
        dtype, device, threads, compute: see `Sequential.network`.
        device_data: share of a device's free memory, 0 to 1, that samples may take to lie there; see
            `ravine.training.device_data`.
        ranks: those that train together, see `ravine.distributed.Ranks`: each is given all samples, and takes
            its rows of every batch. None: this process alone.

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
        batch_size: BatchSize = 32,
        micro_batch: int = 0,
        average_weights: float = 0.0,
        seed: int = 0,
        schedules: Mapping[str, Schedule | Component | str] | None = None,
        callbacks: Sequence[Callback] = (),
        shuffle: bool = True,
        sampler: str | Mapping[str, Any] | SamplerSettings = "shuffle",
        drop_last: bool = False,
        l2: float = 0.0,
        l2_form: str = "squared",
        l1: float = 0.0,
        l1_form: str = "subgradient",
        clip_value: float = 0.0,
        clip_layer_norm: float = 0.0,
        clip_norm: float = 0.0,
        max_norm: float = 0.0,
        groups: Sequence[Mapping[str, Any]] = (),
        record_every: int = 1,
        statistics: str = "norms",
        full_every: int = 100,
        dtype: str = "float32",
        device: str = "cpu",
        threads: Threads = "auto",
        compute: Mapping[str, bool | int] | None = None,
        device_data: float = DEVICE_SHARE,
        ranks: Ranks | None = None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.on_device = DeviceData(device_data)
        self.optimizer = make_optimizer(
            optimizer, l2=l2, l2_form=l2_form, l1=l1, l1_form=l1_form, clip_value=clip_value, groups=groups,
            clip_layer_norm=clip_layer_norm, clip_norm=clip_norm, max_norm=max_norm,
        )  # fmt: skip
        self.model = model
        self.loss = loss
        self.batch_size = checked_batch_size(batch_size)
        self.micro_batch = whole_number("micro_batch", micro_batch, 0)
        self.average_weights = check_decay(average_weights)
        self.averaged: AveragedWeights | None = None
        self.seed = whole_number("seed", seed, 0)
        self.schedules = Schedules(schedules or {}, self.optimizer)
        self.callbacks = list(callbacks)
        self.sampler = sampler_settings(sampler, shuffle)
        # Of a checkpoint: the epoch, and the losses its order follows from.
        self.observed_losses: tuple[int, NDArray[np.float64]] | None = None
        self.drop_last = drop_last
        self.statistics = Statistics(statistics, record_every, full_every)
        self._compute: dict[str, Any] = {"dtype": dtype, "device": device, "threads": threads}
        self._compute["compute"] = compute
        self._network = model if isinstance(model, _core.Network) else None
        if self._network is not None and loss is not None:
            raise InputError("a compiled network has its loss already", key="loss")
        self.position = Position()
        self.meeting = meeting.Meeting(self)
        self.stop_asked = False  # on this rank
        self.stopped = False  # all ranks have agreed to it
        self.paused = False  # as a callback of rank 0 wants it
        self.early_stopping: EarlyStopping | None = None
        # A callback of rank 0 may ask for so many steps at most in the next call.
        self.limit_steps: int | None = None
        self.plan: Plan | None = None
        self.step_seconds = 0.0  # of the last native call

    @property
    def network(self) -> _core.Network:
        """The compiled network."""
        if self._network is None:
            raise InputError("the network is compiled by fit, which has not been called yet", key="model")
        return self._network

    @property
    def is_compiled(self) -> bool:
        """Whether there is a network already."""
        return self._network is not None

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
        """All epochs are done, a stream has ended, or early stopping has lost its patience."""
        if self.plan is None:
            return False
        exhausted = self.early_stopping is not None and self.early_stopping.exhausted
        exhausted |= self.plan.source.ended and self.position.batch == 0
        return exhausted or self.position.epoch >= self.plan.epochs

    @property
    def stopping(self) -> bool:
        """The training is to end: at once where this rank is alone, or else when all ranks know of it."""
        return self.stopped or (self.stop_asked and self.ranks.alone)

    def stop(self) -> None:
        """Ends the training, on all ranks, after the steps that run now."""
        self.stop_asked = True

    def fit(
        self,
        inputs: ArrayLike,
        targets: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        epochs: int = 10,
        validation: Samples | None = None,
        evaluate_every: int = 1,
        patience: int = 0,
        minimum_change: float = 0.0,
    ) -> History:
        """Trains for some epochs; a second call goes on with the weights, and counts its steps on.

        Where weights are averaged, it goes on with those that train, and with the average.

        Args:
            inputs: [samples, *shape].
            targets: class labels [samples], or for a loss over values [samples] or [samples, outputs].
            sample_weight: what each sample counts in a batch's loss sum w l / sum w, [samples], at least 0;
                all count the same without.
            epochs: passes over the samples, at least 1.
            validation: inputs, targets, and sample weights if there are any, to evaluate on after epochs.
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
        asked = self.loss
        self._balance(targets)
        try:
            network = self.compile(inputs.shape[1:], len(inputs))
        except InputError as error:
            self.loss = asked
            if error.key == "class_weights" and isinstance(self.model, Sequential):
                check_classes(self.model, asked, inputs, targets)
            raise
        dataset = typed_samples(network, "train", inputs, targets, sample_weight)
        splits = {}
        if validation is not None:
            splits["validation"] = typed_samples(network, "validation", *validation)
        self._forget_best()
        if whole_number("patience", patience, 0) > 0:
            self.early_stopping = EarlyStopping(patience, minimum_change)
        return self.fit_datasets(dataset, splits, epochs=epochs, evaluate_every=evaluate_every)

    def fit_stream(
        self,
        batches: Iterable[Any],
        *,
        steps: int,
        validation: Samples | None = None,
        evaluate_every: int = 0,
    ) -> History:
        """Trains on batches that come one after the other, such as data that changes over time.

        Several ranks must each be given the same batches; each trains on its rows of them.
        The iterator is asked for `steps` batches, in a thread of its own, one ahead of the training: it may
        go on without an end, and further calls go on with it. Where it ends before, the training ends with
        it, with a warning. A stop by a callback drops the batch that was read ahead.

        Args:
            batches: gives (inputs, targets) or (inputs, targets, weights), as in `fit`; their sizes may
                differ. The first batch says for which shape the network is compiled.
            steps: batches to train on, at least 1; one step each.
            validation: inputs, targets, and sample weights if there are any, to evaluate on after each round.
            evaluate_every: steps of a round, which takes the place of an epoch: for metrics of the training,
                evaluations, callbacks and schedules. It divides `steps`; 0: one round of all steps.

        Returns:
            Recorded steps and evaluations.

        Raises:
            InputError: a batch that cannot be used, or an iterator that raises an exception; the batch is
                named, counted from 1. A rule that needs the same samples in every step.

        Example:
            >>> from ravine.layers import Dense
            >>> def doubled():
            ...     for number in range(10**9):
            ...         yield [[number % 3]], [2.0 * (number % 3)]
            >>> trainer = Trainer(Sequential(Dense(1)), loss="squared_error", optimizer="adam")
            >>> len(trainer.fit_stream(doubled(), steps=5)["loss"])
            5
        """
        self._forget_best()
        return fit_stream(self, batches, steps, validation, evaluate_every)

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
        if train.weights is not None and not train.weights.any():
            raise InputError("all sample weights are 0; at least one sample must count", key=train.name)
        if self.early_stopping is not None:
            self.early_stopping.check_splits(splits)
        self.compile(train.input_shape, len(train))
        self.begin()
        rows = rows_of_batch(self.batch_size, len(train))
        self.compile_smaller(len(train))
        with (
            self.on_device.keeping(self.network, [train, *splits.values()], self.ranks),
            feeding(self, train, epochs, meeting.MOST_STEPS) as source,
        ):
            self.position = position or Position(step=self.optimizer.step_count)
            before = self.position.step - self.position.epoch * source.batches_per_epoch - self.position.batch
            self.plan = Plan(source, epochs, evaluate_every, dict(splits), max(0, before))
            for message in advice(self.optimizer, rows, len(train), resamples=not source.sampler.permutes):
                warnings.warn(message, RavineWarning, stacklevel=3)
            return self.run()

    def begin(self) -> None:
        """Makes a compiled network ready for a training."""
        self.attach()
        self.network.drain()  # what a broken call left
        self.network.drain_distributions()

    def run(self) -> History:
        """Trains by the plan, from the position on."""
        assert self.plan is not None
        network, stopping, source = self.network, self.early_stopping, self.plan.source
        self.schedules.start(
            steps=self.plan.epochs * source.batches_per_epoch,
            steps_per_epoch=source.batches_per_epoch,
            splits=self.plan.splits,
            first_step=self.plan.first_step,
        )
        history = History(network.columns)
        turn = loop.Loop(self, history)
        try:
            if stopping is not None and stopping.restored and not self.finished:
                stopping.swap(network)  # a run that is longer now goes on from its last weights
            if self.averaged is not None and self.averaged.in_place and not self.finished:
                self.averaged.swap()
            for callback in self.callbacks:
                callback.on_start(self)
            self.meeting.hold()
            while not self.stopping and not self.finished:
                if self.position.batch < source.batches_per_epoch:
                    turn.run_steps()
                if self.position.batch >= source.batches_per_epoch or (source.ended and self.position.batch):
                    turn.end_epoch()
            if self.averaged is not None and not self.averaged.in_place:
                self.averaged.swap()
            if stopping is not None and self.finished and not stopping.restored and stopping.metrics:
                stopping.swap(network)
                for callback in self.callbacks:
                    callback.on_best_weights(self, stopping.summary())
            for callback in self.callbacks:
                callback.on_end(self)
            self.meeting.hold()
        finally:
            # Here and not at the start: a signal may have come before it.
            self.stop_asked = self.stopped = self.paused = False
        return history

    def compile(self, input_shape: Sequence[int], samples: int | None = None) -> _core.Network:
        """Compiles a `Sequential` for samples of a shape; does nothing for a network."""
        if self._network is None:
            if not isinstance(self.model, Sequential) or self.loss is None:
                raise InputError("a Sequential needs a loss", key="loss")
            settings = self._compute | {"device": self.ranks.device(self._compute["device"])}
            self._network = self.model.network(
                input_shape,
                loss=self.loss,
                batch_size=rows_at_once(self.batch_size, self.micro_batch, samples),
                seed=self.seed,
                ranks=self.ranks.native,
                **settings,
            )
        return self._network

    def compile_smaller(self, samples: int) -> None:
        """Compiles smaller batches, before the first step; see `batches.compile_smaller`."""
        compile_smaller(
            self.network, samples, self.batch_size, self.micro_batch, self.drop_last, self.ranks.rows
        )

    def attach(self) -> None:
        """Gives the compiled network what goes beside its weights: optimizer slots and the average."""
        self.optimizer.attach(self.network)
        if self.average_weights > 0 and self.averaged is None:
            self.averaged = AveragedWeights(self.network, self.average_weights)

    def answering(self) -> contextlib.AbstractContextManager[None]:
        """Within it the network has the weights that answer: the averaged ones, where there are some."""
        return contextlib.nullcontext() if self.averaged is None else self.averaged.answering()

    def evaluate(
        self, inputs: ArrayLike, targets: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Loss and metrics ("accuracy", "top5" with more than five classes) on other samples.

        Sample weights change the loss; the other metrics are shares of samples that count the same.
        """
        dataset = typed_samples(self.network, "inputs", inputs, targets, sample_weight)
        with self.answering():
            metrics = evaluate(self.network, dataset)
        assert metrics is not None  # nothing is there to give it up
        return metrics

    def evaluate_dataset(self, dataset: Dataset) -> dict[str, float] | None:
        """Metrics on a data set that is typed already; None if the training was stopped meanwhile."""
        with self.answering():
            resident = self.on_device.of(dataset)
            return evaluate(self.network, dataset, self.meeting.between_slices, self.ranks, resident)

    def predict(self, inputs: ArrayLike) -> NDArray[Any]:
        """Class probabilities, or the outputs of a regression, [samples, outputs]."""
        with self.answering():
            return self.network.predict(np.ascontiguousarray(as_inputs(inputs), self.network.array_dtype))

    def _balance(self, targets: ArrayLike) -> None:
        """Gives a loss with balanced class weights their numbers, before its network is compiled."""
        if self._network is None and self.loss is not None:
            self.loss = with_class_weights(self.loss, lambda: as_labels(as_array(targets, "train"), "train"))

    def _forget_best(self) -> None:
        """Of a training before: averages go on from its last weights."""
        if self.averaged is not None and self.early_stopping is not None and self.early_stopping.restored:
            self.early_stopping.swap(self.network)
        self.early_stopping = None

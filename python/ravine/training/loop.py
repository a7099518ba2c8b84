"""What a training does again and again: native chunks of steps, ends of epochs, and the events of both."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from ravine._core import TrainingResult
from ravine.data import HardSampler
from ravine.distributed import failure
from ravine.distributions import DistributionRow
from ravine.errors import NotFiniteError
from ravine.training import meeting
from ravine.training.evaluation import row_losses
from ravine.training.history import EvaluationRecord, History

if TYPE_CHECKING:
    from ravine.training.trainer import Trainer


class Loop:
    """The parts of a trainer's loop.

    Args:
        trainer: with a plan and a position.
        history: takes in what is recorded.
    """

    def __init__(self, trainer: Trainer, history: History) -> None:
        assert trainer.plan is not None
        self.trainer = trainer
        self.plan = trainer.plan
        self.history = history

    def run_steps(self) -> None:
        """One call of the native loop: some steps of the epoch that runs."""
        trainer, source, history = self.trainer, self.plan.source, self.history
        position, network = trainer.position, trainer.network
        if position.batch == 0 and not self._observe_losses():
            return
        start = time.perf_counter()
        every = trainer.ranks.average_every
        wanted = trainer.meeting.steps if position.step % every == 0 else every - position.step % every
        chunk = source.chunk(position.epoch, position.batch, wanted)
        if chunk is None:
            trainer.meeting.control()
            return
        steps = chunk.batches
        result = network.train(
            trainer.optimizer,
            chunk.inputs,
            chunk.targets,
            batch_size=chunk.size,
            first_row=chunk.first_row,
            global_batch=chunk.global_batch,
            steps=steps,
            micro_batch=trainer.micro_batch,
            average=None if trainer.averaged is None else trainer.averaged.native,
            schedule=trainer.schedules.values(position.step, steps),
            weights=chunk.weights,
            mixture=chunk.mixture,
            loss_so_far=position.loss,
            weight_so_far=position.weight,
            # Ranks make equally many steps a call, whatever their clocks say.
            budget_seconds=meeting.CONTROL_SECONDS if trainer.ranks.alone else 0.0,
            **trainer.statistics.settings,
        )
        elapsed = time.perf_counter() - start
        position.seconds += elapsed
        position.batch += result.steps
        position.step += result.steps
        failure.at_step(position.step)
        position.rows += result.rows
        # Running sums: their bits do not depend on when control came back.
        position.loss, position.weight = result.loss, result.weight
        position.correct += result.correct
        if result.steps:
            trainer.step_seconds = elapsed / result.steps
        if not result.trouble and chunk.size and trainer.ranks.measures_passes:
            batch = chunk.inputs[: chunk.size]
            trainer.statistics.measure(network, batch, trainer.micro_batch, elapsed, result.steps)
        recorded = network.drain()
        distributions = [DistributionRow(*row) for row in network.drain_distributions()]
        history.append(*recorded, distributions)
        for callback in trainer.callbacks:
            if distributions:
                callback.on_distributions(trainer, distributions)
            callback.on_steps(trainer, *recorded)
        if result.trouble:
            raise self._not_finite(result)
        if position.batch >= source.batches_per_epoch:
            trainer.meeting.average()
        if trainer.meeting.in_step:
            trainer.meeting.control()

    def end_epoch(self) -> None:
        """Evaluations, and what follows from them; nothing if the training is stopped meanwhile."""
        trainer, plan, history = self.trainer, self.plan, self.history
        position, network = trainer.position, trainer.network
        records = [("train", position.training_metrics(network.has_accuracy))]
        last = position.epoch + 1 == plan.epochs
        if last or (position.epoch + 1) % plan.evaluate_every == 0:
            for split, dataset in plan.splits.items():
                found = trainer.evaluate_dataset(dataset)
                if found is None:
                    return  # stopped: the end of the epoch is made up for when the training goes on
                records.append((split, found))
        position.epoch += 1
        position.batch = position.rows = position.correct = 0
        position.loss = position.weight = 0.0
        for split, metrics in records:
            if not all(math.isfinite(value) for value in metrics.values()):
                raise NotFiniteError(
                    f"the {split} loss is NaN or Inf after epoch {position.epoch}; "
                    "use a smaller learning rate"
                )
        # Before anyone else hears of it: a checkpoint saved from here on knows what the schedules made of it.
        for change in [change for record in records for change in trainer.schedules.observe(*record)]:
            for callback in trainer.callbacks:
                callback.on_schedule(trainer, change)
        if trainer.early_stopping is not None and "validation" in dict(records):
            metrics = dict(records)["validation"]
            with trainer.answering():
                trainer.early_stopping.observe(network, metrics, position.step, position.epoch)
        for split, metrics in records:
            record = EvaluationRecord(position.step, float(position.epoch), split, metrics)
            history.evaluations.append(record)
            for callback in trainer.callbacks:
                callback.on_evaluation(trainer, record)
        for callback in trainer.callbacks:
            callback.on_epoch_end(trainer)
        trainer.meeting.hold()

    def _not_finite(self, result: TrainingResult) -> NotFiniteError:
        where = "" if result.trouble_rank < 0 else f", in the rows of rank {result.trouble_rank},"
        return NotFiniteError(
            f"{result.trouble} became NaN or Inf{where} at step {self.trainer.position.step + 1}; "
            "use a smaller learning rate, clip_norm, or check the data",
            layer=result.trouble_layer or None,
        )

    def _observe_losses(self) -> bool:
        """Gives a sampler the losses that the order of this epoch follows from; False if told to stop.

        They are taken at its beginning and not while the samples are trained on: all with the same weights,
        without masks, and also those of samples that the last epoch did not visit.
        """
        trainer, source = self.trainer, self.plan.source
        sampler, dataset = source.sampler, source.dataset
        if not isinstance(sampler, HardSampler) or dataset is None or sampler.knows(trainer.position.epoch):
            return True
        resident = trainer.on_device.of(dataset)
        losses = row_losses(trainer.network, dataset, trainer.meeting.between_slices, trainer.ranks, resident)
        if losses is not None:
            sampler.observe(trainer.position.epoch, losses)
        return losses is not None

"""What all ranks of a training agree on between two native calls.

Rank 0 decides how many steps the next call makes, and obeys the commands that arrive; every rank may have
been told to stop. Between meetings all of them do the same from the same numbers, so that nothing else is to
be said. One rank alone meets itself, which takes no time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ravine import distributed

if TYPE_CHECKING:
    from ravine.training.trainer import Trainer

CONTROL_SECONDS = 0.05  # Python gets control back at least this often
MOST_STEPS = 1024  # of one native call: the rows of the statistics ring


class Meeting:
    """Meetings of the ranks of a trainer.

    Args:
        trainer: of this rank.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.steps = 1  # of the next native call; nothing is known of the first one's time
        self._told: dict[str, Any] = {}
        self._edits: list[tuple[str, float]] = []

    def tell(self, **news: Any) -> None:
        """Rank 0 is to hear of this at the next meeting: numbers, texts, bytes, lists and dictionaries."""
        self._told.update(news)

    def edit(self, name: str, value: float) -> str:
        """Gives a hyperparameter another value from the next step on; called on rank 0, which the others
        follow.

        Returns:
            What a schedule makes of it, in words.

        Raises:
            InputError: a value that it cannot have.
        """
        note = self.trainer.schedules.edit(name, value)
        self.trainer.optimizer.set(name, value)
        self._edits.append((name, value))
        return note

    def control(self) -> None:
        """Lets callbacks take control, and meets; returns when training may go on or is to stop."""
        trainer = self.trainer
        while True:
            for callback in trainer.callbacks:
                callback.on_control(trainer)
            self.hold()
            if not trainer.paused or trainer.stopping:
                return
            time.sleep(CONTROL_SECONDS / 2)

    def between_slices(self) -> bool:
        """Control within an evaluation that takes long; True gives it up. Collective."""
        for callback in self.trainer.callbacks:
            callback.on_pause_of_evaluation(self.trainer)
        self.control()
        return self.trainer.stopping

    def hold(self) -> None:
        """Meets, and does what was agreed on. Collective."""
        trainer = self.trainer
        if distributed.notes and not trainer.ranks.alone:
            self.tell(warnings=[*distributed.notes])
            distributed.notes.clear()
        mine: dict[str, Any] = {"stop": trainer.stop_asked, "news": self._told}
        if trainer.ranks.leads:
            mine |= {"steps": self._wanted(), "edits": self._edits, "paused": trainer.paused}
        self._told, self._edits = {}, []
        found = trainer.ranks.world.gather(mine)
        while found[0].get("weights"):
            self._give_weights()
            found = trainer.ranks.world.gather(mine)
        first = found[0]
        self.steps, trainer.paused = first["steps"], first["paused"]
        trainer.stopped = any(one["stop"] for one in found)
        if not trainer.ranks.leads:
            for name, value in first["edits"]:
                self.edit(name, value)
            self._edits = []
        elif any(one["news"] for one in found):
            for callback in trainer.callbacks:
                callback.on_news(trainer, [one["news"] for one in found])

    @property
    def in_step(self) -> bool:
        """Whether all ranks have the same weights: always, but between the averages of ranks that step alone.

        Then they were averaged after this step, or are about to be, as an epoch has ended.
        """
        trainer, plan = self.trainer, self.trainer.plan
        ended = plan is not None and trainer.position.batch >= plan.source.batches_per_epoch
        return ended or trainer.position.step % trainer.ranks.average_every == 0

    def average(self) -> None:
        """At the end of an epoch: gives ranks that step alone the mean of their weights. Collective.

        Ranks that round differently, too: theirs have drifted apart by rounding.
        """
        trainer = self.trainer
        native = trainer.ranks.native
        if native is None or native.data is None:
            return
        if trainer.ranks.alike and trainer.position.step % native.average_every == 0:
            return
        arrays = [trainer.network.flat_parameters, *trainer.network.state.values()]
        arrays += trainer.optimizer.slots.values()
        if trainer.averaged is not None:
            arrays.append(trainer.averaged.native.flat_values)
        for values in arrays:
            values /= native.data.ranks
            native.data.sum(values)

    def call_for_weights(self) -> None:
        """On rank 0: those that hold parts of the same layers join it in putting the weights together.

        They are at their next meeting meanwhile, for rank 0 saves nothing but between an exchange and a
        meeting.
        """
        if self.trainer.ranks.grid.model > 1:
            self.trainer.ranks.world.gather({"weights": True})

    def _give_weights(self) -> None:
        from ravine.training.snapshot import weights_and_slots

        if self.trainer.ranks.grid.data_rank == 0:
            weights_and_slots(self.trainer)

    def _wanted(self) -> int:
        """So many steps that they take a little less than the time to the next look at the commands."""
        trainer, wanted = self.trainer, 1
        if trainer.step_seconds > 0:
            wanted = max(1, min(MOST_STEPS, int(0.8 * CONTROL_SECONDS / trainer.step_seconds)))
        if trainer.limit_steps is not None:
            wanted = min(wanted, trainer.limit_steps)
        # Ranks that step alone have something to agree on when they have averaged.
        every, step = trainer.ranks.average_every, trainer.position.step
        return -(-(step + wanted) // every) * every - step

"""What a training would gain by more ranks, and by which settings: `ravine scaling`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ravine.distributed.scaling import Choice, Machine, Step, Workload, split_layers, step

BUCKETS = (1e6, 5e6, 25e6, 100e6)  # bytes
GROUPS = (1, 2, 4, 8)  # ranks that divide a layer
PERIODS = (4, 16)  # steps between averages of weights
WORTH = 1.1  # a setting is named where it makes steps so many times faster
ENOUGH = 0.5  # efficiency below which ranks are called wasted


@dataclass(frozen=True)
class Row:
    """A number of ranks.

    Args:
        ranks: all of them.
        rows: that a rank takes of a batch, at most.
        samples: of a batch, all ranks together.
        single: samples a second of one rank alone.
        step: with the settings that were asked for.
        best: settings that make the step shorter without changing what is learned, and the step with them.
        rounded: the step with them, and gradients that travel as bfloat16.
        local: by period, the step with weights that are averaged now and then, which is another algorithm.
    """

    ranks: int
    rows: int
    samples: int
    single: float
    step: Step
    best: tuple[Choice, Step]
    rounded: Step
    local: dict[int, Step]

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.step.seconds

    @property
    def speed_up(self) -> float:
        """How many times as many samples a second as one rank."""
        return self.gain(self.step)

    def gain(self, step: Step) -> float:
        """What the speed-up would be with another step."""
        return self.samples / step.seconds / self.single

    @property
    def efficiency(self) -> float:
        """Of a rank, compared with one alone."""
        return self.speed_up / self.ranks


def forecast(
    workload: Workload, machine: Machine, ranks: Iterable[int], batch: int, choice: Choice, strong: bool
) -> list[Row]:
    """What so many ranks would do.

    Args:
        workload: the network's step.
        machine: what the ranks run on.
        ranks: numbers of them, multiples of `choice.model`.
        batch: rows of a step; of all ranks together (strong scaling), or of each (weak scaling).
        choice: how they share the work.
        strong: which of the two.
    """
    rows = []
    for count in ranks:
        samples = batch if strong else batch * (count // choice.model)

        def taken(other: Choice, count: int = count, samples: int = samples) -> Step:
            return step(workload, machine, count, rows_of_group(samples, count, other), other)

        def possible(other: Choice, count: int = count, samples: int = samples) -> bool:
            rows = rows_of_group(samples, count, other)
            return other.model == 1 or bool(split_layers(workload, machine, count, rows, other))

        groups = GROUPS if choice.model == 1 else (choice.model,)
        choices = [
            replace(choice, bucket_bytes=size, model=group)
            for group in groups
            if count % group == 0
            for size in dict.fromkeys((choice.bucket_bytes, *BUCKETS))
        ]
        best = min(filter(possible, choices), key=lambda one: round(taken(one).seconds, 12), default=choice)
        if taken(best).seconds * WORTH > taken(choice).seconds:
            best = choice
        rows.append(
            Row(
                ranks=count,
                rows=rows_of_group(samples, count, choice),
                samples=samples,
                single=batch / workload.compute.seconds(batch),
                step=taken(choice),
                best=(best, taken(best)),
                rounded=taken(replace(best, transport="bfloat16")),
                local={period: taken(replace(choice, average_every=period)) for period in PERIODS},
            )
        )
    return rows


def rows_of_group(samples: int, ranks: int, choice: Choice) -> int:
    """The most rows of a batch that a group of ranks takes."""
    return max(1, -(-samples // (ranks // choice.model)))


def changes(before: Choice, after: Choice) -> str:
    """What differs between settings, as an experiment says it."""
    said = []
    if after.model != before.model:
        said.append(f"model = {after.model}")
    if after.bucket_bytes != before.bucket_bytes:
        said.append(f"bucket_megabytes = {after.bucket_bytes / 1e6:g}")
    return ", ".join(said)


def recommendation(rows: list[Row], choice: Choice) -> str:
    """One line: how many ranks are worth it, and with which settings.

    Args:
        rows: of strong scaling, by number of ranks.
        choice: the settings that were asked for.
    """
    worth = [row for row in rows if row.gain(row.best[1]) >= max(WORTH, ENOUGH * row.ranks)]
    row = worth[-1] if worth else max(rows, key=lambda one: one.gain(one.best[1]))
    settings, best = row.best
    gain = row.gain(best)
    setting = f" with {changes(choice, settings)}" if settings != choice else ""
    if gain < WORTH:
        parts = ["one rank is the fastest: sums take longer than more ranks save, unless batches are larger"]
    else:
        parts = [
            f"{row.ranks} ranks train {gain:.1f} times as fast as one{setting} ({gain / row.ranks:.0%} each)"
        ]
    for one in rows:
        if worth and one.ranks > row.ranks:
            parts.append(f"{one.ranks} would {one.gain(one.best[1]):.1f} times as fast")
            break
    enough = WORTH * max(1.0, gain)
    if choice.transport == "full" and row.gain(row.rounded) >= enough:
        parts.append(f'{row.gain(row.rounded):.1f} times with transport = "bfloat16", which rounds gradients')
    for period, local in row.local.items():
        if choice.average_every == 1 and row.gain(local) >= enough:
            parts.append(
                f"{row.gain(local):.1f} times with average_every = {period}, which is another algorithm"
            )
            break
    return "; ".join(parts)

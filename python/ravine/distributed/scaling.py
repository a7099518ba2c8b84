"""How long a training step takes on many ranks: what is computed, what is sent, what of both goes on at once.

A step of b rows takes c0 + c1 b seconds on one rank; c1 b is shared out among the operations of the plan by
their FLOPs and bytes. On several ranks gradients are summed in buckets: one begins when the backward pass has
computed it and the one before is through. The costs of sums are those of `collectives`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from ravine.distributed.collectives import Link, fitted, gather_seconds, sum_seconds

VALUE_BYTES = 4  # of a float32
BYTE_FLOPS = 4.0  # operations in whose time the processor moves a byte
SPLIT = ("dense", "convolution")  # layers whose units can be divided


@dataclass(frozen=True)
class Compute:
    """Seconds of a step on one rank: fixed (the update, and what each step costs) and a row's.

    Example:
        >>> Compute(fixed=0.001, by_row=0.0001).seconds(128)
        0.0138
    """

    fixed: float
    by_row: float

    def seconds(self, rows: float) -> float:
        """Of a step of so many rows."""
        return self.fixed + self.by_row * rows


def fitted_compute(rows: Sequence[float], seconds: Sequence[float]) -> Compute:
    """What explains times of steps: least squares of relative errors, neither number below zero.

    Example:
        >>> fitted_compute([32, 64, 128], [0.002, 0.003, 0.005])
        Compute(fixed=0.001, by_row=3.125e-05)
    """
    columns = np.stack([np.ones(len(rows)), np.asarray(rows, float)], axis=1)
    fixed, by_row = fitted(columns, np.asarray(seconds, float))
    return Compute(float(f"{fixed:.12g}"), float(f"{by_row:.12g}"))


@dataclass(frozen=True)
class Layer:
    """What a layer sends.

    Args:
        inputs, outputs: numbers a row that go in and come out.
        parameters: numbers.
        splits: its units can be divided among ranks.
        first: nothing before it learns, so that no gradient of its input is computed.
    """

    inputs: int
    outputs: int
    parameters: int
    splits: bool
    first: bool


@dataclass(frozen=True)
class Phase:
    """Operations at whose end gradients are complete.

    Args:
        shares: of the time of a row, by layer; "" for what belongs to none.
        backward: part of the backward pass.
        complete: layers whose gradients are complete at its end, in order.
    """

    shares: Mapping[str, float]
    backward: bool = False
    complete: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workload:
    """A network's training step.

    Args:
        compute: on one rank.
        phases: in order, shares adding up to 1.
        layers: by name.
        slots: numbers that the optimizer keeps of each parameter, which are averaged where weights are.
    """

    compute: Compute
    phases: tuple[Phase, ...]
    layers: Mapping[str, Layer]
    slots: int = 0

    @property
    def parameters(self) -> int:
        """Of all layers."""
        return sum(layer.parameters for layer in self.layers.values())


@dataclass(frozen=True)
class Choice:
    """How ranks share the work, as in `[parallel]` of an experiment.

    Args:
        model: ranks of a group which divide the units of layers; the groups divide the rows.
        bucket_bytes: of gradients that are summed at once.
        transport: "full" or "bfloat16".
        overlap: sums go on while the backward pass does.
        average_every: steps after which weights are averaged, instead of gradients in every step.
        algorithm: of the sums.
    """

    model: int = 1
    bucket_bytes: float = 25e6
    transport: str = "full"
    overlap: bool = True
    average_every: int = 1
    algorithm: str = "best"


@dataclass(frozen=True)
class Step:
    """Seconds of a step: computing, communicating, and the part of this during which nothing is computed."""

    compute: float
    communicate: float
    exposed: float

    @property
    def seconds(self) -> float:
        """Of the whole step."""
        return self.compute + self.exposed


@dataclass(frozen=True)
class Machine:
    """What the ranks run on.

    Args:
        link: between any two.
        spread: standard deviation of a rank's computing time, as a share of it; all wait for the slowest.
        contention: of the time of sums that go on beside computing, the share that they take the processors.
        meetings: in a step, at which ranks tell each other what they measured, such as the loss.
    """

    link: Link
    spread: float = 0.0
    contention: float = 0.0
    meetings: int = 1


def slowest(ranks: int) -> float:
    """Standard deviations above the mean at which the slowest of so many ranks is expected (G. Blom, 1958).

    Example:
        >>> slowest(1), round(slowest(8), 2), round(slowest(1024), 2)
        (0.0, 1.43, 3.23)
    """
    return max(0.0, NormalDist().inv_cdf((ranks - 0.375) / (ranks + 0.25))) if ranks > 1 else 0.0


def workload_of(
    operations: Iterable[Mapping[str, Any]],
    layers: Iterable[Mapping[str, Any]],
    compute: Compute,
    slots: int = 0,
) -> Workload:
    """A network's step from its plan, as `Network.describe` and `Network.layers` give them.

    Args:
        operations: with phase, section, layer, flops and bytes.
        layers: with name, type, input_shape, output_shape and parameters.
        compute: of a step of this network on one rank.
        slots: of the optimizer, for each parameter.
    """
    known = list(operations)
    weights = [float(one["flops"]) + BYTE_FLOPS * float(one["bytes"]) for one in known]
    whole = sum(weights)
    shares: dict[tuple[int, bool], dict[str, float]] = {}
    last: dict[str, tuple[int, bool]] = {}
    for one, weight in zip(known, weights, strict=True):
        backward = one["section"] == "backward"
        place = (int(one["phase"]), backward)  # rows may go forward and backward in one phase
        of_layers = shares.setdefault(place, {})
        of_layers[one["layer"]] = of_layers.get(one["layer"], 0.0) + weight / whole
        if backward:
            last[one["layer"]] = place
    kinds = {}
    learned = False
    for layer in layers:
        kinds[layer["name"]] = Layer(
            inputs=math.prod(layer["input_shape"]),
            outputs=math.prod(layer["output_shape"]),
            parameters=int(layer["parameters"]),
            splits=layer["type"] in SPLIT,
            first=not learned,
        )
        learned = learned or layer["parameters"] > 0
    order = [name for name in reversed(kinds) if kinds[name].parameters]
    end = max(shares, default=(0, True))
    phases = [
        Phase(of_layers, backward, tuple(name for name in order if last.get(name, end) == (phase, backward)))
        for (phase, backward), of_layers in sorted(shares.items())
    ]
    return Workload(compute, tuple(phases), kinds, slots)


def step(workload: Workload, machine: Machine, ranks: int, rows: float, choice: Choice | None = None) -> Step:
    """A step of so many ranks.

    Args:
        workload: what each of them does.
        machine: what they run on.
        ranks: all of them, a multiple of `choice.model`.
        rows: of the batch, that the slowest rank takes.
        choice: how they share the work.
    """
    choice = choice or Choice()
    link, group = machine.link, choice.model
    copies = ranks // group  # of each parameter: as many ranks add its gradients
    split = split_layers(workload, machine, ranks, rows, choice)
    by_row = workload.compute.by_row * rows
    late = 1 + machine.spread * slowest(ranks)
    now, told = 0.0, 0.0  # end of what has been computed; of that, what the ranks of a group told each other
    ready: list[tuple[float, float]] = []  # when, bytes of gradients
    for phase in workload.phases:
        for name, share in phase.shares.items():
            now += by_row * share * late / (group if name in split else 1)
        if not phase.backward:
            talk = sum(
                _gathered(workload.layers[name], rows, group, link) for name in split & phase.shares.keys()
            )
        else:
            talk = sum(
                _returned(workload.layers[name], rows, group, choice, link)
                for name in split & set(phase.complete)
            )
        now, told = now + talk, told + talk
        for name in phase.complete:
            count = workload.layers[name].parameters * VALUE_BYTES / (group if name in split else 1)
            ready.append((now, count))
    backward = now
    held = sum(layer.parameters / (group if name in split else 1) for name, layer in workload.layers.items())
    fixed = workload.compute.fixed * late  # a group's update is shorter, by how much is not known
    talked, told = told, told + machine.meetings * gather_seconds(ranks, 0, link)
    if choice.average_every > 1:
        size = held * (1 + workload.slots) * VALUE_BYTES
        averaged = sum_seconds(copies, size, link, choice.algorithm) / choice.average_every
        return Step(backward - talked + fixed, told + averaged, told + averaged)
    summed, end = _summed(ready, backward, copies, choice, link)
    beside = max(0.0, summed - max(0.0, end - backward))  # of the sums, while the backward pass went on
    delay = machine.contention * beside
    return Step(backward - talked + fixed + delay, told + summed, told + max(0.0, end - backward))


def _summed(
    ready: Sequence[tuple[float, float]], backward: float, copies: int, choice: Choice, link: Link
) -> tuple[float, float]:
    """Seconds that the sums of gradients take, and when the last one ends."""
    scale = 0.5 if choice.transport == "bfloat16" else 1.0
    total, free = 0.0, 0.0
    for when, count in buckets(ready, choice.bucket_bytes):
        seconds = sum_seconds(copies, count * scale, link, choice.algorithm)
        total += seconds
        free = max(free, when if choice.overlap else backward) + seconds
    return total, max(free, backward)


def buckets(ready: Sequence[tuple[float, float]], most: float) -> list[tuple[float, float]]:
    """Gradients in slices of `most` bytes: when the last of each is complete, and how many bytes.

    Args:
        ready: of each layer, in the order of the backward pass: when, bytes.
        most: bytes of a slice.

    Example:
        >>> buckets([(1.0, 30), (2.0, 10), (3.0, 60)], 50)
        [(3.0, 50), (3.0, 50)]
    """
    made: list[tuple[float, float]] = []
    held, until = 0.0, 0.0
    for when, count in ready:
        until = max(until, when)
        left = count
        while held + left >= most:
            made.append((until, most))
            left -= most - held
            held = 0.0
        held += left
    if held:
        made.append((until, held))
    return made


def split_layers(workload: Workload, machine: Machine, ranks: int, rows: float, choice: Choice) -> set[str]:
    """The layers that gain by dividing their units among the ranks of a group."""
    group, link = choice.model, machine.link
    if group == 1:
        return set()
    scale = 0.5 if choice.transport == "bfloat16" else 1.0
    chosen = set()
    for name, layer in workload.layers.items():
        if not layer.splits:
            continue
        share = sum(phase.shares.get(name, 0.0) for phase in workload.phases)
        computed = workload.compute.by_row * rows * share * (1 - 1 / group)
        count = layer.parameters * VALUE_BYTES * scale
        sent = sum_seconds(ranks // group, count, link) - sum_seconds(ranks // group, count / group, link)
        talk = _gathered(layer, rows, group, link) + _returned(layer, rows, group, choice, link)
        if computed + sent > talk:
            chosen.add(name)
    return chosen


def _gathered(layer: Layer, rows: float, group: int, link: Link) -> float:
    """Seconds until all ranks of a group have all outputs of a layer of which each computed a part."""
    return gather_seconds(group, rows * layer.outputs * VALUE_BYTES, link)


def _returned(layer: Layer, rows: float, group: int, choice: Choice, link: Link) -> float:
    """Seconds until they have added their parts of the gradient of its input."""
    return (
        0.0 if layer.first else sum_seconds(group, rows * layer.inputs * VALUE_BYTES, link, choice.algorithm)
    )

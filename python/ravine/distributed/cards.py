"""Which card of its machine a rank computes on, and what carries values from card to card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ravine import _core
from ravine.distributed.communicator import Communicator, listed
from ravine.distributed.settings import ParallelSettings
from ravine.errors import InputError

CARRIERS = {
    "cuda_mpi": "MPI, which reads and writes the memory of cards",
    "nccl": "NCCL",
    "host": "memory of the host",
}


class Placement(NamedTuple):
    """Where the ranks compute.

    Args:
        device: of this rank.
        backend: "cuda_mpi", "nccl" or "host": what carries values from card to card.
        cards: of all ranks.
        kinds: of their cards, in words.
        warning: empty, or what makes it slow.
    """

    device: str
    backend: str
    cards: list[str]
    kinds: list[str]
    warning: str

    def __str__(self) -> str:
        return f"{', '.join(self.cards)}; gradients travel through {CARRIERS[self.backend]}"


def usable() -> dict[str, str]:
    """The cards of this machine that can be used, such as "cuda:0", and of which kind each is."""
    return {name: detail for name, there, detail in _core.report() if name.startswith("cuda:") and there}


def lacks_nccl() -> str:
    """Why NCCL is not there; empty where it is."""
    for name, there, detail in _core.report():
        if name == "NCCL":
            return "" if there else detail
    return "this version is built without it"


def card_of(device: str, local_rank: int, cards: Sequence[str]) -> str:
    """The card of a rank: that of its number among the ranks of its machine, or the one that is named.

    Where there are fewer cards than ranks, they are shared; without any, "cuda:0" says what is missing.

    Example:
        >>> [card_of("cuda", rank, ["cuda:0", "cuda:1"]) for rank in range(3)]
        ['cuda:0', 'cuda:1', 'cuda:0']
        >>> card_of("cuda:1", 0, ["cuda:0", "cuda:1"])
        'cuda:1'
    """
    if device != "cuda":
        return device
    return cards[local_rank % len(cards)] if cards else "cuda:0"


def placed(world: Communicator, device: str, settings: ParallelSettings) -> Placement:
    """Where this rank computes, beside the others. Collective.

    Args:
        world: all ranks, which give the same device and settings.
        device: "cuda", or "cuda:N" on every machine.
        settings: how they share the work.

    Raises:
        InputError: what is to carry values between cards is not there; on all ranks.
    """
    local_rank = world.hosts[: world.rank].count(world.host)
    there = usable()
    chosen = card_of(device, local_rank, [*there])
    kind, _, address = there.get(chosen, "").partition(", PCI ")
    # Of the same name, ranks may be shown cards that differ.
    mine: dict[str, Any] = {"device": chosen, "card": address or chosen, "kind": kind}
    mine |= {"nccl": lacks_nccl(), "mpi": world.knows_cuda}
    found = world.gather(mine)
    sharing = _sharing(world.hosts, found)
    warning = ""
    if sharing:
        warning = (
            f"{listed(sharing[0])} compute on one card, by turns; give each rank its own, or start fewer"
        )
    cards = [f"{name}: {one['device']}" for name, one in zip(world.names, found, strict=True)]
    kinds = [one["kind"] for one in found]
    return Placement(chosen, _backend(world.names, found, sharing, settings), cards, kinds, warning)


def _sharing(hosts: Sequence[str], found: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The names of ranks that have the same card, for each card of several."""
    by_card: dict[tuple[str, str], list[str]] = {}
    for rank, (host, one) in enumerate(zip(hosts, found, strict=True)):
        by_card.setdefault((host, one["card"]), []).append(f"rank {rank} on {host}")
    return [names for names in by_card.values() if len(names) > 1]


def _backend(
    names: Sequence[str],
    found: Sequence[Mapping[str, Any]],
    sharing: Sequence[Sequence[str]],
    settings: ParallelSettings,
) -> str:
    """What carries values: the first that all ranks have, or the one that was asked for."""
    unaware = [name for name, one in zip(names, found, strict=True) if not one["mpi"]]
    lacking = [(name, one["nccl"]) for name, one in zip(names, found, strict=True) if one["nccl"]]
    refusals = {"host": "", "cuda_mpi": "", "nccl": ""}
    if unaware:
        refusals["cuda_mpi"] = f"the MPI of {listed(unaware)} does not say that it knows of CUDA"
    elif settings.transport == "bfloat16":
        refusals["cuda_mpi"] = 'MPI sums no bfloat16 on cards, which transport = "bfloat16" asks for'
    if lacking:
        refusals["nccl"] = f"for {listed([name for name, _ in lacking])} {lacking[0][1]}"
    elif sharing:
        refusals["nccl"] = f"NCCL takes one rank a card, and {listed(sharing[0])} share one"
    if settings.backend == "auto":
        return next(name for name in CARRIERS if not refusals[name])
    if refusal := refusals[settings.backend]:
        raise InputError(f"is {settings.backend}, but {refusal}", key="parallel.backend")
    return settings.backend

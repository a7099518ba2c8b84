"""What each rank of a model group holds, computes and sends: a part of `ravine describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ravine.commands.output import byte_count, table

if TYPE_CHECKING:
    from ravine._core import Network
    from ravine.experiment import Experiment


def shares(
    network: Network, loss: Any, experiment: Experiment, mode: str, batch: int
) -> list[dict[str, Any]]:
    """A row a rank: its parameters, operations, memory and what it sends; none where a rank has all.

    Nothing is sent for it: the networks of all ranks are compiled here, one after the other.

    Raises:
        InputError: the layers cannot be shared so.
    """
    from ravine import _core

    settings = experiment.parallel
    if settings.model == 1:
        return []
    rows = []
    split = None if settings.split == "auto" else settings.split
    for group in _core.thread_communicators(settings.model):
        own = _core.Network(
            network.specification,
            loss,
            batch_size=batch,
            dtype=network.dtype,
            device=network.device,
            threads=network.threads,
            seed=network.seed,
            compute=experiment.compute.options(),
            ranks=_core.Ranks(model=group, split=split),
        )
        plan = own.describe(mode, batch)
        parameters = {name: list(values.shape) for name, values in own.parameters.items() if values.size}
        sent = [one for one in plan["operations"] if one["sent"] > 0]
        rows.append(
            {
                "rank": group.rank,
                "parameters": int(own.flat_parameters.size),
                "flops": plan["flops"],
                "arena_bytes": plan["arena_bytes"],
                "sent_bytes": plan["sent_bytes"],
                "tensors": parameters,
                "places": own.places,
                "sends": [
                    {name: one[name] for name in ("layer", "section", "operation", "sent")} for one in sent
                ],
            }
        )
    return rows


def shares_text(rows: list[dict[str, Any]], network: Network) -> str:
    """Who computes which layer, and a table of the ranks."""
    places = rows[0]["places"]
    layers = table(
        ["layer", "type", "computed by"],
        [[one["name"], one["type"], places[one["name"]]] for one in network.layers],
    )
    ranks = table(
        ["rank", "parameters", "FLOPs", "arena", "sends a step", "in"],
        [
            [
                str(row["rank"]),
                f"{row['parameters']:,}",
                f"{row['flops']:,.0f}",
                byte_count(row["arena_bytes"]),
                byte_count(row["sent_bytes"]),
                f"{len(row['sends'])} operations",
            ]
            for row in rows
        ],
        right=(1, 2, 3, 4),
    )
    return f"{layers}\n\n{ranks}"

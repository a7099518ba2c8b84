"""That all ranks are about to do the same: what they were given is compared before the first step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ravine.distributed.communicator import Communicator, listed
from ravine.errors import InputError

LONGEST = 60  # characters of a value in a message


def check_agreement(world: Communicator, given: Mapping[str, Any]) -> None:
    """All ranks have the same values. Collective.

    Args:
        world: all ranks.
        given: a value by name, in the order of importance; nested tables are compared key by key.

    Raises:
        InputError: two ranks differ; on all ranks, with the first name, both values, and who has which.

    Example:
        >>> from ravine.distributed.communicator import Serial
        >>> check_agreement(Serial(), {"Ravine version": "0.1.0"})
    """
    tables = [dict(pairs) for pairs in world.gather(list(flattened(given).items()))]
    names = list(dict.fromkeys(name for table in tables for name in table))
    for name in names:
        values = [repr(table.get(name, "nothing")) for table in tables]
        if len(set(values)) == 1:
            continue
        other = next(value for value in values if value != values[0])
        have = [_shown(value, other) for value in (values[0], other)]
        who = [
            listed([world.names[rank] for rank, one in enumerate(values) if one == value])
            for value in (values[0], other)
        ]
        raise InputError(
            f"the ranks disagree: {have[0]} for {who[0]}, but {have[1]} for {who[1]}; give all of them "
            "the same experiment, data and version of Ravine",
            key=name,
        )


def flattened(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables and lists as one table with dotted keys.

    Example:
        >>> flattened({"model": {"layers": [{"units": 3}]}})
        {'model.layers.0.units': 3}
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{name}.")
        elif isinstance(value, (list, tuple)) and any(
            isinstance(one, (Mapping, list, tuple)) for one in value
        ):
            flat |= flattened({str(place): one for place, one in enumerate(value)}, f"{name}.")
        else:
            flat[name] = value
    return flat


def _shown(value: str, other: str) -> str:
    """A value in a message; of long ones the part in which they differ."""
    if len(value) <= LONGEST:
        return value
    same = next(
        (place for place, pair in enumerate(zip(value, other, strict=False)) if len(set(pair)) > 1), 0
    )
    begin = max(0, same - LONGEST // 2)
    return f"{'...' if begin else ''}{value[begin : begin + LONGEST]}..."

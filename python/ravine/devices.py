"""Where a network may be computed on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """One choice of `device`.

    Args:
        name: "cpu" or "cuda:N".
        detail: what it is; nothing for the processor.
        reason: why it cannot be chosen; empty where it can.
    """

    name: str
    detail: str = ""
    reason: str = ""


def devices() -> list[Device]:
    """The processor, and the GPUs; where there are none, "cuda:0" with the reason.

    Example:
        >>> from ravine.devices import devices
        >>> devices()[0].name
        'cpu'
    """
    from ravine import _core

    found = [Device("cpu")]
    reason = "this version has no CUDA backend"
    for name, there, detail in _core.report():
        if name.startswith("cuda:"):
            found.append(Device(name, detail if there else "", "" if there else detail))
        elif name == "CUDA" and not there:
            reason = detail
    return found if len(found) > 1 else [*found, Device("cuda:0", reason=reason)]


def gpus() -> list[Device]:
    """The GPUs that can be chosen."""
    return [one for one in devices() if one.name != "cpu" and not one.reason]

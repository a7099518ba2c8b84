"""w ~ U(low, high)."""

from __future__ import annotations

CASES = [{}, {"low": 1.0, "high": 3.5}]


def distribution(settings, fan_in, fan_out):
    return "uniform", settings["low"], settings["high"]


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.uniform_(tensor, settings["low"], settings["high"])

"""w = c."""

from __future__ import annotations

CASES = [{}, {"value": -1.25}]


def distribution(settings, fan_in, fan_out):
    return "constant", settings["value"]


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.constant_(tensor, settings["value"])

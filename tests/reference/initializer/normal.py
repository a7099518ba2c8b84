"""w ~ N(mean, deviation^2)."""

from __future__ import annotations

CASES = [{}, {"mean": 2.0, "deviation": 0.5}]


def distribution(settings, fan_in, fan_out):
    return "normal", settings["mean"], settings["deviation"]


def torch_equivalent(torch, tensor, settings):
    return torch.nn.init.normal_(tensor, settings["mean"], settings["deviation"])

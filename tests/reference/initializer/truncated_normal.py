"""w ~ N(mean, deviation^2) given low <= w <= high; mean and deviation are those before the cut."""

from __future__ import annotations

CASES = [
    {},
    {"mean": 1.0, "deviation": 2.0, "low": -0.5, "high": 1.5},
    {"deviation": 1.0, "low": 2.0, "high": 6.0},  # one tail alone
    {"deviation": 1.0, "low": -9.0, "high": -5.0},
    {"deviation": 1.0, "low": -30.0, "high": 30.0},
]


def distribution(settings, fan_in, fan_out):
    return "truncated_normal", settings["mean"], settings["deviation"], settings["low"], settings["high"]


def torch_equivalent(torch, tensor, settings):
    if settings["low"] > settings["mean"] or settings["high"] < settings["mean"]:
        return None  # PyTorch warns that it may draw wrongly there
    return torch.nn.init.trunc_normal_(
        tensor, settings["mean"], settings["deviation"], settings["low"], settings["high"]
    )

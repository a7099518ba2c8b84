"""eta_t = eta_0 / (1 + epsilon t)^p."""

from __future__ import annotations

CASES = [{}, {"decay": 0.3, "power": 0.75}, {"decay": 0.5, "power": 0.3}, {"power": 2.0}, {"decay": 0.0}]


def value(base, t, settings, length, step):
    return base / (1.0 + settings["decay"] * t) ** settings["power"]


def torch_equivalent(torch, optimizer, settings, steps):
    def factor(t):
        return (1.0 + settings["decay"] * t) ** -settings["power"]

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

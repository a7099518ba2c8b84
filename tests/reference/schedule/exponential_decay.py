"""eta_t = eta_0 e^(-epsilon t)."""

from __future__ import annotations

import math

CASES = [{}, {"decay": 0.2}, {"decay": 0.0}]


def value(base, t, settings, length, step):
    return base * math.exp(-settings["decay"] * t)


def torch_equivalent(torch, optimizer, settings, steps):
    return torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=math.exp(-settings["decay"]))

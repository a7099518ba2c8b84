"""eta_t = eta_0 f^floor(t / T)."""

from __future__ import annotations

import math

CASES = [{}, {"period": 7.0, "factor": 0.5}, {"period": 30.0, "factor": 1.0}]


def value(base, t, settings, length, step):
    return base * settings["factor"] ** math.floor(t / settings["period"])


def torch_equivalent(torch, optimizer, settings, steps):
    period = int(settings["period"])
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=period, gamma=settings["factor"])

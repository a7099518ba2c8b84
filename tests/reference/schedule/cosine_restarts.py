"""eta_t = e + (eta_0 - e) (1 + cos(pi T_cur / T_i)) / 2; T_i = T_mult T_(i-1)."""

from __future__ import annotations

import math

CASES = [
    {},
    {"period": 7.0, "period_factor": 2.0},
    {"period": 5.0, "period_factor": 3.0, "minimum": 0.01},
    {"period": 4.0, "period_factor": 1.5},
]


def value(base, t, settings, length, step):
    end, period = settings["minimum"], settings["period"]
    while t >= period:  # walk from restart to restart
        t -= period
        period *= settings["period_factor"]
    return end + (base - end) * (1.0 + math.cos(math.pi * t / period)) / 2.0


def torch_equivalent(torch, optimizer, settings, steps):
    factor = int(settings["period_factor"])
    if factor != settings["period_factor"]:
        return None
    return torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, int(settings["period"]), T_mult=factor, eta_min=settings["minimum"]
    )

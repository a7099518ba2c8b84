"""eta_t = e + (eta_0 - e) (1 + cos(pi t / T)) / 2 up to T, then e."""

from __future__ import annotations

import math

CASES = [{}, {"minimum": 0.02}, {"duration": 61.0, "minimum": 0.001}]


def value(base, t, settings, length, step):
    end, duration = settings["minimum"], settings["duration"] or length
    return end + (base - end) * (1.0 + math.cos(math.pi * min(t / duration, 1.0))) / 2.0


def torch_equivalent(torch, optimizer, settings, steps):
    if settings["duration"]:
        return None  # PyTorch's goes up again after T_max
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=settings["minimum"])

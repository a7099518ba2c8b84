"""eta_t = e + (eta_0 - e) (1 - t / T)^p up to T, then e."""

from __future__ import annotations

CASES = [{}, {"duration": 60.0, "power": 2.0}, {"duration": 150.0, "power": 0.9, "minimum": 0.01}]


def value(base, t, settings, length, step):
    end, duration = settings["minimum"], settings["duration"] or length
    return end + (base - end) * (1.0 - min(t / duration, 1.0)) ** settings["power"]


def torch_equivalent(torch, optimizer, settings, steps):
    if settings["minimum"] > 0:
        return None
    duration = int(settings["duration"] or steps)
    return torch.optim.lr_scheduler.PolynomialLR(optimizer, duration, power=settings["power"])

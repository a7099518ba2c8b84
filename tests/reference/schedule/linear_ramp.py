"""eta_t = s + (eta_0 - s) t / T up to T, then eta_0."""

from __future__ import annotations

CASES = [{}, {"start": 0.02, "duration": 50.0}]


def value(base, t, settings, length, step):
    duration = settings["duration"] or length
    return settings["start"] + (base - settings["start"]) * min(t / duration, 1.0)


def torch_equivalent(torch, optimizer, settings, steps):
    first = settings["start"] / optimizer.param_groups[0]["lr"]
    if first > 1:
        return None  # PyTorch's goes up only
    duration = int(settings["duration"] or steps)
    return torch.optim.lr_scheduler.LinearLR(optimizer, first, 1.0, total_iters=duration)

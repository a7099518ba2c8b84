"""eta_t = eta_0 f^(number of milestones that are not after t)."""

from __future__ import annotations

CASES = [{"milestones": [30.0, 80.0, 81.0]}, {"milestones": [5.0], "factor": 0.25}]


def value(base, t, settings, length, step):
    return base * settings["factor"] ** sum(milestone <= t for milestone in settings["milestones"])


def torch_equivalent(torch, optimizer, settings, steps):
    milestones = [int(milestone) for milestone in settings["milestones"]]
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, gamma=settings["factor"])

"""From peak / d to the peak, and down to peak / (d f); with three phases first back to peak / d."""

from __future__ import annotations

import math

CASES = [
    {},
    {"anneal": "linear", "rise": 0.4},
    {"three_phases": True, "div_factor": 10.0, "final_div_factor": 100.0},
    {"max_factor": 3.0, "rise": 0.25, "duration": 120.0},
]


def between(start, end, share, anneal):
    if anneal == "linear":
        return start + (end - start) * share
    return end + (start - end) / 2.0 * (1.0 + math.cos(math.pi * share))


def along(t, ends, values, anneal):
    """The value at t, where phase i goes from values[i] to values[i + 1] and is over at ends[i]."""
    begin = 0.0
    for i, end in enumerate(ends):
        if t <= end:
            return between(values[i], values[i + 1], (t - begin) / (end - begin), anneal)
        begin = end
    return values[-1]


def phase_ends(settings, length, step):
    duration, rise = settings["duration"] or length, settings["rise"]
    if settings["three_phases"]:
        return [rise * duration - step, 2 * rise * duration - 2 * step, duration - step]
    return [rise * duration - step, duration - step]


def value(base, t, settings, length, step):
    peak = base * settings["max_factor"]
    start = peak / settings["div_factor"]
    values = [start, peak, start / settings["final_div_factor"]]
    if settings["three_phases"]:
        values.insert(2, start)
    return along(t, phase_ends(settings, length, step), values, settings["anneal"])


def torch_equivalent(torch, optimizer, settings, steps):
    if settings["duration"]:
        return None  # PyTorch's raises an error after its last step
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=optimizer.param_groups[0]["lr"] * settings["max_factor"],
        total_steps=steps,
        pct_start=settings["rise"],
        anneal_strategy={"cosine": "cos", "linear": "linear"}[settings["anneal"]],
        cycle_momentum=False,
        div_factor=settings["div_factor"],
        final_div_factor=settings["final_div_factor"],
        three_phase=settings["three_phases"],
    )

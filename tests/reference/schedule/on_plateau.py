"""eta <- max(factor eta, minimum) when a metric has not become better in more than `patience` evaluations."""

from __future__ import annotations

CASES = [
    {},
    {"patience": 2, "factor": 0.5, "threshold": 0.02},
    {"patience": 0, "factor": 0.7, "cooldown": 3, "minimum": 0.05},
    {"patience": 1, "factor": 0.5, "threshold": 0.05, "threshold_mode": "absolute"},
    {"metric": "accuracy", "patience": 2, "factor": 0.5, "threshold": 0.01},
    {"metric": "accuracy", "patience": 3, "threshold": 0.02, "threshold_mode": "absolute"},
]


def value(base, t, settings, length, step):
    return base  # by time alone nothing changes


def driven(base, metrics, settings):
    """The value after each evaluation."""
    value, best, bad, rest, values = base, None, 0, 0, []
    for measured in metrics:
        score = measured if settings["metric"] == "accuracy" else -measured
        margin = settings["threshold"]
        if best is not None and settings["threshold_mode"] == "relative":
            margin *= abs(best)
        if best is None or score > best + margin:
            best, bad = score, 0
        else:
            bad += 1
        if rest:
            rest, bad = rest - 1, 0
        if bad > settings["patience"]:
            value = min(value, max(settings["minimum"], value * settings["factor"]))
            rest, bad = settings["cooldown"], 0
        values.append(value)
    return values


def torch_equivalent(torch, optimizer, settings, steps):
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode="max" if settings["metric"] == "accuracy" else "min",
        factor=settings["factor"],
        patience=settings["patience"],
        threshold=settings["threshold"],
        threshold_mode={"relative": "rel", "absolute": "abs"}[settings["threshold_mode"]],
        cooldown=settings["cooldown"],
        min_lr=settings["minimum"],
        eps=0.0,
    )

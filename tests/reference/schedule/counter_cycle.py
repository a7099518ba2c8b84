"""From the base value to the lowest and back, while the learning rate makes its cycle."""

from __future__ import annotations

from reference.schedule.one_cycle import along, phase_ends

CASES = [{}, {"anneal": "linear", "rise": 0.4, "minimum": 0.5}, {"three_phases": True, "rise": 0.2}]
MEASURED = "momentum"  # what PyTorch's equivalent changes


def value(base, t, settings, length, step):
    values = [base, settings["minimum"], base, base]
    return along(t, phase_ends(settings, length, step), values, settings["anneal"])


def torch_equivalent(torch, optimizer, settings, steps):
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=steps,
        pct_start=settings["rise"],
        anneal_strategy={"cosine": "cos", "linear": "linear"}[settings["anneal"]],
        base_momentum=settings["minimum"],
        max_momentum=optimizer.param_groups[0]["momentum"],
        three_phase=settings["three_phases"],
    )

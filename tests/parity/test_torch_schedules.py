"""The same values as PyTorch's schedulers over 200 steps, to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import names, reference, resolved

from ravine import _core
from ravine.training.schedules import DRIVERS

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")

STEPS, RATE, MOMENTUM = 200, 0.1, 0.95
CASES = [(name, settings) for name in names("schedule") for settings in reference("schedule", name).CASES]


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE, momentum=MOMENTUM)


def equivalent(name, settings, sgd, steps=STEPS):
    module = reference("schedule", name)
    if hasattr(module, "WITHOUT_TORCH"):
        pytest.skip(module.WITHOUT_TORCH)
    if not hasattr(module, "torch_equivalent"):
        pytest.fail(f"add torch_equivalent or WITHOUT_TORCH to tests/reference/schedule/{name}.py")
    return module.torch_equivalent(torch, sgd, resolved("schedule", name, settings), steps)


def followed(sgd, scheduler, key, steps=STEPS):
    values = []
    for step in range(steps):
        values.append(sgd.param_groups[0][key])
        sgd.step()
        if step + 1 < steps:
            scheduler.step()
    return values


@pytest.mark.parametrize(("name", "settings"), [case for case in CASES if case[0] not in DRIVERS])
def test_schedule(name, settings):
    sgd = optimizer()
    scheduler = equivalent(name, settings, sgd)
    if scheduler is None:
        return  # this case goes beyond PyTorch's; the contract tests have it
    momentum = getattr(reference("schedule", name), "MEASURED", "lr") == "momentum"
    expected = followed(sgd, scheduler, "momentum" if momentum else "lr")
    chosen = {"type": name, **settings}
    for unit in ("step", "epoch"):
        base = MOMENTUM if momentum else RATE
        values = _core.schedule_values({**chosen, "unit": unit}, base, STEPS, 1)
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["cosine", "step_decay", "exponential_decay", "cosine_restarts"])
def test_warmup(name):
    """LinearLR, then the schedule, as SequentialLR puts them together."""
    warmup = 20
    sgd = optimizer()
    schedulers = torch.optim.lr_scheduler
    first = schedulers.LinearLR(sgd, start_factor=0.1, total_iters=warmup)
    then = equivalent(name, {}, sgd, STEPS - warmup)
    expected = followed(sgd, schedulers.SequentialLR(sgd, [first, then], [warmup]), "lr")
    values = _core.schedule_values({"type": name, "unit": "step", "warmup": warmup}, RATE, STEPS, 1)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


def test_fractions_of_an_epoch():
    """PyTorch's way to give warm restarts fractional epochs: scheduler.step(epoch + batch / batches)."""
    sgd = optimizer()
    scheduler = equivalent("cosine_restarts", {"period": 7.0, "period_factor": 2.0}, sgd)
    expected = []
    for step in range(STEPS):
        scheduler.step(step / 8)
        expected.append(sgd.param_groups[0]["lr"])
    chosen = {"type": "cosine_restarts", "period": 7.0, "period_factor": 2.0}
    np.testing.assert_allclose(
        _core.schedule_values(chosen, RATE, STEPS, 8), expected, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("settings", reference("schedule", "on_plateau").CASES)
def test_plateau(settings):
    generator = np.random.default_rng(8)
    full = resolved("schedule", "on_plateau", settings)
    metrics = np.exp(-np.arange(STEPS) / 20.0) + 0.02 * np.abs(generator.normal(size=STEPS))
    if full["metric"] == "accuracy":
        metrics = 1.0 - metrics / 2
    sgd = optimizer()
    scheduler = equivalent("on_plateau", settings, sgd)
    driver, value = DRIVERS["on_plateau"](), RATE
    changes = 0
    for metric in metrics.tolist():
        scheduler.step(metric)
        before, value = value, driver.next_value(value, full, {full["metric"]: metric})
        changes += value != before
        assert value == pytest.approx(sgd.param_groups[0]["lr"], rel=1e-12)
    assert changes > 0

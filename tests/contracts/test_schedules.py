"""Schedules against their references: values, units, warm-up, drivers, Robbins and Monro's conditions."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import names, reference, resolved

from ravine import InputError, _core
from ravine.training.schedules import DRIVERS

CASES = [(name, settings) for name in names("schedule") for settings in reference("schedule", name).CASES]
BASE = 0.9


def table(name, settings, **more):
    return {"type": name, **settings, **more}


@pytest.mark.parametrize(("name", "settings"), CASES)
@pytest.mark.parametrize(("unit", "steps_per_epoch"), [("step", 7), ("epoch", 7), ("epoch", 1)])
@pytest.mark.parametrize("warmup", [0.0, 3.0])
def test_values(name, settings, unit, steps_per_epoch, warmup):
    """Every step of a run, in both units; the warm-up is a line to the first value."""
    steps = 200 * (steps_per_epoch if unit == "epoch" else 1)
    chosen = table(name, settings, unit=unit, warmup=warmup, warmup_start=0.25)
    values = _core.schedule_values(chosen, BASE, steps, steps_per_epoch)
    assert values.shape == (steps,)
    rule, full = reference("schedule", name), resolved("schedule", name, settings)
    length = 200 - warmup
    step = 1 / steps_per_epoch if unit == "epoch" else 1.0
    start = rule.value(BASE, 0.0, full, length, step)
    expected = []
    for index in range(steps):
        t = index / steps_per_epoch if unit == "epoch" else float(index)
        if t < warmup:
            expected.append(start * (0.25 + 0.75 * t / warmup))
        else:
            expected.append(rule.value(BASE, t - warmup, full, length, step))
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_parts_are_the_same_bits(name, settings):
    """The bits do not depend on where the native calls begin and end."""
    chosen = table(name, settings, warmup=1.5)
    whole = _core.schedule_values(chosen, BASE, 60, 4)
    parts = [_core.schedule_values(chosen, BASE, 60, 4, first, 5) for first in range(0, 60, 5)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert _core.schedule_values(chosen, BASE, 60, 4, 1, every=7).tolist() == whole[1::7].tolist()


def test_stepwise_schedules_change_at_the_first_step_of_an_epoch():
    for chosen in ({"type": "step_decay", "period": 2.0}, {"type": "multi_step", "milestones": [2.0, 4.0]}):
        values = _core.schedule_values({**chosen, "factor": 0.5}, 1.0, 5 * 7, 7)
        assert values.tolist() == [1.0] * 14 + [0.5] * 14 + [0.25] * 7


def test_restarts_begin_at_the_base_value():
    """Where the logarithm of the closed form is not exact, too."""
    for factor in (2.0, 3.0, 10.0):
        chosen = {"type": "cosine_restarts", "period": 1.0, "period_factor": factor, "unit": "step"}
        begins = [round((factor**i - 1) / (factor - 1)) for i in range(1, 7)]
        for begin in begins:
            before, at = _core.schedule_values(chosen, 1.0, begin + 1, 1, begin - 1)
            assert at == 1.0
            assert before < 1.0 or begin == 1


@pytest.mark.parametrize("name", names("schedule"))
def test_what_waits_has_a_driver(name):
    settings = reference("schedule", name).CASES[0]
    assert _core.schedule_waits(table(name, settings)) == (name in DRIVERS)


@pytest.mark.parametrize(("name", "settings"), [case for case in CASES if case[0] in DRIVERS])
def test_driver(name, settings):
    """Noise around a falling curve: improvements, setbacks, cooldowns, the minimum."""
    generator = np.random.default_rng(3)
    full = resolved("schedule", name, settings)
    for noise in (0.0, 0.05, 0.5):
        metrics = np.abs(2.0 * np.exp(-np.arange(120) / 15.0) + noise * generator.normal(size=120))
        if full.get("metric") == "accuracy":
            metrics = 1.0 / (1.0 + metrics)
        driver, value, values = DRIVERS[name](), 0.9, []
        for metric in metrics.tolist():
            value = driver.next_value(value, full, {"loss": metric, "accuracy": metric})
            values.append(value)
        expected = reference("schedule", name).driven(0.9, metrics.tolist(), full)
        np.testing.assert_allclose(values, expected, rtol=1e-12)
        assert len(set(values)) > 1 or noise == 0.0


def doubling_sums(values):
    """Sums over [1, 2), [2, 4), [4, 8), ...: falling terms have a finite sum if these fall."""
    return np.add.reduceat(values, 2 ** np.arange(int(np.log2(len(values)))))


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_robbins_monro(name, settings):
    """The verdict, against how the sums of a million steps grow."""
    verdict, reason = _core.robbins_monro(table(name, settings))
    assert reason
    (entry,) = [each for each in _core.catalog("schedule") if each.name == name]
    assert entry.robbins_monro.startswith(verdict) or "if" in entry.robbins_monro
    if name in DRIVERS:
        assert verdict == "depends"
        return
    # What lasts to the end of a run has ended long before the millionth step.
    chosen = resolved("schedule", name, {**settings, "unit": "step"})
    if chosen.get("duration") == 0.0:
        chosen["duration"] = 1000.0
    values = _core.schedule_values(chosen, BASE, 2**20, 1)
    ratios = []
    for terms in (values, values**2):
        before, last = doubling_sums(terms)[-2:]
        ratios.append(last / before if before > 0 else 0.0)
    infinite = [ratio > 0.98 for ratio in ratios]
    assert (verdict == "yes") == (infinite[0] and not infinite[1]), ratios


def test_a_rate_of_zero_never_satisfies_robbins_monro():
    assert _core.robbins_monro("inverse_decay", 1.0)[0] == "yes"
    assert _core.robbins_monro("inverse_decay", 0.0)[0] == "no"


@pytest.mark.parametrize(
    ("chosen", "key", "words"),
    [
        ("cosin", "type", "did you mean 'cosine'?"),
        ({"type": "multi_step"}, "milestones", "multi_step needs it"),
        ({"type": "multi_step", "milestones": []}, "milestones", "expected a list of numbers"),
        ({"type": "multi_step", "milestones": [3, 2]}, "milestones", "must grow, but 2.0 comes after 3.0"),
        ({"type": "multi_step", "milestones": [0, 2]}, "milestones", "must be above 0"),
        ({"type": "multi_step", "milestones": ["a"]}, "milestones", "expected numbers"),
        ({"type": "step_decay", "factor": 0.0}, "factor", "must be above 0"),
        ({"type": "on_plateau", "factor": 1.0}, "factor", "below 1"),
        ({"type": "on_plateau", "patience": -1}, "patience", "from 0"),
        ({"type": "cosine", "unit": "batch"}, "unit", "one of epoch, step"),
        ({"type": "cosine", "warmup": 10}, "warmup", "must be shorter than the run"),
    ],
)
def test_nonsense_is_refused(chosen, key, words):
    with pytest.raises(InputError, match=words) as caught:
        _core.schedule_values(chosen, 0.1, 100, 10)
    assert caught.value.key == key

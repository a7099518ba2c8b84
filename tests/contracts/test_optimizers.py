"""Update rules against their NumPy references: many steps, options, L2, clipping and schedules."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import optimizers, reference, resolved
from reference.network import Perceptron, randomize

from ravine import _core
from ravine.errors import InputError

STEPS, BATCH = 25, 8
RULES = [(name, settings) for name in optimizers() for settings in reference("optimizer", name).CASES]
MODEL = Perceptron([5, 7, 4], ["tanh", "identity"], "softmax_cross_entropy")


def problem():
    network = MODEL.build(batch_size=BATCH)
    generator = np.random.default_rng(2)
    randomize(network, generator)
    x = generator.normal(size=(STEPS * BATCH, 5))
    y = generator.integers(0, 4, STEPS * BATCH).astype(np.int32)
    return network, x, y


def by_reference(name, settings, theta, x, y, *, l2=0.0, clip_norm=0.0, schedule=None, steps=STEPS, before=0):
    """Runs the reference after `before` other steps; returns theta and the state, named like the slots."""
    rule = reference("optimizer", name)
    state = dict.fromkeys(_core.Optimizer(name).slot_names, np.zeros_like(theta))
    full = resolved("optimizer", name, settings) | MODEL.roles
    clipped = 0
    for step in range(steps):
        for key, values in (schedule or {}).items():
            if key == "l2":
                l2 = values[step]
            elif key == "clip_norm":
                clip_norm = values[step]
            else:
                full[key] = values[step]
        rows = slice(step * BATCH, (step + 1) * BATCH)

        def gradient(point, rows=rows, l2=l2, clip_norm=clip_norm):
            nonlocal clipped
            g = MODEL.gradient(point, x[rows], y[rows])
            norm = np.linalg.norm(g)
            if 0.0 < clip_norm < norm:
                clipped += 1
                g = g * (clip_norm / norm)
            return g + l2 * MODEL.decays * point  # of J + l2/2 sum w^2

        theta = rule.step(theta, gradient, state, full, before + step + 1)
    return theta, state, clipped


def check(name, settings, *, schedule=None, **regularization):
    network, x, y = problem()
    start = network.flat_parameters.copy()
    optimizer = _core.Optimizer({"type": name, **settings}, **regularization)
    result = network.train(optimizer, x, y, batch_size=BATCH, schedule=schedule or {})
    assert (result.steps, result.rows, result.trouble) == (STEPS, STEPS * BATCH, "")
    theta, state, clipped = by_reference(name, settings, start, x, y, schedule=schedule, **regularization)
    np.testing.assert_allclose(network.flat_parameters, theta, rtol=1e-12, atol=1e-12)
    assert set(optimizer.slots) == set(state)
    for slot, values in optimizer.slots.items():
        np.testing.assert_allclose(values, state[slot], rtol=1e-12, atol=1e-12)
    assert optimizer.step_count == network.step == STEPS
    assert not np.allclose(theta, start, rtol=0, atol=1e-4), "the steps are too small to tell anything"
    return clipped


@pytest.mark.parametrize(("name", "settings"), RULES)
def test_rule(name, settings):
    check(name, settings)


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
@pytest.mark.parametrize(("name", "settings"), RULES)
def test_regularization(name, settings, l2, clip_norm):
    clipped = check(name, settings, l2=l2, clip_norm=clip_norm)
    assert (clipped > STEPS // 2) == (clip_norm > 0)


@pytest.mark.parametrize("name", optimizers())
def test_schedule(name):
    """Any number of the rule, the L2 factor and the norm to clip at may change from step to step."""
    ramp = np.linspace(1.0, 0.2, STEPS)
    schedule = {"l2": 0.2 * ramp, "clip_norm": np.where(np.arange(STEPS) % 2, 0.2, 0.0)}
    for parameter in next(e for e in _core.catalog("optimizer") if e.name == name).parameters:
        if parameter.name == "learning_rate":
            schedule[parameter.name] = 0.1 * ramp
        elif parameter.type == "real" and 0 < parameter.default < 1:
            schedule[parameter.name] = parameter.default * np.linspace(0.9, 1.0, STEPS)
    check(name, {}, schedule=schedule)


@pytest.mark.parametrize("name", optimizers())
def test_recorded_learning_rate(name):
    """NaN where a rule has none."""
    network, x, y = problem()
    network.train(_core.Optimizer(name), x, y, batch_size=BATCH)
    recorded = network.drain()[1][:, network.columns.index("learning_rate")]
    expected = resolved("optimizer", name, {}).get("learning_rate", np.nan)
    np.testing.assert_array_equal(recorded, np.full(STEPS, expected, np.float32))


@pytest.mark.parametrize("before", [1000, 10**6])
@pytest.mark.parametrize("name", optimizers())
def test_late_steps(name, before):
    """Corrections by the step count end where their limits are."""
    network, x, y = problem()
    start = network.flat_parameters.copy()
    optimizer = _core.Optimizer(name)
    optimizer.attach(network)
    optimizer.step_count = network.step = before
    network.train(optimizer, x, y, batch_size=BATCH)
    theta, _, _ = by_reference(name, {}, start, x, y, before=before)
    np.testing.assert_allclose(network.flat_parameters, theta, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("before", [0, 10**6, 2**31])
@pytest.mark.parametrize("size", [0.0, 1e-38, 1e-20, 1e15])
@pytest.mark.parametrize("name", optimizers())
def test_extreme_gradients_in_float32(name, size, before):
    """Steps against no, tiny and huge gradients are finite, and so is the state."""
    network = MODEL.build(batch_size=BATCH, dtype="float32")
    optimizer = _core.Optimizer(name)
    optimizer.attach(network)
    optimizer.step_count = network.step = before
    for sign in (1, 1, -1, 0, 1):
        network.flat_gradients[...] = sign * size
        optimizer.look_ahead(network)
        optimizer.step(network)
        for values in (network.flat_parameters, *optimizer.slots.values()):
            assert np.isfinite(values).all()


@pytest.mark.parametrize("name", optimizers())
def test_biases_do_not_decay(name):
    """With no gradient, L2 alone moves the weights and leaves the biases."""
    network, _, _ = problem()
    before = {key: values.copy() for key, values in network.parameters.items()}
    network.flat_gradients[...] = 0.0
    optimizer = _core.Optimizer(name, l2=0.5)
    optimizer.look_ahead(network)
    optimizer.step(network)
    for key, values in network.parameters.items():
        assert np.array_equal(values, before[key]) == (key not in network.decaying)
    assert network.decaying == ["dense_1.weight", "dense_2.weight"]


def test_window_forgets():
    """A gradient that has left the window has no more say: the next step is Adagrad's first."""
    for window in (1, 2, 3, 4):
        network = MODEL.build(batch_size=BATCH)
        optimizer = _core.Optimizer({"type": "adadelta_window", "window": window, "learning_rate": 0.5})
        moves = []
        for size in (100.0, 2.0, 2.0, 2.0, 2.0):
            before = network.flat_parameters.copy()
            network.flat_gradients[...] = size
            optimizer.step(network)
            moves.append((before - network.flat_parameters)[0])
        forgotten = [abs(move - 0.5 / np.sqrt(window)) < 1e-6 for move in moves[1:]]
        assert forgotten == [step >= window for step in range(1, 5)]


def test_decay_apart_from_the_gradient():
    """AdamW shrinks every weight by the same share, however large its gradients; L2 through Adam does not."""
    shares = {}
    for rule, l2 in (({"type": "adamw", "weight_decay": 0.5}, 0.0), ("adam", 0.5)):
        network, _, _ = problem()
        before = network.parameters["dense_1.weight"].copy()
        network.flat_gradients[...] = 0.0
        _core.Optimizer(rule, l2=l2).step(network)
        shares[l2] = network.parameters["dense_1.weight"] / before
    np.testing.assert_allclose(shares[0.0], 1.0 - 0.001 * 0.5, rtol=1e-14)
    assert np.ptp(shares[0.5]) > 1e-3


@pytest.mark.parametrize(
    ("rule", "key", "value", "reason"),
    [
        ("momentum", "momentum", 1.0, "and below 1, got 1.0; at 1 no step is ever forgotten"),
        ("nesterov", "momentum", 1, "and below 1, got 1; at 1 no step is ever forgotten"),
        ("adam", "beta2", 1.0, "and below 1, got 1.0; at 1 the running average takes in nothing"),
        ("adagrad", "learning_rate", -0.1, "at least 0, got -0.1; a negative rate climbs"),
        ("adagrad", "epsilon", 0.0, "above 0, got 0.0"),
        ("adadelta_window", "window", 5, "from 1 up to 4, got 5"),
        ("rprop", "increase", 0.9, "at least 1, got 0.9"),
    ],
)
def test_nonsense_is_refused_with_a_reason(rule, key, value, reason):
    with pytest.raises(InputError) as refused:
        _core.Optimizer({"type": rule, key: value})
    assert refused.value.key == key
    assert reason in str(refused.value)
    optimizer = _core.Optimizer(rule)
    with pytest.raises(InputError, match="window" if key == "window" else reason.split("; ")[-1]):
        optimizer.set(key, value)


def test_whole_numbers_cannot_be_scheduled():
    network, x, y = problem()
    optimizer = _core.Optimizer("adadelta_window")
    with pytest.raises(InputError, match="window"):
        network.train(optimizer, x, y, batch_size=BATCH, schedule={"window": np.full(STEPS, 3.0)})


@pytest.mark.parametrize("name", ["nothing", "damped", "epsilom"])
def test_schedule_of_what_is_no_number_of_the_rule(name):
    network, x, y = problem()
    before = network.flat_parameters.copy()
    with pytest.raises(InputError, match=name):
        network.train(_core.Optimizer("momentum"), x, y, batch_size=BATCH, schedule={name: np.ones(STEPS)})
    with pytest.raises(InputError, match=name):
        _core.Optimizer("momentum").set(name, 1.0)
    np.testing.assert_array_equal(network.flat_parameters, before)


def test_nesterov_reports_theta():
    """Outside a step the parameters are theta; the training loss is that of the look-ahead point."""
    network, x, y = problem()
    start = network.flat_parameters.copy()
    optimizer = _core.Optimizer({"type": "nesterov", "learning_rate": 0.3})
    network.train(optimizer, x, y, batch_size=BATCH)
    losses = network.drain()[1][:, network.columns.index("loss")]
    theta, _, _ = by_reference("nesterov", {"learning_rate": 0.3}, start, x, y)
    before, state_before, _ = by_reference("nesterov", {"learning_rate": 0.3}, start, x, y, steps=STEPS - 1)
    ahead = before - 0.9 * state_before["velocity"]
    rows = slice((STEPS - 1) * BATCH, None)
    assert MODEL.loss(ahead, x[rows], y[rows]) != pytest.approx(
        MODEL.loss(before, x[rows], y[rows]), rel=1e-3
    )
    assert losses[-1] == pytest.approx(MODEL.loss(ahead, x[rows], y[rows]), rel=1e-6)
    assert network.evaluate(x, y)["loss"] == pytest.approx(MODEL.loss(theta, x, y), rel=1e-12)
    np.testing.assert_allclose(
        network.forward(x[:9]), MODEL.forward(theta, x[:9])[-1][1], rtol=1e-12, atol=1e-12
    )

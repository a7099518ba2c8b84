"""Optimizers that ask for several gradients of all samples in a step, against their NumPy references."""

from __future__ import annotations

import numpy as np
import pytest
from reference.catalog import optimizers, reference, resolved
from reference.full_batch import Objective
from reference.network import Perceptron, build, randomize

from ravine import _core
from ravine.errors import InputError

NAMES = optimizers(closure=True)
RULES = [(name, settings) for name in NAMES for settings in reference("optimizer", name).CASES]
ROWS = 40
PARABOLA = Perceptron([3, 2], ["identity"], "squared_error")
CONVEX = Perceptron([3, 3], ["identity"], "softmax_cross_entropy")
CURVED = Perceptron([3, 4, 3], ["tanh", "identity"], "softmax_cross_entropy")


def problem(model, **options):
    network = model.build(batch_size=ROWS, **options)
    generator = np.random.default_rng(3)
    randomize(network, generator)
    x = generator.normal(size=(ROWS, 3))
    y = x @ generator.normal(size=(3, model.sizes[-1])) + generator.normal(size=(ROWS, model.sizes[-1]))
    return network, x, y if model is PARABOLA else y.argmax(axis=1).astype(np.int32)


def repeated(x, y, steps):
    return np.concatenate([x] * steps), np.concatenate([y] * steps)


def by_reference(name, settings, theta, objective, steps, schedule=None):
    """The points of the path, the state, and the losses without penalties and gradients on the way."""
    rule = reference("optimizer", name)
    state = dict.fromkeys(_core.Optimizer({"type": name, **settings}).slot_names, np.zeros_like(theta))
    full = resolved("optimizer", name, settings) | objective.model.roles
    path = [theta]
    for step in range(steps):
        for key, values in (schedule or {}).items():
            if key in full:
                full[key] = values[step]
            else:
                setattr(objective, key, values[step])
        path.append(rule.step(path[-1], objective, state, full, step + 1))
    return np.array(path), state


def check(name, settings, model, steps, tolerance, *, groups=(), schedule=None, threads=1, **penalties):
    network, x, y = problem(model, threads=threads)
    start = network.flat_parameters.copy()
    optimizer = _core.Optimizer({"type": name, **settings}, groups=list(groups), **penalties)
    free = np.ones(start.size)
    if groups:
        free[model.sizes[0] * model.sizes[1] :] = 0.0  # all but the first layer's weights
    objective = Objective(model, x, y, free=free, **penalties)
    xs, ys = repeated(x, y, steps)
    result = network.train(optimizer, xs, ys, batch_size=ROWS, schedule=schedule or {})
    assert (result.steps, result.rows, result.trouble) == (steps, steps * ROWS, "")
    path, state = by_reference(name, settings, start, objective, steps, schedule)
    np.testing.assert_allclose(network.flat_parameters, path[-1], rtol=tolerance, atol=tolerance)
    assert optimizer.evaluations == objective.evaluations
    assert set(optimizer.slots) == set(state)
    for slot, values in optimizer.slots.items():
        np.testing.assert_allclose(values, state[slot], rtol=tolerance, atol=tolerance)
    assert optimizer.step_count == network.step == steps
    assert not np.allclose(path[-1], start, rtol=0, atol=1e-2), "the steps are too small to tell anything"
    return network, path, objective


@pytest.mark.parametrize(("threads", "penalties"), [(1, {}), (2, {"l2": 0.02, "l1": 0.01})])
@pytest.mark.parametrize(("name", "settings"), RULES)
def test_on_a_parabola(name, settings, penalties, threads):
    """Where differences of gradients are exact but for rounding, so that nothing hides a wrong formula."""
    check(name, settings, PARABOLA, 25, 1e-12, threads=threads, **penalties)


@pytest.mark.parametrize("form", ["squared", "norm"])
@pytest.mark.parametrize(("name", "settings"), RULES)
def test_on_a_convex_function(name, settings, form):
    """The step of a difference, 6e-6, turns rounding into 1e-11 of a curvature; the rest is exact."""
    check(name, settings, CONVEX, 25, 1e-9, l2=0.1, l2_form=form)


@pytest.mark.parametrize(("name", "settings"), RULES)
def test_where_curvature_is_negative(name, settings):
    check(name, settings, CURVED, 3, 1e-6)


@pytest.mark.parametrize("form", ["squared", "norm"])
@pytest.mark.parametrize(("name", "settings"), RULES)
def test_frozen_parameters_are_no_coordinates(name, settings, form):
    groups = [{"match": "*.bias", "freeze": True}, {"match": "dense_2.*", "freeze": True}]
    network, path, _ = check(name, settings, CURVED, 3, 1e-6, groups=groups, l2=0.1, l2_form=form)
    assert network.flat_parameters[12:].tobytes() == path[0][12:].tobytes()


def test_l2_of_a_group():
    """Its own lambda belongs to the function that is minimized."""
    network, x, y = problem(PARABOLA)
    groups = [{"match": "dense_1.weight", "l2": 0.5}]
    network.train(_core.Optimizer("newton", l2=7.0, groups=groups), x, y, batch_size=ROWS)
    objective = Objective(PARABOLA, x, y, l2=0.5)
    assert np.abs(objective(network.flat_parameters)[1]).max() < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_schedule(name):
    steps = 10
    schedule = {"l2": np.linspace(0.3, 0.1, steps), "learning_rate": np.linspace(0.2, 1.0, steps)}
    check(name, reference("optimizer", name).CASES[1], PARABOLA, steps, 1e-12, schedule=schedule)


@pytest.mark.parametrize("name", NAMES)
def test_records(name):
    """Loss and gradient are those where each step begins, the norms those of weights and steps."""
    steps, settings = 5, reference("optimizer", name).CASES[0]
    network, path, objective = check(name, settings, CURVED, steps, 1e-6, l2=0.1)
    numbers, values = network.drain()
    assert numbers.tolist() == list(range(1, steps + 1))
    column = {key: values[:, index] for index, key in enumerate(network.columns)}
    np.testing.assert_allclose(
        column["loss"], [CURVED.loss(point, objective.x, objective.y) for point in path[:-1]], rtol=1e-5
    )
    gradients = [CURVED.gradient(point, objective.x, objective.y) for point in path[:-1]]
    np.testing.assert_allclose(column["gradient_norm"], np.linalg.norm(gradients, axis=1), rtol=1e-4)
    moves, first = np.diff(path, axis=0), slice(0, 16)
    for key, expected in {
        "dense_1.update_norm": moves[:, first], "dense_2.update_norm": moves[:, 16:],
        "dense_1.weight_norm": path[1:, first], "dense_2.gradient_norm": np.array(gradients)[:, 16:],
    }.items():  # fmt: skip
        np.testing.assert_allclose(column[key], np.linalg.norm(expected, axis=1), rtol=1e-4)


LAYERS = [
    {"type": "dense", "units": 7, "activation": "tanh"},
    {"type": "batch_normalization"},
    {"type": "dropout", "rate": 0.25},
    {"type": "dense", "units": 4},
]


def with_masks(threads=1, dtype="float64"):
    network = build(LAYERS, [5], "softmax_cross_entropy", batch_size=48, dtype=dtype, threads=threads, seed=9)
    generator = np.random.default_rng(6)
    x = generator.normal(size=(48, 5)).astype(dtype)
    return network, x, generator.integers(0, 4, 48).astype(np.int32)


def train_with_masks(network, optimizer, calls):
    _, x, y = with_masks()
    for steps in calls:
        network.train(optimizer, *repeated(x, y, steps), batch_size=48)
        network.evaluate(x, y)  # leaves no trace


def bits(network, optimizer):
    arrays = (network.flat_parameters, *network.state.values(), *optimizer.slots.values())
    return [values.tobytes() for values in arrays]


@pytest.mark.parametrize("name", NAMES)
def test_same_bits(name):
    """For any number of threads, and in one call or many; over masks and moving averages."""
    states = []
    for threads, calls in ((1, [4]), (2, [1, 3]), (1, [1] * 4)):
        network, _, _ = with_masks(threads)
        optimizer = _core.Optimizer({"type": name, **reference("optimizer", name).CASES[0]}, l2=0.05)
        train_with_masks(network, optimizer, calls)
        states.append(bits(network, optimizer))
    assert all(state == states[0] for state in states[1:])


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load(name):
    settings = {"type": name, **reference("optimizer", name).CASES[0]}
    whole, optimizer = with_masks()[0], _core.Optimizer(settings, l2=0.05)
    train_with_masks(whole, optimizer, [3])
    resumed, other = with_masks()[0], _core.Optimizer(settings, l2=0.05)
    resumed.initialize(1234)
    other.attach(resumed)
    for old, new in (
        (whole.parameters, resumed.parameters),
        (whole.state, resumed.state),
        (optimizer.slots, other.slots),
    ):
        for key, values in old.items():
            new[key][...] = values
    resumed.step = other.step_count = 3
    train_with_masks(whole, optimizer, [2])
    train_with_masks(resumed, other, [2])
    assert bits(resumed, other) == bits(whole, optimizer)


@pytest.mark.parametrize("name", NAMES)
def test_moving_averages_are_of_where_a_step_begins(name):
    """As with any other rule, whatever points are tried after that."""
    states = []
    for rule in ({"type": name, **reference("optimizer", name).CASES[0]}, "gradient_descent"):
        network, x, y = with_masks()
        before = {key: values.copy() for key, values in network.state.items()}
        network.train(_core.Optimizer(rule), x, y, batch_size=48)
        states.append({key: values.tobytes() for key, values in network.state.items()})
        assert all(not np.array_equal(values, before[key]) for key, values in network.state.items())
    assert states[0] == states[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_step_has_one_mask(name):
    """The loss falls along every step of a line search, which it would not from mask to mask."""
    network, x, y = with_masks()
    settings = {"type": name, **reference("optimizer", name).CASES[0]}
    optimizer = _core.Optimizer(settings)
    for step in range(6):
        before = masked_loss(network, x, y, step)
        network.train(optimizer, x, y, batch_size=48)
        if "line_search" in resolved("optimizer", name, settings):
            assert masked_loss(network, x, y, step) < before
    assert masked_loss(network, x, y, 0) != masked_loss(network, x, y, 1)


def masked_loss(network, x, y, step):
    """The training loss with the masks of a step."""
    now, state = network.step, {key: values.copy() for key, values in network.state.items()}
    network.step = step
    network.forward(x, training=True)
    loss = network.loss(y)
    network.step = now
    for key, values in state.items():
        network.state[key][...] = values
    return loss


@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_finite_is_named(name, poison):
    network, x, y = with_masks()
    xs, ys = repeated(x, y, 3)
    xs[2 * 48 + 5, 1] = poison
    settings = {"type": name, **reference("optimizer", name).CASES[0]}
    optimizer = _core.Optimizer(settings, l2=0.05)
    result = network.train(optimizer, xs, ys, batch_size=48)
    assert (result.steps, result.trouble) == (2, "the input")
    assert optimizer.step_count == network.step == 2
    other, _, _ = with_masks()
    other.train(_core.Optimizer(settings, l2=0.05), *repeated(x, y, 2), batch_size=48)
    assert network.flat_parameters.tobytes() == other.flat_parameters.tobytes()
    for key, values in network.state.items():
        assert values.tobytes() == other.state[key].tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_parts_of_a_batch(name):
    """In parts of 13 rows the sums are formed in another order; masks and samples are the same."""
    found = []
    for part in (0, 13):
        network, x, y = problem(PARABOLA)
        optimizer = _core.Optimizer({"type": name, **reference("optimizer", name).CASES[0]}, l2=0.1)
        network.train(optimizer, *repeated(x, y, 6), batch_size=ROWS, micro_batch=part)
        found.append(network.flat_parameters.copy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_samples(name):
    """A sample of weight 2 counts as if it were there twice, one of weight 0 as if it were not."""
    found = []
    counts = np.arange(ROWS) % 3
    for repeats in (False, True):
        network, x, y = problem(PARABOLA)
        rows = np.repeat(np.arange(ROWS), counts) if repeats else np.arange(ROWS)
        optimizer = _core.Optimizer({"type": name, **reference("optimizer", name).CASES[0]}, l2=0.1)
        weights = None if repeats else np.tile(counts.astype(float), 6)
        xs, ys = repeated(x[rows], y[rows], 6)
        network.train(optimizer, xs, ys, weights=weights, batch_size=len(rows))
        found.append(network.flat_parameters.copy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ({"clip_norm": 1.0}, "clip_norm"), ({"clip_value": 1.0}, "clip_value"),
        ({"clip_layer_norm": 1.0}, "clip_layer_norm"), ({"max_norm": 1.0}, "max_norm"),
        ({"l1": 0.1, "l1_form": "proximal"}, "l1_form"),
        ({"groups": [{"match": "*.bias", "learning_rate": 0.5}]}, "groups.0.learning_rate"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(name, asked, key):
    with pytest.raises(InputError) as refused:
        _core.Optimizer(name, **asked)
    assert refused.value.key == key
    optimizer = _core.Optimizer(name)
    if key in optimizer.regularization:
        with pytest.raises(InputError, match=key):
            optimizer.set(key, 1.0)
        optimizer.set(key, 0.0)  # what a resume does
        network, x, y = problem(PARABOLA)
        start = network.flat_parameters.copy()
        with pytest.raises(InputError, match=key):
            network.train(
                optimizer, *repeated(x, y, 2), batch_size=ROWS, schedule={key: np.array([0.0, 1.0])}
            )
        assert network.flat_parameters.tobytes() == start.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_steps_by_hand_are_refused(name):
    network, x, y = problem(CURVED)
    start = network.flat_parameters.copy()
    optimizer = _core.Optimizer(name)
    optimizer.look_ahead(network)
    network.forward(x, training=True)
    network.loss(y)
    network.backward()
    with pytest.raises(InputError, match=r"at several points in a step.*network\.train or a Trainer"):
        optimizer.step(network)
    assert network.flat_parameters.tobytes() == start.tobytes()
    assert optimizer.step_count == 0

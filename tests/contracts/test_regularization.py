"""L1, clipping, norms of units and groups of parameters, against NumPy by the formulas."""

from __future__ import annotations

import fnmatch
from typing import Any

import numpy as np
import pytest
from reference.catalog import optimizers, reference, resolved
from reference.network import Perceptron, randomize

from ravine import InputError, Sequential, Trainer, _core, custom_optimizer, make_optimizer
from ravine.layers import Dense

STEPS, BATCH = 25, 8
MODEL = Perceptron([5, 7, 4], ["tanh", "identity"], "softmax_cross_entropy")
RULES = ["gradient_descent", "momentum", "nesterov", "adam", "adamw", "rmsprop"]
NAMES = ["dense_1.weight", "dense_1.bias", "dense_2.weight", "dense_2.bias"]


def problem() -> tuple[Any, Any, Any]:
    network = MODEL.build(batch_size=BATCH)
    generator = np.random.default_rng(4)
    randomize(network, generator)
    x = generator.normal(size=(STEPS * BATCH, 5))
    return network, x, generator.integers(0, 4, STEPS * BATCH).astype(np.int32)


def ranges() -> list[slice]:
    """Where each parameter lies in the flat vector."""
    places, position = [], 0
    for inputs, outputs in zip(MODEL.sizes, MODEL.sizes[1:], strict=False):
        places += [slice(position, position + inputs * outputs)]
        position += inputs * outputs
        places += [slice(position, position + outputs)]
        position += outputs
    return places


def shortened(vector: np.ndarray, limit: float) -> np.ndarray:
    norm = np.linalg.norm(vector)
    return vector * (limit / norm) if 0 < limit < norm else vector


def clipped(g: np.ndarray, asked: dict[str, Any]) -> np.ndarray:
    """By layers, then the whole, then element by element."""
    g, half = g.copy(), ranges()[1].stop
    for layer in (slice(0, half), slice(half, None)):
        g[layer] = shortened(g[layer], asked.get("clip_layer_norm", 0))
    g = shortened(g, asked.get("clip_norm", 0))
    value = asked.get("clip_value", 0)
    return np.clip(g, -value, value) if value else g


def by_reference(
    name: str, start: np.ndarray, x: np.ndarray, y: np.ndarray, asked: dict[str, Any]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rule, full = reference("optimizer", name), resolved("optimizer", name, {}) | MODEL.roles
    state = dict.fromkeys(_core.Optimizer(name).slot_names, np.zeros_like(start))
    theta, l1 = start, asked.get("l1", 0) * MODEL.decays
    proximal = asked.get("l1_form") == "proximal"
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)

        def gradient(point, rows=rows):
            g = clipped(MODEL.gradient(point, x[rows], y[rows]), asked)
            g = g + asked.get("l2", 0) * MODEL.decays * point
            return g if proximal else g + l1 * np.sign(point)

        theta = rule.step(theta, gradient, state, full, step + 1)
        if proximal:
            theta = np.sign(theta) * np.maximum(np.abs(theta) - full["learning_rate"] * l1, 0)
        if asked.get("max_norm"):
            theta = theta.copy()
            for place, (inputs, outputs) in zip(ranges()[::2], [(5, 7), (7, 4)], strict=True):
                units = theta[place].reshape(outputs, inputs)
                theta[place] = np.stack([shortened(unit, asked["max_norm"]) for unit in units]).ravel()
    return theta, state


CASES = [
    {"l1": 0.05}, {"l1": 0.05, "l2": 0.1}, {"l1": 0.5, "l1_form": "proximal"}, {"clip_value": 0.01},
    {"clip_layer_norm": 0.05}, {"clip_layer_norm": 0.1, "clip_norm": 0.12, "clip_value": 0.03, "l2": 0.1},
    {"max_norm": 0.8}, {"max_norm": 0.8, "l1": 0.2, "l1_form": "proximal", "clip_norm": 0.2},
]  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("asked", CASES, ids=str)
@pytest.mark.parametrize("name", RULES)
def test_against_numpy(name: str, asked: dict[str, Any], threads: int) -> None:
    network, x, y = problem()
    if threads > 1:
        other = MODEL.build(batch_size=BATCH, threads=threads)
        other.flat_parameters[...] = network.flat_parameters
        network = other
    start = network.flat_parameters.copy()
    optimizer = _core.Optimizer(name, **asked)
    network.train(optimizer, x, y, batch_size=BATCH)
    theta, state = by_reference(name, start, x, y, asked)
    np.testing.assert_allclose(network.flat_parameters, theta, rtol=1e-12, atol=1e-12)
    for slot, values in optimizer.slots.items():
        np.testing.assert_allclose(values, state[slot], rtol=1e-12, atol=1e-12)
    without, _ = by_reference(name, start, x, y, {})
    assert np.abs(without - theta).max() > 1e-6, "the regularization has no effect that could be missed"
    if "max_norm" in asked:
        norms = np.linalg.norm(network.parameters["dense_1.weight"], axis=1)
        assert norms.max() <= 0.8 + 1e-12
        # What is recorded is the norm of the weights after it.
        values = network.drain()[1][-1]
        layer = np.sqrt(sum((network.parameters[f"dense_1.{n}"] ** 2).sum() for n in ("weight", "bias")))
        column = next(i for i, c in enumerate(network.columns) if "dense_1" in c and "weight" in c)
        assert values[column] == pytest.approx(layer, rel=1e-6)


def test_the_proximal_form_makes_exact_zeros_and_the_subgradient_none() -> None:
    zeros = {}
    for form in ("proximal", "subgradient"):
        network, x, y = problem()
        network.train(_core.Optimizer("gradient_descent", l1=0.5, l1_form=form), x, y, batch_size=BATCH)
        zeros[form] = int((network.flat_parameters == 0).sum())
        assert (network.parameters["dense_1.bias"] != 0).all()
    assert zeros["proximal"] > 5
    assert zeros["subgradient"] == 0


@pytest.mark.parametrize("asked", CASES, ids=str)
def test_by_hand_and_in_python(asked: dict[str, Any]) -> None:
    """A rule in Python, and steps by hand, get the same gradients and limits."""

    def descend(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        parameters -= settings["learning_rate"] * gradients

    native, x, y = problem()
    native.train(_core.Optimizer({"type": "gradient_descent", "learning_rate": 0.1}, **asked), x, y,
                 batch_size=BATCH)  # fmt: skip
    own, _, _ = problem()
    own.train(custom_optimizer(descend, learning_rate=0.1, **asked), x, y, batch_size=BATCH)
    np.testing.assert_allclose(own.flat_parameters, native.flat_parameters, rtol=1e-13, atol=1e-13)
    hand, _, _ = problem()
    optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 0.1}, **asked)
    for row in range(0, len(x), BATCH):
        hand.forward(x[row : row + BATCH], training=True)
        hand.loss(y[row : row + BATCH])
        hand.backward()
        optimizer.step(hand)
    np.testing.assert_allclose(hand.flat_parameters, native.flat_parameters, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", [n for n in _core.REGULARIZATION])
def test_schedules_and_edits_know_the_number(name: str) -> None:
    steps = np.linspace(0.05, 0.5, STEPS)
    scheduled, x, y = problem()
    scheduled.train(_core.Optimizer("momentum"), x, y, batch_size=BATCH, schedule={name: steps})
    edited, _, _ = problem()
    optimizer = _core.Optimizer("momentum")
    for step, value in enumerate(steps):
        optimizer.set(name, value)
        assert optimizer.regularization[name] == value
        rows = slice(step * BATCH, (step + 1) * BATCH)
        edited.train(optimizer, x[rows], y[rows], batch_size=BATCH)
    assert edited.flat_parameters.tobytes() == scheduled.flat_parameters.tobytes()
    plain, _, _ = problem()
    plain.train(_core.Optimizer("momentum"), x, y, batch_size=BATCH)
    assert not np.array_equal(plain.flat_parameters, edited.flat_parameters)
    with pytest.raises(InputError):
        optimizer.set(name, -1.0)
    with pytest.raises(InputError):
        _core.Optimizer("momentum", **{name: -1.0})


@pytest.mark.parametrize("name", RULES)
def test_groups(name: str) -> None:
    """One layer slower and with an L2 of its own, one bias frozen: as the reference of each part tells."""
    groups = [
        {"match": "dense_2.bias", "freeze": True},
        {"match": "dense_1.*", "learning_rate": 0.25, "l2": 0.0},
    ]
    network, x, y = problem()
    start = network.flat_parameters.copy()
    optimizer = make_optimizer(name, l2=0.1, clip_norm=0.3, groups=groups)
    network.train(optimizer, x, y, batch_size=BATCH)
    rule, full = reference("optimizer", name), resolved("optimizer", name, {}) | MODEL.roles
    slots = optimizer.slot_names
    state, theta = dict.fromkeys(slots, np.zeros_like(start)), start
    first, frozen = np.zeros(start.size, bool), np.zeros(start.size, bool)
    first[: ranges()[1].stop] = True
    frozen[ranges()[3]] = True
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        if name == "nesterov":  # looks ahead with each part's own velocity, which knows of the rate
            point = np.where(frozen, theta, theta - full["momentum"] * state["velocity"])
        else:
            point = theta
        g = MODEL.gradient(point, x[rows], y[rows])
        norm = np.linalg.norm(g[~frozen])
        g = g * min(1.0, 0.3 / norm) + 0.1 * np.where(first, 0.0, MODEL.decays) * point
        parts = []
        for factor in (0.25, 1.0):
            own = dict(state)
            settings = full | {"learning_rate": full["learning_rate"] * factor}
            parts.append((rule.step(theta, lambda _, g=g: g, own, settings, step + 1), own))
        theta = np.where(frozen, start, np.where(first, parts[0][0], parts[1][0]))
        for slot in slots:
            chosen = np.where(first, parts[0][1][slot], parts[1][1][slot])
            state[slot] = np.where(frozen, 0.0, chosen)
    np.testing.assert_allclose(network.flat_parameters, theta, rtol=1e-12, atol=1e-12)
    for slot in slots:
        np.testing.assert_allclose(optimizer.slots[slot], state[slot], rtol=1e-12, atol=1e-12)
    assert network.parameters["dense_2.bias"].tobytes() == start[frozen].tobytes()


@pytest.mark.parametrize("name", optimizers())
def test_what_is_frozen_does_not_change(name: str) -> None:
    network, x, y = problem()
    start = network.flat_parameters.copy()
    optimizer = _core.Optimizer(
        name, l2=0.1, l1=0.1, max_norm=0.1, groups=[{"match": "*_1.*", "freeze": True}]
    )
    network.train(optimizer, x, y, batch_size=BATCH)
    places = ranges()
    frozen = slice(0, places[1].stop)
    assert network.flat_parameters[frozen].tobytes() == start[frozen].tobytes()
    assert (network.flat_parameters[places[2]] != start[places[2]]).all()
    for values in optimizer.slots.values():
        assert not values[frozen].any()


@pytest.mark.parametrize("pattern", ["*", "dense_?.bias", "dense_[12].weight", "dense_2.*"])
def test_patterns(pattern: str) -> None:
    network, x, y = problem()
    start = {name: values.copy() for name, values in network.parameters.items()}
    network.train(_core.Optimizer("gradient_descent", groups=[{"match": pattern, "freeze": True}]), x, y,
                  batch_size=BATCH)  # fmt: skip
    for name, values in network.parameters.items():
        assert np.array_equal(values, start[name]) == fnmatch.fnmatchcase(name, pattern), name


@pytest.mark.parametrize(
    ("groups", "key", "words"),
    [
        ([{"match": "dense_3.*"}], "groups.0.match", ["dense_3.*", *NAMES]),
        ([{"match": "*"}, {"match": "dense_1.scale"}], "groups.1.match", NAMES),
        ([{"match": "*", "l2": -1.0}], "groups.0.l2", [">= 0"]),
        ([{"match": "*", "learning_rate": -1.0}], "groups.0.learning_rate", [">= 0", "got -1.0"]),
        ([{"match": "*", "decay": 1.0}], "groups.0.decay", ["unknown key", "freeze"]),
        (
            [{"match": "*", "weight_decay": 1.0}],
            "groups.0.weight_decay",
            ["adam has no", "adamw, lion, muon"],
        ),
        ([{"freeze": True}], "groups.0.match", ["missing"]),
        ([{"match": "*", "freeze": "yes"}], "groups.0.freeze", ["true or false"]),
    ],
)
def test_bad_groups(groups: list[dict[str, Any]], key: str, words: list[str]) -> None:
    model = Sequential(Dense(7), Dense(4))
    with pytest.raises(InputError) as caught:
        Trainer(model, optimizer="adam", loss="softmax_cross_entropy", groups=groups).fit(
            np.zeros((4, 5)), [0, 1, 2, 3], epochs=1
        )
    assert caught.value.key == key
    for word in words:
        assert word in caught.value.message


def test_what_needs_a_learning_rate() -> None:
    without = [n for n in optimizers() if "learning_rate" not in resolved("optimizer", n, {})]
    assert without
    for name in without:
        with pytest.raises(InputError) as caught:
            _core.Optimizer(name, l1=0.1, l1_form="proximal")
        assert caught.value.key == "l1_form"
        with pytest.raises(InputError) as caught:
            _core.Optimizer(name, groups=[{"match": "*", "learning_rate": 0.5}])
        assert caught.value.key == "groups.0.learning_rate"
    with pytest.raises(InputError, match="proximal"):
        _core.Optimizer("adam", l1_form="lasso")

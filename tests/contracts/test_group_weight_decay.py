"""A weight decay of a group's own, against NumPy by the formulas, and where it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.catalog import optimizers, reference, resolved
from reference.network import Perceptron, randomize

from ravine import InputError, Sequential, Trainer, _core, custom_optimizer, make_optimizer
from ravine.layers import Dense

STEPS, BATCH = 20, 8
MODEL = Perceptron([5, 7, 6, 4], ["tanh", "tanh", "identity"], "softmax_cross_entropy")
RULES = ["adamw", "lion", "muon"]
OWN = 0.3  # the rule's
# Biases are matched too, and do not decay; the third layer has the rule's decay.
GROUPS = [
    {"match": "dense_1.*", "weight_decay": 2.5},
    {"match": "dense_2.*", "weight_decay": 0.0, "learning_rate": 0.5},
]


def problem(threads: int = 1) -> tuple[Any, Any, Any]:
    network = MODEL.build(batch_size=BATCH, threads=threads)
    generator = np.random.default_rng(4)
    randomize(network, generator)
    x = generator.normal(size=(STEPS * BATCH, 5))
    return network, x, generator.integers(0, 4, STEPS * BATCH).astype(np.int32)


def layers() -> list[slice]:
    """Where each layer lies in the flat vector."""
    places, position = [], 0
    for inputs, outputs in zip(MODEL.sizes, MODEL.sizes[1:], strict=False):
        size = (inputs + 1) * outputs
        places.append(slice(position, position + size))
        position += size
    return places


def by_reference(name: str, start: Any, x: Any, y: Any, decays: Any) -> tuple[Any, dict[str, Any]]:
    """Each layer as the reference moves it with that layer's settings; `decays` are the rule's, by steps."""
    rule, full = reference("optimizer", name), resolved("optimizer", name, {}) | MODEL.roles
    state = dict.fromkeys(_core.Optimizer(name).slot_names, np.zeros_like(start))
    theta = start
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        g = MODEL.gradient(theta, x[rows], y[rows])
        after, slots = np.empty_like(start), {slot: np.empty_like(start) for slot in state}
        for place, factor, decay in zip(layers(), (1.0, 0.5, 1.0), (2.5, 0.0, decays[step]), strict=True):
            own = dict(state)
            settings = full | {"learning_rate": full["learning_rate"] * factor, "weight_decay": decay}
            after[place] = rule.step(theta, lambda _, g=g: g, own, settings, step + 1)[place]
            for slot, values in own.items():
                slots[slot][place] = values[place]
        theta, state = after, slots
    return theta, state


@pytest.mark.parametrize("change", ["constant", "scheduled", "edited"])
@pytest.mark.parametrize("name", RULES)
def test_against_numpy(name: str, change: str) -> None:
    """Schedules and edits of the rule's decay reach parameters without one of their own, and no others."""
    decays = np.full(STEPS, OWN) if change == "constant" else np.linspace(0.0, 3.0, STEPS)
    found = []
    for threads in (1, 2):
        network, x, y = problem(threads)
        start = network.flat_parameters.copy()
        optimizer = make_optimizer({"type": name, "weight_decay": OWN}, groups=GROUPS)
        if change == "edited":
            for step, decay in enumerate(decays):
                optimizer.set("weight_decay", decay)
                rows = slice(step * BATCH, (step + 1) * BATCH)
                network.train(optimizer, x[rows], y[rows], batch_size=BATCH)
        else:
            schedule = {"weight_decay": decays} if change == "scheduled" else {}
            network.train(optimizer, x, y, batch_size=BATCH, schedule=schedule)
        found.append(network.flat_parameters.copy())
    theta, state = by_reference(name, start, x, y, decays)
    np.testing.assert_allclose(found[0], theta, rtol=1e-12, atol=1e-12)
    for slot, values in optimizer.slots.items():
        np.testing.assert_allclose(values, state[slot], rtol=1e-12, atol=1e-12)
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("name", RULES)
def test_bits(name: str) -> None:
    """Those of any number of threads, over several tiles; and the rule's, for a decay equal to its."""
    x = np.random.default_rng(1).normal(size=(96, 150)).astype(np.float32)
    y = np.arange(96, dtype=np.int32) % 4
    rule = {"type": name, "weight_decay": OWN}
    model = Perceptron([150, 130, 4], ["relu", "identity"], "softmax_cross_entropy")
    found = {}
    for case, threads, groups in [
        ("one", 1, GROUPS[:1]), ("three", 3, GROUPS[:1]), ("rule", 2, []),
        ("equal", 2, [{"match": "*.weight", "weight_decay": OWN}]),
    ]:  # fmt: skip
        network = model.build(batch_size=32, threads=threads, dtype="float32")
        network.flat_parameters[...] = np.random.default_rng(2).normal(
            scale=0.1, size=network.flat_parameters.size
        )
        network.train(make_optimizer(rule, groups=groups), x, y, batch_size=32)
        found[case] = network.flat_parameters.tobytes()
    assert found["one"] == found["three"] != found["rule"] == found["equal"]


def test_who_has_one() -> None:
    assert {n for n in optimizers() if "weight_decay" in resolved("optimizer", n, {})} == set(RULES)
    for name in RULES:
        assert make_optimizer(name, groups=GROUPS).groups[0]["weight_decay"] == 2.5
        assert "weight_decay" not in make_optimizer(name, groups=[{"match": "*"}]).groups[0]


@pytest.mark.parametrize("name", [e.name for e in _core.catalog("optimizer") if e.name not in RULES])
def test_rules_without_one(name: str) -> None:
    groups = [{"match": "*.bias"}, {"match": "*", "weight_decay": 0.0}]
    with pytest.raises(InputError) as caught:
        make_optimizer(name, groups=groups)
    assert caught.value.key == "groups.1.weight_decay"
    for word in (name, "use l2", "adamw, lion, muon"):
        assert word in caught.value.message


@pytest.mark.parametrize("value", [-0.1, float("inf"), float("nan")])
def test_values_out_of_range(value: float) -> None:
    for make in (make_optimizer, _core.Optimizer):
        with pytest.raises(InputError) as caught:
            make("adamw", groups=[{"match": "*", "weight_decay": value}])
        assert caught.value.key == "groups.0.weight_decay"


@pytest.mark.parametrize("setting", ["weight_decay", "l2"])
def test_a_rule_in_python_has_no_groups(setting: str) -> None:
    def descend(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        parameters -= settings["learning_rate"] * gradients

    groups: Any = [{"match": "dense_1.*", setting: 0.1}]
    made = custom_optimizer(descend, learning_rate=0.1, weight_decay=0.2)  # a number of its own is allowed
    for attempt in (
        lambda: custom_optimizer(descend, learning_rate=0.1, groups=groups),
        lambda: Trainer(Sequential(Dense(2)), loss="squared_error", optimizer=made, groups=groups),
    ):
        with pytest.raises(InputError, match="a rule in Python") as caught:
            attempt()
        assert caught.value.key == f"groups.0.{setting}"

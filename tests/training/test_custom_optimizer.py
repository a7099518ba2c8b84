"""A rule written in Python, in the place of one of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import InputError, Sequential, Trainer, custom_optimizer
from ravine.data import DataSettings, load
from ravine.layers import Dense, Dropout
from ravine.optimizers import Momentum
from ravine.training import checkpoint as checkpoints
from ravine.training.snapshot import restore, snapshot

RANDOM = np.random.default_rng(21)
INPUTS = RANDOM.normal(size=(45, 5))
LABELS = RANDOM.integers(0, 3, 45)


def momentum(
    parameters: Any, gradients: Any, state: dict[str, Any], settings: Mapping[str, float], step: int
) -> None:
    state["velocity"] *= settings["momentum"]
    state["velocity"] += gradients
    parameters -= settings["learning_rate"] * state["velocity"]


def heavy_ball(
    parameters: Any, gradients: Any, state: dict[str, Any], settings: Mapping[str, float], step: int
) -> None:
    state["velocity"] *= settings["momentum"]
    state["velocity"] += settings["learning_rate"] * gradients
    parameters -= state["velocity"]


def trainer_with(optimizer: Any, **settings: Any) -> Trainer:
    return Trainer(
        Sequential(Dense(7, activation="tanh"), Dropout(0.2), Dense(3)),
        loss="softmax_cross_entropy",
        optimizer=optimizer,
        batch_size=16,
        seed=2,
        dtype="float64",
        **settings,
    )


@pytest.mark.parametrize("l2", [0.0, 0.01])
@pytest.mark.parametrize("clip_norm", [0.0, 0.3])
@pytest.mark.parametrize("threads", [1, 2])
def test_momentum_in_python_is_the_momentum_of_the_catalog(l2: float, clip_norm: float, threads: int) -> None:
    built_in = trainer_with(Momentum(0.1, momentum=0.8), l2=l2, clip_norm=clip_norm)
    expected = built_in.fit(INPUTS, LABELS, epochs=5)
    for rule in (momentum, heavy_ball):  # equal for a constant rate
        optimizer = custom_optimizer(
            rule, slots=["velocity"], learning_rate=0.1, momentum=0.8, l2=l2, clip_norm=clip_norm
        )
        own = trainer_with(optimizer, threads=threads)
        history = own.fit(INPUTS, LABELS, epochs=5)
        np.testing.assert_allclose(
            own.network.flat_parameters, built_in.network.flat_parameters, rtol=0, atol=1e-14
        )
        np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)


def test_it_is_called_once_a_step_with_views(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def rule(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        calls.append(step)
        flat = own.network.flat_parameters
        assert np.shares_memory(parameters, flat)
        assert parameters.shape == gradients.shape == state["a"].shape == state["b"].shape == flat.shape
        assert settings["learning_rate"] == schedule(step - 1)
        assert settings["other"] == 5
        state["a"] += 1
        assert (state["a"] == step).all()
        assert not state["b"].any()

    def schedule(step: int) -> float:
        return 1 / (1 + step)

    optimizer = custom_optimizer(rule, slots=["a", "b"], learning_rate=1, other=5)
    own = trainer_with(optimizer, schedules={"learning_rate": schedule})
    own.fit(INPUTS, LABELS, epochs=2)
    assert calls == [1, 2, 3, 4, 5, 6]
    assert (optimizer.slots["a"] == 6).all()


class MyError(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 2])
def test_an_exception_in_the_rule_comes_out_as_itself(threads: int) -> None:
    fault, faulty = MyError("at step 3"), True

    def rule(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        if step == 3 and faulty:
            raise fault
        parameters -= settings["learning_rate"] * gradients

    own = trainer_with(custom_optimizer(rule, learning_rate=0.1), threads=threads)
    with pytest.raises(MyError) as raised:
        own.fit(INPUTS, LABELS, epochs=2)
    assert raised.value is fault
    # It can be used again: the fault is not kept, and what the broken call recorded is not mixed in.
    assert own.optimizer.step_count == 2
    faulty = False
    assert own.fit(INPUTS, LABELS, epochs=2).steps.tolist() == list(range(3, 9))
    assert own.position.epoch == 2


def test_its_slots_are_in_checkpoints(tmp_path: Path) -> None:
    parts = load(DataSettings(), Path(), dtype=np.float64)

    def make() -> Trainer:
        return trainer_with(custom_optimizer(momentum, slots=["velocity"], learning_rate=0.1, momentum=0.8))

    whole, first, second = make(), make(), make()
    whole.fit(INPUTS, LABELS, epochs=1)
    first.fit(INPUTS, LABELS, epochs=1)
    saved = checkpoints.save(tmp_path, snapshot(first, parts, {}, {}))
    loaded = checkpoints.load(saved.path)
    velocity = loaded.tensors["optimizer.velocity"]
    assert velocity.tobytes() == first.optimizer.slots["velocity"].tobytes()
    assert velocity.any()
    second.fit(INPUTS[:16], LABELS[:16], epochs=1)  # other weights and slots, to be replaced
    restore(second, loaded, saved.path)
    for trainer in (whole, second):
        network, rows = trainer.network, np.ascontiguousarray(INPUTS[:16])
        network.forward(rows, training=True)
        network.loss(LABELS[:16].astype(np.int32))
        network.backward()
        trainer.optimizer.step(network)
    assert whole.network.flat_parameters.tobytes() == second.network.flat_parameters.tobytes()


def test_rules_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"learning_rate: .*learning rate"):
        custom_optimizer(momentum, slots=["velocity"], momentum=0.9)
    with pytest.raises(InputError, match=r"slots: .*at most 4"):
        custom_optimizer(momentum, slots=list("abcde"), learning_rate=1)
    for name in ("l2", "clip_norm"):
        for value in (-1.0, float("nan"), float("inf")):
            with pytest.raises(InputError, match=f"{name}: .*at least 0"):
                custom_optimizer(momentum, slots=["velocity"], learning_rate=1, **{name: value})
    with pytest.raises(InputError, match="momentum: expected a number, got nan"):
        custom_optimizer(momentum, slots=["velocity"], learning_rate=1, momentum=float("nan"))

"""A batch that is computed in parts gives the step that it gives at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ravine import Sequential, custom_optimizer, layers
from ravine.errors import InputError
from ravine.training.optimizer import make_optimizer

BATCH, STEPS, INPUTS, CLASSES = 8, 20, 7, 4
Array = np.ndarray[Any, Any]


def dense() -> Sequential:
    return Sequential(
        layers.Dropout(0.2),
        layers.Dense(300, activation="relu"),  # weights of several tiles
        layers.Dropout(0.4),
        layers.Dense(60, activation="tanh"),
        layers.LayerNormalization(),
        layers.Dense(CLASSES),
    )


def images() -> Sequential:
    return Sequential(
        layers.Convolution(6, padding="same", activation="relu"),
        layers.Dropout(0.3),
        layers.MaxPooling(),
        layers.Convolution(4, kernel=2),
        layers.GlobalAveragePooling(),
        layers.Dense(CLASSES),
    )


class Training:
    """Steps of the native loop from the same beginning."""

    def __init__(
        self,
        micro_batch: int,
        *,
        model: Sequential | None = None,
        shape: tuple[int, ...] = (INPUTS,),
        optimizer: Any = "nesterov",
        dtype: str = "float64",
        threads: int = 1,
        weights: Array | None = None,
        inputs: Array | None = None,
        steps: int = STEPS,
        **settings: Any,
    ) -> None:
        self.network = (model or dense()).network(
            shape, loss="softmax_cross_entropy", dtype=dtype, batch_size=BATCH, threads=threads, seed=3
        )
        given = np.random.default_rng(1).normal(size=(BATCH * steps, *shape)).astype(dtype)
        labels = np.random.default_rng(2).integers(0, CLASSES, BATCH * steps).astype(np.int32)
        self.before = self.network.flat_parameters.copy()
        self.optimizer = make_optimizer(optimizer, **settings)
        self.result = self.network.train(
            self.optimizer,
            given if inputs is None else inputs,
            labels,
            weights=weights,
            batch_size=BATCH,
            micro_batch=micro_batch,
        )
        self.parameters = self.network.flat_parameters.copy()
        self.record = self.network.drain()[1]


def assert_equal_to_rounding(parts: Training, whole: Training) -> None:
    assert np.abs(whole.parameters - whole.before).max() > 1e-3
    np.testing.assert_allclose(parts.parameters, whole.parameters, rtol=0, atol=1e-12)
    assert parts.result.steps == whole.result.steps == STEPS
    assert parts.result.loss == pytest.approx(whole.result.loss, rel=1e-12)
    assert (parts.result.rows, parts.result.correct) == (whole.result.rows, whole.result.correct)
    np.testing.assert_allclose(parts.record, whole.record, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("micro_batch", [1, 3, 8])
@pytest.mark.parametrize(
    ("optimizer", "settings"),
    [("nesterov", {"l2": 0.01}), ("adam", {"clip_norm": 0.1, "clip_layer_norm": 0.08})],
)
def test_parts_and_the_whole(micro_batch: int, optimizer: str, settings: dict[str, float]) -> None:
    """With dropout, whose masks belong to the places of samples in the batch."""
    whole = Training(0, optimizer=optimizer, **settings)
    assert_equal_to_rounding(Training(micro_batch, optimizer=optimizer, **settings), whole)


def test_images() -> None:
    shape = (6, 5, 2)
    assert_equal_to_rounding(
        Training(3, model=images(), shape=shape), Training(0, model=images(), shape=shape)
    )


def test_sample_weights() -> None:
    """Parts count by the weight of their samples; one of the parts has none at all."""
    weights = np.random.default_rng(2).uniform(0, 3, BATCH * STEPS)
    weights[3:6] = 0
    whole = Training(0, weights=weights)
    assert_equal_to_rounding(Training(3, weights=weights), whole)
    assert np.abs(whole.parameters - Training(0).parameters).max() > 1e-3


def test_a_rule_in_python() -> None:
    def descend(parameters: Array, gradients: Array, state: Any, settings: Any, step: int) -> None:
        parameters -= settings["learning_rate"] * gradients

    own = Training(3, optimizer=custom_optimizer(descend, learning_rate=0.1))
    assert_equal_to_rounding(own, Training(0, optimizer={"type": "gradient_descent", "learning_rate": 0.1}))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads(dtype: str) -> None:
    one = Training(3, dtype=dtype, clip_norm=0.1)
    for threads in (2, 3):
        many = Training(3, dtype=dtype, threads=threads, clip_norm=0.1)
        assert many.parameters.tobytes() == one.parameters.tobytes()
        assert many.record.tobytes() == one.record.tobytes()


def test_batch_normalization_has_the_moments_of_parts() -> None:
    """One step in parts of 4, against the same by hand: state after state, the mean of the gradients."""
    model = Sequential(layers.Dense(6), layers.BatchNormalization(), layers.Dense(CLASSES))
    done = Training(4, model=model, optimizer={"type": "gradient_descent", "learning_rate": 0.5}, steps=1)
    network = model.network([INPUTS], loss="softmax_cross_entropy", dtype="float64", batch_size=4, seed=3)
    x = np.random.default_rng(1).normal(size=(BATCH, INPUTS))
    y = np.random.default_rng(2).integers(0, CLASSES, BATCH).astype(np.int32)
    gradient = np.zeros_like(network.flat_parameters)
    for begin in (0, 4):
        network.forward(x[begin : begin + 4], training=True)
        network.loss(y[begin : begin + 4])
        network.backward()
        gradient += network.flat_gradients / 2
    np.testing.assert_allclose(done.parameters, network.flat_parameters - 0.5 * gradient, rtol=0, atol=1e-14)
    for name, values in network.state.items():
        np.testing.assert_allclose(done.network.state[name], values, rtol=0, atol=1e-14)
    at_once = Training(0, model=model, optimizer={"type": "gradient_descent", "learning_rate": 0.5}, steps=1)
    assert np.abs(done.parameters - at_once.parameters).max() > 1e-4


@pytest.mark.parametrize("row", [0, 4, 7])
def test_what_is_not_finite_is_found_in_its_part(row: int) -> None:
    """The step is given up: weights, and what layers keep, are those of the steps before."""
    model = Sequential(layers.Dense(6), layers.BatchNormalization(), layers.Dense(CLASSES))
    x = np.random.default_rng(1).normal(size=(BATCH * 2, INPUTS))
    good = Training(4, model=model, inputs=x[:BATCH], steps=1)
    x[BATCH + row] = np.nan
    bad = Training(4, model=model, inputs=x, steps=2)
    assert (bad.result.steps, bad.result.trouble) == (1, "the input")
    assert bad.parameters.tobytes() == good.parameters.tobytes()
    for name, values in good.network.state.items():
        assert bad.network.state[name].tobytes() == values.tobytes()


def test_memory_is_that_of_a_part() -> None:
    """The plan of the whole batch is never made."""

    def training_plans(micro_batch: int) -> dict[int, int]:
        plans = Training(micro_batch, steps=1).network.plans
        return {rows: size for mode, rows, size in plans if mode == "training"}

    parts, whole = training_plans(3), training_plans(0)
    assert sorted(parts) == [2, 3]
    assert sorted(whole) == [BATCH]
    assert sum(parts.values()) < 0.7 * whole[BATCH]


def test_wrong_numbers() -> None:
    with pytest.raises(InputError, match="at least 1") as caught:
        Training(-1)
    assert caught.value.key == "micro_batch"


def test_a_rule_that_evaluates_several_times_a_step() -> None:
    """On the same batch in every step, with its masks; a search along a line magnifies rounding."""
    x = np.tile(np.random.default_rng(1).normal(size=(BATCH, INPUTS)), (4, 1))
    rule = {"type": "lbfgs", "history": 4}
    whole, parts = (Training(micro, optimizer=rule, inputs=x, steps=4) for micro in (0, 3))
    assert whole.result.steps == parts.result.steps == 4
    assert np.abs(whole.parameters - whole.before).max() > 1e-3
    np.testing.assert_allclose(parts.parameters, whole.parameters, rtol=0, atol=1e-10)

"""Steps that a device makes by itself give the bits of those that wait for the host after each."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from reference.catalog import optimizers
from reference.network import build

from ravine import _core

INPUTS, CLASSES, BATCH, STEPS = 37, 10, 53, 23
LACKING = {"lbfgs", "newton", "newton_cg"}

pytestmark = pytest.mark.usefixtures("needs_device")


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("is about a device: give it with --device")


def layers(activation: Any = "tanh") -> list[dict[str, Any]]:
    return [
        {"type": "dense", "units": 131, "activation": activation},
        {"type": "dropout", "rate": 0.25},
        {"type": "dense", "units": 66, "activation": "relu"},
        {"type": "dense", "units": CLASSES},
    ]


def network(device: str, dtype: str = "float32", **settings: Any) -> Any:
    chosen = settings.pop("layers", None) or layers()
    loss = settings.pop("loss", "softmax_cross_entropy")
    alone = settings.pop("alone", True)
    options = {"batch_size": BATCH, "dtype": dtype, "seed": 4, "device": device} | settings
    return build(chosen, [INPUTS], loss, compute={"device_steps": alone}, **options)


def data(dtype: str, steps: int = STEPS, batch: int = BATCH) -> tuple[Any, Any]:
    generator = np.random.default_rng(5)
    x = generator.normal(size=(steps * batch, INPUTS)).astype(dtype)
    return x, generator.integers(0, CLASSES, len(x)).astype(np.int32)


def outcome(made: Any, optimizer: Any, result: Any, average: Any = None) -> dict[str, Any]:
    """All that a training leaves."""
    steps, rows = made.drain()
    return {
        "result": np.array([result.steps, result.loss, result.weight, result.correct, result.rows]),
        "trouble": np.array([result.trouble, result.trouble_layer]),
        "count": np.array([optimizer.step_count, made.step]),
        "recorded": np.array(steps),
        "rows": np.array(rows),
        "weights": made.flat_parameters.copy(),
        "state": np.concatenate([np.zeros(1), *[np.ravel(values) for values in made.state.values()]]),
        **{name: values.copy() for name, values in optimizer.slots.items()},
        **({} if average is None else {"average": average.flat_values.copy(), "taken": average.count}),
    }


def trained(alone: bool, device: str, dtype: str = "float32", rule: Any = "adam", **given: Any) -> Any:
    regularization = given.pop("regularization", {})
    train = dict(given.pop("train", {}))
    decay = given.pop("average", None)
    batch = train.pop("batch_size", BATCH)
    made = network(device, dtype, alone=alone, **given)
    optimizer = _core.Optimizer(rule, **regularization)
    x, y = data(dtype, STEPS, batch)
    average = None if decay is None else _core.WeightAverage(made, decay=decay)
    result = made.train(optimizer, x, y, batch_size=batch, average=average, **train)
    return outcome(made, optimizer, result, average)


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, values in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(values), err_msg=name)


def compare(device: str, dtype: str = "float32", **given: Any) -> dict[str, Any]:
    expected = trained(False, device, dtype, **given)
    found = trained(True, device, dtype, **given)
    assert_same(found, expected)
    assert expected["result"][0] > 0
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", [name for name in optimizers() if name not in LACKING])
def test_every_rule(device, dtype, rule):
    compare(device, dtype, rule=rule)


REGULARIZED = [
    {"clip_norm": 0.1},
    {"l2": 1e-2, "l1": 1e-3, "clip_norm": 0.1, "clip_layer_norm": 0.07},
    {"l2": 1e-2, "l2_form": "norm", "clip_layer_norm": 0.05},
    {"l1": 1e-3, "l1_form": "proximal", "clip_value": 1e-3, "max_norm": 0.7},
    {
        "clip_norm": 0.2,
        "max_norm": 0.9,
        "groups": [
            {"match": "dense_1.*", "learning_rate": 0.5, "l2": 1e-2},
            {"match": "dense_2.*", "freeze": True},
        ],
    },
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("regularization", REGULARIZED)
@pytest.mark.parametrize("rule", ["nesterov", "adam"])
def test_penalties_clipping_and_groups(device, dtype, rule, regularization):
    found = compare(device, dtype, rule=rule, regularization=regularization)
    plain = trained(True, device, dtype, rule=rule)
    assert not np.array_equal(found["weights"], plain["weights"])


@pytest.mark.parametrize("statistics", ["off", "norms"])
@pytest.mark.parametrize("record_every", [0, 1, 3])
def test_what_is_recorded(device, statistics, record_every):
    found = compare(device, train={"statistics": statistics, "record_every": record_every})
    assert len(found["recorded"]) == (STEPS // record_every if record_every else 0)


@pytest.mark.parametrize("micro_batch", [20, 26, 53])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_of_a_batch_weights_and_mixtures(device, dtype, micro_batch):
    generator = np.random.default_rng(8)
    weights = generator.uniform(size=STEPS * BATCH).astype(dtype)
    mixture = (
        generator.integers(0, CLASSES, STEPS * BATCH).astype(np.int32),
        generator.uniform(size=STEPS * BATCH).astype(dtype),
    )
    loss = {
        "type": "softmax_cross_entropy",
        "label_smoothing": 0.1,
        "class_weights": list(range(1, CLASSES + 1)),
    }
    train = {"micro_batch": micro_batch, "weights": weights, "mixture": mixture}
    compare(device, dtype, rule="momentum", loss=loss, train=train, regularization={"clip_norm": 0.5})
    compare(device, dtype, rule="nesterov", train={"micro_batch": micro_batch, "weights": weights})
    compare(device, dtype, train={"micro_batch": micro_batch})


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_other_batches(device, batch):
    compare(device, train={"batch_size": batch})


def test_averages(device):
    found = compare(device, "float64", average=0.9)
    assert found["taken"] == STEPS
    compare(device, "float32", average=0.0)


def test_schedules(device):
    steps = np.arange(STEPS)
    schedule = {
        "learning_rate": 0.01 / (1 + steps),
        "beta1": np.linspace(0.8, 0.95, STEPS),
        "l2": np.where(steps % 5 == 0, 1e-2, 0.0),
        "clip_norm": np.where(steps > 7, 0.1, 0.0),
        "max_norm": np.where(steps % 4 == 3, 0.8, 0.0),
    }
    found = compare(device, train={"schedule": schedule})
    assert not np.array_equal(found["weights"], trained(True, device)["weights"])


def test_as_the_processor(device):
    """The same training on the CPU, within rounding."""
    x, y = data("float64")
    ends = []
    for place in ("cpu", device):
        made = network(place, "float64")
        optimizer = _core.Optimizer("adam", clip_norm=0.2, l2=1e-3)
        result = made.train(optimizer, x, y, batch_size=BATCH, micro_batch=20)
        ends.append(outcome(made, optimizer, result))
    for name in ("result", "rows", "weights", "first_moment", "second_moment"):
        np.testing.assert_allclose(ends[1][name], ends[0][name], rtol=1e-8, atol=1e-10, err_msg=name)


def test_two_trainings_give_the_same_bits(device):
    assert_same(trained(True, device), trained(True, device))


BREAKS = {
    "input": lambda x, y, made: x.__setitem__(11 * BATCH + 5, np.inf),
    "late input": lambda x, y, made: x.__setitem__((STEPS - 1) * BATCH, np.nan),
    "first input": lambda x, y, made: x.__setitem__(0, np.nan),
    "weight": lambda x, y, made: made.parameters["dense_2.weight"].__setitem__((0, 0), np.nan),
    "large input": lambda x, y, made: x.__setitem__(slice(13 * BATCH, 14 * BATCH), 1e38),
}


@pytest.mark.parametrize("micro_batch", [0, 20])
@pytest.mark.parametrize("rule", ["adam", "nesterov"])
@pytest.mark.parametrize("case", list(BREAKS))
def test_what_is_not_finite(device, case, rule, micro_batch):
    """The same words, and everything as it was before the step; then training goes on."""
    ends = []
    for alone in (False, True):
        made = network(device, alone=alone, layers=layers("relu"))
        optimizer = _core.Optimizer(rule, clip_norm=3.0)
        x, y = data("float32")
        BREAKS[case](x, y, made)
        result = made.train(optimizer, x, y, batch_size=BATCH, micro_batch=micro_batch)
        end = outcome(made, optimizer, result)
        assert result.trouble
        x, y = data("float32", 3)
        result = made.train(optimizer, x, y, batch_size=BATCH)
        ends.append((end, outcome(made, optimizer, result)))
    assert_same(ends[1][0], ends[0][0])
    assert_same(ends[1][1], ends[0][1])


@pytest.mark.parametrize("rate", [1e30, 1e38, 3e38])
def test_weights_that_overflow(device, rate):
    """Found by the update; large weights that are still finite go on as far as they can."""
    ends = []
    for alone in (False, True):
        made = network(device, alone=alone, layers=layers("sigmoid"))
        optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": rate})
        result = made.train(optimizer, *data("float32"), batch_size=BATCH)
        ends.append(outcome(made, optimizer, result))
        assert result.trouble
    assert_same(ends[1], ends[0])


def test_a_trouble_in_the_middle_can_be_resumed(device):
    """The chunk without the bad rows gives the bits that it would have given at once."""
    x, y = data("float32")
    whole = network(device)
    optimizer = _core.Optimizer("adam")
    expected = whole.train(optimizer, x, y, batch_size=BATCH)
    made = network(device)
    again = _core.Optimizer("adam")
    broken = x.copy()
    broken[9 * BATCH] = np.nan
    result = made.train(again, broken, y, batch_size=BATCH)
    assert result.steps == 9
    rest = slice(9 * BATCH, None)
    made.train(
        again, x[rest], y[rest], batch_size=BATCH, loss_so_far=result.loss, weight_so_far=result.weight
    )
    assert expected.steps == STEPS
    np.testing.assert_array_equal(made.flat_parameters, whole.flat_parameters)
    np.testing.assert_array_equal(made.drain()[1], whole.drain()[1])


@pytest.mark.parametrize("split", [1, 5, 22])
def test_chunks_do_not_show(device, split):
    """Any cut into calls, with or without the loop between."""
    x, y = data("float32")
    whole = trained(True, device)
    for order in ((True, True), (False, True), (True, False)):
        parts = [network(device, alone=alone) for alone in order]
        optimizers_ = [_core.Optimizer("adam") for _ in order]
        result = parts[0].train(optimizers_[0], x[: split * BATCH], y[: split * BATCH], batch_size=BATCH)
        parts[1].flat_parameters[...] = parts[0].flat_parameters
        optimizers_[1].attach(parts[1])
        for name, values in optimizers_[0].slots.items():
            optimizers_[1].slots[name][...] = values
        optimizers_[1].step_count, parts[1].step = optimizers_[0].step_count, parts[0].step
        rest = slice(split * BATCH, None)
        so_far = {"loss_so_far": result.loss, "weight_so_far": result.weight}
        last = parts[1].train(optimizers_[1], x[rest], y[rest], batch_size=BATCH, **so_far)
        np.testing.assert_array_equal(parts[1].flat_parameters, whole["weights"])
        assert last.loss == whole["result"][1]


def test_a_time_budget(device):
    """Ends early, at the end of a step, and goes on as if nothing had been."""
    x, y = data("float32", 60)
    whole = network(device)
    whole.train(_core.Optimizer("adam"), x, y, batch_size=BATCH)
    made = network(device)
    optimizer = _core.Optimizer("adam")
    made.train(optimizer, x[:BATCH], y[:BATCH], batch_size=BATCH)
    done, calls = 1, 0
    while done < 60:
        start = time.perf_counter()
        rest = slice(done * BATCH, None)
        result = made.train(optimizer, x[rest], y[rest], batch_size=BATCH, budget_seconds=0.01)
        assert result.steps >= 1
        if result.steps < 60 - done:
            assert time.perf_counter() - start >= 0.01
        done += result.steps
        calls += 1
    assert calls > 1
    np.testing.assert_array_equal(made.flat_parameters, whole.flat_parameters)


def test_an_epoch_with_a_smaller_last_batch(device):
    """Plans and graphs of several sizes take turns."""
    ends = []
    for alone in (False, True):
        made = network(device, alone=alone)
        optimizer = _core.Optimizer("adam", clip_norm=1.0)
        average = _core.WeightAverage(made, decay=0.5)
        for size in (BATCH, 11, BATCH, 3, 5, 7, BATCH):
            x, y = data("float32", 4, size)
            result = made.train(optimizer, x, y, batch_size=size, average=average)
            made.forward(x[:size], training=True)
            made.evaluate(x, y)
        ends.append(outcome(made, optimizer, result, average))
    assert_same(ends[1], ends[0])


def test_optimizers_and_averages_that_come_and_go(device):
    ends = []
    for alone in (False, True):
        made = network(device, alone=alone)
        for turn in range(4):
            optimizer = _core.Optimizer("momentum" if turn % 2 else "adam")
            average = _core.WeightAverage(made, decay=0.3) if turn != 2 else None
            result = made.train(optimizer, *data("float32", 5), batch_size=BATCH, average=average)
        ends.append(outcome(made, optimizer, result, average))
    assert_same(ends[1], ends[0])


@pytest.mark.parametrize("every", [1, 4])
def test_steps_with_distributions_are_made_by_the_loop(device, every):
    """Between them the device goes on by itself."""
    compare(device, train={"statistics": "full", "full_every": every})


def test_more_rows_than_a_group_holds(device):
    """Groups that fill their memory: 32 MiB of rows are some 4 steps here."""
    wide = [{"type": "dense", "units": 3}]
    x = np.random.default_rng(1).normal(size=(24, 1 << 20)).astype("float32")
    y = np.zeros((24, 3), "float32")
    ends = []
    for alone in (False, True):
        made = build(
            wide, [1 << 20], "squared_error", batch_size=2, dtype="float32", device=device, seed=1,
            compute={"device_steps": alone},
        )  # fmt: skip
        optimizer = _core.Optimizer({"type": "gradient_descent", "learning_rate": 1e-9})
        for _ in range(2):  # the second knows how long a step takes
            result = made.train(optimizer, x, y, batch_size=2)
        ends.append(outcome(made, optimizer, result))
    assert_same(ends[1], ends[0])

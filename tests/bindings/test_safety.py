"""What Python can do to the core without harming it: lifetimes, sizes, processes, wrong order of calls."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import numpy as np
import pytest

from ravine import Sequential, _core, custom_optimizer
from ravine.errors import DeviceError, InputError


def network(*units: int, inputs: int = 6, threads: int = 1, **options: Any) -> _core.Network:
    layers = [{"type": "dense", "units": count, "activation": "tanh"} for count in units[:-1]]
    model = Sequential(*layers, {"type": "dense", "units": units[-1]})
    return model.network([inputs], loss="softmax_cross_entropy", batch_size=8, threads=threads, **options)


def batch(rows: int = 8, inputs: int = 6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    return random.standard_normal((rows, inputs)).astype(np.float32), random.integers(0, 3, rows).astype(
        np.int32
    )


def test_views_of_state_outlive_their_optimizer() -> None:
    optimizer = _core.Optimizer("momentum")
    optimizer.attach(network(5, 3))
    velocity = optimizer.slots["velocity"]
    velocity[:] = 7
    optimizer.attach(network(300, 3))
    del optimizer
    gc.collect()
    np.testing.assert_array_equal(velocity, 7)


def test_views_of_parameters_outlive_their_network() -> None:
    views = network(50, 3).parameters
    gc.collect()
    assert all(np.isfinite(values).all() for values in views.values())


def test_look_ahead_point_outlives_its_optimizer() -> None:
    own = network(50, 3)
    optimizer = _core.Optimizer("nesterov")
    optimizer.look_ahead(own)
    expected = own.forward(batch()[0], training=True)
    del optimizer
    own.__dict__.clear()
    gc.collect()
    np.testing.assert_array_equal(own.forward(batch()[0], training=True), expected)


def test_arrays_kept_by_a_rule_outlive_the_network() -> None:
    kept: list[np.ndarray] = []

    def rule(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        kept.append(parameters)

    own = network(50, 3)
    expected = own.flat_parameters.copy()
    own.train(custom_optimizer(rule, learning_rate=0.1), *batch(), batch_size=8)
    del own
    gc.collect()
    np.testing.assert_array_equal(kept[0], expected)


def test_a_rule_cannot_call_its_network() -> None:
    own = network(5, 3)

    def rule(*_: Any) -> None:
        own.evaluate(*batch())

    with pytest.raises(InputError, match="middle of a step"):
        own.train(custom_optimizer(rule, learning_rate=0.1), *batch(), batch_size=8)
    assert own.evaluate(*batch())["loss"] > 0


@pytest.mark.parametrize(("units", "inputs"), [(2**20, 2**42), (2**20, 2**30), (2, 2**44)])
def test_sizes_beyond_memory_are_refused(units: int, inputs: int) -> None:
    with pytest.raises((InputError, DeviceError)):
        network(units, 2, inputs=inputs)


def test_batches_beyond_memory_are_refused() -> None:
    with pytest.raises((InputError, DeviceError)):
        network(5, 3).describe(batch_size=2**60)


def test_endless_tables_are_refused() -> None:
    table: dict[str, Any] = {"type": "dense"}
    table["units"] = table
    with pytest.raises(InputError, match="nested"):
        Sequential(table)


def test_two_backward_passes_need_two_forward_passes() -> None:
    own = network(5, 3)
    inputs, labels = batch()
    own.forward(inputs, training=True)
    own.loss(labels)
    own.backward()
    with pytest.raises(InputError, match="forward"):
        own.backward()


def test_training_output_cannot_be_changed_under_the_loss() -> None:
    output = network(5, 3).forward(batch()[0], training=True)
    with pytest.raises(ValueError, match="read-only"):
        output -= 1


def test_the_ring_keeps_the_latest_steps() -> None:
    own = network(5, 3)
    optimizer = _core.Optimizer("gradient_descent")
    inputs, labels = batch(8 * 700)
    for _ in range(2):
        assert own.train(optimizer, inputs, labels, batch_size=8).steps == 700
    steps, values = own.drain()
    np.testing.assert_array_equal(steps, np.arange(1400 - 1024 + 1, 1401))
    assert np.isfinite(values).all()
    assert len(own.drain()[0]) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("beta1", 5.0), ("learning_rate", float("nan")), ("learning_rate", -1.0), ("l2", -1.0)],
)
def test_numbers_are_checked_when_they_are_set_and_scheduled(name: str, value: float) -> None:
    optimizer = _core.Optimizer("adam")
    with pytest.raises(InputError, match=name):
        optimizer.set(name, value)
    with pytest.raises(InputError, match=name):
        network(5, 3).train(optimizer, *batch(), batch_size=8, schedule={name: np.array([value])})


def test_step_count_is_not_negative() -> None:
    with pytest.raises(InputError, match="step_count"):
        _core.Optimizer("adam").step_count = -1


def test_unaligned_arrays_are_refused() -> None:
    inputs, _ = batch()
    raw = np.empty(inputs.nbytes + 1, np.uint8)
    crooked = raw[1:].view(np.float32).reshape(inputs.shape)
    with pytest.raises(InputError, match="aligned"):
        network(5, 3).forward(crooked)


def test_separate_layers_are_each_measured() -> None:
    model = Sequential({"type": "dense", "units": 5}, "tanh", {"type": "dense", "units": 3})
    own = model.network([6], loss="softmax_cross_entropy", batch_size=8, dtype="float64", threads=1)
    inputs, labels = batch()
    inputs = inputs.astype(np.float64)
    first = inputs @ own.parameters["dense_1.weight"].T
    own.train(_core.Optimizer("gradient_descent"), inputs, labels, batch_size=8)
    row = dict(zip(own.columns, own.drain()[1][0], strict=True))
    for layer, values in (("dense_1", first), ("activation_1", np.tanh(first))):
        assert row[f"{layer}.activation_mean"] == pytest.approx(values.mean(), rel=1e-5)
        assert row[f"{layer}.activation_variance"] == pytest.approx(values.var(), rel=1e-5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes_the_same() -> None:
    own = network(200, 200, 3, inputs=200, threads=2)
    inputs = np.random.default_rng(0).standard_normal((512, 200)).astype(np.float32)
    expected = own.predict(inputs)
    child = os.fork()
    if child == 0:
        same = np.array_equal(own.predict(inputs), expected)
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sys.stdout.flush()

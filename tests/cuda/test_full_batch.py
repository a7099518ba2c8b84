"""Rules that compute on the host while the network is on a device: full-batch rules, and rules in Python."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import numpy as np
import pytest
from reference.catalog import optimizers
from reference.network import build, randomize

from ravine import _core

ROWS, INPUTS, CLASSES, STEPS = 60, 7, 4, 6
TWO = [{"type": "dense", "units": 9, "activation": "tanh"}, {"type": "dense", "units": CLASSES}]
MASKED = [TWO[0], {"type": "dropout", "rate": 0.2}, TWO[1]]

pytestmark = pytest.mark.usefixtures("needs_device")


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("compares a device with the CPU: give it with --device")


def problem(place: str, dtype: str, layers: list[Any]) -> tuple[Any, Any, Any]:
    network = build(
        layers, [INPUTS], "softmax_cross_entropy", batch_size=ROWS, dtype=dtype, seed=4, device=place
    )
    generator = np.random.default_rng(6)
    randomize(network, generator)
    x = generator.normal(size=(ROWS, INPUTS)).astype(dtype)
    y = generator.integers(0, CLASSES, ROWS).astype(np.int32)
    return network, np.concatenate([x] * STEPS), np.concatenate([y] * STEPS)


def trained(
    place: str, rule: Any, dtype: str = "float64", layers: Any = MASKED, train: Any = (), **given: Any
) -> Any:
    """The state after a few steps, recorded rows included."""
    network, x, y = problem(place, dtype, layers)
    optimizer = _core.Optimizer(rule, **given)
    result = network.train(optimizer, x, y, batch_size=ROWS, **dict(train))
    assert (result.steps, result.trouble) == (STEPS, "")
    _, rows = network.drain()
    return {
        "parameters": network.flat_parameters.copy(),
        "rows": rows,
        "evaluations": np.array([optimizer.evaluations]),
        **{name: values.copy() for name, values in optimizer.slots.items()},
    }


def compare(found: Any, expected: Any, tolerance: float) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance, err_msg=name)


RULES: list[dict[str, Any]] = [
    *({"type": name} for name in optimizers(closure=True) if name != "newton"),
    {"type": "newton", "damping": 3.0},
    {"type": "newton", "form": "diagonal", "damping": 3.0},
    {"type": "lbfgs", "line_search": "none", "learning_rate": 0.1},
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join(map(str, rule.values())))
def test_full_batch_rules(device, rule):
    compare(trained(device, rule), trained("cpu", rule), 1e-7)


def test_with_penalties_a_frozen_layer_parts_and_float32(device):
    cases: list[tuple[dict[str, Any], float]] = [
        ({"l2": 0.03, "l1": 0.002, "groups": [{"match": "dense_1.*", "freeze": True}]}, 1e-8),
        ({"l2": 0.03, "l2_form": "norm", "train": {"micro_batch": 17}}, 1e-8),
        ({"dtype": "float32", "layers": TWO}, 1e-3),  # a line search takes a few roundings further
    ]
    for settings, tolerance in cases:
        found, expected = (trained(place, "lbfgs", **settings) for place in (device, "cpu"))
        compare(found, expected, tolerance)


def test_the_same_bits_run_to_run(device):
    for rule in RULES:
        first, second = trained(device, rule), trained(device, rule)
        assert all(first[name].tobytes() == second[name].tobytes() for name in first), rule


def test_the_samples_go_to_the_device_once_a_step(device):
    """However many gradients the rule asks for: what they are taken at goes there, and they come back."""
    library = os.environ.get("RAVINE_CUDA_LIBRARY", "")
    if "twin" not in library:
        pytest.skip("only the twin counts what is copied")
    crossed = ctypes.CDLL(library).ravine_cuda_twin_crossed
    crossed.restype = ctypes.c_size_t
    network = build(TWO, [INPUTS], "softmax_cross_entropy", batch_size=1000, device=device, seed=4)
    generator = np.random.default_rng(6)
    x = generator.normal(size=(1000, INPUTS))
    y = generator.integers(0, CLASSES, 1000).astype(np.int32)
    optimizer = _core.Optimizer({"type": "newton", "form": "diagonal", "damping": 3.0})
    optimizer.attach(network)
    network.describe("training")
    before = crossed()
    network.train(optimizer, x, y, batch_size=1000)
    weights = network.flat_parameters.nbytes
    assert optimizer.evaluations > 100
    assert crossed() - before < 1.1 * (x.nbytes + y.nbytes) + (optimizer.evaluations + 2) * 3 * weights


def momentum(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
    state["velocity"] *= settings["momentum"]
    state["velocity"] += gradients
    parameters -= settings["learning_rate"] * state["velocity"]


def custom(function: Any, **settings: Any) -> Any:
    return _core.custom_rule(
        function, slots=["velocity"], settings={"learning_rate": 0.05, "momentum": 0.9}, **settings
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_rule_in_python(device, dtype):
    penalties = {"l2": 0.01, "l1": 0.001, "clip_norm": 0.3, "max_norm": 0.9}
    ends = []
    for place in ("cpu", device):
        network, x, y = problem(place, dtype, MASKED)
        optimizer = custom(momentum, **penalties)
        assert network.train(optimizer, x, y, batch_size=ROWS).steps == STEPS
        _, rows = network.drain()
        ends.append((rows, network.flat_parameters.copy(), optimizer.slots["velocity"].copy()))
    tolerance = {"float32": 2e-5, "float64": 1e-10}[dtype]
    for found, expected in zip(ends[1], ends[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_what_a_rule_in_python_keeps_and_sees(device):
    """Arrays that it keeps outlive the step; its slots can be set; an error ends the step and is raised."""
    network, x, y = problem(device, "float64", TWO)
    kept: list[Any] = []

    def keep(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        kept[:] = [parameters, gradients, state["velocity"].copy()]
        parameters -= 0.5 * gradients
        state["velocity"][...] = step

    optimizer = custom(keep)
    optimizer.attach(network)
    optimizer.slots["velocity"][...] = 7.0
    network.train(optimizer, x[:ROWS], y[:ROWS], batch_size=ROWS)
    np.testing.assert_array_equal(kept[2], 7.0)
    np.testing.assert_array_equal(optimizer.slots["velocity"], 1.0)
    np.testing.assert_array_equal(kept[0], network.flat_parameters)
    np.testing.assert_array_equal(kept[1], network.flat_gradients)
    del network, optimizer
    assert np.isfinite(kept[0]).all()

    def fail(parameters: Any, gradients: Any, state: Any, settings: Any, step: int) -> None:
        raise ArithmeticError("not today")

    network, x, y = problem(device, "float64", TWO)
    before = network.flat_parameters.copy()
    optimizer = custom(fail)
    with pytest.raises(ArithmeticError, match="not today"):
        network.train(optimizer, x, y, batch_size=ROWS)
    assert optimizer.step_count == 0
    np.testing.assert_array_equal(network.flat_parameters, before)


def test_by_hand(device):
    ends = []
    for place in ("cpu", device):
        network, x, y = problem(place, "float64", MASKED)
        optimizer = custom(momentum, clip_norm=0.2)
        for _ in range(3):
            network.forward(x[:ROWS], training=True)
            network.loss(y[:ROWS])
            network.backward()
            optimizer.step(network)
        ends.append(network.flat_parameters.copy())
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-10, atol=1e-12)

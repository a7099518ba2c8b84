"""Muon on a device: orthogonalization by products, against NumPy, and whole trainings against the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.catalog import reference
from reference.network import build

from ravine import _core

pytestmark = pytest.mark.usefixtures("needs_device")

ORTHOGONALIZED = reference("optimizer", "muon").orthogonalized
# Wide, tall and square; one row, one column; small products, and those of a library.
SHAPES = [(1, 1), (1, 40), (40, 1), (16, 16), (33, 33), (64, 48), (100, 213), (230, 70), (141, 140)]
PLAIN = {"type": "muon", "learning_rate": 1.0, "momentum": 0.0}


def dense_step(gradient: np.ndarray, rule: Any = PLAIN, dtype: str = "float64") -> np.ndarray:
    rows, columns = gradient.shape
    layers = [{"type": "dense", "units": rows, "use_bias": False}]
    network = build(layers, [columns], batch_size=2, dtype=dtype)
    network.flat_gradients[...] = gradient.ravel()
    optimizer = _core.Optimizer(rule)
    for _ in range(2):  # the second time over used memory
        network.flat_parameters[...] = 0.0
        optimizer.step(network)
    return network.parameters["dense_1.weight"].copy()


@pytest.mark.parametrize("shape", SHAPES)
def test_matrices_of_many_shapes(shape: tuple[int, int]) -> None:
    gradient = np.random.default_rng(3).normal(size=shape)
    size = max(1.0, shape[0] / shape[1]) ** 0.5
    expected = -size * ORTHOGONALIZED(gradient)
    found = dense_step(gradient)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * size)
    assert found.tobytes() == dense_step(gradient).tobytes()
    single = dense_step(gradient.astype(np.float32), dtype="float32")
    # Rounding, 6e-8 of a value, grows by at most 485 times.
    np.testing.assert_allclose(single, expected, rtol=0, atol=485 * 6e-8 * size)


@pytest.mark.parametrize("size", [1e-30, 1e25])
def test_gradients_of_extreme_size_in_float32(size: float) -> None:
    """Their squares lie beyond float32; the huge one gives the same step, the tiny one as good as none."""
    gradient = np.random.default_rng(7).normal(size=(8, 5))
    step = dense_step((gradient * size).astype(np.float32), dtype="float32")
    expected = -((8 / 5) ** 0.5) * ORTHOGONALIZED(gradient) if size > 1 else np.zeros(gradient.shape)
    np.testing.assert_allclose(step, expected, rtol=0, atol=1e-4)


def test_no_gradient_no_step() -> None:
    assert not dense_step(np.zeros((5, 3))).any()


LAYERS = [
    {"type": "dense", "units": 90, "activation": "tanh"},
    {"type": "dense", "units": 24, "weight_normalization": True},
    "batch_normalization",
    "relu",
    {"type": "dense", "units": 70, "activation": "gelu"},
    {"type": "dense", "units": 4},
]
RULES = [
    {},
    {"nesterov": False, "scaling": "match_rms_adamw", "weight_decay": 0.1},
    {"momentum": 0.5, "adamw_ratio": 0.3, "weight_decay": 0.02},
]
GIVEN = [
    {},
    {"l2": 1e-2, "l1": 1e-3, "clip_norm": 0.1},
    {"l1": 1e-3, "l1_form": "proximal", "max_norm": 0.7},
    {"l2": 1e-2, "l2_form": "norm", "clip_value": 1e-3},
    {
        "groups": [
            {"match": "dense_1.*", "learning_rate": 0.5, "weight_decay": 0.3},
            {"match": "dense_3.*", "freeze": True},
        ]
    },
]


def trained(device: str, dtype: str, rule: Any, given: Any, **train: Any) -> dict[str, Any]:
    network = build(LAYERS, [130], "softmax_cross_entropy", batch_size=40, dtype=dtype, device=device)
    generator = np.random.default_rng(5)
    x = generator.normal(size=(240, 130)).astype(dtype)
    y = generator.integers(0, 4, 240).astype(np.int32)
    optimizer = _core.Optimizer({"type": "muon", "learning_rate": 0.02, **rule}, **given)
    assert network.train(optimizer, x, y, batch_size=40, **train).steps == 6
    _, rows = network.drain()
    return {
        "weights": network.flat_parameters.copy(),
        "rows": rows,
        **{name: values.copy() for name, values in optimizer.slots.items()},
    }


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("rule", RULES)
def test_trainings(device: str, rule: Any, given: Any) -> None:
    """Weights, slots, and what is recorded of several steps."""
    expected, found = trained("cpu", "float64", rule, given), trained(device, "float64", rule, given)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-7, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("micro_batch", [0, 15])
def test_training_in_float32(device: str, micro_batch: int) -> None:
    expected = trained("cpu", "float32", {}, {}, micro_batch=micro_batch)
    found = trained(device, "float32", {}, {}, micro_batch=micro_batch)
    np.testing.assert_allclose(found["rows"][:2, 0], expected["rows"][:2, 0], rtol=1e-5)
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=0, atol=2e-3)


def test_the_same_bits_run_to_run(device: str) -> None:
    first, second = (trained(device, "float32", {}, {}) for _ in range(2))
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)

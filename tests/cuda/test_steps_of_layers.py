"""Steps that a device makes by itself with layers that keep something, images, and other number formats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.network import build

from ravine import _core

BATCH, STEPS, CLASSES = 12, 9, 4
IMAGE = (7, 6, 3)

pytestmark = pytest.mark.usefixtures("needs_device")


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("is about a device: give it with --device")


def block(width: int) -> list[Any]:
    return [
        {"type": "convolution", "units": width, "kernel": 3, "padding": "same", "use_bias": False},
        {"type": "batch_normalization", "momentum": 0.8},
        "relu",
    ]


IMAGES: list[Any] = [
    *block(5),
    {"type": "max_pooling", "size": 2},
    *block(8),
    {"type": "dropout", "rate": 0.2},
    "global_average_pooling",
    {"type": "dense", "units": CLASSES},
]
ROWS: list[Any] = [
    {"type": "dense", "units": 20, "weight_normalization": True},
    {"type": "batch_normalization"},
    "tanh",
    {"type": "dense", "units": 16, "activation": "relu"},
    {"type": "layer_normalization"},
    {"type": "dense", "units": CLASSES},
]
FORMS = {"rows": (ROWS, (15,)), "images": (IMAGES, IMAGE)}


def data(shape: tuple[int, ...], dtype: str, steps: int = STEPS) -> tuple[Any, Any]:
    generator = np.random.default_rng(9)
    x = generator.normal(size=(steps * BATCH, *shape)).astype("float64" if dtype == "float64" else "float32")
    return x, generator.integers(0, CLASSES, len(x)).astype(np.int32)


def end_of(made: Any, optimizer: Any, result: Any) -> dict[str, Any]:
    _, rows = made.drain()
    return {
        "result": [result.steps, result.loss, result.weight, result.correct, result.rows],
        "trouble": [result.trouble, result.trouble_layer],
        "rows": np.array(rows),
        "weights": made.flat_parameters.copy(),
        "state": np.concatenate([np.ravel(values) for values in made.state.values()]),
        **{name: values.copy() for name, values in optimizer.slots.items()},
    }


def compare(device: str, form: str, dtype: str, prepare: Any = None, **given: Any) -> dict[str, Any]:
    layers, shape = FORMS[form]
    compute = given.pop("compute", {})
    ends = []
    for alone in (False, True):
        made = build(
            layers,
            list(shape),
            "softmax_cross_entropy",
            batch_size=BATCH,
            dtype=dtype,
            seed=3,
            device=device,
            compute={"device_steps": alone} | compute,
        )
        optimizer = _core.Optimizer("adam", clip_norm=0.7)
        x, y = data(shape, dtype)
        if prepare is not None:
            prepare(x)
        result = made.train(optimizer, x, y, batch_size=BATCH, **given)
        first = end_of(made, optimizer, result)
        again = made.train(optimizer, *data(shape, dtype, 3), batch_size=BATCH, **given)
        ends.append((first, end_of(made, optimizer, again)))
    for found, expected in zip(ends[1], ends[0], strict=True):
        for name, values in expected.items():
            np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(values), err_msg=name)
    return dict(ends[1][0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("form", list(FORMS))
def test_what_layers_keep(device, form, dtype):
    assert compare(device, form, dtype)["result"][0] == STEPS


@pytest.mark.parametrize("micro_batch", [4, 5])
@pytest.mark.parametrize("form", list(FORMS))
def test_parts_of_a_batch(device, form, micro_batch):
    assert compare(device, form, "float32", micro_batch=micro_batch)["result"][0] == STEPS


@pytest.mark.parametrize("micro_batch", [0, 5])
@pytest.mark.parametrize("form", list(FORMS))
def test_a_step_that_is_given_up_keeps_nothing(device, form, micro_batch):
    """Neither averages of moments nor weights know of its rows."""

    def spoil(x: Any) -> None:
        x[4 * BATCH + BATCH - 1] = np.nan

    found = compare(device, form, "float32", spoil, micro_batch=micro_batch)
    assert found["result"][0] == 4
    assert found["trouble"] == ["the input", ""]
    assert np.all(np.isfinite(found["state"]))


@pytest.mark.parametrize(
    "compute", [{"checkpoint_every": 2}, {"share_memory": False}, {"fuse": False}], ids=str
)
def test_other_plans(device, compute):
    compare(device, "images", "float32", compute=compute)


def test_statistics_of_some_steps(device):
    compare(device, "images", "float32", record_every=4, statistics="norms")
    compare(device, "rows", "float64", record_every=2, statistics="off")

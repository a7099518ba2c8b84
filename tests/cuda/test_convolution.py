"""Convolutions of a device: results, gradients and measurements as the CPU's and PyTorch's, of any shape."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.bfloat16 import rounded
from reference.network import build, randomize

from ravine import Residual, Sequential, _core, layers

pytestmark = pytest.mark.usefixtures("needs_device")

CLOSE = {"float32": 2e-6, "float64": 1e-12}


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("compares a device with the CPU: give it with --device")


def convolution(units: int, kernel: int, **settings: Any) -> dict[str, Any]:
    return {"type": "convolution", "units": units, "kernel": kernel} | settings


# Of an image: its extents, and two convolutions, of which the second gives the first a gradient.
SHAPES = {
    "one channel": [(9, 7, 1), convolution(6, 5, pad=2), convolution(16, 5)],
    "lenet": [(14, 14, 6), convolution(16, 5, activation="tanh"), convolution(12, 5)],
    "resnet": [
        (16, 16, 16),
        convolution(16, 3, pad=1, activation="relu"),
        convolution(32, 3, pad=1, stride=2),
    ],
    "wide": [(5, 6, 40), convolution(72, 3, padding="same"), convolution(130, 1, activation="relu")],
    "points": [(4, 5, 33), convolution(65, 1, activation="silu"), convolution(7, 1, stride=2)],
    "even window": [(9, 12, 5), convolution(9, 4, padding="same"), convolution(10, 2, stride=3)],
    "oblong window": [
        (11, 8, 3),
        convolution(9, 2, kernel_width=5, pad=1, activation="sigmoid"),
        convolution(5, 4, kernel_width=1, stride=2),
    ],
    "gaps": [
        (13, 11, 4),
        convolution(8, 3, dilation=3, pad=3),
        convolution(8, 3, dilation=2, stride=2, pad=1),
    ],
    "gaps as wide as steps": [(13, 13, 3), convolution(8, 2, stride=2, dilation=2), convolution(4, 2)],
    "steps over places": [(13, 14, 3), convolution(8, 2, stride=3), convolution(4, 1, stride=2)],
    "groups": [
        (9, 9, 8),
        convolution(12, 3, groups=4, pad=1, activation="relu"),
        convolution(6, 3, groups=3, stride=2),
    ],
    "a group a channel": [(10, 9, 24), convolution(24, 3, groups=24, pad=1), convolution(48, 3, groups=24)],
    "alike groups of four": [(8, 8, 16), convolution(32, 3, groups=4, stride=2), convolution(8, 1, groups=2)],
    "a window of all": [(6, 5, 4), convolution(7, 6, kernel_width=5, activation="gelu"), convolution(3, 1)],
}
BATCH = 3


def network(name: str, device: str, dtype: str = "float64", batch: int = BATCH, **more: Any) -> Any:
    shape, *chosen = SHAPES[name]
    made = build(chosen, shape, batch_size=batch, dtype=dtype, device=device, **more)
    randomize(made, np.random.default_rng(7))
    return made


def results(name: str, device: str, dtype: str, batch: int = BATCH) -> dict[str, Any]:
    """Output and gradients for a gradient of the output that is drawn."""
    made = network(name, device, dtype, batch)
    generator = np.random.default_rng(8)
    x = generator.normal(size=(batch, *SHAPES[name][0])).astype(dtype)
    output = made.forward(x, training=True)
    made.backward(generator.normal(size=output.shape).astype(dtype))
    return {"output": output.copy()} | {key: values.copy() for key, values in made.gradients.items()}


def assert_close(found: dict[str, Any], expected: dict[str, Any], close: float) -> None:
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        scale = float(np.abs(values).max())
        np.testing.assert_allclose(found[key], values, rtol=0, atol=close * scale, err_msg=key)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHAPES)
def test_as_the_processor(device, name, dtype):
    # Of float32 the reference is float64: what is compared is the device's own rounding.
    assert_close(results(name, device, dtype), results(name, "cpu", "float64"), CLOSE[dtype])


def test_many_places(device):
    """More places than one part of a sum over them takes."""
    for dtype in ("float32", "float64"):
        found = results("resnet", device, dtype, batch=11)
        assert_close(found, results("resnet", "cpu", "float64", batch=11), CLOSE[dtype])


@pytest.mark.parametrize("name", [name for name in SHAPES if "even" not in name])
def test_as_pytorch(device, name):
    torch = pytest.importorskip("torch")
    made = network(name, device)
    generator = np.random.default_rng(8)
    x = generator.normal(size=(BATCH, *SHAPES[name][0]))
    output = made.forward(x, training=True)
    gradient = generator.normal(size=output.shape)
    made.backward(gradient)

    activations = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "silu": torch.nn.functional.silu,
        "gelu": torch.nn.functional.gelu,
    }
    parameters = {
        key: torch.tensor(values.copy(), requires_grad=True) for key, values in made.parameters.items()
    }
    value = torch.tensor(x).permute(0, 3, 1, 2)
    for number, layer in enumerate(SHAPES[name][1:], 1):
        pad = layer.get("pad", 0)
        if layer.get("padding") == "same":
            pad = layer["kernel"] // 2
        value = torch.nn.functional.conv2d(
            value,
            parameters[f"convolution_{number}.weight"].permute(0, 3, 1, 2),
            parameters[f"convolution_{number}.bias"],
            stride=layer.get("stride", 1),
            padding=pad,
            dilation=layer.get("dilation", 1),
            groups=layer.get("groups", 1),
        )
        value = activations.get(layer.get("activation"), lambda same: same)(value)
    value = value.permute(0, 2, 3, 1)
    value.backward(torch.tensor(gradient))
    expected = {"output": value.detach().numpy()}
    expected |= {key: parameter.grad.numpy() for key, parameter in parameters.items()}
    assert_close({"output": output} | dict(made.gradients), expected, 1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
@pytest.mark.parametrize("fuse", [True, False])
def test_gradients_that_meet(device, activation, fuse):
    """A shortcut adds its gradient to a convolution's, before the derivative of what comes before."""
    ends = []
    for place in ("cpu", device):
        spec = _core.NetworkSpec([7, 6, 5])
        spec.add(convolution(8, 3, pad=1, activation=activation))
        spec.add(convolution(8, 3, pad=1, activation=activation))
        spec.add(convolution(8, 3, pad=1))
        spec.add("add", inputs=["convolution_1", "convolution_3"])
        made = _core.Network(
            spec,
            "squared_error",
            batch_size=4,
            dtype="float64",
            device=place,
            threads=1,
            seed=1,
            compute={"fuse": fuse},
        )
        generator = np.random.default_rng(3)
        output = made.forward(generator.normal(size=(4, 7, 6, 5)), training=True)
        made.backward(generator.normal(size=output.shape))
        ends.append({"output": output} | {key: values.copy() for key, values in made.gradients.items()})
    assert_close(ends[1], ends[0], 1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_bfloat16_factors(device, name):
    """Factors are rounded to bfloat16, and sums are not: float64 of rounded factors is what comes out."""
    shape, layer, _ = SHAPES[name]
    layer = {key: value for key, value in layer.items() if key != "activation"}
    made = build([layer], shape, batch_size=BATCH, dtype="bfloat16", device=device)
    exact = build([layer], shape, batch_size=BATCH, dtype="float64", device="cpu")
    generator = np.random.default_rng(9)
    randomize(made, generator)
    for key, values in exact.parameters.items():
        values[...] = rounded(made.parameters[key]) if values.ndim > 1 else made.parameters[key]
    x = generator.normal(size=(BATCH, *shape)).astype(np.float32)
    ends = []
    for network, form in ((made, np.array), (exact, lambda values: rounded(values).astype(np.float64))):
        output = network.forward(form(x), training=True)
        gradient = np.random.default_rng(10).normal(size=output.shape).astype(np.float32)
        network.backward(form(gradient))
        ends.append({"output": output, "weight": network.gradients["convolution_1.weight"].copy()})
    assert_close(ends[0], ends[1], 1e-5)


def residual() -> Sequential:
    """Moments behind convolutions, sums behind their gradients, and shortcuts of both kinds."""

    def normalized(units: int, **chosen: Any) -> list[Any]:
        return [layers.Convolution(units, pad=1, use_bias=False, **chosen), layers.BatchNormalization()]

    shortcut = [layers.Convolution(12, kernel=1, stride=2, use_bias=False), layers.BatchNormalization()]
    return Sequential(
        *normalized(8), "relu", Residual(*normalized(8), "relu", *normalized(8)), "relu",
        Residual(*normalized(12, stride=2), "silu", *normalized(12), shortcut=shortcut), "relu",
        layers.MaxPooling(), layers.Convolution(6, groups=2, activation="gelu"),
        layers.GlobalAveragePooling(), layers.Dense(5),
    )  # fmt: skip


@pytest.mark.parametrize("compute", [{}, {"fuse_normalization": False}, {"fuse": False}])
def test_normalization_behind_convolutions(device, compute):
    ends = []
    for place, dtype in (("cpu", "float64"), (device, "float64"), (device, "float32")):
        made = residual().network(
            (13, 12, 3),
            loss="softmax_cross_entropy",
            batch_size=9,
            dtype=dtype,
            device=place,
            compute=compute,
            threads=1,
            seed=1,
        )
        generator = np.random.default_rng(11)
        x = generator.normal(size=(36, 13, 12, 3)).astype(dtype)
        y = generator.integers(0, 5, 36).astype(np.int32)
        made.train(_core.Optimizer("gradient_descent"), x, y, batch_size=9, statistics="norms")
        _, rows = made.drain()
        ends.append({"rows": rows, "weights": made.flat_parameters.copy(), "prediction": made.predict(x[:9])})
    for key, expected in ends[0].items():
        np.testing.assert_allclose(ends[1][key], expected, rtol=1e-6 if key == "rows" else 1e-9, atol=1e-9)
        np.testing.assert_allclose(ends[2][key], expected, rtol=2e-3, atol=2e-4)


LENET = [
    convolution(6, 5, pad=2, activation="tanh"),
    "max_pooling",
    convolution(16, 5, activation="relu"),
    {"type": "average_pooling"},
    "flatten",
    {"type": "dense", "units": 20, "activation": "tanh"},
    {"type": "dense", "units": 10},
]


def trained(device: str, dtype: str, statistics: str = "norms") -> dict[str, Any]:
    made = build(
        LENET,
        (16, 16, 1),
        "softmax_cross_entropy",
        batch_size=20,
        dtype=dtype,
        seed=3,
        device=device,
    )
    generator = np.random.default_rng(5)
    x = generator.normal(size=(200, 16, 16, 1)).astype(dtype)
    y = generator.integers(0, 10, 200).astype(np.int32)
    made.train(_core.Optimizer("adam"), x, y, batch_size=20, statistics=statistics)
    _, rows = made.drain()
    return {"rows": rows, "weights": made.flat_parameters.copy(), "prediction": made.predict(x[:20])}


@pytest.mark.parametrize("statistics", ["off", "norms"])
def test_training(device, statistics):
    """Losses of ten steps, and all that is recorded of them."""
    expected, found = (trained(place, "float32", statistics) for place in ("cpu", device))
    np.testing.assert_allclose(found["rows"][:, 0], expected["rows"][:, 0], rtol=1e-5)
    exact, same = (trained(place, "float64", statistics) for place in ("cpu", device))
    for key, values in exact.items():
        np.testing.assert_allclose(
            same[key], values, rtol=1e-6 if key == "rows" else 1e-8, atol=1e-9, err_msg=key
        )


BITS = """
import hashlib, sys
sys.path.insert(0, {tests!r})
sys.path.insert(0, {here!r})
import test_convolution as t
for name in t.SHAPES:
    for key, values in t.results(name, {device!r}, "float32").items():
        print(name, key, hashlib.sha256(values.tobytes()).hexdigest())
print(hashlib.sha256(t.trained({device!r}, "float32")["weights"].tobytes()).hexdigest())
"""


def test_the_same_bits_in_any_order(device):
    """Of blocks and threads, which the twin can turn round; a card runs them in the order it likes."""
    here = Path(__file__).resolve().parent
    code = BITS.format(tests=str(here.parent), here=str(here), device=device)
    ends = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"RAVINE_TWIN_ORDER": order},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for order in ("forwards", "reversed")
    ]
    assert len(ends[0].splitlines()) > len(SHAPES)
    assert ends[0] == ends[1]

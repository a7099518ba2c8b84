"""Pooling of a device: results, positions and gradients as the CPU's and PyTorch's, of any window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference.network import build

pytestmark = pytest.mark.usefixtures("needs_device")

CLOSE = {"float32": 1e-6, "float64": 1e-13}
WINDOWS: list[dict[str, Any]] = [
    {"size": 2},
    {"size": 3, "stride": 2, "pad": 1},
    {"size": 3, "stride": 1, "padding": "same"},
    {"size": 2, "stride": 3},
    {"size": 4, "stride": 3, "padding": "same"},
    {"size": 1, "stride": 2},
]
SHAPES = [(9, 11, 5), (6, 5, 16), (8, 8, 4)]
BATCH = 3


@pytest.fixture
def needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("compares a device with the CPU: give it with --device")


def results(
    kind: Any, window: dict[str, Any], shape: Any, device: str, dtype: str, activation: str = "identity"
) -> Any:
    """Output, and the gradient that arrives before the activation."""
    layers = [
        {"type": "convolution", "units": shape[2], "kernel": 1, "activation": activation},
        {"type": kind} | window,
    ]
    made = build(layers, shape, batch_size=BATCH, dtype=dtype, device=device)
    made.parameters["convolution_1.weight"][...] = np.eye(shape[2]).reshape(shape[2], 1, 1, shape[2])
    made.parameters["convolution_1.bias"][...] = 0.25
    generator = np.random.default_rng(6)
    # Few different values, so that some under a window are equal.
    x = generator.integers(-3, 4, size=(BATCH, *shape)).astype(dtype)
    output = made.forward(x, training=True)
    gradient = generator.normal(size=output.shape)
    made.backward(gradient.astype(dtype))
    return (
        x,
        gradient,
        [output, made.gradients["convolution_1.weight"].copy(), made.gradients["convolution_1.bias"].copy()],
    )


def assert_close(found: Any, expected: Any, close: float) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=close * max(1, np.abs(other).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("kind", ["max_pooling", "average_pooling"])
def test_as_the_processor(device, kind, window, dtype):
    for shape in SHAPES:
        for activation in ("identity", "relu", "tanh", "silu"):
            found, expected = (
                results(kind, window, shape, place, kept, activation)[2]
                for place, kept in ((device, dtype), ("cpu", "float64"))
            )
            assert_close(found, expected, CLOSE[dtype] * 10)


@pytest.mark.parametrize("window", [window for window in WINDOWS if "padding" not in window])
@pytest.mark.parametrize("kind", ["max_pooling", "average_pooling"])
def test_as_pytorch(device, kind, window):
    torch = pytest.importorskip("torch")
    size = window["size"]
    settings = {"stride": window.get("stride", window["size"]), "padding": window.get("pad", 0)}
    for shape in SHAPES:
        x, gradient, found = results(kind, window, shape, device, "float64")
        weight = torch.eye(shape[2], dtype=torch.float64, requires_grad=True)
        bias = torch.full((shape[2],), 0.25, dtype=torch.float64, requires_grad=True)
        images = (torch.tensor(x) @ weight.T + bias).permute(0, 3, 1, 2)
        if kind == "max_pooling":
            pooled = torch.nn.functional.max_pool2d(images, size, **settings)
        else:
            pooled = torch.nn.functional.avg_pool2d(images, size, count_include_pad=False, **settings)
        output = pooled.permute(0, 2, 3, 1)
        output.backward(torch.tensor(gradient))
        expected = [output.detach().numpy(), weight.grad.numpy().reshape(found[1].shape), bias.grad.numpy()]
        assert_close(found, expected, 1e-12)


@pytest.mark.parametrize("kind", ["global_average_pooling", "global_max_pooling"])
def test_windows_of_a_whole_image(device, kind):
    for shape in SHAPES:
        found, expected = (results(kind, {}, shape, place, "float64")[2] for place in (device, "cpu"))
        assert_close(found, expected, 1e-13)


def test_not_a_number_is_the_largest(device):
    x = np.zeros((1, 4, 4, 2))
    x[0, 1, 1, 0] = np.nan
    x[0, 2, 3, 1] = np.inf
    x[0, 0, 0, :] = -np.inf
    ends = []
    for place in ("cpu", device):
        made = build(["max_pooling"], (4, 4, 2), batch_size=1, device=place)
        ends.append(made.forward(x))
    np.testing.assert_array_equal(ends[1], ends[0])
    assert np.isnan(ends[1][0, 0, 0, 0])

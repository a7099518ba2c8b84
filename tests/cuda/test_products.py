"""Products of a device, by its library and by its own kernel, with all that is done on the way.

Odd sizes, and weights at places that no vector begins at; sums in float64 by NumPy are the truth.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference.catalog import names, reference, resolved
from reference.network import build, randomize

Array = np.ndarray[Any, Any]

# Rows, inputs, units, outputs: within a tile, over its edges, whole ones, and sums that a library takes.
SIZES = [
    (1, 1, 1, 1),
    (7, 5, 3, 2),
    (32, 64, 32, 10),
    (53, 37, 131, 11),
    (300, 17, 33, 1),
    (19, 600, 21, 530),
]
CLOSE = {"float32": 2e-6, "float64": 1e-14}
LIBRARY = {"own_products": False}


@pytest.fixture(autouse=True)
def _needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("needs a device: give it with --device")


def network(sizes: tuple[int, ...], activation: str, dtype: str, compute: dict[str, Any]) -> Any:
    rows, inputs, units, outputs = sizes
    layers = [
        {"type": "dense", "units": units, "activation": activation},
        {"type": "dense", "units": outputs, "activation": activation},
        {"type": "dense", "units": outputs},
    ]
    made = build(layers, [inputs], batch_size=rows, dtype=dtype, compute=compute)
    randomize(made, np.random.default_rng(2))
    return made


def run(made: Any, sizes: tuple[int, ...], dtype: str) -> tuple[Array, Array, Array, Array]:
    """Input, gradient of the output, output and gradients."""
    rows, inputs, _, outputs = sizes
    generator = np.random.default_rng(3)
    x, g = (generator.normal(size=(rows, n)).astype(dtype) for n in (inputs, outputs))
    output = made.forward(x, training=True)
    made.backward(g)
    return x, g, output.copy(), made.flat_gradients.copy()


def truth(made: Any, activation: str, x: Array, g: Array) -> tuple[Array, Array]:
    """Output and gradients, in float64."""
    rule, settings = reference("activation", activation), resolved("activation", activation, {})
    parameters = [values.astype(np.float64) for values in made.parameters.values()]
    weights, biases = parameters[::2], parameters[1::2]
    inputs, nets = [x.astype(np.float64)], []
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        nets.append(inputs[-1] @ weight.T + bias)
        inputs.append(rule.forward(nets[-1], settings) if i < 2 else nets[-1])
    gradient, gradients = g.astype(np.float64), []
    for i in (2, 1, 0):
        if i < 2:
            gradient = gradient * rule.derivative(nets[i], settings)
        gradients = [gradient.T @ inputs[i], gradient.sum(axis=0), *gradients]
        gradient = gradient @ weights[i]
    return inputs[-1], np.concatenate([values.ravel() for values in gradients])


def check(found: Array, expected: Array, close: float) -> None:
    assert np.abs(found - expected).max() <= close * max(np.abs(expected).max(), 1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compute", [{}, LIBRARY, {"fuse": False}, LIBRARY | {"fuse": False}], ids=str)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_size(sizes, compute, dtype):
    made = network(sizes, "tanh", dtype, compute)
    x, g, output, gradients = run(made, sizes, dtype)
    expected = truth(made, "tanh", x, g)
    terms = np.sqrt(max(sizes))
    check(output, expected[0], CLOSE[dtype] * terms)
    check(gradients, expected[1], CLOSE[dtype] * terms)


@pytest.mark.parametrize("activation", names("activation"))
@pytest.mark.parametrize("compute", [{}, LIBRARY], ids=str)
def test_every_activation(activation, compute):
    """Within products: f of what is added up, and of gradients the derivative."""
    sizes = (53, 37, 66, 11)
    made = network(sizes, activation, "float64", compute)
    x, g, output, gradients = run(made, sizes, "float64")
    expected = truth(made, activation, x, g)
    check(output, expected[0], 1e-12)
    check(gradients, expected[1], 1e-12)


def test_engines():
    """Small products are computed by one kernel of our own, unless that is switched off; others are not."""

    def engines(inputs: int, **compute: Any) -> set[str]:
        made = build(
            [{"type": "dense", "units": 30}], [inputs], batch_size=20, dtype="float32", compute=compute
        )
        rows = made.describe()["operations"]
        return {row["engine"] for row in rows if row["operation"].startswith("product")}

    assert engines(64) == {"own"}
    assert "own" not in engines(64, own_products=False)
    assert "own" not in engines(5000)


@pytest.mark.parametrize("compute", [{}, LIBRARY], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_gradients_of_biases_are_measured(compute, dtype):
    """Sums that a product computes on the way count in the norms as others do."""
    from ravine import _core

    layers = [{"type": "dense", "units": 36, "activation": "relu"}, {"type": "dense", "units": 12}]
    made = build(layers, [20], "squared_error", batch_size=300, dtype=dtype, compute=compute)
    randomize(made, np.random.default_rng(2))
    generator = np.random.default_rng(4)
    array = "float64" if dtype == "float64" else "float32"
    x, y = (generator.normal(size=(300, n)).astype(array) for n in (20, 12))
    made.forward(x, training=True)
    made.loss(y)
    made.backward()
    norms = {
        name: np.sqrt(
            sum(
                np.sum(made.gradients[f"{name}.{part}"].astype(np.float64) ** 2)
                for part in ("weight", "bias")
            )
        )
        for name in ("dense_1", "dense_2")
    }
    made.train(_core.Optimizer("gradient_descent"), x, y, batch_size=300)
    _, rows = made.drain()
    for name, norm in norms.items():
        found = rows[0, made.columns.index(f"{name}.gradient_norm")]
        assert found == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 3000])
@pytest.mark.parametrize("units", [1, 31, 33, 100])
def test_sums_of_many_rows(rows, units):
    """The gradient of a bias, added up in parts."""
    made = build([{"type": "dense", "units": units}], [600], batch_size=rows, dtype="float64")
    g = np.random.default_rng(5).normal(size=(rows, units))
    made.forward(np.zeros((rows, 600)), training=True)
    made.backward(g)
    np.testing.assert_allclose(made.gradients["dense_1.bias"], g.sum(axis=0), rtol=1e-12, atol=1e-12)


REVERSED = """
import sys
sys.path[:0] = [{tests!r}, {own!r}]
import test_products, test_formats
for dtype in ("float32", "float64", "bfloat16"):
    for compute in ({{}}, test_products.LIBRARY):
        for sizes in test_products.SIZES:
            made = test_products.network(sizes, "gelu", dtype, compute)
            array = "float64" if dtype == "float64" else "float32"
            _, _, output, gradients = test_products.run(made, sizes, array)
            print(dtype, compute, sizes, hash(output.tobytes()), hash(gradients.tobytes()))
print(test_formats.measured().tobytes().hex())
"""


def test_the_order_of_threads_changes_no_bit(device):
    """Of the twin, whose blocks and threads can be run backwards."""
    if "twin" not in os.environ.get("RAVINE_CUDA_LIBRARY", ""):
        pytest.skip("needs the twin")
    own = Path(__file__).resolve().parent
    code = REVERSED.format(tests=str(own.parent), own=str(own))
    environment = os.environ | {"RAVINE_TEST_DEVICE": device, "PYTHONHASHSEED": "0"}
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment | {"RAVINE_TWIN_ORDER": order},
            capture_output=True, text=True, timeout=300, check=True,
        ).stdout
        for order in ("", "reversed")
    ]  # fmt: skip
    assert len(printed[0].splitlines()) == 6 * len(SIZES) + 1
    assert printed[0] == printed[1]

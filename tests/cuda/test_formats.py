"""Number formats on a device: bfloat16 as the CPU has it, TF32 by choice, and elements taken in vectors."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from reference.bfloat16 import needs_bfloat16, rounded
from reference.network import build, randomize

from ravine import _core

Array = np.ndarray[Any, Any]
LIBRARY = {"own_products": False}
FORMS = [{}, LIBRARY, {"store_bfloat16": False}, LIBRARY | {"store_bfloat16": False}]


@pytest.fixture(autouse=True)
def _needs_device(device: str) -> None:
    if device == "cpu":
        pytest.skip("needs a device: give it with --device")


@pytest.mark.parametrize("compute", FORMS, ids=str)
@pytest.mark.parametrize("units", [64, 61])
def test_operands_are_rounded_to_the_nearest_ties_to_even(compute, units):
    """Multiplied by 1, so that nothing but the rounding is seen: bit for bit, small numbers too."""
    generator = np.random.default_rng(7)
    made = build(
        [{"type": "dense", "units": units}], [units], batch_size=300, dtype="bfloat16", compute=compute
    )
    made.parameters["dense_1.weight"][...] = np.eye(units)
    made.parameters["dense_1.bias"][...] = 0
    bits = generator.integers(0, 2**32, (300, units), dtype=np.uint64).astype(np.uint32)
    bits[100:200] = bits[100:200] & 0xFFFF0000 | 0x8000  # halfway between two
    x = bits.view(np.float32)
    x[~np.isfinite(x) | (np.abs(x) < 2e-38) | (np.abs(x) > 3e38)] = 1.0
    np.testing.assert_array_equal(made.forward(x), rounded(x))


@pytest.mark.parametrize("compute", FORMS, ids=str)
def test_not_a_number_stays_one(compute):
    """Even where the upper half of it alone is that of an infinity."""
    layers = [{"type": "dense", "units": 3, "use_bias": False}, "relu"]
    made = build(layers, [1], batch_size=4, dtype="bfloat16", compute=compute)
    made.parameters["dense_1.weight"][...] = 1
    x = np.array([[0x7F800001], [0xFF80FFFF], [0x7FC00000], [0x3F800000]], np.uint32).view(np.float32)
    np.testing.assert_array_equal(np.isnan(made.forward(x)), [[True] * 3] * 3 + [[False] * 3])


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "identity"])
@pytest.mark.parametrize("compute", FORMS, ids=str)
@pytest.mark.parametrize("sizes", [(50, 31, 151, 64), (7, 3, 5, 2), (64, 520, 66, 40)], ids=str)
def test_dense_layers_by_the_formula(sizes, compute, activation):
    """Hidden values and their gradients are rounded once where they are stored, and else only as factors."""
    from reference.catalog import reference, resolved

    rows, inputs, units, outputs = sizes
    generator = np.random.default_rng(3)
    layers = [
        {"type": "dense", "units": units, "activation": activation},
        {"type": "dense", "units": outputs},
    ]
    made = build(layers, [inputs], batch_size=rows, dtype="bfloat16", compute=compute)
    randomize(made, generator)
    x, g = (generator.normal(size=(rows, n)).astype(np.float32) for n in (inputs, outputs))
    first, bias, second, last = (values.astype(np.float64) for values in made.parameters.values())
    rule, settings = reference("activation", activation), resolved("activation", activation, {})
    stored = compute.get("store_bfloat16", True)
    kept = rounded if stored else np.asarray
    net = rounded(x) @ rounded(first).T + bias
    if activation == "gelu":  # whose derivative reads what came in
        net = kept(net)
    hidden = kept(rule.forward(net, settings))
    found = made.forward(x, training=True)
    made.backward(g)
    expected = rounded(hidden) @ rounded(second).T + last
    # A value that float32 sums bring over a tie is an ulp away; there are few.
    error = np.abs(found - expected)
    assert error.max() <= 2.0**-7 * np.abs(rounded(second)).max() * np.abs(hidden).max()
    assert np.mean(error) <= 2e-4 * np.abs(expected).max()
    gradient = kept(rounded(g) @ rounded(second) * rule.derivative(net, settings))
    scale = np.abs(gradient).max()
    for name, values in {
        "dense_1.bias": gradient.sum(axis=0),
        "dense_1.weight": rounded(gradient).T @ rounded(x),
        "dense_2.weight": rounded(g).T @ rounded(hidden),
        "dense_2.bias": g.sum(axis=0),
    }.items():
        largest = {"dense_1.bias": scale, "dense_1.weight": scale * np.abs(x).max()}.get(
            name, np.abs(g).max()
        )
        found = made.gradients[name]
        assert np.abs(found - values).max() <= 2.0**-7 * largest * 3, name
        assert np.mean(np.abs(found - values)) <= 1e-3 * np.abs(values).max(), name


def deep(device: str, compute: dict[str, Any], dtype: str = "bfloat16") -> Any:
    layers: list[Any] = [
        {"type": "dense", "units": 151, "activation": "relu"},
        {"type": "dropout", "rate": 0.4},
        {"type": "dense", "units": 90},
        "tanh",
        {"type": "dense", "units": 64, "activation": "gelu"},
        {"type": "dense", "units": 5},
    ]
    return build(
        layers,
        [31],
        "softmax_cross_entropy",
        batch_size=50,
        dtype=dtype,
        seed=3,
        device=device,
        compute=compute,
    )


def data() -> tuple[Array, Array]:
    generator = np.random.default_rng(1)
    return generator.normal(size=(500, 31)).astype(np.float32), generator.integers(0, 5, 500).astype(np.int32)


@needs_bfloat16
@pytest.mark.parametrize("compute", [*FORMS, {"fuse": False}, LIBRARY | {"fuse": False}], ids=str)
def test_trains_as_the_cpu_does(device, compute):
    """Ten steps of Adam: closer to the CPU's bfloat16 than that is to float32, and statistics too."""
    losses, rows, weights = {}, {}, {}
    x, y = data()
    for name, (place, dtype) in {
        "found": (device, "bfloat16"), "cpu": ("cpu", "bfloat16"), "exact": ("cpu", "float32")
    }.items():  # fmt: skip
        made = deep(place, compute, dtype)
        made.train(_core.Optimizer("adam"), x, y, batch_size=50)
        _, rows[name] = made.drain()
        losses[name] = rows[name][:, 0]
        weights[name] = made.flat_parameters.copy()
    difference = np.abs(losses["found"] - losses["cpu"]).max()
    assert difference < 0.5 * np.abs(losses["exact"] - losses["cpu"]).max()
    assert difference < 2e-3
    np.testing.assert_allclose(rows["found"], rows["cpu"], rtol=0.1, atol=0.03)
    apart = np.linalg.norm(weights["found"] - weights["cpu"])
    assert apart < np.linalg.norm(weights["exact"] - weights["cpu"])


@pytest.mark.parametrize("compute", FORMS, ids=str)
def test_weights_and_slots_stay_float32(device, compute):
    made = deep(device, compute)
    optimizer = _core.Optimizer("adam")
    x, y = data()
    made.train(optimizer, x, y, batch_size=50)
    for values in (made.flat_parameters, made.flat_gradients, *optimizer.slots.values()):
        assert values.dtype == np.float32
        bits = values.view(np.uint32) & 0xFFFF
        assert np.mean(bits != 0) > 0.5
    types = {row["type"] for row in made.describe("training", 50)["operations"]}
    assert ("bfloat16" in types) == compute.get("store_bfloat16", True)


@pytest.mark.parametrize("compute", FORMS, ids=str)
def test_weights_that_are_changed_between_passes_count(compute):
    """Rounded copies of them are made anew in each pass."""
    made = build([{"type": "dense", "units": 2, "activation": "identity"}, {"type": "dense", "units": 600}],
                 [1], batch_size=3, dtype="bfloat16", compute=compute)  # fmt: skip
    for values in made.parameters.values():
        values[...] = 0
    x, g = np.ones((3, 1), np.float32), np.ones((3, 600), np.float32)
    made.forward(x, training=True)
    made.parameters["dense_2.weight"][...] = 0.5
    made.backward(g)
    np.testing.assert_array_equal(made.gradients["dense_1.bias"], [900, 900])
    made.parameters["dense_2.weight"][...] = 0.25
    made.parameters["dense_1.bias"][...] = 1
    np.testing.assert_array_equal(made.forward(x), np.full((3, 600), 0.5))


def test_tf32_is_a_choice(device):
    """Off, products are those of float32; on, factors may lose bits, no more than TF32 takes."""
    generator = np.random.default_rng(9)
    x, weight = (generator.normal(size=shape).astype(np.float32) for shape in ((64, 700), (90, 700)))
    found = {}
    for chosen in (False, True):
        made = build([{"type": "dense", "units": 90}], [700], batch_size=64, dtype="float32",
                     compute=LIBRARY | {"tf32": chosen})  # fmt: skip
        made.parameters["dense_1.weight"][...] = weight
        made.parameters["dense_1.bias"][...] = 0
        found[chosen] = made.forward(x)
    expected = x.astype(np.float64) @ weight.T.astype(np.float64)
    scale = np.sqrt(700)
    assert np.abs(found[False] - expected).max() < 1e-5 * scale
    assert np.abs(found[True] - expected).max() < 2.0**-10 * 4 * scale
    assert np.abs(found[True] - expected).max() > 1e-4  # a card of capability 7.5 has none, and fails here
    exact = build(
        [{"type": "dense", "units": 90}], [700], batch_size=64, dtype="float64", compute={"tf32": True}
    )
    exact.parameters["dense_1.weight"][...] = weight
    exact.parameters["dense_1.bias"][...] = 0
    np.testing.assert_allclose(exact.forward(x.astype(np.float64)), expected, rtol=1e-11, atol=1e-11)


def measured(units: int = 1031, rows: int = 13, dtype: str = "float32") -> Array:
    layers: list[Any] = ["tanh", {"type": "dropout", "rate": 0.3}, {"type": "dense", "units": 3}]
    made = build(layers, [units], batch_size=rows, dtype=dtype)
    generator = np.random.default_rng(6)
    array = "float64" if dtype == "float64" else "float32"
    x, y = generator.normal(size=(rows, units)).astype(array), generator.normal(size=(rows, 3)).astype(array)
    made.train(_core.Optimizer({"type": "gradient_descent", "learning_rate": 0.0}), x, y, batch_size=rows)
    _, values = made.drain()
    names = [
        f"{layer}.activation_{what}"
        for layer in ("activation_1", "dropout_1")
        for what in ("mean", "variance", "zeros")
    ]
    return np.array([values[0, made.columns.index(name)] for name in names])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(
    ("units", "rows"), [(1, 1), (5, 1), (7, 9), (64, 64), (1031, 13), (4099, 5), (8192, 2)]
)
def test_statistics_of_any_number_of_elements(units, rows, dtype):
    """Packs, what does not fill one, and parts: of what NumPy says of the same values."""
    found = measured(units, rows, dtype)
    generator = np.random.default_rng(6)
    array = "float64" if dtype == "float64" else "float32"
    values = np.tanh(generator.normal(size=(rows, units)).astype(array).astype(np.float64))
    close = {"float32": 1e-5, "float64": 3e-7, "bfloat16": 5e-3}[dtype]
    assert found[0] == pytest.approx(values.mean(), rel=close, abs=close)
    assert found[1] == pytest.approx(values.var(), rel=close, abs=close)
    assert found[2] == 0
    if units * rows > 1000:
        assert found[5] == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("size", [1, 3, 8, 15, 16, 1027])
def test_loops_over_elements(size, dtype):
    """An activation, its derivative, and a sum of branches of any number of elements."""
    made = build(
        ["tanh", "add", {"type": "dense", "units": 1, "use_bias": False}], [size], batch_size=3, dtype=dtype
    )
    generator = np.random.default_rng(6)
    array = "float64" if dtype == "float64" else "float32"
    x = generator.normal(size=(3, size)).astype(array)
    made.parameters["dense_1.weight"][...] = np.linspace(-1, 1, size) if size > 1 else 1
    weight = made.parameters["dense_1.weight"].astype(np.float64)
    y = np.tanh(x.astype(np.float64))
    expected = (y + np.tanh(y)) @ weight.T
    close = {"float32": 1e-5, "float64": 1e-13, "bfloat16": 2e-2}[dtype] * max(1, np.sqrt(size))
    np.testing.assert_allclose(made.forward(x, training=True), expected, rtol=0, atol=close)


def test_what_the_processor_lacks_is_none_of_a_device(device, tmp_path):
    """A run is trained and evaluated in bfloat16 though the processor has no instructions for it."""
    environment = os.environ | {"RAVINE_SIMD": "avx2"}
    chosen = [
        "--set",
        "compute.dtype=bfloat16",
        "--set",
        "training.epochs=1",
        "--set",
        f"compute.device={device}",
    ]
    for arguments in (["train", "digits", *chosen], ["evaluate", "digits"]):
        done = subprocess.run(
            [sys.executable, "-m", "ravine", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "float32" not in done.stderr

"""Convolution and pooling against PyTorch, forward and every gradient, for random shapes and settings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.catalog import reference, resolved
from reference.network import build, randomize

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
torch.set_num_threads(1)

PADDING = st.one_of(st.just({"padding": "same"}), st.fixed_dictionaries({"pad": st.integers(0, 3)}))


@st.composite
def convolutions(draw):
    """Settings, and an input that the window fits."""
    groups = draw(st.integers(1, 3))
    layer = {
        "type": "convolution",
        "units": groups * draw(st.integers(1, 6)),
        "kernel": draw(st.integers(1, 4)),
        "kernel_width": draw(st.integers(0, 4)),
        "stride": draw(st.integers(1, 3)),
        "dilation": draw(st.integers(1, 3)),
        "groups": groups,
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(["identity", "tanh", "gelu"])),
        **draw(PADDING),
    }
    spans = [
        (size - 1) * layer["dilation"] + 1
        for size in (layer["kernel"], layer["kernel_width"] or layer["kernel"])
    ]
    least = [1 if "padding" in layer else max(1, span - 2 * layer["pad"]) for span in spans]
    shape = (*(low + draw(st.integers(0, 9)) for low in least), groups * draw(st.integers(1, 5)))
    return layer, shape


@st.composite
def poolings(draw):
    kind = draw(st.sampled_from(["max_pooling", "average_pooling"]))
    size = draw(st.integers(1, 4))
    layer = {"type": kind, "size": size, "stride": draw(st.integers(0, 4))}
    if draw(st.booleans()):
        layer["padding"] = "same"
        least = 1
    else:
        layer["pad"] = draw(st.integers(0, size - 1))
        least = max(1, size - 2 * layer["pad"])
    return layer, (*(least + draw(st.integers(0, 9)) for _ in range(2)), draw(st.integers(1, 20)))


def compare(layer, shape, rows, seed, dtype, tolerance):
    """The layer between two convolutions of one value, so that its input's gradient is seen too."""
    first = {"type": "convolution", "units": shape[-1], "kernel": 1, "activation": "sigmoid"}
    before = [{"type": "convolution", "units": 2, "kernel": 1}, first]
    network = build([*before, layer, "flatten"], (*shape[:-1], 2), dtype=dtype, threads=2, batch_size=rows)
    generator = np.random.default_rng(seed)
    randomize(network, generator)
    x = generator.normal(size=(rows, *network.input_shape)).astype(dtype)
    parameters = {
        key: torch.tensor(values.astype(np.float64), requires_grad=True)
        for key, values in network.parameters.items()
    }
    value = torch.tensor(x.astype(np.float64))
    for row, table in zip(network.layers, [*before, layer], strict=False):
        kind = table["type"]
        own = {k.split(".")[1]: v for k, v in parameters.items() if k.startswith(row["name"] + ".")}
        full = resolved("layer", kind, {k: v for k, v in table.items() if k != "type"})
        value = reference("layer", kind).torch_equivalent(torch, value, own, full)
    value = torch.flatten(value, 1)
    output = network.forward(x, training=True)
    np.testing.assert_allclose(output, value.detach().numpy(), rtol=tolerance, atol=tolerance)
    weights = generator.normal(size=output.shape).astype(dtype)
    network.backward(output_gradient=weights)
    (value * torch.tensor(weights.astype(np.float64))).sum().backward()
    for key, tensor in parameters.items():
        expected = tensor.grad.numpy()
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        np.testing.assert_allclose(network.gradients[key], expected, rtol=tolerance, atol=tolerance * scale)


@settings(max_examples=60)
@given(case=convolutions(), rows=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_convolution(case, rows, seed):
    compare(*case, rows, seed, "float64", 1e-10)


@settings(max_examples=60)
@given(case=poolings(), rows=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_pooling(case, rows, seed):
    compare(*case, rows, seed, "float64", 1e-10)


@settings(max_examples=40)
@given(case=convolutions(), rows=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_convolution_in_float32(case, rows, seed):
    """Another library computes these: oneDNN where it is built in."""
    compare(*case, rows, seed, "float32", 2e-4)


@settings(max_examples=25)
@given(
    kernel=st.sampled_from([3, 5]),
    pad=st.integers(0, 2),
    extents=st.tuples(st.integers(8, 21), st.integers(8, 21)),
    channels=st.sampled_from([16, 32]),
    units=st.sampled_from([16, 48]),
    rows=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolution_by_winograd(kernel, pad, extents, channels, units, rows, seed):
    """Channels that fill vectors and windows without strides have a method of their own in float32."""
    layer = {"type": "convolution", "units": units, "kernel": kernel, "pad": pad, "activation": "tanh"}
    compare(layer, (*extents, channels), rows, seed, "float32", 5e-4)


def test_gradient_of_equal_values():
    """Among equal largest values the first one gets the gradient, as in PyTorch."""
    x = np.random.default_rng(0).integers(0, 3, size=(4, 7, 6, 3)).astype(np.float64)
    for layer in ({"size": 2}, {"size": 3, "stride": 1}, {"size": 3, "stride": 2, "pad": 1}):
        full = resolved("layer", "max_pooling", layer)
        network = build(
            [
                {"type": "convolution", "units": 3, "kernel": 1, "groups": 3},
                {"type": "max_pooling", **layer},
                "flatten",
            ],
            x.shape[1:],
        )
        network.parameters["convolution_1.weight"][...] = 1.0
        network.parameters["convolution_1.bias"][...] = 0.0
        value = torch.tensor(x, requires_grad=True)
        pooled = torch.flatten(reference("layer", "max_pooling").torch_equivalent(torch, value, {}, full), 1)
        weights = np.random.default_rng(1).normal(size=pooled.shape)
        (pooled * torch.tensor(weights)).sum().backward()
        network.forward(x, training=True)
        network.backward(output_gradient=weights)
        expected = (value.grad.numpy() * x).sum(axis=(0, 1, 2))
        found = network.gradients["convolution_1.weight"].ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-12)

"""bfloat16 as PyTorch has it: the same rounding, and the same products under its autocast."""

from __future__ import annotations

import numpy as np
import pytest
from reference.bfloat16 import needs_bfloat16, rounded
from reference.network import build, randomize

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
torch.set_num_threads(1)


def test_rounding():
    """Any finite number, and those halfway between two."""
    bits = np.random.default_rng(1).integers(0, 2**32, 100_000, dtype=np.uint64).astype(np.uint32)
    bits[::2] = bits[::2] & 0xFFFF0000 | 0x8000
    x = bits.view(np.float32)
    x = x[np.abs(x) < 3.3e38]
    np.testing.assert_array_equal(rounded(x), torch.tensor(x).bfloat16().double().numpy())


@needs_bfloat16
def test_products_and_convolutions():
    """Operands in bfloat16, sums in float32: PyTorch's products of rounded operands, kept in float32."""
    generator = np.random.default_rng(2)
    layers = [
        {"type": "convolution", "units": 16, "kernel": 3, "padding": "same", "use_bias": False},
        "flatten",
        {"type": "dense", "units": 30, "use_bias": False},
    ]
    network = build(layers, (8, 8, 5), batch_size=20, dtype="bfloat16")
    randomize(network, generator)
    x = generator.normal(size=(20, 8, 8, 5)).astype(np.float32)
    first, second = (torch.tensor(values).bfloat16().float() for values in network.parameters.values())
    images = torch.tensor(x).bfloat16().float().permute(0, 3, 1, 2)
    between = torch.nn.functional.conv2d(images, first.permute(0, 3, 1, 2), padding=1).permute(0, 2, 3, 1)
    expected = between.reshape(20, -1).bfloat16().float() @ second.T
    found = network.forward(x)
    # Sums in another order may round to the other of two neighbours now and then.
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=2e-3)
    with torch.autocast("cpu", torch.bfloat16):
        cast = torch.nn.functional.linear(between.reshape(20, -1), second)
    np.testing.assert_allclose(found, cast.float().numpy(), rtol=2**-7, atol=0.02)

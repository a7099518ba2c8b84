"""Initial values beside PyTorch's `nn.init`, where it is installed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from reference.catalog import names, reference, resolved
from reference.network import build
from scipy import stats

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")

CASES = [(name, chosen) for name in names("initializer") for chosen in reference("initializer", name).CASES]


@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_initializer(name, chosen):
    """Many draws of both have the same moments and bounds, and no test of two samples tells them apart."""
    units, inputs = (600, 500) if name != "orthogonal" else (400, 250)
    layer = {"type": "dense", "units": units, "weight_initializer": {"type": name, **chosen}}
    ours = build([layer], [inputs], seed=8).parameters["dense_1.weight"]
    torch.manual_seed(8)
    tensor = torch.empty(units, inputs, dtype=torch.float64)
    full = resolved("initializer", name, chosen)
    tensor = reference("initializer", name).torch_equivalent(torch, tensor, full)
    if tensor is None:
        pytest.skip(f"PyTorch has no {name} of these settings")
    theirs = tensor.numpy()
    assert ours.shape == theirs.shape
    deviation = theirs.std()
    if deviation == 0.0:
        np.testing.assert_array_equal(ours, theirs)
        return
    errors = 4.5 * math.sqrt(2.0 / ours.size)
    assert abs(ours.mean() - theirs.mean()) < errors * deviation
    assert ours.std() == pytest.approx(deviation, rel=2.0 * errors)
    assert ours.min() == pytest.approx(theirs.min(), abs=deviation)
    assert ours.max() == pytest.approx(theirs.max(), abs=deviation)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).statistic < 1.95 * math.sqrt(2.0 / ours.size)


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "orthogonal"])
@pytest.mark.parametrize(
    ("activation", "theirs"),
    [
        ("identity", ("linear",)),
        ("sigmoid", ("sigmoid",)),
        ("tanh", ("tanh",)),
        ("relu", ("relu",)),
        ("selu", ("selu",)),
        ("leaky_relu", ("leaky_relu",)),
        ({"type": "leaky_relu", "slope": 0.3}, ("leaky_relu", 0.3)),
    ],
)
def test_gain_of_an_activation(name, activation, theirs):
    """The customary gain, and weights scaled by it."""
    gain = torch.nn.init.calculate_gain(*theirs)
    assert resolved("initializer", name, {"gain": activation})["gain"] == pytest.approx(gain, rel=1e-15)
    weights = [
        build(
            [{"type": "dense", "units": 5, "weight_initializer": {"type": name, "gain": each}}], [7], seed=3
        ).parameters["dense_1.weight"]
        for each in (1.0, activation)
    ]
    np.testing.assert_allclose(weights[1], gain * weights[0], rtol=1e-14)


@pytest.mark.parametrize(("units", "inputs"), [(40, 40), (20, 60), (60, 20)])
def test_orthogonal(units, inputs):
    """The same as PyTorch's decomposition of the same normal matrix, with the signs of `orthogonal_`."""
    network = build([{"type": "dense", "units": units, "weight_initializer": "orthogonal"}], [inputs], seed=5)
    network.initialize_parameter("dense_1.weight", {"type": "normal", "deviation": 1.0}, 5)
    normal = torch.tensor(network.parameters["dense_1.weight"])
    network.initialize_parameter("dense_1.weight", {"type": "orthogonal", "gain": 0.5}, 5)
    q, r = torch.linalg.qr(normal if units >= inputs else normal.T)
    q = q * torch.sign(torch.diagonal(r))
    expected = 0.5 * (q if units >= inputs else q.T)
    np.testing.assert_allclose(network.parameters["dense_1.weight"], expected.numpy(), rtol=0, atol=1e-12)

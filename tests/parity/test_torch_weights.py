"""Weighted losses as PyTorch has them: each sample's loss without reduction, weighed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.catalog import fitted, names, reference, resolved
from reference.network import build

from ravine import _core

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
torch.set_num_threads(1)

CASES = [(name, chosen) for name in names("loss") for chosen in reference("loss", name).CASES]


def weighted(name, chosen, output, y, weights):
    """sum w l / sum w c, c the weight of the label's class."""
    full = resolved("loss", name, chosen)
    each = reference("loss", name).torch_equivalent(torch, output, y, full, reduction="none")
    if each.ndim == 2:
        each = each.mean(dim=1)
    classes = full.get("class_weights")
    total = weights * torch.tensor(classes, dtype=torch.float64)[y.long()] if classes else weights
    return (weights * each).sum() / total.sum()


@pytest.mark.parametrize(("name", "chosen"), CASES)
@settings(max_examples=15)
@given(
    rows=st.integers(2, 40),
    outputs=st.integers(2, 30),
    scale=st.sampled_from([0.1, 1.0, 50.0]),
    seed=st.integers(0, 10**6),
)
def test_sample_weights(name, chosen, rows, outputs, scale, seed):
    chosen = fitted("loss", name, chosen, outputs)
    generator = np.random.default_rng(seed)
    network = build([{"type": "dense", "units": outputs}], [3], {"type": name, **chosen})
    x, weights = generator.normal(size=(rows, 3)) * scale, generator.uniform(0.0, 5.0, rows)
    y = reference("loss", name).targets(generator, rows, (outputs,))
    if chosen.get("class_weights"):
        y[0] = 0  # a class that counts
    output = torch.tensor(network.forward(x, training=True), requires_grad=True)
    loss = weighted(name, chosen, output, torch.tensor(y), torch.tensor(weights))
    loss.backward()
    assert network.loss(y, weights) == pytest.approx(loss.item(), rel=1e-10)
    network.backward()
    gradient = output.grad.numpy()
    np.testing.assert_allclose(network.gradients["dense_1.weight"], gradient.T @ x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "chosen", "outputs"),
    [
        ("softmax_cross_entropy", {"class_weights": [0.2, 1.0, 4.0], "label_smoothing": 0.1}, 3),
        ("binary_cross_entropy", {"positive_weight": [0.5, 6.0]}, 2),
    ],
)
def test_losses_of_training(name, chosen, outputs):
    """50 steps of momentum with weights of classes or answers, from the same weights."""
    generator = np.random.default_rng(7)
    x = generator.normal(size=(50 * 8, 5))
    y = reference("loss", name).targets(generator, len(x), (outputs,))
    network = build([{"type": "dense", "units": outputs}], [5], {"type": name, **chosen})
    linear = torch.nn.Linear(5, outputs, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(network.parameters["dense_1.weight"]))
        linear.bias.copy_(torch.tensor(network.parameters["dense_1.bias"]))
    network.train(
        _core.Optimizer({"type": "momentum", "learning_rate": 0.1, "momentum": 0.9}), x, y, batch_size=8
    )
    found = network.drain()[1][:, network.columns.index("loss")]
    optimizer = torch.optim.SGD(linear.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for begin in range(0, len(x), 8):
        optimizer.zero_grad()
        loss = reference("loss", name).torch_equivalent(
            torch,
            linear(torch.tensor(x[begin : begin + 8])),
            torch.tensor(y[begin : begin + 8]),
            resolved("loss", name, chosen),
        )
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_array_equal(found, np.float32(losses))
    np.testing.assert_allclose(
        network.parameters["dense_1.weight"], linear.weight.detach().numpy(), rtol=1e-10, atol=1e-10
    )

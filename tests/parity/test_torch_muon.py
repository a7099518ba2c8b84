"""PyTorch's Muon as it is, with its products in bfloat16: the same to the digits that these keep.

The comparison of whole trainings to the last digits is in test_torch.py, with PyTorch's rounding left out.
"""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import Perceptron, build, randomize

from ravine import _core

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")


@pytest.mark.parametrize("scaling", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (128, 128)])
def test_first_step(shape, scaling):
    generator = np.random.default_rng(1)
    gradient = generator.normal(size=shape)
    network = build([{"type": "dense", "units": shape[0], "use_bias": False}], [shape[1]])
    weight = torch.nn.Parameter(torch.tensor(network.parameters["dense_1.weight"].copy()))
    before = network.flat_parameters.copy().reshape(shape)
    network.gradients["dense_1.weight"][...] = gradient
    weight.grad = torch.tensor(gradient)
    _core.Optimizer({"type": "muon", "learning_rate": 0.02, "weight_decay": 0.1, "scaling": scaling}).step(
        network
    )
    torch.optim.Muon([weight], lr=0.02, weight_decay=0.1, adjust_lr_fn=scaling).step()
    ours = network.parameters["dense_1.weight"] - before
    theirs = weight.detach().numpy() - before
    distance = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    # bfloat16 keeps 8 bits: 1/256 a rounding.
    assert 1e-4 < distance < 0.02


def test_losses_of_training():
    model = Perceptron([20, 32, 24, 10], ["relu", "tanh", "identity"], "softmax_cross_entropy")
    network = model.build(batch_size=16)
    generator = np.random.default_rng(12)
    randomize(network, generator)
    layers = [
        torch.nn.Linear(a, b, dtype=torch.float64) for a, b in zip(model.sizes, model.sizes[1:], strict=False)
    ]
    with torch.no_grad():
        for number, layer in enumerate(layers, 1):
            layer.weight.copy_(torch.tensor(network.parameters[f"dense_{number}.weight"]))
            layer.bias.copy_(torch.tensor(network.parameters[f"dense_{number}.bias"]))
    peer = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.Tanh(), layers[2])
    rules = [
        torch.optim.Muon([layer.weight for layer in layers], lr=0.02, weight_decay=0.01),
        torch.optim.AdamW([layer.bias for layer in layers], lr=0.001, weight_decay=0.0),
    ]
    optimizer = _core.Optimizer({"type": "muon", "weight_decay": 0.01})
    x = generator.normal(size=(60 * 16, 20))
    y = (x @ generator.normal(size=(20, 10))).argmax(axis=1).astype(np.int32)
    losses = []
    for row in range(0, len(x), 16):
        batch = slice(row, row + 16)
        ours = network.train(optimizer, x[batch], y[batch], batch_size=16).loss / 16
        peer.zero_grad()
        loss = torch.nn.functional.cross_entropy(peer(torch.tensor(x[batch])), torch.tensor(y[batch]).long())
        loss.backward()
        for rule in rules:
            rule.step()
        losses.append((ours, loss.item()))
    found, expected = np.array(losses).T
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.03)
    assert expected[-10:].mean() < 0.6 * expected[:10].mean()

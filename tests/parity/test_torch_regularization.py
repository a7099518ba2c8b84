"""Clipping and groups of parameters, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import Perceptron, randomize

from ravine import _core

torch = pytest.importorskip("torch")

STEPS, BATCH = 50, 16


@pytest.mark.parametrize("form", ["clip_value", "clip_norm", "groups"])
@pytest.mark.parametrize("name", ["adam", "momentum"])
def test_training(name: str, form: str) -> None:
    model = Perceptron([20, 24, 10], ["tanh", "identity"], "softmax_cross_entropy")
    network = model.build(batch_size=BATCH)
    generator = np.random.default_rng(7)
    randomize(network, generator)
    layers = [torch.nn.Linear(a, b, dtype=torch.float64) for a, b in ((20, 24), (24, 10))]
    with torch.no_grad():
        for number, layer in enumerate(layers, 1):
            layer.weight.copy_(torch.tensor(network.parameters[f"dense_{number}.weight"]))
            layer.bias.copy_(torch.tensor(network.parameters[f"dense_{number}.bias"]))
    peer = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1])
    rate, factor = (0.01, 0.1) if form == "groups" else (0.01, 1.0)
    groups = [
        {"params": [layers[0].weight], "lr": rate * factor, "weight_decay": 0.3 if form == "groups" else 0.0},
        {"params": [layers[0].bias], "lr": rate * factor},
        {"params": list(layers[1].parameters())},
    ]
    if name == "adam":
        peer_optimizer = torch.optim.Adam(groups, lr=rate)
    else:
        peer_optimizer = torch.optim.SGD(groups, lr=rate, momentum=0.9)
    if form == "groups":
        layers[1].bias.requires_grad_(False)
        asked = {"groups": [
            {"match": "dense_1.*", "learning_rate": factor, "l2": 0.3},
            {"match": "dense_2.bias", "freeze": True},
        ]}  # fmt: skip
    else:
        asked = {form: {"clip_value": 0.02, "clip_norm": 0.3}[form]}
    optimizer = _core.Optimizer({"type": name, "learning_rate": rate}, **asked)
    x = generator.normal(size=(STEPS * BATCH, 20))
    y = generator.integers(0, 10, STEPS * BATCH).astype(np.int32)
    for row in range(0, len(x), BATCH):
        peer_optimizer.zero_grad()
        batch = slice(row, row + BATCH)
        torch.nn.functional.cross_entropy(
            peer(torch.tensor(x[batch])), torch.tensor(y[batch]).long()
        ).backward()
        if form == "clip_value":
            torch.nn.utils.clip_grad_value_(peer.parameters(), 0.02)
        elif form == "clip_norm":
            torch.nn.utils.clip_grad_norm_(peer.parameters(), 0.3)
        peer_optimizer.step()
    network.train(optimizer, x, y, batch_size=BATCH)
    # PyTorch divides by the norm plus 1e-6.
    tolerance = 1e-5 if form == "clip_norm" else 1e-11
    for number, layer in enumerate(layers, 1):
        for part in ("weight", "bias"):
            found = network.parameters[f"dense_{number}.{part}"]
            np.testing.assert_allclose(found, getattr(layer, part).detach().numpy(), rtol=0, atol=tolerance)


def test_weight_decay_of_groups() -> None:
    """AdamW's, with PyTorch's groups: biases apart, as they do not decay."""
    model = Perceptron([20, 24, 16, 10], ["tanh", "tanh", "identity"], "softmax_cross_entropy")
    network = model.build(batch_size=BATCH)
    generator = np.random.default_rng(8)
    randomize(network, generator)
    layers = [torch.nn.Linear(a, b, dtype=torch.float64) for a, b in ((20, 24), (24, 16), (16, 10))]
    for number, layer in enumerate(layers, 1):
        for part in ("weight", "bias"):
            getattr(layer, part).data.copy_(torch.tensor(network.parameters[f"dense_{number}.{part}"]))
    peer = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])
    settings = [(0.01, 1.5), (0.002, 0.0), (0.01, 0.2)]  # rate and decay of each layer
    groups = []
    for layer, (rate, decay) in zip(layers, settings, strict=True):
        groups += [
            {"params": [layer.weight], "lr": rate, "weight_decay": decay},
            {"params": [layer.bias], "lr": rate, "weight_decay": 0.0},
        ]
    peer_optimizer = torch.optim.AdamW(groups)
    optimizer = _core.Optimizer(
        {"type": "adamw", "learning_rate": 0.01, "weight_decay": 0.2},
        groups=[
            {"match": "dense_1.*", "weight_decay": 1.5},
            {"match": "dense_2.*", "weight_decay": 0.0, "learning_rate": 0.2},
        ],
    )
    x = generator.normal(size=(STEPS * BATCH, 20))
    y = generator.integers(0, 10, STEPS * BATCH).astype(np.int32)
    for row in range(0, len(x), BATCH):
        peer_optimizer.zero_grad()
        batch = slice(row, row + BATCH)
        torch.nn.functional.cross_entropy(
            peer(torch.tensor(x[batch])), torch.tensor(y[batch]).long()
        ).backward()
        peer_optimizer.step()
    network.train(optimizer, x, y, batch_size=BATCH)
    for number, layer in enumerate(layers, 1):
        for part in ("weight", "bias"):
            found = network.parameters[f"dense_{number}.{part}"]
            np.testing.assert_allclose(found, getattr(layer, part).detach().numpy(), rtol=0, atol=1e-10)

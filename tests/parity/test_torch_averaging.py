"""The moving average of the weights, against PyTorch's AveragedModel."""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import Perceptron, randomize

from ravine import _core

torch = pytest.importorskip("torch")

STEPS, BATCH = 60, 16


@pytest.mark.parametrize("decay", [0.5, 0.95, 0.999])
def test_average(decay: float) -> None:
    """PyTorch's begins with the weights of step 1: d^t of them above what ours, times 1 - d^t, holds."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    network = Perceptron([20, 24, 10], ["tanh", "identity"], "softmax_cross_entropy").build(batch_size=BATCH)
    generator = np.random.default_rng(7)
    randomize(network, generator)
    peer = torch.nn.Sequential(
        torch.nn.Linear(20, 24, dtype=torch.float64),
        torch.nn.Tanh(),
        torch.nn.Linear(24, 10, dtype=torch.float64),
    )
    names = ["dense_1.weight", "dense_1.bias", "dense_2.weight", "dense_2.bias"]
    with torch.no_grad():
        for name, parameter in zip(names, peer.parameters(), strict=True):
            parameter.copy_(torch.tensor(network.parameters[name]))
    averaged = AveragedModel(peer, multi_avg_fn=get_ema_multi_avg_fn(decay))
    peer_optimizer = torch.optim.SGD(peer.parameters(), lr=0.3, momentum=0.9)
    optimizer = _core.Optimizer({"type": "momentum", "learning_rate": 0.3, "momentum": 0.9})
    average = _core.WeightAverage(network, decay=decay)
    first = None
    x = generator.normal(size=(STEPS * BATCH, 20))
    y = generator.integers(0, 10, STEPS * BATCH).astype(np.int32)
    for step in range(1, STEPS + 1):
        rows = slice((step - 1) * BATCH, step * BATCH)
        peer_optimizer.zero_grad()
        torch.nn.functional.cross_entropy(
            peer(torch.tensor(x[rows])), torch.tensor(y[rows]).long()
        ).backward()
        peer_optimizer.step()
        averaged.update_parameters(peer)
        network.train(optimizer, x[rows], y[rows], batch_size=BATCH, average=average)
        if first is None:
            first = network.flat_parameters.copy()
        by_name = {name: parameter for name, parameter in zip(names, averaged.parameters(), strict=True)}
        flat = np.concatenate([by_name[name].detach().numpy().ravel() for name in network.parameters])
        ours = (1 - decay**step) * average.flat_values + decay**step * first
        np.testing.assert_allclose(ours, flat, rtol=0, atol=1e-12)
    assert np.abs(average.flat_values - network.flat_parameters).max() > 1e-3

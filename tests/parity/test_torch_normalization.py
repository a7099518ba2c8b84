"""Batch normalization beside PyTorch's modules over training steps: weights, moving averages, evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from reference.network import build, randomize

from ravine import _core

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
torch.set_num_threads(1)

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("shape", "module"), [((6,), "BatchNorm1d"), ((4, 3, 5), "BatchNorm2d")])
def test_batch_normalization_over_steps(shape, module, affine):
    """PyTorch's momentum counts the new share: its 0.3 is 0.7 here."""
    layer = {"type": "batch_normalization", "momentum": 0.7, "scale": affine, "centre": affine}
    network = build([layer, "flatten", {"type": "dense", "units": 3}], shape)
    generator = np.random.default_rng(1)
    randomize(network, generator)
    peer = getattr(torch.nn, module)(shape[-1], momentum=0.3, affine=affine, dtype=torch.float64)
    linear = torch.nn.Linear(int(np.prod(shape)), 3, dtype=torch.float64)
    pairs = [(linear.weight, "dense_1.weight"), (linear.bias, "dense_1.bias")]
    if affine:
        pairs += [(peer.weight, "batch_normalization_1.scale"), (peer.bias, "batch_normalization_1.centre")]
    with torch.no_grad():
        for tensor, name in pairs:
            tensor.copy_(torch.tensor(network.parameters[name]))

    def forward(values):
        y = torch.movedim(peer(torch.movedim(torch.tensor(values), -1, 1)), 1, -1)
        return linear(torch.flatten(y, 1))

    descent = torch.optim.SGD([tensor for tensor, _ in pairs], lr=0.1, momentum=0.9)
    optimizer = _core.Optimizer({"type": "momentum", "learning_rate": 0.1})
    for rows in (8, 8, 3, 8, 20, 2):
        x = generator.normal(2.0, 3.0, size=(rows, *shape))
        y = generator.normal(size=(rows, 3))
        network.train(optimizer, x, y, batch_size=rows)
        descent.zero_grad()
        loss = torch.nn.functional.mse_loss(forward(x), torch.tensor(y))
        loss.backward()
        descent.step()
        for tensor, name in pairs:
            np.testing.assert_allclose(network.parameters[name], tensor.detach().numpy(), **CLOSE)
        for buffer, name in ((peer.running_mean, "moving_mean"), (peer.running_var, "moving_variance")):
            np.testing.assert_allclose(
                network.state[f"batch_normalization_1.{name}"], buffer.numpy(), **CLOSE
            )
    peer.eval()
    np.testing.assert_allclose(network.forward(x), forward(x).detach().numpy(), **CLOSE)

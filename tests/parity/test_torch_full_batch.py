"""L-BFGS with a line search takes PyTorch's steps: the same trials, the same pairs, the same losses."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from reference.catalog import optimizers, reference, resolved
from reference.network import Perceptron, randomize

from ravine import _core

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
torch.set_num_threads(1)

STEPS, ROWS = 50, 200
NAMES = optimizers(closure=True)
CASES = [(name, chosen) for name in NAMES for chosen in reference("optimizer", name).CASES]


def equivalent(name: str, parameters: Any, settings: dict[str, Any]) -> Any:
    module = reference("optimizer", name)
    if hasattr(module, "WITHOUT_TORCH"):
        pytest.skip(f"{name}: {module.WITHOUT_TORCH}")
    peer = module.torch_equivalent(torch, parameters, resolved("optimizer", name, settings))
    if peer is None:
        pytest.skip(f"PyTorch has no {name} of this form")
    return peer


class Pair:
    """A network with its peer in PyTorch, on the same samples."""

    def __init__(
        self, name: str, settings: dict[str, Any], seed: int, sizes: list[int], **penalties: float
    ) -> None:
        model = Perceptron(sizes, ["tanh", "identity"], "softmax_cross_entropy")
        self.network = model.build(batch_size=ROWS)
        generator = np.random.default_rng(seed)
        randomize(self.network, generator)
        self.layers = [torch.nn.Linear(a, b, dtype=torch.float64) for a, b in pairwise(sizes)]
        with torch.no_grad():
            for number, layer in enumerate(self.layers, 1):
                layer.weight.copy_(torch.tensor(self.network.parameters[f"dense_{number}.weight"]))
                layer.bias.copy_(torch.tensor(self.network.parameters[f"dense_{number}.bias"]))
        self.peer = torch.nn.Sequential(self.layers[0], torch.nn.Tanh(), self.layers[1])
        self.peer_optimizer = equivalent(name, self.peer.parameters(), settings)
        self.optimizer = _core.Optimizer({"type": name, **settings}, **penalties)
        self.penalties, self.calls = penalties, 0
        self.x = generator.normal(size=(ROWS, sizes[0]))
        scores = self.x @ generator.normal(size=(sizes[0], sizes[-1]))
        scores += 2 * generator.normal(size=scores.shape)
        self.y = scores.argmax(axis=1).astype(np.int32)
        self.inputs, self.targets = torch.tensor(self.x), torch.tensor(self.y).long()

    def peer_loss(self) -> Any:
        return torch.nn.functional.cross_entropy(self.peer(self.inputs), self.targets)

    def closure(self) -> Any:
        self.calls += 1
        self.peer_optimizer.zero_grad()
        loss = self.peer_loss()
        for layer in self.layers:
            loss = loss + self.penalties.get("l2", 0.0) / 2 * (layer.weight**2).sum()
            loss = loss + self.penalties.get("l1", 0.0) * layer.weight.abs().sum()
        loss.backward()
        return loss

    def train(self, steps: int) -> tuple[list[float], list[float]]:
        """The losses where steps begin, and the peer's; each must have asked for as many gradients."""
        losses, peer_losses = [], []
        for step in range(steps):
            peer_losses.append(self.peer_loss().item())
            self.peer_optimizer.step(self.closure)
            losses.append(self.network.train(self.optimizer, self.x, self.y, batch_size=ROWS).loss / ROWS)
            assert self.optimizer.evaluations == self.calls, f"step {step}: other trials"
        return losses, peer_losses


@pytest.mark.parametrize("penalties", [{}, {"l2": 0.01, "l1": 0.001}], ids=str)
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_losses_of_training(name: str, settings: dict[str, Any], penalties: dict[str, float]) -> None:
    """50 steps in float64: losses, and at the end weights, that differ by rounding alone."""
    pair = Pair(name, settings, 12, [10, 12, 5], **penalties)
    losses, peer_losses = pair.train(STEPS)
    np.testing.assert_allclose(losses, peer_losses, rtol=0, atol=1e-10)
    for number, layer in enumerate(pair.layers, 1):
        found = pair.network.parameters[f"dense_{number}.weight"]
        np.testing.assert_allclose(found, layer.weight.detach().numpy(), rtol=0, atol=1e-7)
    assert losses[-1] < 0.7 * losses[0], "nothing was learned that could differ"


@pytest.mark.parametrize("rate", [0.003, 20.0, 300.0])
@pytest.mark.parametrize(("name", "settings"), [case for case in CASES if case[1] == {}])
def test_line_searches_from_afar(name: str, settings: dict[str, Any], rate: float) -> None:
    """First trials that are much too short or too long: brackets are widened and narrowed alike."""
    most = 0
    for seed in range(12):
        pair = Pair(name, {"learning_rate": rate}, seed, [4, 5, 3])
        losses, peer_losses = pair.train(5)
        np.testing.assert_allclose(losses, peer_losses, rtol=0, atol=1e-9)
        most = max(most, pair.calls)
    assert most >= 14, "no search was long"

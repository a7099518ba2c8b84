"""The whole ResNet-20 of examples/ against the same network built of PyTorch's modules, over some steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ravine
from ravine import _core
from ravine.experiment import load_experiment
from ravine.model import specification

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
torch.set_num_threads(1)

ROWS, SIZE = 6, 12  # small images: what is compared depends on neither
RATE = 0.05


class Block(torch.nn.Module):
    """K. He et al., CVPR 2016, figure 2, with option B of section 3.3 where the shape changes."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(
            torch.nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False),
            torch.nn.BatchNorm2d(channels),
            torch.nn.ReLU(),
            torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            torch.nn.BatchNorm2d(channels),
        )
        self.shortcut = torch.nn.Sequential()
        if stride != 1:
            self.shortcut.append(torch.nn.Conv2d(channels_in, channels, 1, stride, bias=False))
            self.shortcut.append(torch.nn.BatchNorm2d(channels))

    def forward(self, x: Any) -> Any:
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet20() -> Any:
    """Section 4.2 with n = 3."""
    modules = [torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(16), torch.nn.ReLU()]
    before = 16
    for channels in (16, 32, 64):
        for index in range(3):
            modules.append(Block(before, channels, 2 if channels > 16 and index == 0 else 1))
            before = channels
    modules += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 10)]
    return torch.nn.Sequential(*modules).double()


def as_torch(name: str, value: np.ndarray) -> Any:
    """Filters are (out, height, width, in) in Ravine and (out, in, height, width) in PyTorch."""
    axes = (0, 3, 1, 2) if value.ndim == 4 else tuple(range(value.ndim))
    return torch.tensor(np.ascontiguousarray(value.transpose(axes)))


def test_resnet20_trains_as_in_torch() -> None:
    experiment = load_experiment("resnet20_cifar")
    network = _core.Network(
        specification([SIZE, SIZE, 3], experiment.model.layers),
        experiment.loss,
        batch_size=ROWS,
        dtype="float64",
        device="cpu",
        threads=1,
        seed=3,
    )
    l2 = experiment.regularization.l2
    assert experiment.optimizer["type"] == "momentum"  # type: ignore[index]
    assert l2 == 1e-4
    optimizer = ravine.make_optimizer({**experiment.optimizer, "learning_rate": RATE}, l2=l2)  # type: ignore[dict-item]

    model = resnet20()
    names = list(network.parameters)
    twins = dict(zip(names, model.parameters(), strict=True))
    with torch.no_grad():
        for name, value in network.parameters.items():
            assert as_torch(name, value).shape == twins[name].shape, name
            twins[name].copy_(as_torch(name, value))
    decayed = [one for name, one in twins.items() if name.endswith(".weight")]
    others = [one for name, one in twins.items() if not name.endswith(".weight")]
    torch_optimizer = torch.optim.SGD(
        [{"params": decayed, "weight_decay": l2}, {"params": others}], lr=RATE, momentum=0.9
    )

    generator = np.random.default_rng(5)
    for _ in range(4):
        x = generator.normal(size=(ROWS, SIZE, SIZE, 3))
        labels = generator.integers(0, 10, ROWS).astype(np.int32)
        output = network.forward(x, training=True)
        loss = network.loss(labels)
        network.backward()
        torch_optimizer.zero_grad()
        torch_output = model(torch.tensor(x.transpose(0, 3, 1, 2)))
        torch_loss = torch.nn.functional.cross_entropy(torch_output, torch.tensor(labels).long())
        torch_loss.backward()
        np.testing.assert_allclose(output, torch_output.detach().numpy(), rtol=1e-9, atol=1e-10)
        assert loss == pytest.approx(torch_loss.item(), rel=1e-10)
        # PyTorch adds the decay in its step, Ravine in its own: the gradients are of the loss alone.
        for name, gradient in network.gradients.items():
            expected = twins[name].grad.numpy()
            np.testing.assert_allclose(
                as_torch(name, gradient).numpy(), expected, rtol=1e-8, atol=1e-10, err_msg=name
            )
        optimizer.step(network)
        torch_optimizer.step()

    for name, value in network.parameters.items():
        np.testing.assert_allclose(
            as_torch(name, value).numpy(), twins[name].detach().numpy(), rtol=1e-8, atol=1e-10, err_msg=name
        )
    averages = [one for name, one in model.named_buffers() if not name.endswith("num_batches_tracked")]
    for (name, value), average in zip(network.state.items(), averages, strict=True):
        np.testing.assert_allclose(value, average.numpy(), rtol=1e-8, atol=1e-10, err_msg=name)
    model.eval()
    with torch.no_grad():
        expected = model(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(network.forward(x), expected, rtol=1e-8, atol=1e-9)

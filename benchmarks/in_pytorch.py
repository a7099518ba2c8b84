"""The workloads in PyTorch: eager, images channels-last, the fused optimizer."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from tasks import Epochs, Task, bound, read
from torch import nn
from workloads import Workload

from ravine import Residual

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


class ResidualBlock(nn.Module):
    """y = f(x) + s(x)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.shortcut(x)


def modules(layers: Iterable[Any], shape: tuple[int, ...]) -> tuple[nn.Sequential, tuple[int, ...]]:
    """Ravine's layers as PyTorch's, and the shape of their output, channels last."""
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, Residual):
            body, after = modules(layer.table["body"], shape)
            made.append(ResidualBlock(body, modules(layer.table["shortcut"], shape)[0]))
            shape = after
            continue
        table = {"type": layer} if isinstance(layer, str) else layer
        match table["type"]:
            case "dense":
                made.append(nn.Linear(shape[-1], table["units"], bias=table["use_bias"]))
                shape = (table["units"],)
            case "convolution":
                kernel, stride, pad = table["kernel"], table["stride"], table["pad"]
                made.append(nn.Conv2d(shape[-1], table["units"], kernel, stride, pad, bias=table["use_bias"]))
                places = ((extent + 2 * pad - kernel) // stride + 1 for extent in shape[:2])
                shape = (*places, table["units"])
            case "max_pooling":
                made.append(nn.MaxPool2d(table["size"]))
                shape = (shape[0] // table["size"], shape[1] // table["size"], shape[2])
            case "global_average_pooling":
                made += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
                shape = shape[-1:]
            case "flatten":
                made.append(nn.Flatten())
                shape = (int(torch.tensor(shape).prod()),)
            case "dropout":
                made.append(nn.Dropout(table["rate"]))
            case "batch_normalization":
                made.append(nn.BatchNorm2d(shape[-1]))
            case activation:
                made.append(ACTIVATIONS[activation]())
        activation = table.get("activation", "identity")
        if activation != "identity":
            made.append(ACTIVATIONS[activation]())
    return nn.Sequential(*made), shape


def make_optimizer(workload: Workload, parameters: Iterable[Any], **form: bool) -> torch.optim.Optimizer:
    """As Ravine's; `form` is fused=True or foreach=True."""
    if workload.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=1e-4, weight_decay=workload.l2, **form)
    momentum = 0.9 if workload.optimizer == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=1e-4, momentum=momentum, weight_decay=workload.l2, **form)


def network(workload: Workload) -> nn.Module:
    """The workload's network."""
    model, _ = modules(workload.layers, workload.shape)
    if len(workload.shape) == 3:  # the faster order of images in memory
        model = model.to(memory_format=torch.channels_last)
    return model


def samples(workload: Workload, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random samples and labels; images have channels first in their shape and last in memory."""
    inputs, labels = (torch.from_numpy(array) for array in workload.arrays(rows))
    return inputs.permute(0, 3, 1, 2) if inputs.ndim == 4 else inputs, labels.long()


def prepare(
    workload: Workload, threads: int, autocast: bool = False, form: str = "fused"
) -> Callable[[], int]:
    """A function that does `workload.steps` steps on data in memory and returns their number.

    Args:
        workload: what to do.
        threads: of PyTorch's operations.
        autocast: products and convolutions in bfloat16.
        form: of the optimizer: "fused" or "foreach".
    """
    torch.set_num_threads(threads)
    model = network(workload)
    optimizer = make_optimizer(workload, model.parameters(), **{form: True})
    if workload.update_only:
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)

        def update() -> int:
            for _ in range(workload.steps):
                optimizer.step()
            return workload.steps

        return update

    inputs, labels = samples(workload, workload.batches() * workload.batch)
    precision = torch.autocast("cpu", torch.bfloat16) if autocast else contextlib.nullcontext()

    def run() -> int:
        for step in range(workload.steps):
            begin = step % workload.batches() * workload.batch
            rows = slice(begin, begin + workload.batch)
            one_step(model, optimizer, inputs[rows], labels[rows], precision)
        return workload.steps

    return run


def one_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    precision: contextlib.AbstractContextManager[None],
) -> None:
    """Forward, loss, backward, update."""
    optimizer.zero_grad(set_to_none=True)
    with precision:
        loss = nn.functional.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()


def prepare_epochs(workload: Workload, threads: int, epochs: int, whole: bool) -> Callable[[], int]:
    """Some epochs by a DataLoader that shuffles, with a schedule; or their steps alone."""
    torch.set_num_threads(threads)
    model = network(workload)
    optimizer = make_optimizer(workload, model.parameters(), fused=True)
    inputs, labels = samples(workload, workload.samples)
    batches = list(zip(inputs.split(workload.batch), labels.split(workload.batch), strict=True))
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(inputs, labels), batch_size=workload.batch, shuffle=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000 * len(loader))
    precision = contextlib.nullcontext()

    def fit() -> int:
        for _ in range(epochs):
            for rows, targets in loader:
                one_step(model, optimizer, rows, targets, precision)
                schedule.step()
        return epochs

    def steps() -> int:
        for _ in range(epochs):
            for rows, targets in batches:
                one_step(model, optimizer, rows, targets, precision)
        return epochs

    return fit if whole else steps


def prepare_accuracy(task: Task, threads: int, seed: int) -> Callable[[], Epochs]:
    """A function that reads the data and trains until the test accuracy is reached.

    Batches are gathered by index from memory, which is faster than a DataLoader.
    """
    torch.set_num_threads(threads)
    torch.optim.Adam([nn.Parameter(torch.zeros(1))]).zero_grad()  # imports what the first optimizer imports

    def run() -> Epochs:
        start = time.perf_counter()
        torch.manual_seed(seed)
        train, labels, test, answers = (torch.from_numpy(array) for array in read(task))
        sizes = (train.shape[1], *task.hidden, 10)
        made: list[nn.Module] = []
        for inputs, units in itertools.pairwise(sizes):
            layer = nn.Linear(inputs, units)
            for parameter in layer.parameters():
                nn.init.uniform_(parameter, -bound(inputs, units), bound(inputs, units))
            made += [layer, nn.ReLU()]
        model = nn.Sequential(*made[:-1])
        optimizer = torch.optim.Adam(model.parameters(), lr=task.learning_rate, fused=True)
        epochs: Epochs = []
        while len(epochs) < task.most and not (epochs and epochs[-1][1] >= task.accuracy):
            for rows in torch.randperm(len(train)).split(task.batch):
                one_step(model, optimizer, train[rows], labels[rows], contextlib.nullcontext())
            with torch.no_grad():
                accuracy = float((model(test).argmax(1) == answers).float().mean())
            epochs.append((time.perf_counter() - start, accuracy))
        return epochs

    return run

"""The networks that are timed, built once for Ravine and once for PyTorch with the same shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import Sequential, make_optimizer
from ravine.layers import Dense, Dropout

Step = Callable[[], None]


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron for classification.

    Args:
        name: as in the documentation.
        inputs: of the network.
        hidden: units of the hidden layers.
        activation: "tanh" or "relu".
        dropout: rate behind each hidden layer, 0 for none.
        optimizer: "gradient_descent", "momentum" or "adam".
        batch: rows a step.
        steps: timed in one go.
    """

    name: str
    inputs: int
    hidden: tuple[int, ...]
    activation: str
    dropout: float
    optimizer: str
    batch: int
    steps: int


WORKLOADS = (
    Workload("digits_mlp", 64, (100,), "tanh", 0.0, "gradient_descent", 32, 2000),
    Workload("deep_mlp", 64, (64,) * 50, "tanh", 0.0, "momentum", 64, 100),
    Workload("mnist_mlp", 784, (1000, 1000), "relu", 0.5, "adam", 128, 20),
)


def arrays(workload: Workload, steps: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Random samples and labels for some steps."""
    random = np.random.default_rng(0)
    rows = steps * workload.batch
    inputs = random.standard_normal((rows, workload.inputs), np.float32)
    return inputs, random.integers(0, 10, rows, np.int32)


def ravine_run(workload: Workload, threads: int, statistics: bool) -> Callable[[], int]:
    """A function that trains `workload.steps` steps on data in memory and returns their number."""
    layers: list[dict[str, Any]] = []
    for units in workload.hidden:
        layers.append(Dense(units, activation=workload.activation))
        if workload.dropout:
            layers.append(Dropout(workload.dropout))
    network = Sequential(*layers, Dense(10)).network(
        [workload.inputs], loss="softmax_cross_entropy", batch_size=workload.batch, threads=threads
    )
    optimizer = make_optimizer({"type": workload.optimizer, "learning_rate": 1e-4})
    steps = min(workload.steps, 1000)
    inputs, labels = arrays(workload, steps)

    def run() -> int:
        done = 0
        while done < workload.steps:
            result = network.train(
                optimizer,
                inputs,
                labels,
                batch_size=workload.batch,
                record_every=1 if statistics else 0,
                observe_layers=statistics,
            )
            network.drain()
            done += result.steps
        return done

    return run


def torch_run(workload: Workload, threads: int) -> Callable[[], int]:
    """The same with PyTorch: eager, the fused optimizer where there is one."""
    import torch

    torch.set_num_threads(threads)
    layers: list[Any] = []
    inputs = workload.inputs
    for units in workload.hidden:
        layers += [
            torch.nn.Linear(inputs, units),
            {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[workload.activation](),
        ]
        if workload.dropout:
            layers.append(torch.nn.Dropout(workload.dropout))
        inputs = units
    model = torch.nn.Sequential(*layers, torch.nn.Linear(inputs, 10))
    parameters = model.parameters()
    if workload.optimizer == "adam":
        optimizer: Any = torch.optim.Adam(parameters, lr=1e-4, fused=True)
    else:
        momentum = 0.9 if workload.optimizer == "momentum" else 0.0
        optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=momentum, fused=True)
    loss = torch.nn.CrossEntropyLoss()
    data, labels = (torch.from_numpy(array) for array in arrays(workload, min(workload.steps, 100)))
    targets = labels.long()
    batches = len(data) // workload.batch

    def run() -> int:
        torch.set_num_threads(threads)
        for step in range(workload.steps):
            rows = slice((step % batches) * workload.batch, (step % batches + 1) * workload.batch)
            optimizer.zero_grad(set_to_none=True)
            loss(model(data[rows]), targets[rows]).backward()
            optimizer.step()
        return workload.steps

    return run

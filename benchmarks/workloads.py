"""The networks that are timed, built once for Ravine and once for PyTorch with the same shapes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import Sequential, make_optimizer
from ravine.layers import Convolution, Dense, Dropout, Flatten, MaxPooling

Step = Callable[[], None]


@dataclass(frozen=True)
class Workload:
    """A multilayer perceptron for classification, behind convolutions where there are images.

    Args:
        name: as in the documentation.
        inputs: of the network.
        hidden: units of the hidden layers.
        activation: "tanh" or "relu".
        dropout: rate behind each hidden layer, 0 for none.
        optimizer: "gradient_descent", "momentum" or "adam".
        batch: rows a step.
        steps: timed in one go.
        image: height, width and channels where the inputs are images.
        filters: of convolutions with windows of 5 x 5, each followed by max pooling of 2 x 2.
    """

    name: str
    inputs: int
    hidden: tuple[int, ...]
    activation: str
    dropout: float
    optimizer: str
    batch: int
    steps: int
    image: tuple[int, int, int] = (0, 0, 0)
    filters: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self.image if self.filters else (self.inputs,)


WORKLOADS = (
    Workload("digits_mlp", 64, (100,), "tanh", 0.0, "gradient_descent", 32, 2000),
    Workload("deep_mlp", 64, (64,) * 50, "tanh", 0.0, "momentum", 64, 100),
    Workload("mnist_mlp", 784, (1000, 1000), "relu", 0.5, "adam", 128, 20),
    Workload("lenet", 784, (512,), "relu", 0.0, "momentum", 128, 10, (28, 28, 1), (32, 64)),
)


def arrays(workload: Workload, steps: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Random samples and labels for some steps."""
    random = np.random.default_rng(0)
    rows = steps * workload.batch
    inputs = random.standard_normal((rows, *workload.shape), np.float32)
    return inputs, random.integers(0, 10, rows, np.int32)


def ravine_run(workload: Workload, threads: int, statistics: bool) -> Callable[[], int]:
    """A function that trains `workload.steps` steps on data in memory and returns their number."""
    layers: list[dict[str, Any]] = []
    for filters in workload.filters:
        layers += [Convolution(filters, kernel=5, activation=workload.activation), MaxPooling()]
    if workload.filters:
        layers.append(Flatten())
    for units in workload.hidden:
        layers.append(Dense(units, activation=workload.activation))
        if workload.dropout:
            layers.append(Dropout(workload.dropout))
    network = Sequential(*layers, Dense(10)).network(
        workload.shape, loss="softmax_cross_entropy", batch_size=workload.batch, threads=threads
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
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[workload.activation]
    height, width, inputs = workload.image
    for filters in workload.filters:
        layers += [torch.nn.Conv2d(inputs, filters, 5), activation(), torch.nn.MaxPool2d(2)]
        height, width, inputs = (height - 4) // 2, (width - 4) // 2, filters
    if workload.filters:
        layers.append(torch.nn.Flatten())
    inputs = height * width * inputs if workload.filters else workload.inputs
    for units in workload.hidden:
        layers += [torch.nn.Linear(inputs, units), activation()]
        if workload.dropout:
            layers.append(torch.nn.Dropout(workload.dropout))
        inputs = units
    model: Any = torch.nn.Sequential(*layers, torch.nn.Linear(inputs, 10))
    if workload.filters:  # the faster order of images in memory
        model = model.to(memory_format=torch.channels_last)
    parameters = model.parameters()
    if workload.optimizer == "adam":
        optimizer: Any = torch.optim.Adam(parameters, lr=1e-4, fused=True)
    else:
        momentum = 0.9 if workload.optimizer == "momentum" else 0.0
        optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=momentum, fused=True)
    loss = torch.nn.CrossEntropyLoss()
    data, labels = (torch.from_numpy(array) for array in arrays(workload, min(workload.steps, 100)))
    if workload.filters:
        data = data.permute(0, 3, 1, 2)
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


def jax_run(workload: Workload, threads: int) -> Callable[[], int]:
    """The same with JAX: one compiled step, as its users write it; it takes all processors it may use."""
    import jax
    import jax.numpy as jnp

    if workload.filters or workload.dropout:
        raise ImportError("only networks of dense layers without dropout are written for JAX")
    if threads != len(os.sched_getaffinity(0)):
        raise ImportError("JAX has no setting for its number of threads")
    activation = {"tanh": jnp.tanh, "relu": jax.nn.relu}[workload.activation]
    random = np.random.default_rng(0)
    sizes = [workload.inputs, *workload.hidden, 10]
    weights: Any = [
        (jnp.asarray(random.standard_normal((a, b), np.float32) / np.float32(a) ** 0.5), jnp.zeros(b))
        for a, b in itertools.pairwise(sizes)
    ]

    def loss(weights: Any, x: Any, labels: Any) -> Any:
        for weight, bias in weights[:-1]:
            x = activation(x @ weight + bias)
        logits = jax.nn.log_softmax(x @ weights[-1][0] + weights[-1][1])
        return -jnp.mean(jnp.take_along_axis(logits, labels[:, None], 1))

    momentum = 0.9 if workload.optimizer == "momentum" else 0.0

    def step(weights: Any, velocities: Any, x: Any, labels: Any) -> Any:
        gradients = jax.grad(loss)(weights, x, labels)
        velocities = jax.tree.map(lambda v, g: momentum * v + 1e-4 * g, velocities, gradients)
        return jax.tree.map(jnp.subtract, weights, velocities), velocities

    compiled = jax.jit(step, donate_argnums=(0, 1))
    batches = min(workload.steps, 100)
    inputs, labels = arrays(workload, batches)
    data = [
        (jnp.asarray(x), jnp.asarray(y))
        for x, y in zip(np.split(inputs, batches), np.split(labels, batches), strict=True)
    ]
    state = (weights, jax.tree.map(jnp.zeros_like, weights))

    def run() -> int:
        nonlocal state
        for index in range(workload.steps):
            state = compiled(*state, *data[index % batches])
        jax.block_until_ready(state)
        return workload.steps

    return run

"""The workloads in JAX: one compiled step, as its users write it, on the processors that it may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from contenders import LeftOutError
from jax import lax
from workloads import Workload

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu, "tanh": jnp.tanh, "identity": lambda x: x,
}  # fmt: skip
RATE = 1e-4
Layer = Callable[[Any, Any, Any], Any]  # its weights, its input, a random key


def network(layers: Iterable[Any], shape: tuple[int, ...]) -> tuple[list[Any], list[Layer]]:
    """Weights of Ravine's layers, and the functions that apply them."""
    random = np.random.default_rng(0)
    weights, functions = [], []

    def filters(*extents: int) -> Any:
        deviation = np.float32(prod(extents[:-1]) ** -0.5)
        return jnp.asarray(random.standard_normal(extents, np.float32) * deviation)

    for table in layers:
        kind = table["type"] if isinstance(table, dict) else ""
        if kind == "dense":
            bias = (jnp.zeros(table["units"]),) if table["use_bias"] else ()
            weights.append((filters(shape[-1], table["units"]), *bias))
            functions.append(dense(ACTIVATIONS[table["activation"]]))
            shape = (table["units"],)
        elif kind == "convolution" and not table["pad"]:
            kernel, units = table["kernel"], table["units"]
            weights.append((filters(kernel, kernel, shape[-1], units), jnp.zeros(units)))
            functions.append(convolution(ACTIVATIONS[table["activation"]]))
            shape = (shape[0] - kernel + 1, shape[1] - kernel + 1, units)
        elif kind == "max_pooling":
            weights.append(())
            functions.append(max_pooling(table["size"]))
            shape = (shape[0] // table["size"], shape[1] // table["size"], shape[2])
        elif kind == "flatten":
            weights.append(())
            functions.append(lambda w, x, key: x.reshape(len(x), -1))
            shape = (prod(shape),)
        elif kind == "dropout":
            weights.append(())
            functions.append(dropout(table["rate"]))
        else:
            raise LeftOutError("batch normalization and residual blocks are not written for JAX")
    return weights, functions


def dense(activation: Callable[[Any], Any]) -> Layer:
    return lambda w, x, key: activation(sum(w[1:], x @ w[0]))


def convolution(activation: Callable[[Any], Any]) -> Layer:
    layout = ("NHWC", "HWIO", "NHWC")
    return lambda w, x, key: activation(
        lax.conv_general_dilated(x, w[0], (1, 1), "VALID", dimension_numbers=layout) + w[1]
    )


def max_pooling(size: int) -> Layer:
    window = (1, size, size, 1)
    return lambda w, x, key: lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def dropout(rate: float) -> Layer:
    return lambda w, x, key: jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def update(optimizer: str, weights: Any, gradients: Any, state: Any, step: Any) -> tuple[Any, Any]:
    """Weights and state after one step; `step` counts from 1."""
    tree = jax.tree.map
    if optimizer != "adam":
        momentum = 0.9 if optimizer == "momentum" else 0.0
        first = tree(lambda v, g: momentum * v + g, state[0], gradients)
        return tree(lambda w, v: w - RATE * v, weights, first), (first, state[1])
    first = tree(lambda m, g: 0.9 * m + 0.1 * g, state[0], gradients)
    second = tree(lambda v, g: 0.999 * v + 0.001 * g * g, state[1], gradients)
    scale, root = 1 / (1 - 0.9**step), 1 / (1 - 0.999**step)
    weights = tree(
        lambda w, m, v: w - RATE * (m * scale) / (jnp.sqrt(v * root) + 1e-8), weights, first, second
    )
    return weights, (first, second)


def prepare(workload: Workload, threads: int) -> Callable[[], int]:
    """A function that does `workload.steps` steps on data in memory and returns their number."""
    weights, functions = network(workload.layers, workload.shape)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    # Plain gradient descent and momentum need no second state.
    state = (zeros, jax.tree.map(jnp.zeros_like, weights) if workload.optimizer == "adam" else ())

    def loss(weights: Any, x: Any, labels: Any, key: Any) -> Any:
        for one, function in zip(weights, functions, strict=True):
            key, own = jax.random.split(key)
            x = function(one, x, own)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), labels[:, None], 1))

    def step(weights: Any, state: Any, count: Any, x: Any, labels: Any) -> Any:
        gradients = jax.grad(loss)(weights, x, labels, jax.random.key(count.astype(int)))
        return update(workload.optimizer, weights, gradients, state, count)

    def update_alone(weights: Any, state: Any, count: Any, gradients: Any) -> Any:
        return update(workload.optimizer, weights, gradients, state, count)

    compiled = jax.jit(update_alone if workload.update_only else step, donate_argnums=(0, 1))
    if workload.update_only:
        data: list[Any] = [(jax.tree.map(lambda w: w + 1, weights),)]
    else:
        batches = workload.batches()
        inputs, labels = workload.arrays(batches * workload.batch)
        data = [
            (jnp.asarray(x), jnp.asarray(y))
            for x, y in zip(np.split(inputs, batches), np.split(labels, batches), strict=True)
        ]
    both = (weights, state)
    done = 0

    def run() -> int:
        nonlocal both, done
        for _ in range(workload.steps):
            done += 1
            both = compiled(*both, jnp.float32(done), *data[done % len(data)])
        jax.block_until_ready(both)
        return workload.steps

    return run

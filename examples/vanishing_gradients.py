"""Twenty sigmoid layers, and three cures: lecture L4, "Vanishing Gradients".

The derivative of the sigmoid is at most 1/4, and the gradient on its way down is multiplied by one for each
layer: at the first layer next to nothing is left, and the network stays at the loss of a guess (ln 10 =
2.303). The signal on its way up vanishes too: the units of the last layer give the same for every sample.
(Their variance over samples is shown. Over samples and units together it does not vanish, because every unit
has a constant of its own.) Three cures: rectified linear units with He's initialization, batch normalization
before each sigmoid, and residual blocks. One should see one curve that falls by many orders of magnitude from
layer 20 down to layer 1, and three that are nearly level; and three losses that fall.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from figures import BLUE, GREEN, ORANGE, PURPLE, Samples, load, options, plt, save, smoothed

from ravine import LayerOutputs, Residual, Sequential, Trainer
from ravine.layers import BatchNormalization, Dense
from ravine.optimizers import Momentum

DEPTH, WIDTH = 20, 64
# A block, how many of its dense layers there are in it, the kind of layer that gives its output, colour.
NETWORKS: dict[str, tuple[list[Any], int, str, str]] = {
    "sigmoid": ([Dense(WIDTH), "sigmoid"], 1, "activation", PURPLE),
    "ReLU, He": ([Dense(WIDTH, weight_initializer="he_normal"), "relu"], 1, "activation", BLUE),
    "sigmoid, batch norm": ([Dense(WIDTH), BatchNormalization(), "sigmoid"], 1, "activation", GREEN),
    "sigmoid, residual": ([Residual(Dense(WIDTH, activation="sigmoid"), Dense(WIDTH))], 2, "add", ORANGE),
}


def model(name: str) -> Sequential:
    block, dense_layers, output, _ = NETWORKS[name]
    first = [Dense(WIDTH)] if output == "add" else []  # as many inputs as outputs, for the identity
    return Sequential(*first, *block * (DEPTH // dense_layers), Dense(10))


def measure(samples: Samples, name: str) -> dict[str, np.ndarray]:
    """Gradient norms of the dense layers and variances of the blocks' outputs, before any training.

    In double precision, because single precision rounds a variance below 1e-11 away.
    """
    _, dense_layers, output, _ = NETWORKS[name]
    inputs, labels = (values[:1000] for values in samples.train)
    inputs = inputs.astype(np.float64)
    network = model(name).network(inputs.shape[1:], loss="softmax_cross_entropy", dtype="float64", seed=1)
    blocks = range(1, DEPTH // dense_layers + 1)
    outputs = LayerOutputs(network, [f"{output}_{index}" for index in blocks])(inputs, training=True)
    network.forward(inputs, training=True)
    network.loss(labels)
    network.backward()
    norms = [np.linalg.norm(values) for key, values in network.gradients.items() if key.endswith(".weight")]
    return {
        "layers": np.array(blocks) * dense_layers,
        "variance": np.array([values.var(axis=0).mean() for values in outputs.values()]),
        "gradient": np.array(norms[-DEPTH - 1 : -1]),  # without the last layer, which has no sigmoid
    }


def train(samples: Samples, name: str, epochs: int, batch_size: int) -> np.ndarray:
    """The loss of every step."""
    trainer = Trainer(
        model(name), loss="softmax_cross_entropy", optimizer=Momentum(0.01), batch_size=batch_size, seed=1
    )
    return trainer.fit(*samples.train, epochs=epochs)["loss"]


def draw(samples: Samples, results: dict[str, dict[str, np.ndarray]]) -> plt.Figure:
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    for name, found in results.items():
        colour = NETWORKS[name][-1]
        axes[0].semilogy(range(1, DEPTH + 1), found["gradient"], color=colour, marker="o", markersize=3)
        axes[1].semilogy(found["layers"], found["variance"], color=colour, marker="o", markersize=3)
        axes[2].plot(*smoothed(found["loss"]), color=colour, label=name)
    axes[0].set(title="gradient before training", xlabel="layer", ylabel="norm of the weights' gradient")
    axes[1].set(
        title="outputs before training", xlabel="layer", ylabel="variance over samples, mean of units"
    )
    axes[2].set(title=f"training on {samples.name}", xlabel="step", ylabel="training loss")
    for axis in axes[:2]:
        axis.set_xticks([1, 5, 10, 15, 20])
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def main(words: Sequence[str] | None = None) -> dict[str, dict[str, np.ndarray]]:
    chosen = options(__doc__, words)
    samples = load(chosen.data, "standardize")
    results = {}
    print(f"{'':20} gradient norm, layer 1 and 20   variance, first and last   loss at the end")
    for name in NETWORKS:
        epochs, batch_size = (5, 16) if chosen.quick else (5, 64)
        found = results[name] = measure(samples, name)
        found["loss"] = train(samples, name, epochs, batch_size)
        gradient, variance = found["gradient"], found["variance"]
        print(
            f"{name:20} {gradient[0]:15.1e} {gradient[-1]:14.1e} {variance[0]:15.1e} {variance[-1]:10.1e} "
            f"{found['loss'][-50:].mean():17.3f}"
        )
    save(draw(samples, results), chosen.out, "vanishing_gradients")
    return results


if __name__ == "__main__":
    main()

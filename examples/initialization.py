"""All-zero, too small, too large, Xavier and He initialization: lecture L0, "Initialization".

Ten layers of 100 units, with tanh (Xavier's case) and with ReLU (He's). The variance of each layer's outputs
is that of the layer before times n Var(w), halved by ReLU. One should see: all zero, nothing leaves the first
layer, all units stay the same, and the loss stays at that of a guess (ln 10 = 2.303); too small, the signal
fades by a constant factor a layer; too large, tanh saturates at -1 and 1, ReLU explodes; Xavier keeps tanh
nearly level (wholly where tanh is a straight line), He keeps ReLU level, and these train best.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from figures import BLUE, GREEN, GREY, ORANGE, PURPLE, Samples, load, options, plt, save, smoothed

from ravine import Callback, LayerOutputs, NotFiniteError, Sequential, Trainer
from ravine.initializers import HeNormal, Normal, XavierNormal, Zeros
from ravine.layers import Dense
from ravine.optimizers import GradientDescent

DEPTH, WIDTH = 10, 100
INITIALIZERS = {
    "all zero": (Zeros(), GREY),
    "too small, N(0, 0.01²)": (Normal(deviation=0.01), PURPLE),
    "too large, N(0, 1)": (Normal(deviation=1.0), ORANGE),
    "Xavier": (XavierNormal(), BLUE),
    "He": (HeNormal(), GREEN),
}
ACTIVATIONS = ("tanh", "relu")


def model(activation: str, initializer: dict) -> Sequential:
    hidden = Dense(WIDTH, activation=activation, weight_initializer=initializer)
    return Sequential(*[hidden] * DEPTH, Dense(10, weight_initializer=initializer))


def measure(samples: Samples, activation: str, initializer: dict) -> dict[str, np.ndarray]:
    """Outputs of each hidden layer before any training, and their variance."""
    inputs = samples.train[0][:1000]
    network = model(activation, initializer).network(
        inputs.shape[1:], loss="softmax_cross_entropy", batch_size=len(inputs), seed=1
    )
    names = [f"dense_{index}" for index in range(1, DEPTH + 1)]
    moments = network.moments(inputs)
    return {
        "outputs": np.stack([values.ravel() for values in LayerOutputs(network, names)(inputs).values()]),
        "variance": np.array([moments[name]["variance"] for name in names]),
    }


class Losses(Callback):
    """Keeps the loss of every step, also of a training that breaks off."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_steps(self, trainer: Trainer, steps: np.ndarray, values: np.ndarray) -> None:
        self.values += values[:, trainer.network.columns.index("loss")].tolist()


def train(samples: Samples, activation: str, initializer: dict, epochs: int, batch_size: int) -> np.ndarray:
    """The loss of every step, until it is no number any more."""
    losses = Losses()
    trainer = Trainer(
        model(activation, initializer),
        loss="softmax_cross_entropy",
        optimizer=GradientDescent(0.05),
        batch_size=batch_size,
        seed=1,
        callbacks=[losses],
    )
    try:
        trainer.fit(*samples.train, epochs=epochs)
    except NotFiniteError as error:
        print(f"    {error}")
    return np.array(losses.values)


def draw(samples: Samples, results: dict[str, dict[str, dict[str, np.ndarray]]]) -> plt.Figure:
    figure = plt.figure(figsize=(11, 6), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    for axis, name in zip(upper.subplots(1, len(INITIALIZERS), sharey=True), INITIALIZERS, strict=True):
        for layer, values in enumerate(results["tanh"][name]["outputs"], 1):
            counts, edges = np.histogram(values, bins=61, range=(-1.001, 1.001))
            height = layer - 0.92 * counts / counts.max()
            axis.fill_between(
                (edges[1:] + edges[:-1]) / 2, layer, height, step="mid", color=INITIALIZERS[name][1]
            )
        axis.set(title=name, xlabel="output of tanh", ylim=(DEPTH + 0.3, -0.1), yticks=range(1, DEPTH + 1))
        axis.grid(visible=False)
    upper.axes[0].set_ylabel("layer")
    axes = lower.subplots(1, 4)
    for activation, (variances, losses) in zip(ACTIVATIONS, (axes[:2], axes[2:]), strict=True):
        title = {"tanh": "tanh", "relu": "ReLU"}[activation]
        for name, (_, colour) in INITIALIZERS.items():
            found = results[activation][name]
            losses.semilogy(
                *smoothed(found["loss"]), color=colour, label=name, linewidth=4 if name == "all zero" else 1.5
            )
            if found["variance"].any():
                variances.semilogy(
                    range(1, DEPTH + 1), found["variance"], color=colour, marker="o", markersize=3
                )
            else:
                variances.text(
                    1, 0.02, "all zero: 0", color=colour, transform=variances.get_xaxis_transform()
                )
            if len(found["loss"]) < 10:
                words = f"{name.split(',')[0]}: {found['loss'][0]:.0e}, then NaN"
                losses.text(0.02, 0.95, words, color=colour, transform=losses.transAxes, va="top")
        variances.set(title=f"{title}: variance of the outputs", xlabel="layer", xticks=[1, 4, 7, 10])
        losses.set(title=f"{title}: training loss, {samples.name}", xlabel="step", ylim=(0.05, 30))
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(INITIALIZERS))
    return figure


def main(words: Sequence[str] | None = None) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    chosen = options(__doc__, words)
    samples = load(chosen.data, "standardize")
    epochs, batch_size = (4, 32) if chosen.quick else (3, 64)
    results: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    print(f"{'':30} variance, layer 1 and {DEPTH}   training loss at first and at the end")
    for activation in ACTIVATIONS:
        results[activation] = {}
        for name, (initializer, _) in INITIALIZERS.items():
            found = results[activation][name] = measure(samples, activation, initializer)
            found["loss"] = train(samples, activation, initializer, epochs, batch_size)
            first, last = found["variance"][[0, -1]]
            end = found["loss"][-50:].mean()
            print(f"{activation:5} {name:24} {first:10.1e} {last:10.1e} {found['loss'][0]:15.4g} {end:15.4g}")
    save(draw(samples, results), chosen.out, "initialization")
    return results


if __name__ == "__main__":
    main()

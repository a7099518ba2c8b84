"""What a sigmoid gets during training, without and with batch normalization: lecture L1.

The slide "Batch normalization - Benefits" shows figure 1 of S. Ioffe and C. Szegedy, "Batch normalization",
ICML 2015: three hidden layers of 100 sigmoid units, small random weights, batches of 60. (a) The test
accuracy; (b, c) the percentiles {15, 50, 85} of the input to one typical sigmoid of the last hidden layer.
One should see: without batch normalization the spread is small at first, when nothing is learnt, and grows
many times while the median wanders; with it both stay near where they begin, and the accuracy rises sooner
and higher.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from figures import BLUE, ORANGE, Samples, load, options, plt, save

from ravine import Callback, LayerOutputs, Sequential, Trainer
from ravine.initializers import Normal
from ravine.layers import BatchNormalization, Dense
from ravine.optimizers import GradientDescent

PERCENTILES = (15, 50, 85)
COLOURS = {"without": ORANGE, "with": BLUE}


def model(normalized: bool) -> Sequential:
    hidden = [Dense(100, weight_initializer=Normal(deviation=0.1))]
    hidden += [BatchNormalization()] if normalized else []
    return Sequential(*[*hidden, "sigmoid"] * 3, Dense(10, weight_initializer=Normal(deviation=0.1)))


class Watch(Callback):
    """Measures at the start and after every so many steps."""

    def __init__(self, samples: Samples, layer: str, every: int) -> None:
        self.samples, self.layer, self.every = samples, layer, every
        self.steps: list[int] = []
        self.accuracies: list[float] = []
        self.percentiles: list[np.ndarray] = []  # [measurement][percentile, unit]

    def on_start(self, trainer: Trainer) -> None:
        self.read = LayerOutputs(trainer.network, [self.layer])
        self.measure(trainer)
        trainer.limit_steps = self.every

    def on_steps(self, trainer: Trainer, steps: np.ndarray, values: np.ndarray) -> None:
        if trainer.position.step >= self.steps[-1] + self.every:
            self.measure(trainer)
        trainer.limit_steps = self.steps[-1] + self.every - trainer.position.step

    def measure(self, trainer: Trainer) -> None:
        inputs = self.samples.validation[0][:1000]
        self.steps.append(trainer.position.step)
        self.accuracies.append(trainer.evaluate(*self.samples.test)["accuracy"])
        self.percentiles.append(
            np.percentile(self.read(inputs, training=True)[self.layer], PERCENTILES, axis=0)
        )


def train(samples: Samples, normalized: bool, epochs: int, every: int) -> Watch:
    network = model(normalized)
    # The layer that the last hidden sigmoid takes its input from.
    watch = Watch(samples, "batch_normalization_3" if normalized else "dense_3", every)
    trainer = Trainer(
        network, loss="softmax_cross_entropy", optimizer=GradientDescent(0.1), batch_size=60, seed=1,
        callbacks=[watch], statistics="off",
    )  # fmt: skip
    trainer.fit(*samples.train, epochs=epochs)
    return watch


def typical(percentiles: np.ndarray) -> int:
    """The unit whose spread at the end is the median of all units' spreads."""
    spread = percentiles[-1, 2] - percentiles[-1, 0]
    return int(np.argsort(spread)[len(spread) // 2])


def draw(samples: Samples, results: dict[str, Watch]) -> plt.Figure:
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for name, watch in results.items():
        axes[0].plot(watch.steps, watch.accuracies, color=COLOURS[name], label=f"{name} batch norm")
    axes[0].set(title=f"(a) test accuracy, {samples.name}", xlabel="step", ylabel="accuracy")
    axes[0].legend(loc="lower right")
    for axis, (name, watch), letter in zip(axes[1:], results.items(), "bc", strict=True):
        percentiles = np.array(watch.percentiles)
        values = percentiles[:, :, typical(percentiles)]
        axis.fill_between(
            watch.steps, values[:, 0], values[:, 2], color=COLOURS[name], alpha=0.25, linewidth=0
        )
        for percent, line in zip(PERCENTILES, values.T, strict=True):
            axis.plot(watch.steps, line, color=COLOURS[name], linewidth=2 if percent == 50 else 1)
            axis.annotate(
                f"{percent} %", (watch.steps[-1], line[-1]), (3, 0), textcoords="offset points", va="center"
            )
        axis.set(title=f"({letter}) {name} batch norm: input to a sigmoid", xlabel="step")
    axes[1].sharey(axes[2])
    for axis in axes:
        axis.locator_params(axis="x", nbins=5)
    return figure


def main(words: Sequence[str] | None = None) -> dict[str, Watch]:
    chosen = options(__doc__, words)
    samples = load(chosen.data, "standardize")
    epochs, every = (10, 10) if chosen.quick else (20, 100)
    results = {name: train(samples, name == "with", epochs, every) for name in COLOURS}
    print(
        f"{'batch norm':10}   test accuracy: after a tenth, at the end   range of a unit's median  "
        "85 % - 15 %: first, last"
    )
    for name, watch in results.items():
        percentiles = np.array(watch.percentiles)
        way = np.ptp(percentiles[:, 1], axis=0).mean()
        spread = (percentiles[:, 2] - percentiles[:, 0]).mean(axis=1)
        print(
            f"{name:10} {watch.accuracies[len(watch.steps) // 10]:28.4f} {watch.accuracies[-1]:12.4f} "
            f"{way:20.3f} {spread[0]:20.3f} {spread[-1]:.3f}"
        )
    save(draw(samples, results), chosen.out, "batch_normalization")
    return results


if __name__ == "__main__":
    main()

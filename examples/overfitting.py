"""Dropout and early stopping against overfitting on 1,000 samples: lectures L1 and L4, "Regularization".

Two hidden layers of 512 units have 670,000 weights for 1,000 images. One should see: the training loss falls
to nothing, while the validation loss falls at first and then rises. Early stopping ends where the validation
loss has not fallen for some epochs, and takes the weights of its lowest point back. With a fifth of the
inputs and half of the hidden units dropped at random in each step the validation loss gets lower and rises
less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from figures import BLUE, GREY, ORANGE, Samples, load, options, plt, save

from ravine import Callback, Sequential, Trainer
from ravine.layers import Dense, Dropout
from ravine.optimizers import Adam

PATIENCE = 5
COLOURS = {"plain": ORANGE, "dropout": BLUE}


def model(dropout: bool, width: int) -> Sequential:
    hidden = Dense(width, activation="relu", weight_initializer="he_normal")
    if dropout:
        return Sequential(Dropout(0.2), hidden, Dropout(0.5), hidden, Dropout(0.5), Dense(10))
    return Sequential(hidden, hidden, Dense(10))


class Curve(Callback):
    """The training loss after every epoch, in evaluation (no dropout), and what early stopping tells."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.training: list[float] = []
        self.best: dict[str, Any] = {}

    def on_epoch_end(self, trainer: Trainer) -> None:
        self.training.append(trainer.evaluate(*self.samples.train)["loss"])

    def on_best_weights(self, trainer: Trainer, summary: dict[str, Any]) -> None:
        self.best = summary


def train(samples: Samples, dropout: bool, width: int, epochs: int, patience: int = 0) -> dict[str, Any]:
    curve = Curve(samples)
    trainer = Trainer(
        model(dropout, width),
        loss="softmax_cross_entropy",
        optimizer=Adam(0.001),
        batch_size=50,
        seed=1,
        callbacks=[curve],
    )
    history = trainer.fit(*samples.train, epochs=epochs, validation=samples.validation, patience=patience)
    return {
        "training": np.array(curve.training),
        "validation": np.array(history.metric("loss")),
        "accuracy": np.array(history.metric("accuracy")),
        "test": trainer.evaluate(*samples.test),
        "best": curve.best,
    }


def draw(samples: Samples, results: dict[str, dict[str, Any]]) -> plt.Figure:
    figure, (losses, accuracies) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
    epochs = np.arange(1, len(results["plain"]["training"]) + 1)
    for name, colour in COLOURS.items():
        found = results[name]
        losses.plot(epochs, found["validation"], color=colour, linewidth=2, label=f"{name}, validation")
        losses.plot(epochs, found["training"], color=colour, linestyle="--", label=f"{name}, training")
        accuracies.plot(epochs, found["accuracy"], color=colour, linewidth=2, label=name)
    stopped = results["early stopping"]
    best, end = stopped["best"]["best_epoch"], len(stopped["training"])
    for axis, key in ((losses, "validation"), (accuracies, "accuracy")):
        axis.axvline(end, color=GREY, linestyle=":")
        axis.plot(best, stopped[key][best - 1], "o", color="black", markersize=8, markerfacecolor="none")
        axis.set(xlabel="epoch")
    words = f" early stopping ends here\n with the weights of epoch {best} (o)"
    losses.text(end, 0.98, words, va="top", transform=losses.get_xaxis_transform())
    losses.set_ylim(0, 2.2 * results["plain"]["validation"].min())
    losses.set(title=f"loss, {len(samples.train[0]):,} training samples of {samples.name}", ylabel="loss")
    losses.legend(loc="center right", bbox_to_anchor=(1, 0.2))
    accuracies.set(title="validation accuracy", ylabel="accuracy")
    accuracies.legend(loc="lower right")
    return figure


def main(words: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    chosen = options(__doc__, words)
    samples = load(chosen.data)
    count, width, epochs = (200, 256, 100) if chosen.quick else (1000, 512, 50)
    samples.train = (samples.train[0][:count], samples.train[1][:count])
    results = {
        "plain": train(samples, False, width, epochs),
        "dropout": train(samples, True, width, epochs),
        "early stopping": train(samples, False, width, epochs, PATIENCE),
    }
    print(
        f"{'':15} epochs   training loss   validation loss: lowest (epoch), at the end   test loss, accuracy"
    )
    for name, found in results.items():
        losses, best = found["validation"], found["validation"].argmin()
        print(
            f"{name:15} {len(losses):6} {found['training'][-1]:15.5f} {losses[best]:25.3f} ({best + 1:2}) "
            f"{losses[-1]:13.3f} {found['test']['loss']:11.3f}, {found['test']['accuracy']:.4f}"
        )
    save(draw(samples, results), chosen.out, "overfitting")
    return results


if __name__ == "__main__":
    main()

"""MNIST with every first-order optimizer side by side: lecture L3, "Adam", the comparison on MNIST.

The same network from the same weights, with batches in the same order. The learning rate of each is found by
a search, not by taste: first of 1e-4, 3e-4, 1e-3 ... 10 the one with the lowest validation loss after a short
training on a part of the samples; then, because short trainings favour large rates, of this and the next two
smaller ones the one with the lowest validation loss after a quarter of the race. Rules for the gradient of
all samples (sign descent, Rprop, delta-bar-delta) would be misled by batches; they and plain gradient descent
are compared on passes over 5,000 samples in one batch.

Every picture shows one optimizer in colour, and in grey the range and the median of all. One should see: at a
rate that suits it every rule learns, most within a factor of a few of each other; the suitable rates differ
by a factor of 300.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from figures import BLUE, GREY, ORANGE, Part, Samples, load, options, plt, save, smoothed
from matplotlib.figure import SubFigure

import ravine
from ravine import NotFiniteError, Sequential, Trainer
from ravine.layers import Dense

RATES = [digit * 10.0**power for power in range(-4, 1) for digit in (1, 3)] + [10.0]
SECOND_ORDER = {"newton", "newton_cg", "lbfgs"}
FIRST_ORDER = [entry for entry in ravine.catalog("optimizer") if entry.name not in SECOND_ORDER]
BATCHES = [entry.name for entry in FIRST_ORDER if not entry.full_batch]
WHOLE = ["gradient_descent"] + [entry.name for entry in FIRST_ORDER if entry.full_batch]
COLUMNS = 5
Results = dict[str, dict[str, Any]]
NO_RATE = {"adadelta": 1.0}  # its final form has none: the factor stays 1


def component(name: str, rate: float) -> dict[str, Any]:
    return {"type": name, "initial_step" if name == "rprop" else "learning_rate": rate}


def train(name: str, rate: float, part: Part, epochs: int, batch_size: int) -> tuple[Trainer, np.ndarray]:
    """The trained network, and the loss of every step."""
    hidden = Dense(100, activation="relu", weight_initializer="he_normal")
    trainer = Trainer(
        Sequential(hidden, hidden, Dense(10)),
        loss="softmax_cross_entropy",
        optimizer=component(name, rate),
        batch_size=batch_size,
        seed=1,
        statistics="off",
    )
    return trainer, trainer.fit(*part, epochs=epochs)["loss"]


def best(name: str, rates: Sequence[float], validation: Part, *training: Any) -> float:
    """The learning rate with the lowest validation loss after a training."""
    losses = {}
    for rate in rates:
        try:
            losses[rate] = train(name, rate, *training)[0].evaluate(*validation)["loss"]
        except NotFiniteError:
            break  # larger ones would break off too
    return min(losses, key=losses.__getitem__)


def race(
    samples: Samples, names: Sequence[str], rates: Sequence[float], long: tuple, short: tuple
) -> Results:
    """Each optimizer at its learning rate; `long` and `short` are samples, epochs and batch size."""
    results = {}
    part, trial = ((samples.train[0][:count], samples.train[1][:count]) for count in (long[0], short[0]))
    epochs, batch_size = long[1:]
    validation = (samples.validation[0][:2000], samples.validation[1][:2000])
    for name in names:
        rate = NO_RATE.get(name, 0.0)
        if not rate:
            rate = best(name, rates, validation, trial, *short[1:])
            near = rates[max(0, rates.index(rate) - 2) : rates.index(rate) + 1]
            rate = best(name, near, validation, part, max(1, epochs // 4), batch_size)
        trainer, losses = train(name, rate, part, epochs, batch_size)
        results[name] = {
            "rate": rate,
            "epochs": np.arange(1, len(losses) + 1) * epochs / len(losses),
            "losses": losses,
            "loss": trainer.evaluate(*part)["loss"],
            "accuracy": trainer.evaluate(*samples.test)["accuracy"],
        }
        found = results[name]
        print(f"{name:18} {rate:13g} {found['loss']:15.5f} {found['accuracy']:15.4f}", flush=True)
    return results


def draw_group(part: SubFigure, results: Results, colour: str) -> None:
    axes = part.subplots(-(-len(results) // COLUMNS), COLUMNS, sharex=True, sharey=True).ravel()
    curves = {
        name: (smoothed(found["epochs"])[1], smoothed(found["losses"])[1]) for name, found in results.items()
    }
    times = next(iter(curves.values()))[0]
    losses = np.array([curve[1] for curve in curves.values()])
    for index, (axis, (name, found)) in enumerate(zip(axes, results.items(), strict=False)):
        axis.fill_between(times, losses.min(axis=0), losses.max(axis=0), color="#e2e2e2", linewidth=0)
        axis.semilogy(times, np.median(losses, axis=0), color=GREY, linewidth=0.8)
        axis.semilogy(*curves[name], color=colour, linewidth=1.8)
        rate = "no rate" if name in NO_RATE else f"rate {found['rate']:g}"
        axis.set_title(f"{name}\n{rate}, test {found['accuracy']:.3f}", fontsize=8.5)
        axis.tick_params(labelbottom=index + COLUMNS >= len(results))
    for axis in axes[len(results) :]:
        axis.remove()
    axes[0].set_ylim(bottom=max(axes[0].get_ylim()[0], 1e-5))
    part.supylabel("training loss", fontsize=9)


def draw(samples: Samples, batches: Results, whole: Results) -> plt.Figure:
    rows = [-(-len(results) // COLUMNS) for results in (batches, whole)]
    figure = plt.figure(figsize=(11, 1.7 * sum(rows) + 1), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[rows[0] + 0.3, rows[1] + 0.3])
    upper.suptitle(f"{samples.name}, batches: training loss over epochs", fontsize=10)
    lower.suptitle("one batch of all samples: training loss over passes", fontsize=10)
    draw_group(upper, batches, BLUE)
    draw_group(lower, whole, ORANGE)
    return figure


def main(words: Sequence[str] | None = None) -> tuple[Results, Results]:
    chosen = options(__doc__, words)
    samples = load(chosen.data)
    if chosen.quick:
        rates = RATES[2:9:2]
        batches = ((1000, 3, 32), (300, 3, 32))
        whole = ((300, 40, 300), (300, 10, 300))
    else:
        rates = RATES
        batches = ((50_000, 8, 128), (10_000, 1, 128))
        whole = ((5000, 100, 5000), (2000, 20, 2000))
    print(f"{'':18} learning rate   training loss   test accuracy")
    results = race(samples, BATCHES, rates, *batches), race(samples, WHOLE, rates, *whole)
    save(draw(samples, *results), chosen.out, "optimizers")
    return results


if __name__ == "__main__":
    main()

"""L1 against L2: lecture L2, "L1 and L2 Regularisation"; lecture L1, "l1-regularization -> sparse weights".

L2 shrinks every weight by a share of itself, so that it never gets to 0. L1 shrinks by the same amount
whatever the weight is. Its subgradient, lambda sign(w), oscillates around 0 with steps of the size learning
rate times lambda; its proximal step ends at exactly 0. One should see: no exact zeros without a penalty, with
L2 and with the subgradient (which has most weights very near 0); most weights exactly 0 with the proximal
step, in the first layer those of pixels that tell nothing, at nearly the same accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from figures import BLUE, GREEN, GREY, ORANGE, Samples, load, options, plt, save

from ravine import Sequential, Trainer
from ravine.layers import Dense
from ravine.optimizers import GradientDescent

PENALTIES: dict[str, tuple[dict[str, Any], str]] = {
    "no penalty": ({}, GREY),
    "L2": ({"l2": 1e-3}, BLUE),
    "L1, subgradient": ({"l1": 2e-4, "l1_form": "subgradient"}, ORANGE),
    "L1, proximal": ({"l1": 2e-4, "l1_form": "proximal"}, GREEN),
}


def train(samples: Samples, penalty: dict[str, Any], epochs: int) -> dict[str, Any]:
    trainer = Trainer(
        Sequential(Dense(100, activation="tanh"), Dense(10)),
        loss="softmax_cross_entropy", optimizer=GradientDescent(0.1), batch_size=32, seed=37,
        statistics="off", **penalty,
    )  # fmt: skip
    trainer.fit(*samples.train, epochs=epochs)
    network = trainer.network
    weights = np.concatenate([network.parameters[name].ravel() for name in network.decaying])
    return {
        "weights": weights,
        "first layer": network.parameters["dense_1.weight"].copy(),
        "zeros": float(np.mean(weights == 0)),
        "near zero": float(np.mean(np.abs(weights) < 1e-3)),
        "accuracy": trainer.evaluate(*samples.test)["accuracy"],
    }


def mosaic(weights: np.ndarray, image: tuple[int, int]) -> np.ndarray:
    """The weights into the first eight units as images, in two rows, with gaps."""
    images = weights[:8].reshape(2, 4, *image)
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    return np.block([list(row) for row in framed])


def draw(samples: Samples, results: dict[str, dict[str, Any]]) -> plt.Figure:
    figure, axes = plt.subplots(2, 4, figsize=(11, 4.4), layout="constrained", height_ratios=[1.3, 1])
    for (histogram, images), (name, found) in zip(axes.T, results.items(), strict=True):
        histogram.hist(found["weights"], bins=81, range=(-0.405, 0.405), color=PENALTIES[name][1], log=True)
        title = f"{name}\n{found['zeros']:.0%} exactly 0, test {found['accuracy']:.3f}"
        histogram.set(title=title, xlabel="weight")
        histogram.sharey(axes[0, 0])
        images.imshow(mosaic(found["first layer"], samples.image), cmap="RdBu", vmin=-0.3, vmax=0.3)
        images.axis("off")
    axes[0, 0].set_ylabel("weights in the bin")
    axes[1, 0].set_title("into eight units: red below 0, white 0, blue above", fontsize=8, loc="left")
    return figure


def main(words: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    chosen = options(__doc__, words)
    samples = load(chosen.data)
    results = {}
    print(f"{'':16} exactly 0   |w| < 0.001   test accuracy")
    for name, (penalty, _) in PENALTIES.items():
        found = results[name] = train(samples, penalty, epochs=30 if chosen.quick else 15)
        print(f"{name:16} {found['zeros']:9.2%} {found['near zero']:13.2%} {found['accuracy']:15.4f}")
    save(draw(samples, results), chosen.out, "sparsity")
    return results


if __name__ == "__main__":
    main()

"""Class probabilities averaged over several windows of each picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.data import Dataset, Transform
from ravine.data.augmentation import Crops
from ravine.data.dataset import Array, Indices
from ravine.distributed.ranks import Ranks
from ravine.training.turns import in_turns

PICTURES = 256  # at once
TOP = 5


def probabilities(
    network: _core.Network, crops: Crops, transform: Transform, pictures: Array, rows: Indices
) -> NDArray[np.float64]:
    """The mean over all windows of what the network says [rows, classes].

    Args:
        network: with an input of the windows' shape.
        crops: the windows.
        transform: of the windows.
        pictures: uint8 [stored, height, width, channels].
        rows: int64 [count], which of them.
    """
    scale = 1.0 / transform.deviation
    out = np.empty((len(rows), *crops.shape), network.array_dtype)
    total = np.zeros((len(rows), network.output_shape[-1]))
    for view in range(len(crops)):
        crops.apply(view, pictures, rows, transform.mean, scale, out, _core.available_processors())
        total += network.predict(out)
    return total / len(crops)


def evaluate_crops(
    network: _core.Network,
    dataset: Dataset,
    between: Callable[[], bool] | None = None,
    ranks: Ranks | None = None,
) -> dict[str, float] | None:
    """Metrics of a data set with crops: "loss" is the cross entropy of the averaged probabilities.

    Args:
        network: what is evaluated.
        dataset: with crops and a transform; labels.
        between: called between slices; True gives the evaluation up.
        ranks: that share the slices; None: this process alone.
    """
    assert dataset.crops is not None
    assert dataset.transform is not None
    crops, transform = dataset.crops, dataset.transform

    def measured(number: int) -> tuple[float, float, int, int]:
        begin = number * PICTURES
        labels = dataset.targets[begin : begin + PICTURES]
        places = np.arange(begin, begin + len(labels), dtype=np.int64)
        rows = places if dataset.rows is None else dataset.rows[places]
        found = probabilities(network, crops, transform, dataset.inputs, rows)
        own = found[np.arange(len(labels)), labels]
        weights = (
            np.ones(len(labels)) if dataset.weights is None else dataset.weights[places].astype(np.float64)
        )
        loss = float(weights @ np.log(np.maximum(own, np.finfo(np.float64).tiny)))
        # Of equal probabilities the first counts as the larger one, as in argmax.
        before = np.arange(found.shape[1]) < labels[:, np.newaxis]
        above = ((found > own[:, np.newaxis]) | ((found == own[:, np.newaxis]) & before)).sum(axis=1)
        return loss, float(weights.sum()), int((above == 0).sum()), int((above < TOP).sum())

    parts = in_turns(-(-len(dataset) // PICTURES), measured, between, ranks)
    if parts is None:
        return None
    loss = weight = 0.0
    correct = top = 0
    for part in parts:
        loss -= part[0]
        weight += part[1]
        correct += part[2]
        top += part[3]
    metrics = {"loss": loss / weight if weight > 0 else 0.0, "accuracy": correct / len(dataset)}
    if network.output_shape[-1] > TOP:
        metrics["top5"] = top / len(dataset)
    return metrics

"""Weights of classes that follow from how many training samples each class has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine.components import Component
from ravine.data import as_array, as_labels
from ravine.errors import InputError
from ravine.model import Sequential
from ravine.training.samples import typed_samples

BALANCED = "balanced"
Labels = NDArray[np.integer[Any]]


def balanced(labels: Labels, classes: int = 0) -> list[float]:
    """A weight for each class with which all classes count the same: w_c = n / (classes n_c).

    G. King, L. Zeng, "Logistic regression in rare events data", Political Analysis 9, 2001; scikit-learn's
    "balanced".

    Args:
        labels: [samples], at least 0.
        classes: how many there are; 0: the largest label plus one.

    Raises:
        InputError: a class without a sample.

    Example:
        >>> balanced(np.array([0, 0, 0, 1]))
        [0.6666666666666666, 2.0]
    """
    counts = np.bincount(labels, minlength=classes)
    if (counts == 0).any():
        raise InputError(
            f"class {int(np.argmin(counts))} has no training sample, so that 'balanced' gives it no weight; "
            "give a number for each class",
            key="class_weights",
        )
    weights: list[float] = (len(labels) / (len(counts) * counts)).tolist()
    return weights


def with_class_weights(
    loss: Component | str, labels: Callable[[], Labels], classes: int = 0
) -> Component | str:
    """The loss with numbers in the place of "balanced"; others as they are.

    Args:
        loss: of a network.
        labels: gives those of the training samples; called where they are needed.
        classes: see `balanced`.
    """
    if not isinstance(loss, dict) or loss.get("class_weights") != BALANCED:
        return loss
    return {**loss, "class_weights": balanced(labels(), classes)}


def check_classes(
    model: Sequential, loss: Component | str | None, inputs: NDArray[Any], targets: ArrayLike
) -> None:
    """Says what is wrong where balanced weights do not fit a model; nothing if the loss asked for none.

    Raises:
        InputError: a label without an output, or an output whose class has no sample.
    """
    if not isinstance(loss, dict) or loss.get("class_weights") != BALANCED:
        return
    network = model.network(inputs.shape[1:], loss={**loss, "class_weights": []})
    typed_samples(network, "train", inputs, targets)
    balanced(as_labels(as_array(targets, "train"), "train"), network.output_shape[-1])

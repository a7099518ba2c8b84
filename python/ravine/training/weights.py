"""The weights that answer, where they are not those that train: averages of many steps, or the best ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.errors import CheckpointError
from ravine.hyperparameters import check_decay

Arrays = dict[str, NDArray[Any]]
PREFIX = "training."  # in a checkpoint, of the weights that train


def answering_values(network: _core.Network) -> Arrays:
    """What makes the network's answers: parameters, and the averages that layers keep."""
    return {**network.parameters, **network.state}


def exchange(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> None:
    """Lets arrays of the same names change their contents.

    Example:
        >>> import numpy as np
        >>> one, other = {"w": np.zeros(1)}, {"w": np.ones(1)}
        >>> exchange(one, other)
        >>> one["w"], other["w"]
        (array([1.]), array([0.]))
    """
    for name, values in one.items():
        before = values.copy()
        values[...] = other[name]
        other[name][...] = before


class AveragedWeights:
    """An exponential moving average of the weights, which answers in the place of those that train.

        average_t = sum_i d^(t-i) w_i / sum_i d^(t-i), i = 1 .. t

    After every update average <- d average + (1 - d) w from a start at 0, corrected by 1 - d^t as in Adam. An
    average that starts with the initial weights would hold d^t of them, and one that starts with those of the
    first step (as PyTorch's) as much of these: half, after 700 steps with d = 0.999. The moving averages of
    batch normalization are not averaged again: those of the last step are used.

    Gradients are taken at the weights themselves, and training goes on from these: so are the metrics of the
    training batches. Evaluations, early stopping's choice, checkpoints under the names of parameters and the
    network after the training have the average.

    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", 1992; as
    torch.optim.swa_utils.get_ema_multi_avg_fn.

    Args:
        network: whose weights are averaged.
        decay: d, at least 0 and below 1; the average is over about 1 / (1 - d) steps.

    Raises:
        InputError: a decay out of range.

    Example:
        >>> from ravine import Sequential, layers
        >>> network = Sequential(layers.Dense(1)).network([2], loss="squared_error")
        >>> AveragedWeights(network, 0.99).count
        0
    """

    def __init__(self, network: _core.Network, decay: float) -> None:
        self.network = network
        self.native = _core.WeightAverage(network, decay=check_decay(decay))
        self.in_place = False  # the network has the average, and `native` the weights that train

    @property
    def count(self) -> int:
        """Updates that the average knows."""
        return self.native.count

    def swap(self) -> None:
        """Exchanges the weights of the network with those that are kept."""
        if not self.in_place and self.count == 0:
            self.native.flat_values[...] = self.network.flat_parameters  # set anew since this was made
        exchange({"": self.network.flat_parameters}, {"": self.native.flat_values})
        self.in_place = not self.in_place

    @contextmanager
    def answering(self) -> Iterator[None]:
        """The network has the average within."""
        if self.in_place:
            yield
            return
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def views(self) -> tuple[Arrays, Arrays]:
        """By name, wherever they are: the weights that answer, and those that train.

        While early stopping has put the best weights into the network, these are taken for those that answer.
        """
        kept = self.native.flat_values if self.count or self.in_place else self.network.flat_parameters.copy()
        shaped = by_name(self.network, kept)
        return (self.network.parameters, shaped) if self.in_place else (shaped, self.network.parameters)

    def tensors(self) -> Arrays:
        """What a checkpoint holds: the answering weights by their names, those that train with a prefix."""
        answering, training = self.views()
        return {**answering, **{PREFIX + name: values for name, values in training.items()}}

    def restore(self, count: object, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Takes over what a checkpoint holds; the network has the answering weights of it already.

        Raises:
            CheckpointError: it cannot have come from an average.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise CheckpointError("holds no count of averaged weights")
        self.native.count = count
        self.native.flat_values[...] = training_weights(self.network, tensors)
        self.in_place = True


def by_name(network: _core.Network, flat: NDArray[Any]) -> Arrays:
    """Views of an array that is laid out as the network's flat parameters."""
    shaped: Arrays = {}
    begin = 0
    for name, values in network.parameters.items():
        shaped[name] = flat[begin : begin + values.size].reshape(values.shape)
        begin += values.size
    return shaped


def training_weights(network: _core.Network, tensors: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The weights that train, from a checkpoint that holds averaged ones beside them, flat.

    Raises:
        CheckpointError: some are missing, or of another shape.
    """
    parts = []
    for name, values in network.parameters.items():
        kept = tensors.get(PREFIX + name)
        if kept is None or kept.shape != values.shape or kept.dtype != values.dtype:
            raise CheckpointError(f"holds no weights of '{name}' before averaging that fit the network")
        parts.append(kept.ravel())
    return np.concatenate(parts)

"""Checkpoints of networks that ranks share: whole arrays from each rank's slices, and back.

A checkpoint holds what one rank that has all would save, so that it can be resumed on any grid of ranks.
Where a rank has all, nothing is done and nothing is copied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.errors import CheckpointError
from ravine.runs.checkpoint_file import Checkpoint
from ravine.training import early_stopping, weights

Arrays = dict[str, NDArray[Any]]
SLOT_PREFIX = "optimizer."  # of arrays that are laid out as the flat parameters
_PREFIXES = (weights.PREFIX, early_stopping.PREFIX)  # of weights beside those of the network


def gathered(network: _core.Network, tensors: Mapping[str, NDArray[Any]]) -> Arrays:
    """The whole of the arrays of a checkpoint, of which this rank has slices.

    Args:
        network: all ranks that share it make the call, each with arrays of the same names.
        tensors: by their names in a checkpoint.

    Example:
        >>> import ravine
        >>> network = ravine.Sequential(ravine.layers.Dense(1)).network([2], loss="squared_error")
        >>> gathered(network, network.parameters)["dense_1.weight"].shape
        (1, 2)
    """
    if not network.slices:
        return dict(tensors)
    return {name: _gathered(network, name, values) for name, values in tensors.items()}


def sliced(network: _core.Network, checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with this rank's slices of its arrays.

    Raises:
        CheckpointError: an array has another shape than the whole network; both shapes are named.
    """
    if not network.slices:
        return checkpoint
    tensors = {name: _sliced(network, name, values) for name, values in checkpoint.tensors.items()}
    return Checkpoint(checkpoint.step, tensors, checkpoint.state, checkpoint.metrics)


def _gathered(network: _core.Network, name: str, values: NDArray[Any]) -> NDArray[Any]:
    if not name.startswith(SLOT_PREFIX):
        own = _array_of(name)
        return network.gather(own, np.ascontiguousarray(values)) if own in network.slices else values
    pieces = weights.by_name(network, values)
    return np.concatenate([network.gather(own, piece).ravel() for own, piece in pieces.items()])


def _sliced(network: _core.Network, name: str, values: NDArray[Any]) -> NDArray[Any]:
    if not name.startswith(SLOT_PREFIX):
        own = _array_of(name)
        if own not in network.slices:
            return values
        shape, first, count = network.slices[own]
        _check(name, values, shape)
        return values[first : first + count]
    shapes = {own: _whole_shape(network, own, piece.shape) for own, piece in network.parameters.items()}
    _check(name, values, (sum(math.prod(shape) for shape in shapes.values()),))
    pieces, begin = [], 0
    for own, shape in shapes.items():
        end = begin + math.prod(shape)
        _, first, count = network.slices.get(own, (shape, 0, shape[0] if shape else 1))
        row = math.prod(shape[1:])
        pieces.append(values[begin:end][first * row : (first + count) * row])
        begin = end
    return np.concatenate(pieces)


def _array_of(name: str) -> str:
    """The parameter or state that an array of a checkpoint is laid out as."""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _whole_shape(network: _core.Network, name: str, own: tuple[int, ...]) -> tuple[int, ...]:
    return network.slices[name][0] if name in network.slices else own


def _check(name: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise CheckpointError(
            f"tensor '{name}' is {values.dtype} {list(values.shape)}, the network needs {list(shape)}"
        )

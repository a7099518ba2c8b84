"""What layers give for some samples: for histograms, percentiles, and moments over samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine import _core
from ravine.data import as_inputs
from ravine.errors import InputError


class LayerOutputs:
    """Reads the outputs of chosen layers for some samples; the network itself is not changed.

    Compiled once, it can be called again and again while the network trains. What a nonlinearity gets is the
    output of the layer before it, where the two are written as layers of their own: `Dense(100), "sigmoid"`
    instead of `Dense(100, activation="sigmoid")`. Means and variances alone are cheaper in a training's
    `History` and in `Network.moments`.

    Args:
        network: compiled; its parameters are read at each call.
        layers: names as in `network.layers`; all where it is empty.

    Raises:
        InputError: no such layer.

    Example:
        >>> from ravine import Sequential, layers
        >>> network = Sequential(layers.Dense(3), "sigmoid", layers.Dense(2)).network(
        ...     [4], loss="softmax_cross_entropy"
        ... )
        >>> outputs = LayerOutputs(network, ["dense_1"])(np.zeros((5, 4)))
        >>> np.percentile(outputs["dense_1"][:, 0], [15, 50, 85])
        array([0., 0., 0.])
    """

    def __init__(self, network: _core.Network, layers: Sequence[str] = ()) -> None:
        self.network = network
        shapes = {layer["name"]: tuple(layer["output_shape"]) for layer in network.layers}
        for name in layers:
            if name not in shapes:
                near = _core.closest(name, sorted(shapes))
                hint = f"did you mean '{near}'?" if near else f"there are {', '.join(shapes)}"
                raise InputError(f"no layer '{name}'; {hint}", key="layers")
        self._shapes = {name: shapes[name] for name in dict.fromkeys(layers or shapes)}
        # The part of the network that these layers need, and one output that has them all side by side.
        self._reader = _core.Network(
            _reading(network, list(self._shapes)),
            "squared_error",
            batch_size=network.batch_size,
            dtype=network.dtype,
            device=network.device,
            threads=network.threads,
            seed=network.seed,
        )

    @property
    def names(self) -> list[str]:
        """The layers that are read."""
        return list(self._shapes)

    def __call__(self, inputs: ArrayLike, *, training: bool = False) -> dict[str, NDArray[Any]]:
        """The layers' outputs, by name, each [samples, *shape of the layer's output].

        Args:
            inputs: [samples, *shape], preprocessed as for training.
            training: as in a training step whose batch these samples are: batch normalization takes their
                mean and variance instead of its moving averages, and dropout is on.

        Raises:
            InputError: inputs of another shape, or no samples.
        """
        rows = np.ascontiguousarray(as_inputs(inputs), self.network.array_dtype)
        for own, given in (
            (self._reader.parameters, self.network.parameters),
            (self._reader.state, self.network.state),
        ):
            for name, values in own.items():
                values[...] = self.network.gather(name, given[name])
        joined = self._reader.forward(rows, training)
        outputs = {}
        first = 0
        for name, shape in self._shapes.items():
            size = int(np.prod(shape, dtype=np.int64))
            outputs[name] = joined[:, first : first + size].reshape(len(rows), *shape)
            first += size
        return outputs


def _reading(network: _core.Network, wanted: list[str]) -> _core.NetworkSpec:
    """The layers that the wanted ones are computed from, and what lays their outputs side by side."""
    tables: dict[str, dict[str, Any]] = {}
    sources: dict[str, list[str]] = {}
    before = "input"
    for layer in network.specification.layers:
        settings = dict(layer)
        name = settings.pop("name")
        settings.pop("column", None)
        sources[name] = settings.pop("inputs", None) or [before]
        tables[name] = settings
        before = name
    needed: set[str] = set()
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name not in needed and name in tables:
            needed.add(name)
            waiting += sources[name]
    specification = _core.NetworkSpec(network.input_shape)
    for name, settings in tables.items():
        if name in needed:
            specification.add(settings, name, sources[name])
    prefix = "read-"
    while any(name.startswith(prefix) for name in needed):
        prefix += "-"
    for name in wanted:
        specification.add("flatten", prefix + name, [name])
    if len(wanted) > 1:
        specification.add("concatenate", prefix, [prefix + name for name in wanted])
    return specification

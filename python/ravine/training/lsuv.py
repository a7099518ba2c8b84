"""Layer-sequential unit-variance initialization: weights calibrated on data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ravine import _core
from ravine.data import Dataset, as_inputs
from ravine.errors import InputError

SAMPLES = 512  # of the training set, in an experiment
MOST_ITERATIONS = 10  # of one layer; one is enough where the bias is zero


@dataclass(frozen=True)
class CalibratedLayer:
    """What was done to one layer.

    Args:
        name: of the layer.
        before, after: variance of what its weights give, over the batch and all units.
        scale: the factor its weights were multiplied by.
    """

    name: str
    before: float
    after: float
    scale: float


def lsuv(
    network: _core.Network,
    inputs: ArrayLike,
    *,
    orthogonal: bool = True,
    variance: float = 1.0,
    tolerance: float = 0.01,
) -> list[CalibratedLayer]:
    """Scales the weights, layer by layer, until each layer's output has the same variance on a batch.

    From the first layer to the last: W <- W sqrt(variance / Var(W x + b)), before the activation. Layers
    whose only weights scale or shift what was normalized (batch normalization) are left as they are.

    Args:
        network: not yet trained; its weights are changed in place.
        inputs: some hundred typical samples [rows, *shape], preprocessed as for training.
        orthogonal: draw the weights anew first, by the initializer "orthogonal" and the network's seed.
        variance: what is wanted, above 0.
        tolerance: largest relative difference from it.

    Returns:
        The layers that were calibrated.

    Raises:
        InputError: inputs of another shape, or a layer whose output does not vary.

    References:
        D. Mishkin, J. Matas, "All you need is a good init", ICLR 2016.

    Example:
        >>> import numpy as np
        >>> from ravine import Sequential, layers
        >>> network = Sequential(layers.Dense(50, activation="relu"), layers.Dense(3)).network(
        ...     [20], loss="squared_error"
        ... )
        >>> rows = lsuv(network, np.random.default_rng(0).normal(size=(200, 20)))
        >>> [round(row.after, 2) for row in rows]
        [1.0, 1.0]
    """
    if not (variance > 0 and math.isfinite(variance)):
        raise InputError(f"is {variance}, expected a number above 0", key="variance")
    if not tolerance > 0:
        raise InputError(f"is {tolerance}, expected a number above 0", key="tolerance")
    batch = np.ascontiguousarray(as_inputs(inputs), network.array_dtype)
    weights = weights_by_layer(network)
    if orthogonal:
        for name in weights.values():
            network.initialize_parameter(name, "orthogonal", network.seed)
    calibrated = []
    for layer, name in weights.items():
        before = after = _variance(network, batch, layer)
        scale = 1.0
        for _ in range(MOST_ITERATIONS):
            if abs(after / variance - 1.0) <= tolerance:
                break
            factor = math.sqrt(variance / after)
            network.parameters[name][...] *= factor
            scale *= factor
            after = _variance(network, batch, layer)
        calibrated.append(CalibratedLayer(layer, before, after, scale))
    return calibrated


def calibrate(network: _core.Network, samples: Dataset, seed: int) -> str:
    """Calibrates before the first step of an experiment, on samples that the seed picks; says how."""
    rows = _core.permutation(seed, 0, len(samples))[:SAMPLES]
    calibrated = lsuv(network, samples.view(rows).prepared(0, len(rows), network.array_dtype))
    scales = ", ".join(f"{row.name} x{row.scale:.3g}" for row in calibrated)
    return f"weights calibrated to unit variance on {len(rows)} samples: {scales}"


def weights_by_layer(network: _core.Network) -> dict[str, str]:
    """The name of the weight of each layer that multiplies its inputs, in order."""
    weights = {}
    for layer in network.layers:
        name = f"{layer['name']}.weight"
        if name in network.parameters and network.parameters[name].ndim > 1:
            weights[layer["name"]] = name
    return weights


def _variance(network: _core.Network, batch: np.ndarray, layer: str) -> float:
    moments = network.moments(batch, before_activation=True)
    found = float(moments[layer]["variance"])
    if not (found > 0 and math.isfinite(found)):
        raise InputError(
            f"its output has variance {found} on these samples, which no scale of its weights can change; "
            "give other samples, or another initializer",
            layer=layer,
        )
    return found

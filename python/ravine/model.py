"""Networks as lists of layers, and what compiles them."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from ravine import _core
from ravine.components import Component
from ravine.errors import InputError

Threads = int | Literal["auto"]


class Sequential:
    """A network whose layers follow each other.

    Args:
        layers: layers from `ravine.layers`, catalog names, or tables with "type" as in an experiment file.

    Raises:
        InputError: a layer or one of its settings is not in the catalog.

    Example:
        >>> from ravine.layers import Dense
        >>> model = Sequential(Dense(100, activation="tanh"), Dense(10))
        >>> model.network([64], loss="softmax_cross_entropy").output_shape
        (10,)
    """

    def __init__(self, *layers: Component | str) -> None:
        self.layers = list(layers)
        self.specification([1])  # so that a wrong setting is found where it is written

    def specification(self, input_shape: Sequence[int]) -> _core.NetworkSpec:
        """The specification for samples of a shape: what experiment files build too."""
        return specification(input_shape, self.layers)

    def network(
        self,
        input_shape: Sequence[int],
        *,
        loss: Component | str,
        batch_size: int = 32,
        dtype: str = "float32",
        device: str = "cpu",
        threads: Threads = "auto",
        seed: int = 0,
    ) -> _core.Network:
        """Compiles the network and draws its weights.

        Args:
            input_shape: of one sample, channels last.
            loss: from `ravine.losses`, or a catalog name.
            batch_size: rows of a training step, at least 1.
            dtype: "float32", or "float64" to judge by.
            device: "cpu", "cuda" or "cuda:N".
            threads: workers on a CPU; "auto" chooses by the work of a step. The bits do not depend on it.
            seed: of the weights and of the masks of dropout.

        Raises:
            InputError: shapes that do not fit (the layer is named), or a setting out of range.
            DeviceError: the device is not there.
        """
        whole_number("batch_size", batch_size, 1)
        whole_number("seed", seed, 0)
        return _core.Network(
            self.specification(input_shape),
            loss,
            batch_size=batch_size,
            dtype=dtype,
            device=device,
            threads=0 if threads == "auto" else threads,
            seed=seed,
        )


def specification(input_shape: Sequence[int], layers: Iterable[Mapping[str, Any] | str]) -> _core.NetworkSpec:
    """A network specification from layer tables; errors carry the key ``layers.N.setting``.

    Example:
        >>> specification([4], [{"type": "dense", "units": 2}, "relu"]).layers[1]["name"]
        'activation_1'
    """
    spec = _core.NetworkSpec([int(extent) for extent in input_shape])
    for index, layer in enumerate(layers):
        settings = {"type": layer} if isinstance(layer, str) else dict(layer)
        name = settings.pop("name", "")
        try:
            if not isinstance(name, str):
                raise InputError("expected text", key="name")
            spec.add(settings, name)
        except InputError as error:
            inner = error.key not in (None, "", "layer")
            key = f"layers.{index}" + (f".{shown(str(error.key))}" if inner else "")
            raise InputError(error.message, key=key) from None
    return spec


def whole_number(key: str, value: object, least: int) -> int:
    """A setting that counts something.

    Raises:
        InputError: not a whole number, below the least, or above 2^63 - 1.

    Example:
        >>> whole_number("epochs", 3, 1)
        3
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"expected a whole number, got {value!r}", key=key) from None
    if not least <= number < 2**63:
        raise InputError(f"is {number}, expected at least {least} and below 2^63", key=key)
    return number


def shown(key: str) -> str:
    """A key as an error may print it in one line: in quotes where it is empty or not printable.

    Example:
        >>> shown("units"), shown("a\\nb")
        ('units', "'a\\\\nb'")
    """
    return key if key and key.isprintable() else repr(key)

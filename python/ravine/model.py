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
        layers: layers from `ravine.layers`, catalog names, blocks (`Residual`, `Columns`), or tables with
            "type" as in an experiment file.

    Raises:
        InputError: a layer or one of its settings is not in the catalog.

    Example:
        >>> from ravine.layers import Dense
        >>> model = Sequential(Dense(100, activation="tanh"), Dense(10))
        >>> model.network([64], loss="softmax_cross_entropy").output_shape
        (10,)
    """

    def __init__(self, *layers: Layer) -> None:
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
        compute: Mapping[str, bool | int] | None = None,
        ranks: _core.Ranks | None = None,
    ) -> _core.Network:
        """Compiles the network and draws its weights.

        Args:
            input_shape: of one sample, channels last.
            loss: from `ravine.losses`, or a catalog name.
            batch_size: rows of a training step, at least 1.
            dtype: "float32", "float64" to judge by, or "bfloat16": what products and convolutions multiply,
                forward and backward, is rounded to 8 significant bits (to the nearest, ties to even), and so
                is what lies between operations, which takes half of the memory; sums, moments, losses,
                parameters, their gradients, the optimizer, statistics and all arrays stay float32.
            device: "cpu", "cuda" or "cuda:N".
            threads: workers on a CPU; "auto": training times its first steps with several numbers, keeps the
                fastest and looks again now and then. The bits do not depend on it.
            seed: of the weights and of the masks of dropout.
            compute: how a step is computed, as in `[compute]` of experiments: ``{"fuse": False}``,
                ``{"checkpoint_every": 10}``.
            ranks: those that train this network together; batch_size is then of one rank.

        Raises:
            InputError: shapes that do not fit (the layer is named), or a setting out of range.
            DeviceError: the device is not there, or has no instructions for bfloat16 (on a CPU: AVX512-BF16).
        """
        whole_number("batch_size", batch_size, 1)
        whole_number("seed", seed, 0)
        try:
            return _core.Network(
                self.specification(input_shape),
                loss,
                batch_size=batch_size,
                dtype=dtype,
                device=device,
                threads=0 if threads == "auto" else threads,
                seed=seed,
                compute=dict(compute or {}),
                ranks=ranks,
            )
        except InputError as error:
            raise layer_at_fault(error, self.layers) from None


class Residual:
    """A residual block: y = f(x) + s(x), the shortcut s being the identity or layers of its own.

    K. He et al., "Deep residual learning for image recognition", CVPR 2016; lecture L4. In a file:
    ``{ type = "residual", body = [...], shortcut = [...] }``.

    Args:
        body: the layers of f; their output has the shape of the shortcut's.
        shortcut: the layers of s (a projection); empty for the identity.

    Example:
        >>> from ravine.layers import Dense
        >>> block = Residual(Dense(8, activation="relu"), Dense(8))
        >>> Sequential(Dense(8), block, "relu").network([4], loss="squared_error").output_shape
        (8,)
    """

    def __init__(self, *body: Layer, shortcut: Sequence[Layer] = ()) -> None:
        self.table: Component = {"type": "residual", "body": list(body), "shortcut": list(shortcut)}


class Columns:
    """Columns of layers side by side that meet in a concatenation or a sum.

    A. Krizhevsky et al., NIPS 2012; lecture L3. Columns that cross at chosen layers only are several
    `Columns`, one behind the other. Where as many ranks share the network, each computes a column. In a file:
    ``{ type = "columns", columns = [[...], [...]], join = "add" }``.

    Args:
        columns: lists of layers; all take the same input.
        join: "concatenate" along the last axis, or "add".

    Example:
        >>> from ravine.layers import Dense
        >>> model = Sequential(Columns([Dense(4, activation="relu")], [Dense(3)]), Dense(2))
        >>> model.network([5], loss="squared_error").layers[2]["output_shape"]
        (7,)
    """

    def __init__(
        self, *columns: Sequence[Layer], join: Literal["concatenate", "add"] = "concatenate"
    ) -> None:
        self.table: Component = {"type": "columns", "columns": [list(one) for one in columns], "join": join}


Layer = Component | str | Residual | Columns


def specification(
    input_shape: Sequence[int], layers: Iterable[Mapping[str, Any] | Layer]
) -> _core.NetworkSpec:
    """A network specification from layer tables; errors carry the key ``layers.N.setting``.

    A layer takes the output of the layer before it, or of those that its key "inputs" names ("input" is the
    network's own). Blocks ("residual", "columns") become layers with such inputs, and with the key "column":
    in which of how many columns a layer stands.

    Example:
        >>> specification([4], [{"type": "dense", "units": 2}, "relu"]).layers[1]["name"]
        'activation_1'
    """
    spec = _core.NetworkSpec([int(extent) for extent in input_shape])
    _add_layers(spec, layers, "layers", "", {})
    return spec


def layer_at_fault(error: InputError, layers: Iterable[Mapping[str, Any] | Layer]) -> InputError:
    """The error of a layer with the key ``layers.N.setting`` under which the layer is written.

    Example:
        >>> layer_at_fault(InputError("does not fit", layer="add_1"), [Residual("relu")]).key
        'layers.0'
    """
    spec = _core.NetworkSpec([1])
    places: dict[str, str] = {}
    _add_layers(spec, layers, "layers", "", places)
    table = next((one for one in spec.layers if one["name"] == error.layer), None)
    if table is None or error.key not in (None, *table):
        return error  # about no layer, or about something else that does not suit it, such as the batch size
    key = places[table["name"]] + (f".{error.key}" if error.key else "")
    return type(error)(error.message, file=error.file, key=key, row=error.row, layer=error.layer)


def _add_layers(
    spec: _core.NetworkSpec,
    layers: Iterable[Mapping[str, Any] | Layer],
    key: str,
    first_input: str,
    places: dict[str, str],
    column: tuple[int, int] | None = None,
) -> str:
    """Appends layers, the first of which takes `first_input` (or the layer before); returns the last name.

    `places` gets the key under which each layer is written, by its name; a layer that joins a block has the
    block's. `column` is the outermost one that they stand in.
    """
    last = first_input
    follows = not first_input  # the next layer takes what was appended before it
    for index, layer in enumerate(layers):
        where = f"{key}.{index}"
        if isinstance(layer, (Residual, Columns)):
            layer = layer.table
        settings: dict[str, Any] = {"type": layer} if isinstance(layer, str) else dict(layer)
        kind = settings.get("type")
        if kind in ("residual", "columns"):
            entry = last if not follows else (spec.layers[-1]["name"] if spec.layers else "input")
            last = _add_block(spec, settings, where, entry, places, column)
            follows = True
            continue
        name = settings.pop("name", "")
        inputs = settings.pop("inputs", [])
        inputs = [inputs] if isinstance(inputs, str) else inputs
        stands_in = settings.pop("column", None)
        try:
            if not isinstance(name, str):
                raise InputError("expected text", key="name")
            if not isinstance(inputs, (list, tuple)) or not all(isinstance(one, str) for one in inputs):
                raise InputError("expected names of earlier layers", key="inputs")
            if stands_in is not None:
                stands_in = _column(stands_in)
            spec.add(settings, name, list(inputs) or ([] if follows else [last]), column or stands_in)
        except InputError as error:
            inner = error.key not in (None, "", "layer")
            raise InputError(
                error.message, key=where + (f".{shown(str(error.key))}" if inner else "")
            ) from None
        last = spec.layers[-1]["name"]
        places[last] = where
        follows = True
    return last


def _column(given: object) -> tuple[int, int]:
    numbers = list(given) if isinstance(given, (list, tuple)) else []
    whole = len(numbers) == 2 and all(type(one) is int for one in numbers)
    if not whole or not 0 <= numbers[0] < numbers[1] < 2**31:
        raise InputError("expected which column and of how many, such as [0, 2]", key="column")
    return numbers[0], numbers[1]


def _add_block(
    spec: _core.NetworkSpec,
    settings: dict[str, Any],
    key: str,
    entry: str,
    places: dict[str, str],
    column: tuple[int, int] | None,
) -> str:
    """Appends the layers of a block that begins at `entry`; returns the name of the layer that joins them."""
    kind = settings["type"]
    takes = {"residual": {"body", "shortcut"}, "columns": {"columns", "join"}}
    known = {"type", "name", *takes[kind]}
    for setting in settings:
        if setting not in known:
            near = _core.closest(setting, sorted(known))
            hint = f"did you mean '{near}'?" if near else f"it takes {', '.join(sorted(known - {'type'}))}"
            raise InputError(f"unknown setting of {kind}; {hint}", key=f"{key}.{setting}")
    if kind == "residual":
        branches = {"body": settings.get("body"), "shortcut": settings.get("shortcut", [])}
        join = "add"
    else:
        given = settings.get("columns")
        if not isinstance(given, list) or len(given) < 2:
            raise InputError("expected at least two columns, each a list of layers", key=f"{key}.columns")
        branches = {f"columns.{index}": column for index, column in enumerate(given)}
        join = settings.get("join", "concatenate")
        if join not in ("concatenate", "add"):
            raise InputError(f"must be 'concatenate' or 'add', got {join!r}", key=f"{key}.join")
    ends = []
    for index, (part, layers) in enumerate(branches.items()):
        if not isinstance(layers, list) or (not layers and part != "shortcut"):
            raise InputError("expected a list of layers", key=f"{key}.{part}")
        own = (index, len(branches)) if kind == "columns" else None
        ends.append(_add_layers(spec, layers, f"{key}.{part}", entry, places, column or own))
    spec.add(join, settings.get("name", ""), ends, column)
    name = str(spec.layers[-1]["name"])
    places[name] = key
    return name


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

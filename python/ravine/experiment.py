"""Experiments: everything about a run in one typed TOML file."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import Meta, Struct

from ravine import _core
from ravine.data.files import expanded, unexpanded
from ravine.data.settings import FIELD_SOURCES, DataSettings
from ravine.errors import InputError
from ravine.groups import GroupSettings, Size
from ravine.hyperparameters import resolved_schedule
from ravine.model import shown, specification

LARGEST = 2**31 - 1
Count = Annotated[int, Meta(ge=1, le=LARGEST)]
Table = dict[str, Any]
CUSTOM = "custom"  # the type of an optimizer whose rule is a Python function

_FILE_FIELDS = ("train_images", "train_labels", "test_images", "test_labels", "file", "test_file")
EXAMPLES = Path(__file__).parent / "examples"


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class ModelSettings(_Section, frozen=True):
    """The network.

    Args:
        layers: in order, tables with a "type" of the catalog and its settings, or bare names.
        calibrate: before the first step, draw the weights as orthogonal matrices and scale them, layer by
            layer, to unit variance on training samples (LSUV), instead of the layers' weight initializers.
    """

    layers: Annotated[list[Table | str], Meta(min_length=1)]
    calibrate: bool = False


class RegularizationSettings(_Section, frozen=True):
    """What keeps weights and gradients small.

    Args:
        l2: lambda of lambda/2 sum w^2 over the weights (not biases), at least 0.
        l1: lambda of lambda sum |w| over the weights, at least 0.
        l1_form: "subgradient" adds lambda sign(w) to the gradient; "proximal" moves each weight towards 0 by
            learning rate times lambda after the update, and those that would cross it become exactly 0.
        clip_value: largest magnitude of an element of the gradient, after the norms; 0 does not clip.
        clip_layer_norm: largest norm of the gradient of each layer, weights and biases together; 0 does not
            clip.
        clip_norm: largest norm of the whole gradient, after the layers' norms; 0 does not clip.
        max_norm: largest norm of the weights into each unit; after the update longer ones are scaled down to
            it. 0 has no limit.
    """

    l2: Size = 0.0
    l1: Size = 0.0
    l1_form: Literal["subgradient", "proximal"] = "subgradient"
    clip_value: Size = 0.0
    clip_layer_norm: Size = 0.0
    clip_norm: Size = 0.0
    max_norm: Size = 0.0


class TrainingSettings(_Section, frozen=True):
    """How long, and in which batches.

    Args:
        epochs: passes over the training samples, at least 1.
        batch_size: samples a step, at least 1.
        shuffle: a new random order each epoch.
        drop_last: leave out a last batch that is not full.
        evaluate_every: epochs between evaluations on the validation samples.
        checkpoint_seconds: least time between two checkpoints at the end of epochs; the last is always saved.
        keep_checkpoints: how many of the latest are kept, beside the best.
        patience: evaluations in a row without a lower validation loss after which training ends early; the
            network then gets the weights of the lowest loss, as it does after the last epoch. 0 for neither.
        minimum_change: by how much the validation loss must fall to count as lower.
    """

    epochs: Count = 10
    batch_size: Count = 32
    shuffle: bool = True
    drop_last: bool = False
    evaluate_every: Count = 1
    checkpoint_seconds: Size = 5.0
    keep_checkpoints: Count = 3
    patience: Annotated[int, Meta(ge=0, le=LARGEST)] = 0
    minimum_change: Size = 0.0


class ComputeSettings(_Section, frozen=True):
    """Where and how it is computed.

    Args:
        device: "cpu", "cuda" or "cuda:N".
        threads: workers on a CPU, or "auto"; the result does not depend on it.
        dtype: "float32", or "float64".
    """

    device: str = "cpu"
    threads: Literal["auto"] | Annotated[int, Meta(ge=1, le=1024)] = "auto"
    dtype: Literal["float32", "float64"] = "float32"


class StatisticsSettings(_Section, frozen=True):
    """What is recorded.

    Args:
        every: steps between records; 0 records no step.
        layers: mean, variance and fraction of zeros of every layer's output too.
    """

    every: Annotated[int, Meta(ge=0, le=LARGEST)] = 1
    layers: bool = True


class Experiment(_Section, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A run, fully described.

    Args:
        name: of the run folder.
        seed: of weights, order of samples and masks, below 2^63.
        schedules: for a hyperparameter that is to change, a schedule of the catalog: a table or a bare name.
        groups: parameters that are trained otherwise, by patterns of their names.
        data, model, loss, optimizer, regularization, training, compute, statistics: the sections.

    Example:
        >>> load_experiment("digits").training.epochs
        15
    """

    name: str = "run"
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    loss: str | Table = "softmax_cross_entropy"
    data: DataSettings
    model: ModelSettings
    optimizer: str | Table
    schedules: dict[str, Any] = {}
    regularization: RegularizationSettings = RegularizationSettings()
    groups: list[GroupSettings] = []
    training: TrainingSettings = TrainingSettings()
    compute: ComputeSettings = ComputeSettings()
    statistics: StatisticsSettings = StatisticsSettings()


def embedded_experiments() -> list[str]:
    """Names of the experiments that are shipped with the package."""
    return sorted(path.stem for path in EXAMPLES.glob("*.toml"))


def load_experiment(source: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Reads, checks and fully resolves an experiment.

    Args:
        source: a TOML file, or the name of an experiment that is shipped ("digits").
        overrides: "key.path=value" with TOML values ("optimizer.learning_rate=0.05",
            "model.layers.0.units=50").

    Raises:
        InputError: no such file, no TOML, an unknown key, a wrong type or a value out of range; file and key
            are named.

    Example:
        >>> load_experiment("digits", ["training.epochs=3"]).training.epochs
        3
    """
    path = _find(source)
    try:
        text = path.read_bytes().decode()
        table = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", file=path) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", file=path) from None
    except RecursionError:
        raise InputError("is not TOML of an experiment: it is nested too deeply", file=path) from None
    for override in overrides:
        _override(table, override)
    try:
        return parse_experiment(table, path.resolve().parent)
    except InputError as error:
        raise InputError(
            error.message, file=error.file or path, key=error.key, row=error.row, layer=error.layer
        ) from None


def parse_experiment(table: Mapping[str, Any], base: Path) -> Experiment:
    """An experiment from its table; relative data files start at `base`.

    Raises:
        InputError: as `load_experiment`, without the file.
    """
    _check_keys(Experiment, table, "")
    try:
        experiment = msgspec.convert(table, Experiment)
    except msgspec.ValidationError as error:
        raise _explained(error) from None
    optimizer = _resolved_optimizer(experiment.optimizer)
    data = experiment.data
    places = {name: str(base / expanded(value)) for name in _FILE_FIELDS if (value := getattr(data, name))}
    return msgspec.structs.replace(
        experiment,
        data=msgspec.structs.replace(data, **places),
        loss=_resolved("loss", experiment.loss),
        optimizer=optimizer,
        schedules=_resolved_schedules(experiment.schedules, optimizer),
        model=msgspec.structs.replace(experiment.model, layers=_resolved_layers(experiment.model.layers)),
    )


def to_toml(experiment: Experiment) -> str:
    """The experiment with every default written out; reading it gives the same experiment."""
    table = msgspec.to_builtins(experiment)
    data = table["data"]
    for field, sources in FIELD_SOURCES.items():
        if not data[field] or data["source"] not in sources:
            del data[field]
        elif field in _FILE_FIELDS:
            data[field] = unexpanded(data[field])
    return tomli_w.dumps(table)


def _find(source: str | Path) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    names = embedded_experiments()
    if str(source) in names:
        return EXAMPLES / f"{source}.toml"
    if path.is_dir() and (path / "experiment.toml").is_file():
        return path / "experiment.toml"
    near = difflib.get_close_matches(str(source), names, 1)
    if not near and path.parent.is_dir():
        neighbours = [str(other) for other in path.parent.glob("*.toml")]
        near = difflib.get_close_matches(str(path), neighbours, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"shipped experiments: {', '.join(names)}"
    raise InputError(f"no such experiment file; {hint}", file=path)


def _override(table: Table, override: str) -> None:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise InputError(f"'{override}' is not key=value, as in optimizer.learning_rate=0.05", key="--set")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.split(".")
    place: Any = table
    for depth, part in enumerate(parents):
        if isinstance(place, list):
            place = place[_index(place, part, _joined(parents[: depth + 1]))]
        elif isinstance(place, dict):
            named = part in ("loss", "optimizer") or parents[:depth] == ["schedules"]
            if isinstance(place.get(part), str) and named:
                place[part] = {"type": place[part]}
            place = place.setdefault(part, {})
    if isinstance(place, list):
        place[_index(place, last, _joined([*parents, last]))] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise InputError(f"has no settings of its own, so '{last}' cannot be set", key=_joined(parents))


def _joined(parts: Sequence[str]) -> str:
    return ".".join(map(shown, parts))


def _index(place: list[Any], part: str, key: str) -> int:
    if not part.isdecimal() or int(part) >= len(place):
        raise InputError(f"there are entries 0 to {len(place) - 1}, not '{part}'", key=key)
    return int(part)


def _struct_of(annotation: Any) -> type[Struct] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, Struct) else None


def _check_keys(kind: type[Struct], table: Mapping[str, Any], path: str) -> None:
    """Unknown and missing keys, with the key that may have been meant."""
    hints = typing.get_type_hints(kind)
    for key, value in table.items():
        where = f"{path}.{shown(key)}" if path else shown(key)
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(hints)}"
            raise InputError(f"unknown key; {hint}", key=where)
        section = _struct_of(hints[key])
        if section is not None:
            if not isinstance(value, Mapping):
                raise InputError(f"expected a table [{where}], got {_named(value)}", key=where)
            _check_keys(section, value, where)
        elements = [one for kind in typing.get_args(hints[key]) if (one := _struct_of(kind))]
        if elements and isinstance(value, list):
            for index, one in enumerate(value):
                if not isinstance(one, Mapping):
                    raise InputError(f"expected a table, got {_named(one)}", key=f"{where}.{index}")
                _check_keys(elements[0], one, f"{where}.{index}")
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in table:
            where = f"{path}.{field.name}" if path else field.name
            raise InputError("is missing; the experiment needs it", key=where)


_NAMES: dict[type, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number",
    list: "a list", dict: "a table", types.NoneType: "nothing",
}  # fmt: skip


def _named(value: object) -> str:
    return f"{value!r}" if isinstance(value, (str, int, float)) else _NAMES.get(type(value), "something else")


def _explained(error: msgspec.ValidationError) -> InputError:
    """msgspec's message, with a dotted key and in the words of the file."""
    text, _, path = str(error).partition(" - at `$")
    key = re.sub(r"\[(\d+)\]", r".\1", path.rstrip("`")).lstrip(".")
    field = re.match(r"`(\w+)` ", text)
    if field and key and field.group(1) != "split":
        key = f"{key}.{field.group(1)}"
    if text.startswith("Invalid enum value"):
        given = text.removeprefix("Invalid enum value ")
        text = f"unknown value {given}; choose from {', '.join(_choices(key))}"
    words = {
        "`str | object`": "text or a table", "`int | str`": "a whole number or 'auto'", "`str`": "text",
        "`int`": "a whole number", "`float`": "a number", "`bool`": "true or false", "`object`": "a table",
        "`array`": "a list", "Expected": "expected",
    }  # fmt: skip
    for name, word in words.items():
        text = text.replace(name, word)
    return InputError(text, key=key or None)


def _choices(key: str) -> list[str]:
    """The words that a setting may be."""
    kind: Any = Experiment
    for part in key.split("."):
        kind = typing.get_type_hints(kind)[part]
    literals = [kind, *typing.get_args(kind)]
    words = [
        str(word) for one in literals if typing.get_origin(one) is Literal for word in typing.get_args(one)
    ]
    return [*words, "a whole number"] if len(words) == 1 else words


def _resolved(kind: str, component: str | Table) -> Table:
    try:
        resolved: Table = _core.resolve(kind, component)
    except InputError as error:
        key = f"{kind}.{shown(error.key)}" if error.key and error.key != kind else kind
        raise InputError(error.message, key=key) from None
    return resolved


def _resolved_optimizer(optimizer: str | Table) -> Table:
    """From the catalog; a rule in Python has numbers that only its function knows."""
    if isinstance(optimizer, str) or optimizer.get("type") != CUSTOM:
        return _resolved("optimizer", optimizer)
    numbers = {name: value for name, value in optimizer.items() if name != "type"}
    for name, value in {"learning_rate": None, **numbers}.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            given = "is missing" if value is None else f"is {_named(value)}"
            raise InputError(f"{given}; expected a number", key=f"optimizer.{shown(name)}")
    return {"type": CUSTOM, **{name: float(value) for name, value in numbers.items()}}


def _resolved_schedules(schedules: Table, optimizer: Table) -> Table:
    resolved: Table = {}
    for name, schedule in schedules.items():
        try:
            if not isinstance(schedule, (str, dict)):
                raise InputError(f"expected text or a table, got {_named(schedule)}", key=name)
            resolved[name] = resolved_schedule(name, schedule, optimizer)
        except InputError as error:
            parts = (error.key or name).removeprefix(name)
            raise InputError(error.message, key=f"schedules.{shown(name)}{parts}") from None
    return resolved


def _resolved_layers(layers: Sequence[Table | str]) -> list[Table | str]:
    try:
        return list(specification([1], layers).layers)
    except InputError as error:
        raise InputError(error.message, key=f"model.{error.key}", layer=error.layer) from None

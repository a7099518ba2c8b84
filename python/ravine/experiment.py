"""Experiments: everything about a run in one typed TOML file."""

from __future__ import annotations

import difflib
import math
import tomllib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from ravine import _core
from ravine.checks import check_keys, explained, named
from ravine.data.files import expanded, unexpanded
from ravine.data.sampler import sampler_settings
from ravine.data.settings import FIELD_SOURCES, IMAGE_FILE_FIELDS
from ravine.errors import InputError, RavineWarning
from ravine.hyperparameters import check_decay, resolved_schedule
from ravine.model import layer_at_fault, shown, specification
from ravine.settings import Experiment, RegularizationSettings, Table

__all__ = [
    "CUSTOM",
    "Experiment",
    "RegularizationSettings",
    "embedded_experiments",
    "load_experiment",
    "name_source",
    "parse_experiment",
    "to_toml",
]

CUSTOM = "custom"  # the type of an optimizer whose rule is a Python function

EXAMPLES = Path(__file__).parent / "examples"


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
    table, path = _read(source, overrides)
    try:
        return parse_experiment(table, path.resolve().parent)
    except InputError as error:
        raise InputError(
            error.message,
            file=error.file or _shown_source(source, path),
            key=error.key,
            row=error.row,
            layer=error.layer,
        ) from None


def name_source(error: InputError, source: str | Path, overrides: Sequence[str] = ()) -> None:
    """Gives an error the experiment it is about, unless it names a file: the experiment's file or name, and
    the key under which a layer is written there, be it within a block. Data of a shipped experiment that is
    not there is to be named.

    Args:
        error: of what was made from the experiment.
        source, overrides: as `load_experiment` was given them.
    """
    try:
        table, path = _read(source, overrides)
        shown_source = _shown_source(source, path)
        if error.file is not None:
            if shown_source != str(path) and error.key and not Path(error.file).exists():
                error.message += f"; give yours with --set {error.key}=PATH"
            return
        error.file = shown_source
        start, key = "model.layers.", error.key or ""
        if error.layer and key.startswith(start):
            error.key = key.removeprefix(start).partition(".")[2] or None
            error.key = f"model.{layer_at_fault(error, table['model']['layers']).key}"
    except (InputError, LookupError, TypeError):  # the file is another by now
        error.file = error.file or str(source)


def parse_experiment(table: Mapping[str, Any], base: Path) -> Experiment:
    """An experiment from its table; relative data files start at `base`.

    Raises:
        InputError: as `load_experiment`, without the file.
    """
    table = _renamed(table)
    check_keys(Experiment, table)
    try:
        experiment = msgspec.convert(table, Experiment)
    except msgspec.ValidationError as error:
        raise explained(error, table) from None
    check_decay(experiment.training.average_weights, "training.average_weights")
    _check_order(experiment)
    optimizer = _resolved_optimizer(experiment.optimizer)
    data = experiment.data
    places: dict[str, Any] = {
        name: str(base / expanded(value)) for name in data.file_fields if (value := getattr(data, name))
    }
    images = {
        name: str(base / expanded(value))
        for name in IMAGE_FILE_FIELDS
        if (value := getattr(data.images, name))
    }
    places["images"] = msgspec.structs.replace(data.images, **images)
    return msgspec.structs.replace(
        experiment,
        data=msgspec.structs.replace(data, **places),
        loss=_resolved("loss", experiment.loss),
        optimizer=optimizer,
        schedules=_resolved_schedules(experiment.schedules, optimizer),
        model=msgspec.structs.replace(experiment.model, layers=_resolved_layers(experiment.model.layers)),
    )


def _check_order(experiment: Experiment) -> None:
    """Raises InputError where the sampler contradicts `training.shuffle`."""
    try:
        sampler_settings(experiment.data.sampler, experiment.training.shuffle)
    except InputError as error:
        raise InputError(
            error.message.replace("shuffle = false", "training.shuffle = false"), key="data.sampler.type"
        ) from None


def _renamed(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table with a key of the first versions, which run folders may have, under its name of today."""
    statistics = table.get("statistics")
    if not isinstance(statistics, Mapping) or not isinstance(statistics.get("layers"), bool):
        return table
    level = "norms" if statistics["layers"] else "off"
    warnings.warn(
        f'statistics.layers is statistics.level now; read as level = "{level}"', RavineWarning, stacklevel=4
    )
    others = {key: value for key, value in statistics.items() if key != "layers"}
    return {**table, "statistics": {"level": level, **others}}


def to_toml(experiment: Experiment) -> str:
    """The experiment with every default written out; reading it gives the same experiment."""
    table = msgspec.to_builtins(experiment)
    data = table["data"]
    for field, sources in FIELD_SOURCES.items():
        if not data[field] or data["source"] not in sources:
            del data[field]
        elif field in experiment.data.file_fields:
            data[field] = unexpanded(data[field])
    if "images" in data:
        for field in IMAGE_FILE_FIELDS:
            data["images"][field] = unexpanded(data["images"][field])
    for field, given in (("augmentation", data["augmentation"]), ("crops", data["crops"]["scales"])):
        if not given:
            del data[field]
    return tomli_w.dumps(table)


def _read(source: str | Path, overrides: Sequence[str]) -> tuple[Table, Path]:
    """The table of an experiment, with what is overridden in it, and its file."""
    path = _find(source)
    shown_source = _shown_source(source, path)
    try:
        table = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=shown_source) from None
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", file=shown_source) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"is not TOML: {error}", file=shown_source) from None
    except RecursionError:
        raise InputError("is not TOML of an experiment: it is nested too deeply", file=shown_source) from None
    for override in overrides:
        apply_override(table, override)
    return table, path


def _shown_source(source: str | Path, path: Path) -> str:
    """What messages call an experiment: its file, or the name of one that is shipped."""
    return f"{path.stem} (shipped)" if path.parent == EXAMPLES and path != Path(source) else str(path)


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


def apply_override(table: Table, override: str) -> None:
    """Puts "key.path=value", with a TOML value, into a table of settings."""
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
            given = "is missing" if value is None else f"is {named(value)}"
            raise InputError(f"{given}; expected a number", key=f"optimizer.{shown(name)}")
    return {"type": CUSTOM, **{name: float(value) for name, value in numbers.items()}}


def _resolved_schedules(schedules: Table, optimizer: Table) -> Table:
    resolved: Table = {}
    for name, schedule in schedules.items():
        try:
            if not isinstance(schedule, (str, dict)):
                raise InputError(f"expected text or a table, got {named(schedule)}", key=name)
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

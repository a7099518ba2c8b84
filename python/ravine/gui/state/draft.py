"""The experiment that is being edited: as a table and as TOML, with undo and redo."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from ravine.data.files import expanded, unexpanded
from ravine.data.settings import FILE_FIELDS, IMAGE_FILE_FIELDS, NPY_FIELDS
from ravine.errors import InputError
from ravine.experiment import EXAMPLES, load_experiment
from ravine.gui.state.toml_text import edited
from ravine.settings import Table

Key = tuple[str | int, ...]
MOST_UNDO = 500
LONGEST_TEXT = 1 << 20


@dataclass(frozen=True)
class _Snapshot:
    table: Table
    text: str
    error: str
    folder: Path
    label: str
    key: Key


def dotted(key: Key) -> str:
    """A key as errors name it.

    Example:
        >>> dotted(("model", "layers", 0, "units"))
        'model.layers.0.units'
    """
    return ".".join(map(str, key))


class Draft:
    """An experiment on the desk. Every change can be undone; who listens is told of each.

    Only what differs from the defaults is in the table. The text is what was typed, or made from the table;
    comments stay.
    Where a typed text is no TOML, `error` says so and the table stays as it was.

    Args:
        text: TOML.
        folder: where relative paths in it start.

    Example:
        >>> draft = Draft('optimizer = "adam"')
        >>> draft.set(("optimizer", "learning_rate"), 0.01)
        >>> draft.table
        {'optimizer': {'type': 'adam', 'learning_rate': 0.01}}
        >>> draft.undo()
        'set optimizer.learning_rate'
        >>> draft.table
        {'optimizer': 'adam'}
    """

    def __init__(self, text: str = "", folder: Path = Path()) -> None:
        self.listeners: list[Callable[[], None]] = []
        self._past: list[_Snapshot] = []
        self._future: list[_Snapshot] = []
        self._now = _Snapshot({}, "", "", folder, "", ())
        self._now = self._from_text(text, folder, "open")

    @property
    def table(self) -> Table:
        """What the experiment says; change it by `set` and `remove` alone."""
        return self._now.table

    @property
    def text(self) -> str:
        return self._now.text

    @property
    def error(self) -> str:
        """Why the text is no TOML; empty where it is."""
        return self._now.error

    @property
    def folder(self) -> Path:
        return self._now.folder

    def get(self, key: Key, default: Any = None) -> Any:
        """What the experiment says about a key, or the default where it says nothing."""
        place: Any = self._now.table
        for part in key:
            if isinstance(place, str) and part == "type":
                return place  # a bare name
            try:
                place = place[part]
            except (KeyError, IndexError, TypeError):
                return default
        return place

    def set(self, key: Key, value: Any, label: str = "") -> None:
        """Sets one value. Edits of the same key in a row are undone at once."""
        table = copy.deepcopy(self._now.table)
        place: Any = table
        for part in key[:-1]:
            inner = place.get(part, {}) if isinstance(place, dict) else place[part]
            if not isinstance(inner, (dict, list)):
                inner = {"type": inner} if isinstance(inner, str) else {}  # a bare name gets settings
            place[part] = inner
            place = inner
        if isinstance(place, dict) and place.get(str(key[-1]), _MISSING) == value:
            same = type(place[str(key[-1])]) is type(value)
            if same:
                return
        place[key[-1]] = value
        self._take(table, label or f"set {dotted(key)}", key)

    def remove(self, key: Key) -> None:
        """Forgets what the experiment says about a key, and tables that are empty then."""
        table = copy.deepcopy(self._now.table)
        places: list[Any] = [table]
        for part in key[:-1]:
            try:
                places.append(places[-1][part])
            except (KeyError, IndexError, TypeError):
                return
        try:
            del places[-1][key[-1]]
        except (KeyError, IndexError, TypeError):
            return
        for depth in range(len(key) - 1, 0, -1):
            if places[depth] == {} and isinstance(places[depth - 1], dict):
                del places[depth - 1][key[depth - 1]]
        self._take(table, f"reset {dotted(key)}", key)

    def set_text(self, text: str) -> None:
        """Takes a text that was typed."""
        if text != self._now.text:
            self._push(self._from_text(text, self._now.folder, "edit text"), ("text",))

    def replace(self, text: str, folder: Path, label: str) -> None:
        """Takes another experiment; what was there can be had back by undo."""
        self._push(self._from_text(text, folder, label), ())

    def set_table(self, table: Table, label: str) -> None:
        """Takes a table that was changed in several places at once."""
        self._take(copy.deepcopy(table), label, ())

    def undo(self) -> str:
        """Takes the last edit back; says what it was, or nothing where there is none."""
        if not self._past:
            return ""
        label = self._now.label
        self._future.append(self._now)
        self._now = self._past.pop()
        self._tell()
        return label

    def redo(self) -> str:
        """Makes the last edit that was undone again."""
        if not self._future:
            return ""
        self._past.append(self._now)
        self._now = self._future.pop()
        self._tell()
        return self._now.label

    @property
    def undo_label(self) -> str:
        return self._now.label if self._past else ""

    @property
    def redo_label(self) -> str:
        return self._future[-1].label if self._future else ""

    def _take(self, table: Table, label: str, key: Key) -> None:
        try:
            text = edited(self._now.text, table) if not self._now.error else tomli_w.dumps(table)
        except (TypeError, ValueError) as error:  # a value that TOML has no word for
            raise InputError(f"cannot be written as TOML: {error}", key=dotted(key)) from None
        self._push(_Snapshot(table, text, "", self._now.folder, label, key), key)

    def _from_text(self, text: str, folder: Path, label: str) -> _Snapshot:
        try:
            if len(text) > LONGEST_TEXT:
                raise ValueError("longer than an experiment can be")
            return _Snapshot(tomllib.loads(text), text, "", folder, label, ("text",))
        except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
            return _Snapshot(self._now.table, text, f"is not TOML: {error}", folder, label, ("text",))

    def _push(self, snapshot: _Snapshot, key: Key) -> None:
        burst = bool(key) and key == self._now.key and bool(self._past) and not self._future
        if not burst:
            self._past.append(self._now)
            del self._past[:-MOST_UNDO]
        self._future.clear()
        self._now = snapshot
        self._tell()

    def end_burst(self) -> None:
        """The next edit is one of its own, even of the same key."""
        now = self._now
        self._now = _Snapshot(now.table, now.text, now.error, now.folder, now.label, ())

    def _tell(self) -> None:
        for listener in list(self.listeners):
            listener()


_MISSING = object()


def starter() -> str:
    """What stands ready at the first start: the digits of lecture L2, trained long enough to be watched."""
    table = tomllib.loads((EXAMPLES / "digits.toml").read_text(encoding="utf-8"))
    table["data"]["split"]["validation_fraction"] = 0.15
    table["training"]["epochs"] = 500
    return tomli_w.dumps(table)


def with_whole_paths(table: Table, folder: Path) -> Table:
    """An experiment whose files of data are found from any folder; relative ones started at `folder`.

    Example:
        >>> with_whole_paths({"data": {"source": "npz", "file": "a.npz"}}, Path("/data"))["data"]["file"]
        '/data/a.npz'
    """
    data = table.get("data")
    if not isinstance(data, dict):
        return table
    fields = (*FILE_FIELDS, *(NPY_FIELDS if data.get("source") == "npy" else ()))
    data = _whole(data, fields, folder)
    if isinstance(data.get("images"), dict):
        data["images"] = _whole(data["images"], IMAGE_FILE_FIELDS, folder)
    return {**table, "data": data}


def _whole(section: Table, fields: Iterable[str], folder: Path) -> Table:
    paths = {
        field: unexpanded(str(folder.absolute() / expanded(section[field])))
        for field in fields
        if isinstance(section.get(field), str) and section[field]
    }
    return {**section, **paths}


def differences(table: Table, other: Table, prefix: Key = ()) -> list[tuple[str, Any, Any]]:
    """Keys in which two tables differ, with both values; None where one says nothing.

    Example:
        >>> differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}})
        [('a.b', 1, 3), ('c', 2, None)]
    """
    found: list[tuple[str, Any, Any]] = []
    for key in sorted({*table, *other}, key=str):
        one, two = table.get(key), other.get(key)
        if isinstance(one, dict) and isinstance(two, dict):
            found += differences(one, two, (*prefix, key))
        elif one != two or type(one) is not type(two):
            found.append((dotted((*prefix, key)), one, two))
    return found


def experiment_text(source: str | Path) -> tuple[str, Path]:
    """Text and folder of an experiment file, of a shipped one or of a run's.

    Raises:
        InputError: it is missing, or cannot be used; file and key are named.
    """
    load_experiment(source)  # the same messages as everywhere
    path = Path(source)
    if path.is_dir():
        path = path / "experiment.toml"
    elif not path.is_file():
        path = EXAMPLES / f"{source}.toml"
    return path.read_text(encoding="utf-8"), path.resolve().parent

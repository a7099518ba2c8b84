"""What ranks compare or give each other before a training begins; one rank alone does nothing here."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from ravine import _core
from ravine.data import DataParts
from ravine.data.settings import IMAGE_FILE_FIELDS
from ravine.distributed.agreement import check_agreement
from ravine.distributed.communicator import Communicator
from ravine.distributed.ranks import Ranks
from ravine.experiment import Experiment, parse_experiment, to_toml
from ravine.training.checkpoint import Checkpoint, LoadedCheckpoint

Loaded = TypeVar("Loaded")


def same_experiment(world: Communicator, experiment: Experiment) -> None:
    """All ranks were given the same experiment, by the same Ravine. Collective.

    Raises:
        InputError: two differ; both values and their ranks are named.
    """
    if world.size > 1:
        table = _without_places(experiment)
        check_agreement(world, {"Ravine": {"version": _core.__version__}, **table})


def same_data(ranks: Ranks, parts: DataParts) -> None:
    """All ranks have the same samples. Collective.

    Raises:
        InputError: two differ; the hashes and their ranks are named.
    """
    if not ranks.alone:
        summary = parts.summary
        given = {"data": {"samples": len(parts.train), "hash": summary.content_hash[:16]}}
        check_agreement(ranks.world, {**given, "grid": str(ranks.grid)})


def loaded_in_order(world: Communicator, load: Callable[[], Loaded]) -> Loaded:
    """Lets one rank of each machine load first, so that the others find what it has decoded. Collective."""
    if world.size == 1:
        return load()
    if world.hosts.index(world.host) == world.rank:
        found = load()
        world.barrier()
        return found
    world.barrier()
    return load()


def shared_experiment(world: Communicator, load: Callable[[], Experiment]) -> Experiment:
    """The experiment that rank 0 loads: the run folder need not be there for the others. Collective."""
    if world.size == 1:
        return load()
    experiment = load() if world.leads else None
    text = world.broadcast(None if experiment is None else to_toml(experiment))
    return parse_experiment(tomllib.loads(text), Path()) if experiment is None else experiment


def shared_checkpoint(
    world: Communicator, load: Callable[[], LoadedCheckpoint | None]
) -> LoadedCheckpoint | None:
    """The checkpoint that rank 0 loads, or None where it finds none. Collective."""
    if world.size == 1:
        return load()
    loaded = load() if world.leads else None
    header = world.broadcast(None if loaded is None else _header(loaded))
    if header is None:
        return None
    if loaded is None:
        tensors = {name: np.empty(shape, dtype) for name, dtype, shape in header["tensors"]}
        checkpoint = Checkpoint(header["step"], tensors, header["state"], header["metrics"])
        loaded = LoadedCheckpoint(checkpoint, Path(header["path"]), None)
    for name, _, _ in header["tensors"]:
        world.broadcast_array(loaded.checkpoint.tensors[name])
    return loaded


def _header(loaded: LoadedCheckpoint) -> dict[str, Any]:
    checkpoint = loaded.checkpoint
    return {
        "path": str(loaded.path),
        "step": checkpoint.step,
        "state": msgspec.to_builtins(checkpoint.state),
        "metrics": checkpoint.metrics,
        "tensors": [[name, array.dtype.str, list(array.shape)] for name, array in checkpoint.tensors.items()],
    }


def _without_places(experiment: Experiment) -> dict[str, Any]:
    """An experiment's table without the paths of files, which may differ from machine to machine."""
    table: dict[str, Any] = msgspec.to_builtins(experiment)
    for name in experiment.data.file_fields:
        del table["data"][name]
    for name in IMAGE_FILE_FIELDS:
        del table["data"]["images"][name]
    return table

"""The commands of the command line, one module each.

A module has HELP (one line), EXAMPLE, add_arguments(parser) and run(arguments), which returns the exit code.
What a command needs beyond that it imports when it runs, so that the others start fast.
"""

from __future__ import annotations

from types import ModuleType

from ravine.commands import (
    app,
    catalog,
    control,
    data,
    describe,
    doctor,
    evaluate,
    launch,
    layers,
    predict,
    ranks,
    resume,
    runs,
    scaling,
    schedule,
    train,
)

COMMANDS: dict[str, ModuleType] = {
    "train": train,
    "resume": resume,
    "launch": launch,
    "evaluate": evaluate,
    "predict": predict,
    "describe": describe,
    "data": data,
    "schedule": schedule,
    "scaling": scaling,
    "catalog": catalog,
    "runs": runs,
    "layers": layers,
    "ranks": ranks,
    "control": control,
    "app": app,
    "doctor": doctor,
}

# What ranks do together where mpirun starts several; of any other command rank 0 alone does its work.
ON_ALL_RANKS = ("train", "resume")

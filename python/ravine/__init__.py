"""Ravine: a trainer for neural networks and a laboratory for their optimization.

Example:
    >>> import ravine
    >>> model = ravine.Sequential(ravine.layers.Dense(100, activation="tanh"), ravine.layers.Dense(10))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

try:
    from ravine import _core as _core
except ImportError:
    from ravine._libraries import preload

    preload()
    try:
        from ravine import _core as _core
    except ImportError as _error:
        raise ImportError(
            f"Ravine's compiled core cannot be loaded ({_error}); "
            "install Ravine and the packages it needs anew with pip"
        ) from None

if TYPE_CHECKING:
    from ravine import (
        activations,
        augmentations,
        data,
        initializers,
        lab,
        layers,
        losses,
        optimizers,
        schedules,
    )
    from ravine._core import Network, NetworkSpec, Optimizer, catalog
    from ravine._core import __version__ as __version__
    from ravine.errors import (
        CheckpointError,
        DeviceError,
        InputError,
        InternalError,
        NotFiniteError,
        RavineError,
        RunError,
    )
    from ravine.experiment import Experiment, load_experiment
    from ravine.model import Columns, Residual, Sequential
    from ravine.observation import LayerOutputs
    from ravine.training.history import History
    from ravine.training.loaded import load_run
    from ravine.training.lsuv import lsuv
    from ravine.training.optimizer import custom_optimizer, make_optimizer
    from ravine.training.session import resume_run, train_experiment
    from ravine.training.trainer import Callback, Trainer

__all__ = [
    "Callback",
    "CheckpointError",
    "Columns",
    "DeviceError",
    "Experiment",
    "History",
    "InputError",
    "InternalError",
    "LayerOutputs",
    "Network",
    "NetworkSpec",
    "NotFiniteError",
    "Optimizer",
    "RavineError",
    "Residual",
    "RunError",
    "Sequential",
    "Trainer",
    "activations",
    "augmentations",
    "catalog",
    "custom_optimizer",
    "data",
    "initializers",
    "lab",
    "layers",
    "load_experiment",
    "load_run",
    "losses",
    "lsuv",
    "make_optimizer",
    "optimizers",
    "resume_run",
    "schedules",
    "train_experiment",
]

# Loaded when first asked for, so that `ravine --version` need not wait for NumPy.
_MODULES = {
    "ravine._core": ("Network", "NetworkSpec", "Optimizer", "__version__", "catalog"),
    "ravine.errors": (
        "CheckpointError", "DeviceError", "InputError", "InternalError", "NotFiniteError", "RavineError",
        "RunError",
    ),
    "ravine.experiment": ("Experiment", "load_experiment"),
    "ravine.model": ("Columns", "Residual", "Sequential"),
    "ravine.observation": ("LayerOutputs",),
    "ravine.training.history": ("History",),
    "ravine.training.loaded": ("load_run",),
    "ravine.training.lsuv": ("lsuv",),
    "ravine.training.optimizer": ("custom_optimizer", "make_optimizer"),
    "ravine.training.session": ("resume_run", "train_experiment"),
    "ravine.training.trainer": ("Callback", "Trainer"),
}  # fmt: skip
_PLACES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        value = getattr(importlib.import_module(_PLACES[name]), name)
    elif name in __all__:
        value = importlib.import_module(f"ravine.{name}")
    else:
        raise AttributeError(f"module 'ravine' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

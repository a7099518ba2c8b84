"""Ravine: a trainer for neural networks and a laboratory for their optimization.

Example:
    >>> import ravine
    >>> model = ravine.Sequential(ravine.layers.Dense(100, activation="tanh"), ravine.layers.Dense(10))
"""

from __future__ import annotations

try:
    from ravine import _core as _core
except ImportError:
    from ravine._libraries import preload

    preload()
    try:
        from ravine import _core as _core
    except ImportError as _error:
        raise ImportError(
            f"Ravine's compiled core cannot be loaded ({_error}); install Ravine and the packages it needs anew "
            "with pip"
        ) from None

from ravine import activations, data, initializers, layers, losses, optimizers
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
from ravine.model import Sequential
from ravine.training.history import History
from ravine.training.optimizer import custom_optimizer, make_optimizer
from ravine.training.trainer import Callback, Trainer

__all__ = [
    "Callback",
    "CheckpointError",
    "DeviceError",
    "Experiment",
    "History",
    "InputError",
    "InternalError",
    "Network",
    "NetworkSpec",
    "NotFiniteError",
    "Optimizer",
    "RavineError",
    "RunError",
    "Sequential",
    "Trainer",
    "activations",
    "catalog",
    "custom_optimizer",
    "data",
    "initializers",
    "layers",
    "load_experiment",
    "losses",
    "make_optimizer",
    "optimizers",
]

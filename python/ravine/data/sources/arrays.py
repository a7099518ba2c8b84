"""The source "arrays": samples that were given in Python."""

from __future__ import annotations

from ravine.data.dataset import Dataset
from ravine.data.source import ArraySource, Source, Sources
from ravine.errors import InputError


def given(train: Dataset | Source | None, test: Dataset | Source | None) -> Sources:
    """Samples given in Python, as sources.

    Raises:
        InputError: no training samples were given.
    """
    if train is None:
        raise InputError(
            'is "arrays": give the arrays in Python, as data=(inputs, targets), or name files here',
            key="data.source",
        )
    return Sources(_as_source(train), test=None if test is None else _as_source(test))


def _as_source(samples: Dataset | Source) -> Source:
    return ArraySource(samples) if isinstance(samples, Dataset) else samples

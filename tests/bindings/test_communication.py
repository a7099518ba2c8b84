"""Groups of ranks as Python sees them: ranks that are threads, and what MPI's addresses must be."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ravine import _core
from ravine.errors import InputError


def on_ranks(count: int, function: Callable[[_core.Communicator], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, _core.thread_communicators(count)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sum_and_gather(dtype: type) -> None:
    def run(communicator: _core.Communicator) -> tuple[np.ndarray, list[bytes]]:
        values = np.arange(5, dtype=dtype) * (communicator.rank + 1)
        communicator.sum(values)
        return values, communicator.gather(b"x" * communicator.rank)

    for values, gathered in on_ranks(3, run):
        np.testing.assert_array_equal(values, np.arange(5) * 6)
        assert gathered == [b"", b"x", b"xx"]


def test_only_arrays_that_can_be_summed() -> None:
    (alone,) = _core.thread_communicators(1)
    assert (alone.rank, alone.ranks) == (0, 1)
    with pytest.raises(InputError, match="float32 or float64"):
        alone.sum(np.zeros(3, np.int64))
    with pytest.raises(InputError, match="contiguous and writable"):
        alone.sum(np.zeros(6)[::2])
    with pytest.raises(InputError, match="at least 1"):
        _core.thread_communicators(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transport": "half"}, "unknown transport 'half'; use full or bfloat16"),
        ({"bucket_bytes": 0}, "must be at least 1, got 0"),
        ({"average_every": 0}, "must be at least 1, got 0"),
        ({"average_every": 2, "synchronized_normalization": True}, "do not meet in every step"),
        ({"deterministic_parts": 1}, "1 parts are too few for 2 ranks"),
    ],
)
def test_settings_of_ranks_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        _core.Ranks(data=_core.thread_communicators(2)[0], **settings)
    assert raised.value.key == next(iter(settings))


@pytest.mark.parametrize(("batch", "parts"), [(10, 0), (2, 0), (64, 16), (3, 16), (50, 4)])
def test_rows_of_ranks(batch: int, parts: int) -> None:
    ranks = [_core.Ranks(data=c, deterministic_parts=parts) for c in _core.thread_communicators(4)]
    found = [np.arange(first, first + rows) for first, rows in (r.rows(batch) for r in ranks)]
    assert np.concatenate(found).tolist() == [*range(batch)]


def test_every_function_of_mpi_is_asked_for() -> None:
    functions = dict.fromkeys(_core.mpi_functions, 1)
    for name in _core.mpi_functions:
        with pytest.raises(InputError, match=f"{name} is missing"):
            _core.mpi_communicator(functions={**functions, name: 0}, handles={}, communicator=1, threads=True)
    for name in _core.mpi_handles:
        handles = {**dict.fromkeys(_core.mpi_handles, 1), name: 0}
        with pytest.raises(InputError, match=f"{name} is missing"):
            _core.mpi_communicator(functions=functions, handles=handles, communicator=1, threads=True)

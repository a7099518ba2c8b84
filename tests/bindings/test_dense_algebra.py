"""Products and eigenvectors of the core against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ravine import _core

RANDOM = np.random.default_rng(6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (200, 33), (0, 4), (500, 130)])
def test_scatter_matrix(shape: tuple[int, int]) -> None:
    rows = RANDOM.normal(size=shape)
    found = _core.scatter_matrix(rows)
    np.testing.assert_allclose(found, rows.T @ rows, rtol=1e-12, atol=1e-12 * max(1, shape[0]))
    assert found.tobytes() == found.T.copy().tobytes()


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (5, 3, 8), (129, 40, 65)])
def test_multiply(m: int, k: int, n: int) -> None:
    left, right = RANDOM.normal(size=(m, k)), RANDOM.normal(size=(k, n))
    np.testing.assert_allclose(_core.multiply(left, right), left @ right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 50, 200])
def test_symmetric_eigen(n: int) -> None:
    data = RANDOM.normal(size=(n + 3, n))
    matrix = data.T @ data
    kept = matrix.copy()
    values, vectors = _core.symmetric_eigen(matrix)
    assert matrix.tobytes() == kept.tobytes()
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix), rtol=1e-9, atol=1e-10 * values[-1])
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(vectors @ matrix, values[:, np.newaxis] * vectors, atol=1e-11 * values[-1])


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="do not fit each other"):
        _core.multiply(np.zeros((2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="must be square"):
        _core.symmetric_eigen(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="no eigenvectors"):
        _core.symmetric_eigen(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="must be a float64 matrix"):
        _core.scatter_matrix(np.zeros(3))
    for other in (np.zeros((2, 2), np.float32), np.zeros((4, 2))[::2]):
        with pytest.raises(TypeError):
            _core.scatter_matrix(other)

"""PCA, whitening and ZCA against scikit-learn and NumPy, and their bits for any number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ravine.data import DataSettings, SplitSettings, Transform, fit, load, load_digits
from ravine.data import principal as module
from ravine.errors import InputError

decomposition = pytest.importorskip("sklearn.decomposition")
random = np.random.RandomState(5)
CORRELATED = random.standard_normal((300, 7)) @ random.standard_normal((7, 7)) + random.standard_normal(7) * 9
SAMPLES = {
    "correlated": CORRELATED,
    "digits": load_digits().inputs,
    "fewer samples than features": random.standard_normal((12, 30)),
    "images": random.randint(0, 256, (80, 5, 4, 3)).astype(np.uint8),
}


def centred(samples: np.ndarray, about: np.ndarray) -> np.ndarray:
    """Rows in float64 less the mean of `about`."""
    return (samples - about.mean(0, dtype=np.float64)).reshape(len(samples), -1)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("components", [3, 0.8, 0.95])
def test_pca_is_scikit_learns(name: str, components: float) -> None:
    train, other = SAMPLES[name][::2], SAMPLES[name][1::2]
    flat = train.reshape(len(train), -1).astype(np.float64)
    truth = decomposition.PCA(components, svd_solver="full").fit(flat)
    transform = fit("pca", train, components=components, threads=2)
    expected = truth.transform(other.reshape(len(other), -1).astype(np.float64))
    result = transform.apply(other, dtype=np.float64)
    assert result.shape == expected.shape == (len(other), *transform.output_shape)
    np.testing.assert_allclose(result, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["correlated", "images"])
def test_whitening_is_scikit_learns(name: str) -> None:
    train = SAMPLES[name]
    flat = train.reshape(len(train), -1).astype(np.float64)
    truth = decomposition.PCA(5, whiten=True, svd_solver="full").fit(flat)
    expected = truth.transform(flat) * np.sqrt(len(train) / (len(train) - 1))  # it divides by n - 1
    result = fit("pca_whitening", train, components=5, epsilon=0).apply(train, dtype=np.float64)
    np.testing.assert_allclose(result, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("epsilon", [1e-5, 0.1])
def test_zca_is_the_formula(name: str, epsilon: float) -> None:
    train, other = SAMPLES[name][::2], SAMPLES[name][1::2]
    data = centred(train, train)
    values, vectors = np.linalg.eigh(data.T @ data / len(data))
    whitening = vectors @ np.diag((values + epsilon * values.max()) ** -0.5) @ vectors.T
    result = fit("zca", train, epsilon=epsilon, threads=2).apply(other, dtype=np.float64)
    assert result.shape == other.shape
    expected = centred(other, train) @ whitening
    np.testing.assert_allclose(
        result.reshape(len(other), -1), expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max()
    )


def test_what_is_whitened_has_unit_covariance() -> None:
    for kind in ("pca_whitening", "zca"):
        white = fit(kind, CORRELATED, epsilon=0).apply(CORRELATED, dtype=np.float64)
        np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(7), atol=1e-10)
    # Of all whitenings, ZCA's is nearest to the centred data (Kessy, Lewin and Strimmer 2018).
    principal = fit("pca_whitening", CORRELATED, epsilon=0).apply(CORRELATED, dtype=np.float64)
    data = CORRELATED - CORRELATED.mean(0)
    assert np.square(white - data).sum() < np.square(principal - data).sum()


def test_decorrelated_features_keep_distances() -> None:
    result = fit("pca", CORRELATED).apply(CORRELATED, dtype=np.float64)
    covariance = np.cov(result.T, bias=True)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-10)
    data = CORRELATED - CORRELATED.mean(0)
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), np.linalg.norm(data, axis=1), rtol=1e-12)


@pytest.mark.parametrize("kind", ["pca", "pca_whitening", "zca"])
def test_same_bits_for_any_number_of_threads(kind: str) -> None:
    samples = random.standard_normal((5000, 40))
    first = fit(kind, samples)
    out = first.apply(samples)
    for threads in (2, 3, 7):
        again = fit(kind, samples, threads=threads)
        assert again.matrix.tobytes() == first.matrix.tobytes()
        assert again.apply(samples, threads=threads).tobytes() == out.tobytes()


def test_what_a_sample_gives_does_not_depend_on_its_neighbours() -> None:
    samples = random.standard_normal((300, 333))
    transform = fit("zca", samples)
    every = transform.apply(samples, dtype=np.float64)
    for row in (0, 127, 128, 299):
        alone = transform.apply(samples[row : row + 1], dtype=np.float64)
        assert alone.tobytes() == every[row].tobytes()
    assert transform.apply(samples[5:140], dtype=np.float64).tobytes() == every[5:140].tobytes()


def test_the_threads_of_numpy_do_not_matter(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from ravine.data import fit; "
        "x = np.random.RandomState(0).standard_normal((900, 300)); "
        "print(hash(fit('zca', x, threads=2).apply(x).tobytes()))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "4")
    }
    assert len(answers) == 1


def test_signs_are_fixed() -> None:
    axes = fit("pca", CORRELATED).matrix.T
    assert (axes[np.arange(7), np.abs(axes).argmax(axis=1)] > 0).all()


def test_constant_features() -> None:
    samples = np.column_stack([CORRELATED, np.full(300, 5.0)])
    for kind in ("pca", "pca_whitening", "zca"):
        result = fit(kind, samples).apply(samples)
        assert np.isfinite(result).all()
        np.testing.assert_allclose(result[:, -1], 0, atol=1e-6)
    assert fit("pca", samples[:, -1:]).apply(samples[:, -1:]).max() == 0


def test_indicators_are_left_alone() -> None:
    samples = np.column_stack([CORRELATED[:, 0], CORRELATED[:, 0] > 0]).astype(np.float64)
    indicators = np.array([False, True])
    for kind in ("standardize", "centre", "scale", "min_max"):
        result = fit(kind, samples, indicators=indicators).apply(samples, dtype=np.float64)
        np.testing.assert_array_equal(result[:, 1], samples[:, 1])
        assert not np.array_equal(result[:, 0], samples[:, 0])


def test_min_max_is_scikit_learns() -> None:
    from sklearn.preprocessing import MinMaxScaler

    samples = np.column_stack([CORRELATED, np.full(300, 5.0)])
    truth = MinMaxScaler().fit(samples[::2])
    result = fit("min_max", samples[::2]).apply(samples, dtype=np.float64)
    np.testing.assert_allclose(result, truth.transform(samples), rtol=1e-12, atol=1e-14)


def test_a_run_takes_components_for_its_inputs() -> None:
    settings = DataSettings(
        source="digits", preprocessing="pca", components=20, split=SplitSettings(test_fraction=0.15, seed=37)
    )
    parts = load(settings, Path())
    assert parts.summary.input_shape == parts.train.input_shape == parts.test.input_shape == (20,)
    assert parts.transform.input_shape == (64,)


@pytest.mark.parametrize(
    ("kind", "samples", "options", "message"),
    [
        ("pca", CORRELATED, {"components": 8}, "data.components: is 8, expected a whole number up to the 7"),
        ("pca", CORRELATED, {"components": 1.5}, "data.components: is 1.5, expected a whole number"),
        ("zca", CORRELATED, {"epsilon": -1.0}, "data.epsilon: is -1.0, expected"),
        ("zca", np.ones((9, 3)), {}, "data.preprocessing: no input varies over the training samples"),
        (
            "pca_whitening",
            random.standard_normal((5, 9)),
            {"epsilon": 0},
            "data.epsilon: is 0, but 5 of 9 components do not vary over the training samples; "
            "set it above 0, or keep fewer components",
        ),
        ("zca", np.full((4, 2), 1e200) * [[1], [-1], [1], [1]], {}, "data.preprocessing: the values are too"),
        (
            "min_max",
            np.array([[-1.5e308], [1.5e308]]),
            {},
            "data.preprocessing: the values are too large for",
        ),
        ("pca", np.zeros((2, 8193), np.uint8), {}, "data.preprocessing: takes a matrix of 8,193 x 8,193"),
    ],
)
def test_what_cannot_be_fitted(kind: str, samples: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        fit(kind, samples, **options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("change", ["missing", "nan", "shape", "flat", "wide", "not square"])
def test_a_damaged_matrix_is_refused(change: str) -> None:
    transform = fit("zca" if change == "not square" else "pca", CORRELATED)
    state = transform.state()
    if change == "missing":
        del state["matrix"]
    else:
        state["matrix"] = {
            "nan": state["matrix"] * np.nan,
            "shape": state["matrix"][:3],
            "flat": state["matrix"][0],
            "wide": np.zeros((7, 8)),
            "not square": state["matrix"][:, :3],
        }[change]
    with pytest.raises(InputError, match="preprocessing: "):
        Transform.from_state(state)


def test_blocks_are_added_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = random.standard_normal((1000, 6))
    mean = samples.mean(0)
    monkeypatch.setattr(module, "COVARIANCE_ROWS", 64)
    np.testing.assert_allclose(
        module.covariance(samples, mean, 3), np.cov(samples.T, bias=True), rtol=1e-12, atol=1e-14
    )

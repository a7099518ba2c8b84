"""Transforms against scikit-learn and NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ravine.data import Transform, fit, load_digits
from ravine.data.preprocessing import KINDS
from ravine.errors import InputError

preprocessing = pytest.importorskip("sklearn.preprocessing")
random = np.random.RandomState(11)

SAMPLES = {
    "normal": random.standard_normal((500, 9)) * 10.0 ** random.randint(-3, 4, 9),
    "far from zero": random.standard_normal((300, 4)) + 1e6,
    "constant": np.column_stack([np.full(100, 0.1), np.full(100, 1e9 / 3), np.zeros(100), np.arange(100.0)]),
    "constant but for rounding": np.column_stack(
        [np.repeat([value, np.nextafter(value, 9e9)], 50) for value in (0.1, 1e6 / 3, 1.0)]
    ),
    "digits": load_digits().inputs.astype(np.float64),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("threads", [1, 2])
def test_standardize_is_scikit_learns(name: str, threads: int) -> None:
    train, other = SAMPLES[name][::2], SAMPLES[name][1::2]
    truth = preprocessing.StandardScaler().fit(train)
    transform = fit("standardize", train, threads=threads)
    np.testing.assert_allclose(transform.mean, truth.mean_, rtol=1e-12)
    np.testing.assert_allclose(transform.deviation, truth.scale_, rtol=1e-12)
    expected = truth.transform(other)
    scale = np.abs(train).max() / truth.scale_.min()  # rounding of x - mean, carried through the division
    np.testing.assert_allclose(
        transform.apply(other, dtype=np.float64, threads=threads), expected, rtol=1e-12, atol=1e-15 * scale
    )


def test_bytes_give_what_their_floats_give() -> None:
    images = random.randint(0, 256, (400, 20, 20)).astype(np.uint8)
    for kind in KINDS:
        from_bytes, from_floats = fit(kind, images), fit(kind, images.astype(np.float64))
        np.testing.assert_array_equal(from_bytes.mean, from_floats.mean)
        np.testing.assert_array_equal(
            from_bytes.apply(images, threads=2), from_floats.apply(images.astype(np.float64))
        )
        assert from_bytes.apply(images).dtype == np.float32


def test_scale_and_centre() -> None:
    images = random.randint(0, 256, (50, 4, 4)).astype(np.uint8)
    np.testing.assert_allclose(fit("scale", images).apply(images), images[..., None] / 255.0, rtol=1e-7)
    np.testing.assert_allclose(
        fit("scale", images, divisor=16).apply(images, dtype=np.float64), images[..., None] / 16.0, rtol=1e-15
    )
    centred = fit("centre", images[:20]).apply(images, dtype=np.float64)
    np.testing.assert_allclose(centred, (images - images[:20].mean(0))[..., None], rtol=1e-12, atol=1e-12)
    floats = images.astype(np.float32).reshape(50, -1)
    np.testing.assert_array_equal(fit("none", floats).apply(floats), floats)


@pytest.mark.parametrize("kind", KINDS)
def test_state_round_trip(kind: str) -> None:
    train = random.standard_normal((30, 5, 4))
    transform = fit(kind, train, divisor=7.0)  # type: ignore[arg-type]
    again = Transform.from_state({name: array.copy() for name, array in transform.state().items()})
    assert again.kind == kind
    assert again.apply(train).tobytes() == transform.apply(train).tobytes()


def test_only_the_training_samples_count() -> None:
    train = np.array([[0.0], [2.0]])
    assert fit("standardize", train).apply([[100.0]]).tolist() == [[99.0]]


@pytest.mark.parametrize("change", ["kind", "mean", "deviation", "zero", "nan", "shape"])
def test_a_damaged_state_is_refused(change: str) -> None:
    state = fit("standardize", random.standard_normal((10, 3))).state()
    if change in state:
        del state[change]
    elif change == "shape":
        state["mean"] = np.zeros(2)
    else:
        state["deviation"] = np.array([1.0, 1.0, 0.0 if change == "zero" else np.nan])
    with pytest.raises(InputError, match="preprocessing: "):
        Transform.from_state(state)


def test_errors() -> None:
    transform = fit("standardize", np.zeros((3, 4)))
    with pytest.raises(InputError, match=r"a sample has shape \[5\], the preprocessing was fitted on \[4\]"):
        transform.apply(np.zeros((2, 5)))
    with pytest.raises(InputError, match="expected one of none, standardize, scale, centre"):
        fit("whiten", np.zeros((3, 4)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"data\.divisor: is 0"):
        fit("scale", np.zeros((3, 4)), divisor=0)
    with pytest.raises(InputError, match="too large"):
        fit("standardize", np.array([[1e300], [-1e300]]))
    with pytest.raises(InputError, match=r"row 1: preprocessed inputs\[0\] is inf"):
        fit("none", np.zeros((1, 1))).apply(np.array([[0.0], [1e300]]))

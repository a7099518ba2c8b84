"""A decimated curve covers the same pixels as all points do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ravine.gui.state.decimation import column_means, decimate, pixel_columns, ticks_of


@given(
    st.integers(0, 3000), st.integers(1, 50), st.integers(0, 2**32 - 1), st.booleans(), st.floats(0.0, 1.0)
)
def test_extremes_of_every_pixel_column(points, width, seed, logarithmic, broken):
    random = np.random.default_rng(seed)
    x = np.sort(random.uniform(0.1, 10, points))
    y = random.normal(size=points)
    y[random.uniform(size=points) < broken / 2] = np.nan
    low, high = (-0.5, 0.7) if logarithmic else (2.0, 7.0)
    found_x, found_y = decimate(x, y, pixel_columns(x, low, high, width, logarithmic))
    assert len(found_x) <= 2 * (width + 2) + 2 + 2 * width
    assert (np.diff(found_x) >= 0).all()
    assert np.isfinite(found_y).all()
    shown = np.log10(x) if logarithmic else x
    place = np.floor((shown - low) / (high - low) * width)
    found_place = np.floor(((np.log10(found_x) if logarithmic else found_x) - low) / (high - low) * width)
    # Points within a rounding error of a border may fall on either side.
    border = np.abs((shown - low) / (high - low) * width % 1 - 0.5) > 0.5 - 1e-9
    for column in range(width):
        inside = y[(place == column) & np.isfinite(y)]
        if len(inside) and not border.any():
            mine = found_y[found_place == column]
            assert mine.min() == inside.min()
            assert mine.max() == inside.max()


def test_first_and_last_point_are_there():
    x = np.arange(100_000.0)
    y = np.sin(x)
    y[-1] = 7.5
    found_x, found_y = decimate(x, y, pixel_columns(x, 0, 99_999, 100))
    assert (found_x[0], found_y[0]) == (0, 0)
    assert (found_x[-1], found_y[-1]) == (99_999, 7.5)
    assert len(found_x) <= 206


def test_a_view_of_the_middle_goes_on_to_the_border():
    x = np.array([0.0, 10.0, 20.0, 30.0])
    found_x, _ = decimate(x, x, pixel_columns(x, 11, 19, 10))
    assert found_x.tolist() == [10, 20]


def test_means():
    random = np.random.default_rng(0)
    x, values = np.arange(1000.0), random.normal(size=(3, 1000))
    values[1, :100] = np.nan
    found = column_means(values, np.isnan(values), pixel_columns(x, 0, 1000, 10))
    np.testing.assert_allclose(found[0, :10], values[0].reshape(10, 100).mean(1))
    assert np.isnan(found[1, 0])
    assert np.isfinite(found[1, 1])


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_ticks(count):
    places = np.linspace(0, 10, count)
    found = ticks_of(places, 0, 10, 100)
    assert len(found) == min(count, 101)
    assert set(found) <= set(places)

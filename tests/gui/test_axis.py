"""Numbers of axes: one notation for each axis, and room for all of them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ravine.gui.plots.axis import Axis, decade_text
from ravine.gui.plots.heat_map import ColourBar
from ravine.gui.plots.line_plot import LinePlot

DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def number(text: str) -> float:
    """The value of a text, whichever way it is written."""
    if "10" not in text or not any(one in text for one in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
        return float(text)
    first, _, power = text.rpartition("10")
    return float(first.removesuffix("·") or 1) * 10.0 ** int(power.translate(DIGITS))


@given(st.integers(-12, 12), st.integers(1, 9), st.floats(-14, 14), st.floats(0, 10))
def test_a_number_is_what_it_says(power, first, low, span):
    exponent = power + math.log10(first)
    assert number(decade_text(exponent, low, low + span)) == pytest.approx(first * 10.0**power, rel=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "plain"), [(-1, 1.6, True), (-3, 4, True), (-4, 1, False), (0, 6, False)]
)
def test_an_axis_is_written_in_one_way(qtbot, low, high, plain):
    plot = LinePlot("a", "A", "b", log_y=True)
    qtbot.addWidget(plot)
    axis = plot.item.getAxis("left")
    assert isinstance(axis, Axis)
    axis.setRange(low, high)
    texts = [
        text
        for spacing, values in axis.tickValues(low, high, 400)
        for text in axis.tickStrings(values, 1.0, spacing)
        if text
    ]
    assert len(texts) > 1
    assert {any(one in text for one in "⁰¹²³⁴⁵⁶⁷⁸⁹") for text in texts} == {not plain}


@pytest.mark.parametrize("side", ["left", "bottom"])
@given(low=st.floats(-9, 9), span=st.floats(0.05, 14), size=st.integers(100, 900))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_of_a_logarithmic_axis_do_not_overlap(qapp, side, low, span, size):
    axis = Axis(side)
    axis.setLogMode(x=side == "bottom", y=side == "left")
    axis.setRange(low, low + span)
    levels = axis.tickValues(low, low + span, size)
    texts = [
        (value, text)
        for spacing, values in levels
        for value, text in zip(values, axis.tickStrings(values, 1.0, spacing), strict=True)
        if text and low <= value <= low + span
    ]
    assert len({text for _, text in texts}) == len({round(value, 9) for value, _ in texts})
    if levels[0][0] == 1.0 and levels[-1][0] is None:
        places = sorted(value * size / span for value, _ in texts)
        assert all(two - one > 3 for one, two in pairwise(places))
        assert len(places) >= 2


def test_the_left_axis_grows_for_long_numbers(qtbot):
    plot = LinePlot("a", "A", "b")
    qtbot.addWidget(plot)
    plot.show()
    axis = plot.item.getAxis("left")
    before = axis.fixedWidth
    axis.tickStrings([0.00012345, 0.00012346], 1.0, 1e-8)
    qtbot.waitUntil(lambda: axis.fixedWidth > before)


@pytest.mark.parametrize(("low", "high"), [(-2.9, 0.4), (-1.0, 1.2), (-7.0, -3.0), (2.0, 5.0)])
def test_a_colour_bar_is_written_in_one_way(qtbot, low, high):
    bar = ColourBar()
    qtbot.addWidget(bar)
    bar.set_levels(low, high, True)
    texts = bar.texts((0.0, 0.5, 1.0))
    assert len({"e" in text for text in texts}) == 1
    assert len({len(text) < 8 for text in texts}) == 1
    assert float(texts[0]) == pytest.approx(10.0**low, rel=0.06)

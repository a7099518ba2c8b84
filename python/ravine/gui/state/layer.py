"""One layer in detail: its statistics over the steps, percentiles and histogram of its output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ravine.gui.state.curves import Curve, Picture, Source, View, extent, picture, scaled
from ravine.gui.state.tail import RunTail

PERCENTILES = (15, 50, 85)
BINS = 60
STATISTICS = {
    "gradient_norm": "gradient", "weight_norm": "weights", "update_norm": "update",
    "activation_variance": "variance",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class LayerPicture:
    """What the Layers tab draws of one layer.

    Args:
        layer: its name.
        curves: norms and variance.
        percentiles: of its output.
        edges: of the newest histogram [n + 1]; empty where nothing was recorded.
        shares: of values in its bins [n].
        step: of the histogram.
    """

    layer: str
    curves: Picture
    percentiles: Picture
    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    step: int

    @property
    def recorded(self) -> bool:
        """Whether the run has recorded distributions."""
        return len(self.edges) > 0


@dataclass(frozen=True)
class LayerQuery:
    """Asks for one layer of a run; an empty name for the first."""

    run: Path
    layer: str
    view: View
    log_percentiles: bool = False

    @property
    def runs(self) -> tuple[Path, ...]:
        return (self.run,)

    def answer(self, tails: dict[Path, RunTail]) -> LayerPicture:
        tail = tails[self.run]
        layer = self._layer(tail)
        steps, values, newest = tail.outputs(layer, PERCENTILES)
        x = scaled(tail.steps_x(self.view.x_axis, steps), self.view.log_x)
        lines = []
        for percent, row in zip(PERCENTILES, values, strict=True):
            y = scaled(row, self.log_percentiles)
            there = np.isfinite(y) & np.isfinite(x)
            source = Source(self.run, f"{layer}.output", f"{percent} %")
            last = float(row[-1]) if len(row) else float("nan")
            lines.append(Curve(source, x[there], y[there], x[:0], x[:0], len(steps) <= 60, last))
        shown = Picture(
            tuple(lines) if len(steps) else (),
            np.empty(0),
            x_range=extent([x]),
            y_range=extent([line.y for line in lines]),
        )
        edges = shares = np.empty(0)
        if newest is not None and newest.maximum > newest.minimum:
            edges = np.linspace(newest.minimum, newest.maximum, BINS + 1)
            shares = newest.histogram(edges) / max(1, newest.count)
        curves = picture(tails, self.sources(tail), self.view)
        return LayerPicture(layer, curves, shown, edges, shares, newest.step if newest else 0)

    def _layer(self, tail: RunTail) -> str:
        names = (layer for statistic in STATISTICS for layer in tail.layers(statistic))
        return self.layer or next(names, "")

    def sources(self, tail: RunTail) -> list[Source]:
        """The curves of the layer."""
        layer = self._layer(tail)
        names = {f"{layer}.{statistic}": label for statistic, label in STATISTICS.items()}
        return [Source(self.run, name, label) for name, label in names.items() if name in tail.columns]

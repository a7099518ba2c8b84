"""Exports a plot: asks for a file, and writes what its ending says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6 import QtWidgets

from ravine.errors import InputError
from ravine.gui.exports.images import save_image
from ravine.gui.exports.points import Labels, save_points
from ravine.gui.plots.line_plot import LinePlot
from ravine.gui.plots.surface import X_LABELS, Surface
from ravine.gui.state.points import series_of

if TYPE_CHECKING:
    from ravine.gui.state.app import App

KINDS = (
    "Picture (*.png);;Vector graphics (*.svg);;PDF (*.pdf);;All points (*.csv);;"
    "Matplotlib script with its points (*.py)"
)


def ask_and_export(app: App, surface: Surface) -> None:
    """Asks for a file and exports a plot into it.

    Raises:
        InputError: the file cannot be written.
    """
    name = f"{app.current.name}-{surface.name}" if app.current else surface.name
    text, _ = QtWidgets.QFileDialog.getSaveFileName(surface, "Export the plot", f"{name}.png", KINDS)
    if text:
        export(app, surface, Path(text))


def export(app: App, surface: Surface, path: Path) -> None:
    """Writes pictures at once, points in the background.

    Raises:
        InputError: the file cannot be written.
    """
    if path.suffix in (".csv", ".py"):
        query = surface.query
        if query is None:
            raise InputError("this plot has no points of a run; export it as a picture", file=path)
        view = query.view
        labels = Labels(
            surface.graphics.accessibleName(),
            X_LABELS.get(view.x_axis, view.x_axis),
            surface.y_label,
            view.log_x,
            isinstance(surface, LinePlot) and surface.log_y,
        )
        app.background.submit(("export", path), lambda: save_points(series_of(query), path, labels))
    else:
        save_image(surface, path)

"""Plots as PNG, SVG and PDF; the last two are made of lines and letters, not of pixels."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore, QtGui, QtSvg

from ravine.errors import InputError
from ravine.gui.plots.surface import Surface
from ravine.runs import files

SIZE = QtCore.QSize(960, 600)
SCALE = 2  # pixels of a PNG for one of the screen
HEAD = 34


def paint(surface: Surface, painter: QtGui.QPainter, size: QtCore.QSize) -> None:
    """Draws heading, legend and plot into a rectangle of this size."""
    painter.fillRect(QtCore.QRect(QtCore.QPoint(0, 0), size), QtGui.QColor(surface.colours.ground))
    text = QtGui.QTextDocument()
    text.setDefaultStyleSheet(f"body {{ color: {surface.colours.text}; }}")
    text.setHtml(f"<body>{surface.title.text()} &nbsp; {surface.legend.text()}</body>")
    text.setTextWidth(size.width() - 16)
    painter.save()
    painter.translate(8, 4)
    text.drawContents(painter)
    painter.restore()
    target = QtCore.QRectF(0, HEAD, size.width(), size.height() - HEAD)
    source = surface.graphics.viewport().rect()
    surface.graphics.render(painter, target, source, QtCore.Qt.AspectRatioMode.IgnoreAspectRatio)


def save_image(surface: Surface, path: Path) -> None:
    """Writes a plot as the ending of the file says: .png, .svg or .pdf.

    Raises:
        InputError: another ending, or a file that cannot be written.
    """
    kinds = {".png": _png, ".svg": _svg, ".pdf": _pdf}
    make = kinds.get(path.suffix.lower())
    if make is None:
        raise InputError("is no kind of picture; end the name with .png, .svg or .pdf", file=path)
    try:
        files.write_whole(path, make(surface))
    except OSError as error:
        raise InputError(f"cannot be written: {files.cause(error)}", file=path) from error


def _drawn(surface: Surface, device: QtGui.QPaintDevice, scale: float) -> None:
    painter = QtGui.QPainter(device)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    paint(surface, painter, SIZE)
    painter.end()


def _png(surface: Surface) -> bytes:
    image = QtGui.QImage(SIZE * SCALE, QtGui.QImage.Format.Format_RGB32)
    _drawn(surface, image, SCALE)
    buffer = QtCore.QBuffer()
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


def _svg(surface: Surface) -> bytes:
    buffer = QtCore.QBuffer()
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    generator = QtSvg.QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(SIZE)
    generator.setViewBox(QtCore.QRect(QtCore.QPoint(0, 0), SIZE))
    generator.setTitle(surface.graphics.accessibleName())
    generator.setDescription(surface.summary())
    _drawn(surface, generator, 1.0)
    return bytes(buffer.data().data())


def _pdf(surface: Surface) -> bytes:
    buffer = QtCore.QBuffer()
    buffer.open(QtCore.QIODevice.OpenModeFlag.WriteOnly)
    writer = QtGui.QPdfWriter(buffer)
    writer.setTitle(surface.graphics.accessibleName())
    writer.setResolution(96)
    size = QtCore.QSizeF(SIZE.width() / 96, SIZE.height() / 96)
    writer.setPageSize(QtGui.QPageSize(size, QtGui.QPageSize.Unit.Inch))
    writer.setPageMargins(QtCore.QMarginsF(0, 0, 0, 0))
    _drawn(surface, writer, 1.0)
    return bytes(buffer.data().data())

"""Light, dark and the system's colours."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtGui, QtWidgets

from ravine.gui.plots.colours import colours_of, dark_palette, light_palette
from ravine.gui.state.preferences import Theme

CHECK = (Path(__file__).parents[1] / "icons" / "check.svg").as_posix()


def apply_theme(application: QtWidgets.QApplication, theme: Theme) -> None:
    """Gives all windows a palette, and what a palette cannot say."""
    if application.property("system_palette") is None:
        application.setProperty("system_palette", QtGui.QPalette(application.palette()))
        application.setStyle("Fusion")
    system = application.property("system_palette")
    dark = theme == "dark" or (theme == "system" and system.window().color().lightness() < 128)
    palette = dark_palette() if dark else light_palette()
    application.setPalette(palette)
    colours = colours_of(palette)
    border = colours.grid
    accent = palette.highlight().color().name()
    faint = palette.placeholderText().color().name()
    button = palette.button().color().name()
    application.setStyleSheet(
        f"""
        QLabel#error {{ color: {colours.error}; }}
        QLabel#error[warning="true"], QLabel#warning {{ color: {colours.of(1)}; }}
        QFrame#problems {{ border-top: 1px solid {border}; }}
        QToolButton#section {{ font-weight: bold; text-align: left; padding: 4px; border: none; }}
        QToolButton#section:hover, QToolButton#section:focus {{ background: {button}; }}
        QPushButton#card {{ border: 1px solid {border}; border-radius: 10px; background: {colours.ground}; }}
        QPushButton#card:hover {{ border: 1px solid {accent}; }}
        QPushButton#card:focus {{ border: 2px solid {accent}; }}
        QCheckBox::indicator, QTableView::indicator {{
            width: 13px; height: 13px; border: 1px solid {faint}; border-radius: 3px;
            background: {colours.ground};
        }}
        QCheckBox::indicator:checked, QTableView::indicator:checked {{
            background: {accent}; border-color: {accent}; image: url({CHECK});
        }}
        QCheckBox::indicator:focus {{ border: 2px solid {accent}; }}
        QLineEdit {{ border: 1px solid {border}; border-radius: 3px; padding: 2px; }}
        QLineEdit:focus {{ border: 1px solid {accent}; }}
        QToolTip {{ max-width: 420px; }}
        QTableView, QTreeView {{ border: 1px solid {border}; }}
        """
    )

"""The tabs of the window, in their order."""

from __future__ import annotations

from ravine.gui.widgets.tabs.base import Tab
from ravine.gui.widgets.tabs.compare import CompareTab
from ravine.gui.widgets.tabs.data import DataTab
from ravine.gui.widgets.tabs.lab import LabTab
from ravine.gui.widgets.tabs.layers import LayersTab
from ravine.gui.widgets.tabs.live import LiveTab
from ravine.gui.widgets.tabs.log import LogTab
from ravine.gui.widgets.tabs.model import ModelTab
from ravine.gui.widgets.tabs.ranks import RanksTab

TABS: tuple[type[Tab], ...] = (LiveTab, LayersTab, CompareTab, DataTab, ModelTab, LabTab, LogTab, RanksTab)

__all__ = [
    "TABS",
    "CompareTab",
    "DataTab",
    "LabTab",
    "LayersTab",
    "LiveTab",
    "LogTab",
    "ModelTab",
    "RanksTab",
    "Tab",
]

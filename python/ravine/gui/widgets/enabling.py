"""Which actions can be done now, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6 import QtGui

from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App

NO_RUN = "no run is chosen"


def reasons(app: App, surfaces: list[Surface]) -> dict[str, str]:
    """Of actions that cannot always be done, why not now; an empty text where they can.

    Args:
        app: the state.
        surfaces: the plots that are shown.
    """
    status = app.status
    state = "" if status is None else status.state
    name = "the run" if status is None else status.run.name
    training = status is not None and status.training
    idle = NO_RUN if app.current is None else f"{name} is not training"
    no_plot = "" if any(surface.isVisible() for surface in surfaces) else "no plot is shown"
    draft = app.draft
    wrong = "" if not draft.error else f"the experiment {draft.error}"
    if not wrong and app.check and app.check.errors:
        wrong = f"the experiment cannot be trained: {app.check.errors[0]}"
    resumable = status is not None and (status.can_resume or state == "paused")
    restorable = status is not None and (status.can_resume or state == "finished")
    over = NO_RUN if app.current is None else f"{name} is not over"
    at_end = NO_RUN if app.current is None else f"{name} has not ended; stop it first"
    return {
        "export": no_plot,
        "show all": no_plot,
        "undo": "" if draft.undo_label else "nothing was edited",
        "redo": "" if draft.redo_label else "nothing was undone",
        "copy command": wrong,
        "copy python": wrong,
        "copy mpirun": wrong,
        "start": wrong,
        "pause": "" if training and state != "paused" else "it is paused" if training else idle,
        "step": "" if training else idle,
        "stop": "" if training else idle,
        "checkpoint": "" if training else idle,
        "edit": "" if training else idle,
        "resume": "" if resumable else NO_RUN if app.current is None else f"{name} is {state or 'starting'}",
        "restore": "" if restorable else at_end,
        "longer": "" if state in ("finished", "stopped") else over,
        "take over": "" if app.current is not None else NO_RUN,
    }


def enable(actions: Mapping[str, QtGui.QAction], tips: Mapping[str, str], why_not: Mapping[str, str]) -> None:
    """Enables actions, and says of those that cannot be done why in their tooltips."""
    for name, reason in why_not.items():
        action = actions[name]
        tip = f"{tips[name]}: {reason}" if reason else tips[name]
        if action.isEnabled() == bool(reason) or action.toolTip() != tip:
            action.setEnabled(not reason)
            action.setToolTip(tip)

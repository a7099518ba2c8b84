"""The window and its parts: views of `ravine.gui.state`."""

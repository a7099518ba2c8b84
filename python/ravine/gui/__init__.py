"""The desktop app: `ravine app`. State is apart from widgets, training is another process (docs/app.md)."""

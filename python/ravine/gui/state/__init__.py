"""What the app knows, without widgets: drafts, runs and their records, trainer processes, preferences."""

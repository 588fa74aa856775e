"""The application without a window: folders, pixels, runs and scores as plain data."""

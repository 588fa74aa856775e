"""Train: choose a method, set it up, watch it learn, and the runs that came of it."""

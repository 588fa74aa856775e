"""Pictures that methods describe: one renderer per kind of view, and the parts they share."""

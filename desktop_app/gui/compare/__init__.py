"""Two or more scored runs of a folder beside each other."""

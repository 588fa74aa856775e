"""A folder whose images are scored as they arrive."""

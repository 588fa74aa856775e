"""The plugin's hook, where the catalog looks for it."""

from plugins.outlier_lof.outlier_lof import register_methods

__all__ = ["register_methods"]

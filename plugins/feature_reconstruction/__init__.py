"""The plugin's hook, where the catalog looks for it."""

from plugins.feature_reconstruction.feature_reconstruction import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.gaussian_mixture.gaussian_mixture import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.padim.padim import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.dbn.dbn import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.mds.mds import register_methods

__all__ = ["register_methods"]

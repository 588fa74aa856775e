"""The plugin's hook, where the catalog looks for it."""

from plugins.patch_memory.patch_memory import register_methods

__all__ = ["register_methods"]

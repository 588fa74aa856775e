"""The plugin's hook, where the catalog looks for it."""

from plugins.context_ae.context_ae import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.sparse_ae.sparse_ae import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.gaussian_embedding.gaussian_embedding import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.contractive_ae.contractive_ae import register_methods

__all__ = ["register_methods"]

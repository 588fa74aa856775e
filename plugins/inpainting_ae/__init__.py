"""The plugin's hook, where the catalog looks for it."""

from plugins.inpainting_ae.inpainting_ae import register_methods

__all__ = ["register_methods"]

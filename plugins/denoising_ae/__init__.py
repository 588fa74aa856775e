"""The plugin's hook, where the catalog looks for it."""

from plugins.denoising_ae.denoising_ae import register_methods

__all__ = ["register_methods"]

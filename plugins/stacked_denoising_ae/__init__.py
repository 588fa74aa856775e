"""The plugin's hook, where the catalog looks for it."""

from plugins.stacked_denoising_ae.stacked_denoising_ae import register_methods

__all__ = ["register_methods"]

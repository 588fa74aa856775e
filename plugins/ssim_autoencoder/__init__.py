"""The plugin's hook, where the catalog looks for it."""

from plugins.ssim_autoencoder.ssim_autoencoder import register_methods

__all__ = ["register_methods"]

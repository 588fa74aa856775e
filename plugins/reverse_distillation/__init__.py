"""The plugin's hook, where the catalog looks for it."""

from plugins.reverse_distillation.reverse_distillation import register_methods

__all__ = ["register_methods"]

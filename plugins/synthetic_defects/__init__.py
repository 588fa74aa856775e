"""The plugin's hook, where the catalog looks for it."""

from plugins.synthetic_defects.synthetic_defects import register_methods

__all__ = ["register_methods"]

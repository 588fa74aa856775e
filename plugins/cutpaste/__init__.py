"""The plugin's hook, where the catalog looks for it."""

from plugins.cutpaste.cutpaste import register_methods

__all__ = ["register_methods"]

"""The plugin's hook, where the catalog looks for it."""

from plugins.student_teacher.student_teacher import register_methods

__all__ = ["register_methods"]

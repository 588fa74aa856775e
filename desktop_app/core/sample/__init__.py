"""The built-in sample: generated photographs of painted tiles, some of them with defects."""

from desktop_app.core.sample.folder import DEFECT_NAMES, is_complete, write_sample

__all__ = ["DEFECT_NAMES", "is_complete", "write_sample"]

"""A report of one run on one folder, as HTML or PDF: a single file that needs nothing beside it.

`telling` decides what is told and puts it into the plain blocks of `content`; `html` and `pdf`
give that a form, so that both tell the same.
"""

from desktop_app.core.reports.content import Gallery, Picture, RunSummary
from desktop_app.core.reports.files import FORMATS, report_format, write_report

__all__ = ["FORMATS", "Gallery", "Picture", "RunSummary", "report_format", "write_report"]

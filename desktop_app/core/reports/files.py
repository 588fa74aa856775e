"""Reports as files."""

from pathlib import Path

from desktop_app.core.files import replaced
from desktop_app.core.reports.content import Report
from desktop_app.core.reports.html import page
from desktop_app.sdk.errors import InvalidInput

FORMATS = (".html", ".pdf")
"""Suffixes of the forms in which a report can be written."""


def report_format(path: Path) -> str:
    """Return the form that a file name asks for. Raises InvalidInput where it is none of them."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        known = " or ".join(FORMATS)
        raise InvalidInput(f"A report is written as {known}: '{path.name}' ends in neither.")
    return suffix


def write_report(path: Path, report: Report) -> Path:
    """Write a report in the form that the suffix names, whole or not at all; return its path.

    Raises InvalidInput where the suffix names none.
    """
    form = report_format(path)
    with replaced(path) as temporary:
        if form == ".html":
            temporary.write_text(page(report), encoding="utf-8", errors="backslashreplace")
        else:
            from desktop_app.core.reports.pdf import write_pdf  # fonts and fpdf2 take a moment

            write_pdf(temporary, report)
    return path

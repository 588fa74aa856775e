"""Pictures and tables on their way out of the window: clipboard, PNG, SVG, CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QGuiApplication, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QWidget

from desktop_app.gui.i18n import tr
from desktop_app.sdk.errors import InvalidInput

Row = Sequence[object]


def copy_picture(widget: QWidget) -> None:
    """Put what a widget shows on the clipboard."""
    QGuiApplication.clipboard().setPixmap(widget.grab())


def write_picture(widget: QWidget, path: Path) -> None:
    """Write what a widget shows: as lines and letters for .svg, else as pixels.

    Raises InvalidInput when the file cannot be written.
    """
    written = _write_svg(widget, path) if path.suffix == ".svg" else _write_pixels(widget, path)
    if not written:
        raise InvalidInput(
            tr("The picture cannot be written to '{path}': choose another place.", path=path)
        )


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a table as CSV in UTF-8. Raises InvalidInput when the file cannot be written."""
    try:
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)
    except OSError as problem:
        raise InvalidInput(
            tr(
                "The table cannot be written to '{path}': {reason}.",
                path=path,
                reason=problem.strerror,
            )
        ) from None


def copy_rows(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Put a table on the clipboard, as spreadsheets take it."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    QGuiApplication.clipboard().setText(text.getvalue())


def _write_svg(widget: QWidget, path: Path) -> bool:
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(QSize(widget.width(), widget.height()))
    generator.setViewBox(widget.rect())
    painter = QPainter()
    if not painter.begin(generator):
        return False
    widget.render(painter, QPoint())
    return painter.end()


def _write_pixels(widget: QWidget, path: Path) -> bool:
    return widget.grab().save(str(path))

"""The frame around a view: its title, and ways to take it out of the window."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.theme import SPACE, set_role, set_surface
from desktop_app.gui.views.curve import CurveView
from desktop_app.gui.views.exporting import Row, copy_picture, write_picture, write_rows
from desktop_app.gui.views.heat_map import HeatMapView
from desktop_app.gui.views.image_grid import ImageGridView
from desktop_app.gui.views.scatter import ScatterView
from desktop_app.gui.views.table import TableView
from desktop_app.gui.widgets import ElidedLabel, named
from desktop_app.sdk.errors import LoupeError
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, Scatter, Table, View


class ViewFrame(QFrame):
    """A card with a title, tools to copy and save, and one rendered view."""

    failed = Signal(str)
    """A sentence about a picture or table that could not be saved."""

    def __init__(
        self,
        title: str,
        content: QWidget,
        table: tuple[Sequence[str], Callable[[], Iterable[Row]]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """`table` holds the columns and makes the rows of what is shown, where it has any."""
        super().__init__(parent)
        self.content = content
        self._title = title
        self._table = table
        set_surface(self, "card")
        heading = ElidedLabel(title, Qt.TextElideMode.ElideRight)
        set_role(heading, "heading")
        header = QHBoxLayout()
        header.setSpacing(SPACE.xs)
        header.addWidget(heading, 1)
        copy = named(
            QToolButton(), tr("Copy picture"), tr("Copy '{title}' as a picture", title=title)
        )
        set_icon(copy, "copy", "text_secondary")
        copy.clicked.connect(lambda: copy_picture(self.content))
        save = named(QToolButton(), tr("Export"), tr("Save '{title}' to a file", title=title))
        set_icon(save, "export", "text_secondary")
        save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        save.setMenu(self._menu(save))
        header.addWidget(copy)
        header.addWidget(save)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.m)
        column.setSpacing(SPACE.s)
        column.addLayout(header)
        column.addWidget(content, 1)

    def save(self, path: Path) -> None:
        """Write the view to a .png, .svg or .csv file; failures are told by `failed`."""
        try:
            if path.suffix == ".csv" and self._table is not None:
                columns, rows = self._table
                write_rows(path, columns, rows())
            else:
                write_picture(self.content, path)
        except LoupeError as problem:
            self.failed.emit(str(problem))

    def _menu(self, parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        menu.addAction(tr("Picture (PNG)"), lambda: self._ask("png"))
        menu.addAction(tr("Drawing (SVG)"), lambda: self._ask("svg"))
        if self._table is not None:
            menu.addAction(tr("Table (CSV)"), lambda: self._ask("csv"))
        return menu

    def _ask(self, suffix: str) -> None:
        start = f"{self._title}.{suffix}".replace("/", "-")
        path, _ = QFileDialog.getSaveFileName(self, self._title, start, f"*.{suffix}")
        if path:
            self.save(Path(path).with_suffix(f".{suffix}"))


def view_frame(view: View) -> ViewFrame:
    """Return a view, rendered and framed."""
    render, table = _RENDERERS[type(view)]
    return ViewFrame(view.title, render(view), table(view) if table is not None else None)


Tabled = tuple[Sequence[str], Callable[[], Iterable[Row]]]


def _curve_table(view: Curve) -> Tabled:
    def rows() -> Iterator[Row]:
        columns = [np.asarray(column).tolist() for line in view.lines.values() for column in line]
        return zip_longest(*columns, fillvalue="")

    x, y = view.x_label or "x", view.y_label or "y"
    return [part for name in view.lines for part in (f"{name} {x}", f"{name} {y}")], rows


def _scatter_table(view: Scatter) -> Tabled:
    def rows() -> list[Any]:
        columns = [view.points] if view.colours is None else [view.points, view.colours[:, None]]
        table: list[Any] = np.hstack(columns).tolist()
        return table

    names = [view.x_label or "x", view.y_label or "y"]
    return (names if view.colours is None else [*names, "value"]), rows


def _matrix_table(view: HeatMap) -> Tabled:
    def rows() -> list[Any]:
        table: list[Any] = np.asarray(view.matrix).tolist()
        return table

    return [str(column) for column in range(np.shape(view.matrix)[1])], rows


def _table_table(view: Table) -> Tabled:
    return view.columns, lambda: view.rows


_RENDERERS: dict[type[Any], tuple[Callable[[Any], QWidget], Callable[[Any], Tabled] | None]] = {
    ImageGrid: (ImageGridView, None),
    Curve: (CurveView, _curve_table),
    Scatter: (ScatterView, _scatter_table),
    HeatMap: (HeatMapView, _matrix_table),
    Table: (TableView, _table_table),
}
"""How each kind of view is drawn, and how it becomes a table."""

"""A gallery that shows what the session shows: one selection, one filter, one current image."""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from desktop_app.gui.categories import labels_of
from desktop_app.gui.library.gallery import GalleryView
from desktop_app.gui.library.items import GalleryItems, TileBadge
from desktop_app.gui.library.sorting import SortKey, sorted_rows
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.session import Session
from desktop_app.gui.theme import Theme, current_theme, follow_theme
from desktop_app.gui.verdicts import NAMES

Rows = NDArray[np.int64]

_MEGABYTES = 128  # of thumbnails


class LinkedGallery(GalleryView):
    """A gallery of the session's table, or of those rows of it that `only` leaves."""

    def __init__(
        self,
        session: Session,
        *,
        sort: SortKey = "path",
        descending: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        self._session = session
        self._sort: SortKey = sort
        self._descending = descending
        self._label_colours: list[str] = []
        self._thumbnails = ThumbnailLoader(session.thumbnails, megabytes=_MEGABYTES)
        super().__init__(self._thumbnails, parent)
        self._ids = np.zeros(0, np.int64)
        self._folder = session.folder
        self._sorted: Rows | None = None  # all rows in order, until what they are sorted by changes
        self.destroyed.connect(self._thumbnails.close)
        self.selection_changed.connect(self._tell_session)
        self.current_changed.connect(self._tell_current)
        session.table_changed.connect(self.show_table)
        session.result_changed.connect(self._show_columns)
        session.verdicts_changed.connect(self._show_verdicts)
        session.left_out_changed.connect(self.refresh)
        session.filter_changed.connect(self.show_order)
        session.selection_changed.connect(self._show_selection)
        session.current_changed.connect(self._show_current)
        follow_theme(self._recolour)
        self.show_table()

    def sorting(self) -> tuple[SortKey, bool]:
        """Return what is sorted by, and whether descending."""
        return self._sort, self._descending

    def set_sorting(self, key: SortKey, *, descending: bool) -> None:
        """Sort by something else."""
        self._sort, self._descending = key, descending
        self._sorted = None
        self.show_order()

    def thumbnail(self, row: int) -> QImage | None:
        """Return the thumbnail of a row if it is at hand."""
        return self._thumbnails.image(int(self._ids[row])) if row < len(self._ids) else None

    def close_threads(self) -> None:
        """End the fetching of thumbnails."""
        self._thumbnails.close()

    def show_table(self) -> None:
        """Show the table of the session; selection and place stay for the same images."""
        session = self._session
        self._sorted = None
        self._recolour(current_theme())
        same_folder = session.folder is self._folder
        self._folder = session.folder
        if same_folder and np.array_equal(session.table.ids, self._ids):
            self._thumbnails.forget(filter(self._thumbnails.failed, self._shown_ids()))
            self.set_columns(self._columns())
            return
        if not same_folder:  # ids are numbers of one folder's index
            self._thumbnails.clear()
        self._ids = session.table.ids
        self.set_items(self._columns(), self.wanted_order())
        self.set_selection(session.selected)
        self._show_current()

    def show_order(self) -> None:
        """Filter and sort again."""
        if len(self._session.visible) == len(self._ids):
            self.set_order(self.wanted_order())

    def wanted_order(self) -> Rows:
        """Return the rows to show, in order."""
        if self._sorted is None:
            rows = np.arange(len(self._session.table), dtype=np.int64)
            self._sorted = sorted_rows(self._session, rows, self._sort, descending=self._descending)
        return self._sorted[self._session.visible[self._sorted]]

    def _columns(self) -> GalleryItems:
        session, result = self._session, self._session.result
        scores = None
        if result is not None and result.scores is not None:
            scores = result.scores.astype(np.float64)
        return GalleryItems(
            ids=session.table.ids,
            caption=self._caption,
            badge=self._badge,
            scores=scores,
            path=lambda row: str(session.image_path(row)),
        )

    def _caption(self, row: int) -> str:
        return PurePosixPath(self._session.table.paths[row]).stem

    def _badge(self, row: int) -> TileBadge:
        table, labels = self._session.table, labels_of(self._session)
        label = table.labels[row]
        return TileBadge(
            label=label,
            colour=self._label_colours[labels.codes[row]] if label else "",
            verdict=NAMES[self._session.verdicts[row]],  # type: ignore[arg-type]
            problem=table.problems[row],
            remark=table.remarks[row],
            left_out=bool(self._session.left_out[row]),
        )

    def _shown_ids(self) -> list[int]:
        ids: list[int] = self._ids[self.order()[:5000]].tolist()
        return ids

    def _show_columns(self) -> None:
        if len(self._session.table) == len(self._ids):
            self.set_columns(self._columns())
            if self._sort == "score":
                self._sorted = None
                self.show_order()

    def _show_verdicts(self) -> None:
        if self._sort == "verdict":
            self._sorted = None
            self.show_order()
        self.refresh()

    def _show_selection(self) -> None:
        if len(self._session.selected) == len(self._ids):
            self.set_selection(self._session.selected)

    def _show_current(self) -> None:
        if self._session.current != self.current():
            self.set_current(self._session.current)

    def _tell_session(self, rows: NDArray[np.int64]) -> None:
        self._session.select(rows)

    def _tell_current(self, row: int) -> None:
        if row >= 0:
            self._session.set_current(row)

    def _recolour(self, theme: Theme) -> None:
        labels = labels_of(self._session)
        self._label_colours = [labels.colour(code, theme) for code in range(len(labels))]

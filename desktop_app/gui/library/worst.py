"""Leave out the worst: the most unusual training images are shown, and go when they are confirmed.

Nothing is deleted: images that are left out stay in the folder and are scored like all others.
"""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.i18n import tr
from desktop_app.gui.library.gallery import GalleryView
from desktop_app.gui.library.items import GalleryItems
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.methods import method_title
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_kind, set_role
from desktop_app.gui.widgets import named
from desktop_app.gui.widgets.fields import NumberField
from desktop_app.sdk.errors import InvalidInput, LoupeError

Rows = NDArray[np.int64]

_FIRST_SHARE = 2.0  # percent
_MEGABYTES = 32  # of thumbnails


def ranked_training_rows(session: Session) -> Rows:
    """Return the rows that are trained on and scored by the open run, the most unusual first.

    Raises InvalidInput when there are none.
    """
    folder, result = session.folder, session.result
    scores = result.scores if result is not None else None
    if folder is None or scores is None or len(scores) != len(session.table):
        raise InvalidInput(
            tr("There are no scores yet: open a run of a method that scores, and score the folder.")
        )
    try:
        rows = folder.training_rows(session.table, None)
    except LoupeError:
        rows = np.arange(len(session.table))
    rows = rows[np.isfinite(scores[rows]) & ~session.left_out[rows]]
    if not len(rows):
        raise InvalidInput(tr("No training image is scored, or all of them are left out already."))
    ranked: Rows = rows[np.argsort(-scores[rows], kind="stable")].astype(np.int64)
    return ranked


class _Suspects(GalleryView):
    """A gallery in which a click alone changes whether an image is selected."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select the image below the pointer, or no longer."""
        position = self._position_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and position >= 0:
            row = int(self._order[position])
            self._selected[row] = not self._selected[row]
            self._focus(position)
            self._tell_selection()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk without selecting; Space selects, or no longer; Escape is the dialog's."""
        key, steps = Qt.Key(event.key()), self._steps()
        if key in steps:
            self._walk(steps[key], Qt.KeyboardModifier.ControlModifier)
        elif key == Qt.Key.Key_Space:
            super().keyPressEvent(event)
        else:
            event.ignore()


class WorstDialog(QDialog):
    """Shows the suspects as thumbnails; those that stay selected are left out."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        """Raises InvalidInput when no training image has a score."""
        super().__init__(parent)
        self._session = session
        self._ranked = ranked_training_rows(session)
        self._spared: set[int] = set()
        self._shown = np.zeros(0, np.int64)
        self.setWindowTitle(tr("Leave out the worst"))
        self.share = NumberField(
            tr("Share of the training images"),
            0.1,
            50.0,
            _FIRST_SHARE,
            decimals=1,
            tip=tr("How many of the most unusual training images are suspects"),
        )
        self.share.setSuffix(" %")
        self.share.setSingleStep(0.5)
        self.share.valueChanged.connect(self._show)
        self._counts = QLabel()
        set_role(self._counts, "secondary")
        top = QHBoxLayout()
        top.setSpacing(SPACE.s)
        top.addWidget(QLabel(tr("The most unusual")))
        top.addWidget(self.share)
        top.addWidget(QLabel(tr("of the training images")))
        top.addStretch()
        top.addWidget(self._counts)
        about = QLabel(
            tr(
                "By the scores of '{name}'. Click an image to keep it. Nothing is "
                "deleted: images that are left out are scored like all others, and can be taken "
                "back.",
                name=method_title(session) or "",
            ),
            wordWrap=True,
        )
        set_role(about, "caption")
        self._thumbnails = ThumbnailLoader(session.thumbnails, megabytes=_MEGABYTES)
        self.gallery = _Suspects(self._thumbnails)
        self.gallery.set_items(self._items(), np.zeros(0, np.int64))
        self.gallery.selection_changed.connect(self._take_selection)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.confirm = QPushButton()
        set_kind(self.confirm, "primary")
        buttons.addButton(self.confirm, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.m)
        column.setSpacing(SPACE.m)
        column.addLayout(top)
        column.addWidget(about)
        column.addWidget(self.gallery, 1)
        column.addWidget(buttons)
        self.finished.connect(self._end)
        self._show()

    def chosen(self) -> Rows:
        """Return the rows that are left out when the dialog is confirmed."""
        spared = np.array(sorted(self._spared), np.int64)
        return self._shown[~np.isin(self._shown, spared)]

    def accept(self) -> None:
        """Leave the suspects out that are still selected."""
        self._session.leave_out(self.chosen())
        super().accept()

    def sizeHint(self) -> QSize:
        """Return room for some rows of suspects."""
        return QSize(820, 600)

    def _show(self) -> None:
        total = len(self._ranked)
        self._shown = self._ranked[: max(1, round(total * self.share.value() / 100))]
        self.gallery.set_order(self._shown)
        self._tell()

    def _tell(self) -> None:
        chosen = self.chosen()
        self.gallery.set_selection(chosen)
        self._counts.setText(
            tr("{n} of {total} images", n=f"{len(chosen):,}", total=f"{len(self._ranked):,}")
        )
        text = tr("Leave {n} out", n=f"{len(chosen):,}")
        named(self.confirm, text, tr("Do not train on the images that are selected"))
        self.confirm.setText(text)
        self.confirm.setEnabled(len(chosen) > 0)

    def _take_selection(self, selected: Rows) -> None:
        """Spare the suspects that were taken out of the selection."""
        kept = self._shown[~np.isin(self._shown, selected)]
        self._spared = (self._spared - set(self._shown.tolist())) | set(kept.tolist())
        self._tell()

    def _items(self) -> GalleryItems:
        session = self._session
        scores = session.result.scores if session.result is not None else None
        return GalleryItems(
            ids=session.table.ids,
            caption=lambda row: PurePosixPath(session.table.paths[row]).stem,
            scores=None if scores is None else scores.astype(np.float64),
            path=lambda row: str(session.image_path(row)),
        )

    def _end(self) -> None:
        self._thumbnails.close()


def leave_out_the_worst(session: Session, parent: QWidget) -> None:
    """Ask which of the most unusual training images are left out."""
    try:
        dialog = WorstDialog(session, parent)
    except InvalidInput as problem:
        session.problem.emit(str(problem))
        return
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()

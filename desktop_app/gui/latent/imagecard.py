"""What is known of the image that is looked at, and the images most like it."""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop_app.gui.categories import labels_of
from desktop_app.gui.i18n import tr
from desktop_app.gui.latent.decode import nearest_rows
from desktop_app.gui.latent.outside import NEIGHBOURS as _NEIGHBOURS
from desktop_app.gui.latent.outside import Guest, rows_of
from desktop_app.gui.latent.strip import Frame, Strip
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.scorescale import Reference, reference_of
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, current_theme, set_role, set_surface
from desktop_app.gui.widgets import ElidedLabel, ImageLabel
from desktop_app.gui.widgets.dot import Dot

_PICTURE = 92  # logical pixels


class ImageCard(QWidget):
    """The current image, or a guest from elsewhere, and the images most like it."""

    neighbours_found = Signal(int, object)
    """Carries the row of the image, -1 for a guest, and the rows most like it, nearest first."""
    guest_left = Signal()
    """The guest makes room for an image of the folder."""

    def __init__(
        self, session: Session, thumbnails: ThumbnailLoader, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self._neighbours: NDArray[np.int64] = np.zeros(0, np.int64)
        self._guest: Guest | None = None
        self._has_colours = True
        self._reference: Reference | None = None
        self.picture = ImageLabel(tr("Current image"))
        self.picture.setFixedSize(_PICTURE, _PICTURE)
        set_surface(self.picture, "canvas")
        self._name = ElidedLabel()
        self._dot = Dot()
        self._facts = ElidedLabel("", Qt.TextElideMode.ElideRight)
        self._standing = QLabel()
        self._standing.setWordWrap(True)
        self._standing.setAlignment(Qt.AlignmentFlag.AlignTop)
        set_role(self._facts, "secondary")
        set_role(self._standing, "caption")
        self._heading = QLabel(tr("Most alike in the latent space"))
        set_role(self._heading, "caption")
        self.strip = Strip(tr("Neighbours of the current image"), _NEIGHBOURS // 2)
        label = QHBoxLayout()
        label.setSpacing(SPACE.xs + 2)
        label.addWidget(self._dot)
        label.addWidget(self._facts, 1)
        words = QVBoxLayout()
        words.setSpacing(SPACE.xs)
        words.addWidget(self._name)
        words.addLayout(label)
        words.addWidget(self._standing, 1)
        top = QHBoxLayout()
        top.setSpacing(SPACE.s)
        top.addWidget(self.picture)
        top.addLayout(words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addLayout(top)
        column.addSpacing(SPACE.xs)
        column.addWidget(self._heading)
        column.addWidget(self.strip)
        self.strip.chosen.connect(self._choose)
        for changed in (session.result_changed, session.table_changed, session.verdicts_changed):
            changed.connect(self._forget_usual)
        session.current_changed.connect(self.show_current)
        session.result_changed.connect(self.show_current)
        session.table_changed.connect(self.show_current)
        thumbnails.loaded.connect(self._show_pictures)
        self.show_current()

    def colour_labels(self, on: bool) -> None:
        """Show the colour of the label, or none where colours mean something else."""
        if on != self._has_colours:
            self._has_colours = on
            self._dot.setVisible(on and self._guest is None and self._session.current >= 0)

    def wanted_ids(self) -> list[int]:
        """Return the ids of the images whose thumbnails are shown here."""
        rows = [self._session.current, *self._neighbours.tolist()]
        count = len(self._session.table)
        return [int(self._session.table.ids[row]) for row in rows if 0 <= row < count]

    def show_current(self) -> None:
        """Show the current image of the session, and look for its neighbours."""
        session, row = self._session, self._session.current
        known = 0 <= row < len(session.table)
        if self._guest is not None:
            self._guest = None
            self.guest_left.emit()
        self._take_neighbours(row, self._neighbours[:0])
        for widget in (self._heading, self.strip):
            widget.setVisible(known)
        self._dot.setVisible(known and self._has_colours)
        if not known:
            self.picture.set_image(None)
            self._name.setText(tr("No image chosen"))
            self._facts.setText(tr("Click a point, or drop an image on the map."))
            self._standing.setText("")
            return
        labels = labels_of(session)
        self._name.setText(PurePosixPath(session.table.paths[row]).name)
        self._name.setToolTip(session.table.paths[row])
        self._dot.set_colour(labels.colour(int(labels.codes[row]), current_theme()))
        self._facts.setText(labels.names[labels.codes[row]])
        self._tell_score(row)
        self._find_neighbours(row)

    def show_guest(self, guest: Guest) -> None:
        """Show an image from elsewhere and what is most like it."""
        self._guest = guest
        self.picture.set_image(guest.image)
        self._name.setText(guest.path.name)
        self._name.setToolTip(str(guest.path))
        self._dot.hide()
        self._facts.setText(tr("Not in this folder"))
        self._standing.setText("")
        for widget in (self._heading, self.strip):
            widget.setVisible(True)
        self._take_neighbours(-1, guest.rows)

    def _tell_score(self, row: int) -> None:
        result = self._session.result
        if result is None or result.scores is None or not np.isfinite(result.scores[row]):
            self._standing.setText("")
            return
        score = float(result.scores[row])
        sentence = self._usual().sentence(score)
        words = f"{score:.4g}"
        self._standing.setText(
            tr("Score {score}: {sentence}", score=words, sentence=sentence)
            if sentence
            else tr("Score {score}", score=words)
        )

    def _usual(self) -> Reference:
        """Return the scores that a score is compared with; sorted once, not at every click."""
        if self._reference is None:
            self._reference = reference_of(self._session)
        return self._reference

    def _forget_usual(self) -> None:
        self._reference = None

    def _find_neighbours(self, row: int) -> None:
        result = self._session.result
        space = None
        if result is not None:
            space = result.vectors if result.vectors is not None else result.latents
        found = space is not None and space.ndim == 2 and result is not None
        has_neighbours = found and result is not None and bool(result.index[row] >= 0)
        self._heading.setVisible(has_neighbours)
        self.strip.setVisible(has_neighbours)
        if not has_neighbours or result is None or space is None:
            return
        index, vectors = result.index, space

        def work() -> NDArray[np.int64]:
            places = nearest_rows(vectors, int(index[row]), _NEIGHBOURS)
            rows = rows_of(index, len(vectors))[places]
            return rows[rows >= 0]

        def take(rows: NDArray[np.int64]) -> None:
            session = self._session
            if session.current == row and session.result is result and self._guest is None:
                self._take_neighbours(row, rows)

        self._session.background.run("neighbours", work, take)

    def _take_neighbours(self, row: int, rows: NDArray[np.int64]) -> None:
        self._neighbours = rows
        self._show_pictures()
        self._thumbnails.want(self.wanted_ids())
        self.neighbours_found.emit(row, rows)

    def _show_pictures(self) -> None:
        table, row = self._session.table, self._session.current
        if self._guest is None and 0 <= row < len(table):
            self.picture.set_image(self._thumbnails.image(int(table.ids[row])))
        frames = [
            Frame(self._thumbnails.image(int(table.ids[near])), table.paths[near])
            for near in self._neighbours.tolist()
            if near < len(table)
        ]
        self.strip.set_frames(frames)

    def _choose(self, number: int) -> None:
        row = int(self._neighbours[number])
        self._session.set_current(row)
        self._session.select(np.array([row], np.int64))

"""Beside the map: what its colours mean, the current image and its neighbours, the walk."""

from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from desktop_app.gui.categories import labels_of
from desktop_app.gui.i18n import tr
from desktop_app.gui.latent.decode import nearest_rows
from desktop_app.gui.latent.legend import MapLegend
from desktop_app.gui.latent.strip import Frame, Strip
from desktop_app.gui.latent.walk import Walk
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.methods import can
from desktop_app.gui.scorescale import reference_of
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, current_theme, set_role, set_surface
from desktop_app.gui.widgets import CollapsibleSection, ElidedLabel, ImageLabel
from desktop_app.gui.widgets.dot import Dot

WIDTH = 284  # logical pixels
_NEIGHBOURS = 10
_PICTURE = 92


class MapSidebar(QScrollArea):
    """Three parts that fold away."""

    def __init__(
        self, session: Session, thumbnails: ThumbnailLoader, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.legend = MapLegend(session)
        self.image = ImageCard(session, thumbnails)
        self.walk = Walk(session)
        self._session = session
        self._reason = QLabel()
        self._reason.setWordWrap(True)
        set_role(self._reason, "secondary")
        walking = QWidget()
        column = QVBoxLayout(walking)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._reason)
        column.addWidget(self.walk)
        content = QWidget()
        set_surface(content, "surface")
        parts = QVBoxLayout(content)
        parts.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.m)
        parts.setSpacing(SPACE.s)
        for title, part in (
            (tr("Colours"), self.legend),
            (tr("Image and its neighbours"), self.image),
            (tr("Walk through the latent space"), walking),
        ):
            parts.addWidget(CollapsibleSection(title, part))
        parts.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedWidth(WIDTH)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(tr("About the map"))
        session.result_changed.connect(self._show_result)
        session.run_changed.connect(self._show_result)
        session.catalog_changed.connect(self._show_result)
        self._show_result()

    def _show_result(self) -> None:
        """Offer the walk where the method can decode."""
        session = self._session
        result = session.result
        decodes = can(session, "decodes")
        walks = decodes and result is not None and result.latents is not None
        self.walk.setVisible(walks)
        self._reason.setVisible(not walks)
        if not decodes and session.run is not None:
            self._reason.setText(tr("The method of the open run cannot make images of latents."))
        else:
            self._reason.setText(
                tr("Once the images are encoded, places on the map can be decoded.")
            )
        self.walk.set_result(result if walks else None)


class ImageCard(QWidget):
    """The current image and the images most like it in the latent space."""

    def __init__(
        self, session: Session, thumbnails: ThumbnailLoader, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self._neighbours: NDArray[np.int64] = np.zeros(0, np.int64)
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
        session.current_changed.connect(self.show_current)
        session.result_changed.connect(self.show_current)
        session.table_changed.connect(self.show_current)
        thumbnails.loaded.connect(self._show_pictures)
        self.show_current()

    def wanted_ids(self) -> list[int]:
        """Return the ids of the images whose thumbnails are shown here."""
        rows = [self._session.current, *self._neighbours.tolist()]
        count = len(self._session.table)
        return [int(self._session.table.ids[row]) for row in rows if 0 <= row < count]

    def show_current(self) -> None:
        """Show the current image of the session, and look for its neighbours."""
        session, row = self._session, self._session.current
        known = 0 <= row < len(session.table)
        self._neighbours = np.zeros(0, np.int64)
        for widget in (self._heading, self.strip, self._dot):
            widget.setVisible(known)
        if not known:
            self.picture.set_image(None)
            self._name.setText(tr("No image chosen"))
            self._facts.setText(tr("Click a point of the map."))
            self._standing.setText("")
            return
        labels = labels_of(session)
        self._name.setText(PurePosixPath(session.table.paths[row]).name)
        self._name.setToolTip(session.table.paths[row])
        self._dot.set_colour(labels.colour(int(labels.codes[row]), current_theme()))
        self._facts.setText(labels.names[labels.codes[row]])
        self._tell_score(row)
        self._find_neighbours(row)
        self._show_pictures()
        self._thumbnails.want(self.wanted_ids())

    def _tell_score(self, row: int) -> None:
        result = self._session.result
        if result is None or result.scores is None or not np.isfinite(result.scores[row]):
            self._standing.setText("")
            return
        score = float(result.scores[row])
        sentence = reference_of(self._session).sentence(score)
        words = f"{score:.4g}"
        self._standing.setText(
            tr("Score {score}: {sentence}", score=words, sentence=sentence)
            if sentence
            else tr("Score {score}", score=words)
        )

    def _find_neighbours(self, row: int) -> None:
        result = self._session.result
        has_latents = (
            result is not None
            and result.latents is not None
            and result.latents.ndim == 2
            and bool(result.index[row] >= 0)
        )
        self._heading.setVisible(has_latents)
        self.strip.setVisible(has_latents)
        if not has_latents or result is None or result.latents is None:
            return
        latents, index = result.latents, result.index

        def found() -> NDArray[np.int64]:
            return nearest_rows(latents, int(index[row]), _NEIGHBOURS)

        def take(places: NDArray[np.int64]) -> None:
            if self._session.current == row and self._session.result is result:
                rows = np.full(len(latents), -1, np.int64)
                rows[index[index >= 0]] = np.flatnonzero(index >= 0)
                self._neighbours = rows[places][rows[places] >= 0]
                self._show_pictures()
                self._thumbnails.want(self.wanted_ids())

        self._session.background.run("neighbours", found, take)

    def _show_pictures(self) -> None:
        table, row = self._session.table, self._session.current
        if not 0 <= row < len(table):
            return
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

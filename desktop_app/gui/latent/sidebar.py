"""Beside the map: what its colours mean, the current image and its neighbours, the walk."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.latent.imagecard import ImageCard
from desktop_app.gui.latent.legend import MapLegend
from desktop_app.gui.latent.mapstate import MapState
from desktop_app.gui.latent.walk import Walk
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.methods import can, no_images_of_latents
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_role, set_surface
from desktop_app.gui.widgets import CollapsibleSection

WIDTH = 284  # logical pixels


class MapSidebar(QScrollArea):
    """Three parts that fold away."""

    def __init__(
        self,
        session: Session,
        state: MapState,
        thumbnails: ThumbnailLoader,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.legend = MapLegend(session)
        self.image = ImageCard(session, thumbnails)
        self.walk = Walk(session, state)
        self._session = session
        self._reason = QLabel()
        self._reason.setWordWrap(True)
        set_role(self._reason, "secondary")
        walking = QWidget()
        column = QVBoxLayout(walking)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._reason)
        column.addWidget(self.walk)
        content = _Content()
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
            self._reason.setText(no_images_of_latents(session))
        else:
            self._reason.setText(
                tr("Once the images are encoded, places on the map can be decoded.")
            )
        self.walk.set_result(result if walks else None)


class _Content(QWidget):
    """As tall as its parts want to be: the sidebar scrolls before it squeezes one of them."""

    def minimumSizeHint(self) -> QSize:
        """Return room for all parts at the present width."""
        least, layout = super().minimumSizeHint(), self.layout()
        if layout is None:
            return least
        return QSize(least.width(), layout.totalHeightForWidth(max(self.width(), least.width())))

"""The list of clusters: which one, and which of its thumbnails, was clicked."""

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QMenu

from desktop_app.core.clusters import Cluster
from desktop_app.gui.clusters.rows import (
    ROW,
    ClusterModel,
    ClusterPainter,
    ClusterRow,
    Index,
    tile_at,
)
from desktop_app.gui.i18n import tr
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.session import Session
from desktop_app.gui.widgets import named


class ClusterList(QListView):
    """A list whose clicks select the images of a cluster, and show the one that was clicked."""

    cluster_clicked = Signal(object, int)
    """Carries the cluster and the number of the thumbnail, -1 for none."""
    cluster_opened = Signal(object)

    def __init__(
        self,
        session: Session,
        model: ClusterModel,
        loader: ThumbnailLoader,
        menu: Callable[[Cluster], QMenu],
    ) -> None:
        """`menu` makes what a right click offers for a cluster."""
        super().__init__()
        self._session, self._menu = session, menu
        named(self, tr("Clusters"), tr("Click selects the images of a cluster everywhere"))
        self.setToolTip("")
        self.setModel(model)
        self.setItemDelegate(ClusterPainter(session, loader, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.activated.connect(self._open)
        self.cluster_clicked.connect(self._choose)
        self.customContextMenuRequested.connect(self._show_menu)
        loader.loaded.connect(self._show_thumbnails)

    def _show_thumbnails(self, _ids: object) -> None:
        self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Say what was clicked."""
        super().mouseReleaseEvent(event)
        place = event.position().toPoint()
        index = self.indexAt(place)
        if event.button() == Qt.MouseButton.LeftButton and index.isValid():
            row: ClusterRow = index.data(ROW)
            self.cluster_clicked.emit(row.cluster, tile_at(self.visualRect(index), place))

    def currentChanged(self, current: Index, previous: Index) -> None:
        """Follow the keyboard."""
        super().currentChanged(current, previous)
        if current.isValid() and self.hasFocus():
            row: ClusterRow = current.data(ROW)
            self.cluster_clicked.emit(row.cluster, -1)

    def _choose(self, cluster: Cluster, number: int) -> None:
        self._session.select(cluster.rows)
        if 0 <= number < len(cluster):
            self._session.set_current(int(cluster.rows[number]))

    def _show_menu(self, place: QPoint) -> None:
        index = self.indexAt(place)
        if index.isValid():
            row: ClusterRow = index.data(ROW)
            menu = self._menu(row.cluster)
            menu.exec(self.viewport().mapToGlobal(place))
            menu.deleteLater()

    def _open(self, index: QModelIndex) -> None:
        row: ClusterRow = index.data(ROW)
        self.cluster_opened.emit(row.cluster)

"""The room of clusters: look at them, name them, filter by them, copy them into folders."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QMenu,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.clusters import NONE, Cluster, found_clusters, write_clusters
from desktop_app.core.columns import ResultColumns
from desktop_app.core.copies import lies_within, sort_into_folders
from desktop_app.gui.categories import category_name, clusters_of, labels_of
from desktop_app.gui.clusters.list import ClusterList
from desktop_app.gui.clusters.rows import ClusterModel, ClusterRow
from desktop_app.gui.filtering import among, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.session import Session
from desktop_app.gui.tags import shared_tags
from desktop_app.gui.tasks import Steps, run_with_progress
from desktop_app.gui.theme import SPACE, Theme, current_theme, follow_theme, set_role, set_surface
from desktop_app.gui.widgets import EmptyState, named

_MEGABYTES = 64  # of thumbnails
_MOSTLY = 0.5  # share of a label that is worth a word


class ClustersPanel(QWidget):
    """The clusters of the open run, one row each."""

    place_wanted = Signal(str)
    """The analyst wants to see the images in the "gallery", the "map" or the "inspector"."""
    method_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = shared_filter(session)
        self._result: ResultColumns | None = None
        self._clusters: list[Cluster] = []
        self._names: dict[int, str] = {}
        self._thumbnails = ThumbnailLoader(session.thumbnails, megabytes=_MEGABYTES)
        self._folder = session.folder
        self.destroyed.connect(self._thumbnails.close)
        self.model = ClusterModel()
        self.list = ClusterList(session, self.model, self._thumbnails, self.menu)
        self.list.cluster_opened.connect(self.show_only)
        self._actions = ImageActions(session, self, self.place_wanted.emit, "clusters")
        self._empty = EmptyState(
            "layers",
            tr("No clusters yet"),
            tr(
                "Train a method of the family Clustering, or open a run of one: its clusters are "
                "shown here, the most typical images first."
            ),
            tr("Choose method"),
        )
        self._empty.acted.connect(self.method_wanted)
        page = QWidget()
        set_surface(page, "surface")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._header())
        column.addWidget(self.list, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(page)
        session.result_changed.connect(self._take_result)
        session.table_changed.connect(self._take_result)
        session.current_changed.connect(self.list.viewport().update)
        follow_theme(self._themed)
        self._take_result()

    def close_threads(self) -> None:
        """End the fetching of thumbnails."""
        self._thumbnails.close()

    def clusters(self) -> list[Cluster]:
        """Return the clusters on show."""
        return self._clusters

    def name_of(self, number: int) -> str:
        """Return what a cluster is called."""
        return self._names.get(number) or category_name("cluster", str(number))

    def menu(self, cluster: Cluster) -> QMenu:
        """Return what can be done with a cluster."""
        menu = QMenu(self)
        for text, icon, act in (
            (tr("Show only this cluster"), "filter", partial(self.show_only, cluster)),
            (tr("Name the cluster…"), "tag", partial(self.rename, cluster)),
        ):
            if cluster.number == NONE and icon == "tag":
                continue
            self._add(menu, text, icon, act)
        text = tr("Leave {n} out of training", n=f"{len(cluster):,}")
        self._add(menu, text, "minus", lambda: self._session.leave_out(cluster.rows))
        menu.addSeparator()
        self._actions.add_exports(menu, cluster.rows)
        return menu

    def show_only(self, cluster: Cluster) -> None:
        """Show nothing but this cluster, in the gallery and everywhere."""
        self._filter.set("cluster", among("cluster", frozenset({str(cluster.number)})))
        self.place_wanted.emit("gallery")

    def rename(self, cluster: Cluster, name: str | None = None) -> None:
        """Give a cluster a name, and its images a tag of that name; asks when not told."""
        if name is None:
            before = self._names.get(cluster.number, "")
            label = tr("Name of this cluster; its {n} images get it as a tag:", n=len(cluster))
            name, sure = QInputDialog.getText(self, tr("Name the cluster"), label, text=before)
            if not sure:
                return
        self._put_tag(cluster, self._names.get(cluster.number, ""), name.strip())
        if name.strip():
            self._names[cluster.number] = name.strip()
        else:
            self._names.pop(cluster.number, None)
        self._keep_names()
        self._fill()

    def sort_into_folders(self) -> None:
        """Ask for a folder and copy the images of each cluster into one of its own."""
        chosen = QFileDialog.getExistingDirectory(self, tr("Copy the images into folders below"))
        if chosen and self._is_outside(Path(chosen)):
            self._run(tr("Sorting into folders"), self.sorting(Path(chosen)))

    def sorting(self, target: Path) -> Steps:
        """Return the steps that copy the images of the clusters on show."""
        session = self._session
        rows = [row for cluster in self._clusters for row in cluster.rows.tolist()]
        groups = [self.name_of(one.number) for one in self._clusters for _ in range(len(one))]
        paths = session.table.paths
        root = session.folder.root if session.folder is not None else Path()
        return sort_into_folders(root, [paths[row] for row in rows], groups, target)

    def export_list(self) -> None:
        """Ask for a file and write the cluster of each image."""
        folder = self._session.folder
        name = f"{folder.name if folder is not None else 'loupe'}-clusters.csv"
        path, _kind = QFileDialog.getSaveFileName(self, tr("Export clusters"), name, "CSV (*.csv)")
        if path and self._is_outside(Path(path).parent):
            self._run(tr("Exporting clusters"), self.listing(Path(path)))

    def listing(self, path: Path) -> Steps:
        """Return the steps that write the cluster of each image that the run has looked at."""
        result, table = self._session.result, self._session.table
        clusters = result.clusters if result is not None else None
        known = np.flatnonzero(result.index >= 0).tolist() if result is not None else []
        numbers = [] if clusters is None else [int(clusters[row]) for row in known]
        paths = [table.paths[row] for row in known]
        labels = [table.labels[row] for row in known]
        return write_clusters(path, paths, labels, numbers, dict(self._names))

    def _header(self) -> QHBoxLayout:
        self._summary = QLabel()
        set_role(self._summary, "heading")
        sort = named(
            QPushButton(tr("Sort into folders…")),
            tr("Sort into folders…"),
            tr("Copy the images of each cluster into a folder of its own; nothing is moved"),
        )
        set_icon(sort, "folder")
        sort.clicked.connect(self.sort_into_folders)
        export = named(
            QPushButton(tr("Export list…")),
            tr("Export list…"),
            tr("The cluster of each image, CSV"),
        )
        set_icon(export, "export")
        export.clicked.connect(self.export_list)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.s)
        row.setSpacing(SPACE.s)
        row.addWidget(self._summary, 1)
        row.addWidget(export)
        row.addWidget(sort)
        return row

    def _take_result(self) -> None:
        session = self._session
        if session.folder is not self._folder:  # ids are numbers of one folder's index
            self._folder = session.folder
            self._thumbnails.clear()
        result = session.result
        usable = (
            result is not None
            and result.clusters is not None
            and len(result.clusters) == len(session.table)
        )
        if not usable or result is None:
            self._result, self._clusters = None, []
            self.model.set_rows([])
            self._stack.setCurrentIndex(0)
            return
        if result is self._result:
            return
        self._result = result
        self._names = self._kept_names(result)
        session.background.run("clusters", lambda: found_clusters(result), self._take)

    def _take(self, clusters: list[Cluster]) -> None:
        if self._result is None or self._result is not self._session.result:
            return
        self._clusters = clusters
        self._stack.setCurrentIndex(1)
        self._fill()

    def _fill(self) -> None:
        session, theme = self._session, current_theme()
        column, labels = clusters_of(session), labels_of(session)
        total = max(1, sum(map(len, self._clusters)))
        rows = []
        for cluster in self._clusters:
            key = str(cluster.number)
            colour = column.colour(column.keys.index(key), theme) if column is not None else ""
            share = f"{100 * len(cluster) / total:.0f}"
            size = tr("{n} images, {share} %", n=f"{len(cluster):,}", share=share)
            counts = np.bincount(labels.codes[cluster.rows], minlength=len(labels))
            most = int(counts.argmax())
            part = counts[most] / len(cluster)
            says = len(labels) > 1 and labels.keys[most] and part >= _MOSTLY
            remark = (
                tr("{share} % {label}", share=f"{100 * part:.0f}", label=labels.names[most])
                if says
                else ""
            )
            rows.append(ClusterRow(cluster, self.name_of(cluster.number), size, remark, colour))
        self.model.set_rows(rows)
        found = sum(cluster.number != NONE for cluster in self._clusters)
        images = tr("{n} images", n=f"{total:,}")
        clusters = tr("1 cluster") if found == 1 else tr("{n} clusters", n=f"{found:,}")
        self._summary.setText(f"{clusters}  ·  {images}")

    def _put_tag(self, cluster: Cluster, before: str, name: str) -> None:
        """Let the images of a cluster have its name as a tag, and no longer its former one."""
        tags, rows = shared_tags(self._session), np.sort(cluster.rows)
        if before and before != name and np.array_equal(tags.rows(before), rows):
            tags.put(before, np.zeros(0, np.int64))
        if name:
            tags.put(name, np.union1d(tags.rows(name), rows))

    def _kept_names(self, result: ResultColumns) -> dict[int, str]:
        kept: dict[str, str] = self._session.workspace.setting(_setting(result), {})
        return {int(number): name for number, name in kept.items()}

    def _keep_names(self) -> None:
        if self._result is not None:
            names = {str(number): name for number, name in self._names.items()}
            self._session.workspace.set_setting(_setting(self._result), names or None)

    def _is_outside(self, target: Path) -> bool:
        """Tell whether a place is none of the folder of the images; say so where it is one."""
        folder = self._session.folder
        if folder is None or not lies_within(target, folder.root):
            return True
        self._session.problem.emit(
            tr(
                "'{path}' lies in the folder of the images, to which nothing is ever written. "
                "Choose a folder elsewhere.",
                path=target,
            )
        )
        return False

    def _run(self, title: str, steps: Steps) -> None:
        run_with_progress(self, title, steps, self._tell_end)

    def _tell_end(self, problem: str, _stopped: bool) -> None:
        if problem:
            self._session.problem.emit(problem)

    def _add(self, menu: QMenu, text: str, icon: str, act: Callable[[], object]) -> None:
        action = menu.addAction(text)
        set_icon(action, icon)
        action.triggered.connect(lambda _checked=False: act())

    def _themed(self, _theme: Theme) -> None:
        if self._clusters:
            self._fill()


def _setting(result: ResultColumns) -> str:
    """Return under which name the workspace keeps the names of a run's clusters."""
    return f"cluster names {result.run.path.name}"

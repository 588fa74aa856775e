"""The library: the folders of the workspace at the left, what is in the open one beside them."""

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSlider,
    QSplitter,
    QStackedLayout,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.categories import quarantined, splits_of
from desktop_app.gui.filterbar import FilterBar
from desktop_app.gui.filtering import path_contains, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.library.chips import CategoryChips
from desktop_app.gui.library.folders import FolderList
from desktop_app.gui.library.gallery import LARGEST_TILE, SMALLEST_TILE
from desktop_app.gui.library.linked import LinkedGallery
from desktop_app.gui.library.problems import ProblemList
from desktop_app.gui.library.sorting import SortKey
from desktop_app.gui.session import Session
from desktop_app.gui.theme import SPACE, set_role, set_surface
from desktop_app.gui.widgets import ChoiceField, ElidedLabel, EmptyState, SearchField, named

_FOLDERS_WIDTH = 240  # logical pixels


class LibraryPanel(QWidget):
    """Folders beside the gallery of the open one; a window may dock the two apart."""

    folder_chosen = Signal(Path)
    """The analyst wants to see this folder."""
    open_wanted = Signal()
    """The analyst wants to choose a folder."""
    place_wanted = Signal(str)
    """The analyst wants to see the current image in the "inspector" or the "map"."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.folders = FolderList(session)
        self.gallery_panel = GalleryPanel(session)
        self.folders.folder_chosen.connect(self.folder_chosen)
        self.folders.open_wanted.connect(self.open_wanted)
        self.gallery_panel.open_wanted.connect(self.open_wanted)
        self.gallery_panel.place_wanted.connect(self.place_wanted)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.addWidget(self.folders)
        splitter.addWidget(self.gallery_panel)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([_FOLDERS_WIDTH, 1000])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(splitter)


class GalleryPanel(QWidget):
    """The open folder: what it holds, chips and search to filter it, thumbnails, problems."""

    open_wanted = Signal()
    place_wanted = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = shared_filter(session)
        self.gallery = LinkedGallery(session)
        self.gallery.set_hover_preview(True)
        self.problems = ProblemList(session)
        actions = ImageActions(session, self, self.place_wanted.emit, "gallery")
        self.gallery.menu_requested.connect(actions.show_menu)
        self.gallery.activated.connect(self._open)
        self.problems.row_chosen.connect(self._show_problem)
        self.problems.count_changed.connect(self._title_problems)

        self._empty = EmptyState(
            "folder-open",
            tr("No folder is open"),
            tr("Open a folder of images, or drop one on the window."),
            tr("Open folder…"),
        )
        self._empty.acted.connect(self.open_wanted)
        self._nothing = EmptyState(
            "filter",
            tr("No image meets the filter"),
            tr("Take a condition away, or show all images again."),
            tr("Show all images"),
        )
        self._nothing.acted.connect(self._show_all)
        grid = QWidget()
        self._grid_stack = QStackedLayout(grid)
        self._grid_stack.addWidget(self.gallery)
        self._grid_stack.addWidget(self._nothing)

        self.search = SearchField(tr("Search in paths"))
        self.search.searched.connect(self._search)
        images = QWidget()
        column = QVBoxLayout(images)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._filters())
        column.addWidget(grid, 1)
        column.addLayout(self._footer())

        self._tabs = QTabWidget()
        self._tabs.setAccessibleName(tr("Images and problems"))
        self._tabs.setDocumentMode(True)
        self._tabs.addTab(images, tr("Images"))
        self._tabs.addTab(self.problems, tr("Problems"))
        page = QWidget()
        whole = QVBoxLayout(page)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(self._header())
        whole.addWidget(self._tabs, 1)
        set_surface(page, "surface")
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(page)

        session.table_changed.connect(self._show_folder)
        session.indexing_changed.connect(self._show_folder)
        session.left_out_changed.connect(self._show_folder)
        session.filter_changed.connect(self._show_counts)
        session.selection_changed.connect(self._show_counts)
        session.result_changed.connect(self._show_sorting)
        self._filter.changed.connect(self._show_search)
        self._show_folder()
        self._show_sorting()
        self._title_problems(*self._problem_counts())

    def _header(self) -> QVBoxLayout:
        self._name = ElidedLabel("", Qt.TextElideMode.ElideRight)
        self._place = ElidedLabel()
        self._contents = ElidedLabel("", Qt.TextElideMode.ElideRight)
        set_role(self._name, "title")
        set_role(self._place, "caption")
        set_role(self._contents, "secondary")
        self._progress_text = QLabel()
        set_role(self._progress_text, "caption")
        self._progress = named(QProgressBar(), tr("Looking into the images"))
        self._progress.setTextVisible(False)
        self._progress.setMaximumWidth(160)
        title = QHBoxLayout()
        title.setSpacing(SPACE.m)
        title.addWidget(self._name, 1)
        title.addWidget(self._progress_text)
        title.addWidget(self._progress)
        column = QVBoxLayout()
        column.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.s)
        column.setSpacing(2)
        column.addLayout(title)
        column.addWidget(self._contents)
        column.addWidget(self._place)
        return column

    def _filters(self) -> QVBoxLayout:
        self._sort = ChoiceField(tr("Sort by"), tip=tr("What the images are sorted by"))
        self._sort.chosen.connect(lambda _key: self._resort())
        self._direction = named(QToolButton(), tr("Descending"), tr("Sort the other way round"))
        self._direction.setCheckable(True)
        set_icon(self._direction, "sort")
        self._direction.toggled.connect(lambda _on: self._resort())
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self.search, 1)
        row.addSpacing(SPACE.s)
        row.addWidget(self._sort)
        row.addWidget(self._direction)
        self.splits = CategoryChips(self._session, "split")
        self.labels = CategoryChips(self._session, "label")
        self.clusters = CategoryChips(self._session, "cluster")
        column = QVBoxLayout()
        column.setContentsMargins(SPACE.l, SPACE.s, SPACE.l, SPACE.s)
        column.setSpacing(SPACE.s - 2)
        column.addLayout(row)
        column.addWidget(self.splits)
        column.addWidget(self.labels)
        column.addWidget(self.clusters)
        column.addWidget(FilterBar(self._session, without=("label", "split", "cluster", "path")))
        return column

    def _footer(self) -> QHBoxLayout:
        self._counts = QLabel()
        set_role(self._counts, "caption")
        self._size = named(QSlider(Qt.Orientation.Horizontal), tr("Size of the thumbnails"))
        self._size.setRange(SMALLEST_TILE, LARGEST_TILE)
        self._size.setValue(self.gallery.tile_size())
        self._size.setFixedWidth(140)
        self._size.setPageStep(32)
        self._size.valueChanged.connect(self.gallery.set_tile_size)
        self.gallery.tile_size_changed.connect(self._size.setValue)
        row = QHBoxLayout()
        row.setContentsMargins(SPACE.l, SPACE.xs, SPACE.l, SPACE.xs)
        row.setSpacing(SPACE.xs)
        row.addWidget(self._counts, 1)
        for step, icon_name, text in (
            (-16, "minus", tr("Smaller thumbnails")),
            (16, "plus", tr("Larger thumbnails")),
        ):
            button = named(QToolButton(), text, tr("{name} (Ctrl and wheel)", name=text))
            set_icon(button, icon_name, "text_secondary")
            button.clicked.connect(
                lambda _on=False, step=step: self._size.setValue(self._size.value() + step)
            )
            if step > 0:
                row.addWidget(self._size)
            row.addWidget(button)
        return row

    def _show_folder(self) -> None:
        session = self._session
        folder = session.folder
        self._stack.setCurrentIndex(0 if folder is None else 1)
        if folder is None:
            return
        self._name.setText(folder.name)
        self._place.setText(str(folder.root))
        self._contents.setText(self._summary())
        self._show_indexing()
        self._show_counts()

    def _summary(self) -> str:
        """Return what the folder holds: "85 images: 31 training, 54 test; 2 in quarantine"."""
        session, splits = self._session, splits_of(self._session)
        parts = [tr("{n} images", n=f"{len(session.table):,}")]
        if len(splits) > 1:
            parts += [
                f"{int(count):,} {name.lower()}"
                for name, count in zip(splits.names, splits.counts, strict=True)
            ]
        with_mask = sum(map(bool, session.table.masks))
        broken = int(quarantined(session).sum())
        parts += [tr("{n} with mask", n=f"{with_mask:,}")] if with_mask else []
        parts += [tr("{n} in quarantine", n=f"{broken:,}")] if broken else []
        left_out = int(session.left_out.sum())
        parts += [tr("{n} left out of training", n=f"{left_out:,}")] if left_out else []
        return "  ·  ".join(parts)

    def _show_indexing(self) -> None:
        session = self._session
        running = session.indexing is not None and session.indexing.is_running
        known = int(((session.table.widths > 0) | quarantined(session)).sum())
        total = len(session.table)
        running = running and known < total
        self._progress.setVisible(running)
        self._progress_text.setVisible(running)
        self._progress.setRange(0, max(1, total))
        self._progress.setValue(known)
        self._progress_text.setText(
            tr("Looking into images: {done} of {total}", done=f"{known:,}", total=f"{total:,}")
        )

    def _show_counts(self) -> None:
        session = self._session
        shown, selected = int(session.visible.sum()), int(session.selected.sum())
        total = len(session.table)
        parts = [
            tr("{n} images", n=f"{total:,}")
            if shown == total
            else tr("{n} of {total} images", n=f"{shown:,}", total=f"{total:,}")
        ]
        parts += [tr("{n} selected", n=f"{selected:,}")] if selected else []
        self._counts.setText("  ·  ".join(parts))
        self._grid_stack.setCurrentIndex(int(shown == 0 and total > 0))

    def _show_sorting(self) -> None:
        """Offer the score where there is one; a new result is shown worst first."""
        result = self._session.result
        has_scores = result is not None and result.scores is not None
        choices = [("path", tr("Path")), ("label", tr("Label")), ("verdict", tr("Verdict"))]
        if has_scores:
            choices.insert(2, ("score", tr("Score")))
        self._sort.set_choices(choices)
        if self._sort.choice() != self.gallery.sorting()[0]:
            self._resort()

    def _resort(self) -> None:
        key: SortKey = self._sort.choice()  # type: ignore[assignment]
        if key == "score" and self.gallery.sorting()[0] != "score":
            self._direction.setChecked(True)  # the most unusual first
        self.gallery.set_sorting(key, descending=self._direction.isChecked())

    def _search(self, words: str) -> None:
        self._filter.set("path", path_contains(words) if words.strip() else None)

    def _show_search(self) -> None:
        if self._filter.criterion("path") is None and not self.search.hasFocus():
            self.search.clear()

    def _show_all(self) -> None:
        self.search.clear()
        self._filter.clear()

    def _show_problem(self, row: int) -> None:
        if not self._session.visible[row]:
            self._show_all()
        self._tabs.setCurrentIndex(0)
        self._session.select(np.array([row], np.int64))
        self._session.set_current(row)

    def _problem_counts(self) -> tuple[int, int]:
        problems = sum(finding.is_problem for finding in self.problems.findings())
        return problems, len(self.problems.findings()) - problems

    def _title_problems(self, problems: int, remarks: int) -> None:
        count = f" {problems + remarks:,}" if problems + remarks else ""
        self._tabs.setTabText(1, tr("Problems") + count)
        tip = tr("{n} files in quarantine, {m} with a remark", n=problems, m=remarks)
        self._tabs.setTabToolTip(1, tip)

    def _open(self, row: int) -> None:
        self._session.set_current(row)
        self.place_wanted.emit("inspector")

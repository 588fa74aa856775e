"""The folders of the workspace; below the open one, what it consists of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QRect, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QPainter
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMenu,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.workspace import KnownFolder
from desktop_app.gui.categories import category_name, labels_of, quarantined, splits_of
from desktop_app.gui.filtering import Criterion, among, shared_filter
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import icon, set_icon
from desktop_app.gui.session import Session
from desktop_app.gui.theme import (
    SPACE,
    TYPE,
    Theme,
    current_theme,
    follow_theme,
    number_font,
    ui_font,
)
from desktop_app.gui.widgets import EmptyState, SectionHeader, named

_COUNT, _DETAIL, _TONE, _PART = (Qt.ItemDataRole.UserRole + offset for offset in range(4))
_FOLDER_ROW, _PART_ROW = 40, 26  # logical pixels
_COUNTS = "folder_counts"
"""Setting of the workspace: folder key -> number of images when it was last open."""


@dataclass(frozen=True)
class _Part:
    """A split or a label of the open folder; both empty: all of it."""

    split: str | None = None
    label: str | None = None


class FolderList(QWidget):
    """Opens folders, and filters the open one by its parts."""

    folder_chosen = Signal(Path)
    """The analyst wants to see this folder."""
    open_wanted = Signal()
    """The analyst wants to choose a folder."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = shared_filter(session)
        self._folders: list[KnownFolder] = []
        self._tree = QTreeWidget()
        self._tree.setAccessibleName(tr("Folders"))
        self._tree.setHeaderHidden(True)
        self._tree.setIndentation(SPACE.l)
        self._tree.setIconSize(QSize(16, 16))
        self._tree.setItemDelegate(_RowPainter(self._tree))
        self._tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._tree.customContextMenuRequested.connect(self._show_menu)
        self._tree.itemClicked.connect(lambda item: self._choose(item))
        self._tree.itemActivated.connect(lambda item: self._choose(item))
        header = SectionHeader(tr("Folders"))
        add = named(QToolButton(), tr("Open folder"), tr("Open a folder of images (Ctrl+O)"))
        set_icon(add, "plus")
        add.clicked.connect(self.open_wanted)
        header.add_tool(add)
        bar = QHBoxLayout()
        bar.setContentsMargins(SPACE.m, SPACE.xs, SPACE.xs, SPACE.xs)
        bar.addWidget(header)
        self._empty = EmptyState(
            "folder",
            tr("No folders yet"),
            tr("Open or drop a folder of images."),
            tr("Open folder…"),
        )
        self._empty.acted.connect(self.open_wanted)
        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._tree)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(body, 1)
        session.folder_changed.connect(self.refresh)
        session.table_changed.connect(self._show_parts)
        session.indexing_changed.connect(self._keep_count)
        self._filter.changed.connect(self._show_filter)
        follow_theme(self._themed)
        self.refresh()

    def refresh(self) -> None:
        """Read the folders of the workspace again."""
        workspace = self._session.workspace
        self._session.background.run(
            "folders",
            lambda: (workspace.folders(), workspace.setting(_COUNTS, {})),
            lambda found: self._take(*found),
        )

    def _take(self, folders: list[KnownFolder], counts: dict[str, Any]) -> None:
        self._folders = sorted(folders, key=lambda folder: folder.name.casefold())
        self._tree.clear()
        for folder in self._folders:
            self._tree.addTopLevelItem(self._folder_item(folder, counts.get(folder.key)))
        self._stack.setCurrentWidget(self._tree if folders else self._empty)
        self._show_parts()

    def _folder_item(self, folder: KnownFolder, count: int | None) -> QTreeWidgetItem:
        item = QTreeWidgetItem([folder.name])
        item.setData(0, Qt.ItemDataRole.UserRole + 9, folder)
        item.setData(0, _DETAIL, tr("missing") if folder.is_missing else str(folder.root.parent))
        item.setData(0, _COUNT, "" if count is None else f"{count:,}")
        item.setSizeHint(0, QSize(0, _FOLDER_ROW))
        if folder.is_missing:
            item.setIcon(0, icon("warning", "warning"))
            item.setData(0, _TONE, "warning")
            tip = tr("Not at '{path}' any more: moved, renamed, or on a disk that is not here.")
            item.setToolTip(0, tip.format(path=folder.root))
        else:
            item.setIcon(0, icon("folder", "text_secondary"))
            item.setToolTip(0, str(folder.root))
        return item

    def _open_item(self) -> QTreeWidgetItem | None:
        """Return the item of the folder that is open."""
        folder = self._session.folder
        for number in range(self._tree.topLevelItemCount()):
            item = self._tree.topLevelItem(number)
            if item is not None and folder is not None and _folder(item).key == folder.key:
                return item
        return None

    def _show_parts(self) -> None:
        """List splits and labels with their counts below the open folder."""
        item = self._open_item()
        if item is None:
            return
        item.takeChildren()
        item.setData(0, _COUNT, f"{len(self._session.table):,}")
        item.setData(0, _TONE, "current")
        item.setIcon(0, icon("folder-open", "accent"))
        item.setData(0, _PART, _Part())
        splits, labels = splits_of(self._session), labels_of(self._session)
        pairs = np.bincount(
            splits.codes * len(labels) + labels.codes, minlength=len(splits) * len(labels)
        ).reshape(len(splits), len(labels))
        for code, split in enumerate(splits.keys):
            under = item
            if len(splits) > 1:
                under = _part_item(
                    category_name("split", split), int(splits.counts[code]), _Part(split)
                )
                item.addChild(under)
            for number in np.flatnonzero(pairs[code]).tolist():
                if not labels.keys[number]:
                    continue
                part = _Part(split if len(splits) > 1 else None, labels.keys[number])
                under.addChild(_part_item(labels.names[number], int(pairs[code, number]), part))
        broken = int(quarantined(self._session).sum())
        if broken:
            count = tr("{n} in quarantine", n=f"{broken:,}")
            item.setToolTip(0, f"{item.toolTip(0)}\n{count}")
        self._tree.expandItem(item)
        for place in range(item.childCount()):
            child = item.child(place)
            if child is not None and child.childCount() <= 12:
                self._tree.expandItem(child)
        self._show_filter()

    def _show_filter(self) -> None:
        """Mark the part that the filter shows."""
        item = self._open_item()
        if item is None:
            return
        split, label = self._filter.criterion("split"), self._filter.criterion("label")
        wanted = _Part(_only(split), _only(label))
        if (split and wanted.split is None) or (label and wanted.label is None):
            self._tree.setCurrentItem(None)  # type: ignore[call-overload]
            return
        for candidate in _descendants(item):
            if candidate.data(0, _PART) == wanted:
                self._tree.setCurrentItem(candidate)
                return

    def _choose(self, item: QTreeWidgetItem) -> None:
        part = item.data(0, _PART)
        if part is None:
            folder = _folder(item)
            if folder.is_missing:
                self._locate(folder)
            else:
                self.folder_chosen.emit(folder.root)
            return
        self._filter.set("split", None if part.split is None else _exactly("split", part.split))
        self._filter.set("label", None if part.label is None else _exactly("label", part.label))

    def _show_menu(self, place: QPoint) -> None:
        item = self._tree.itemAt(place)
        if item is None:
            return
        folder = _folder(_top(item))
        menu = QMenu(self)
        if folder.is_missing:
            menu.addAction(tr("Find the folder…")).triggered.connect(lambda: self._locate(folder))
        else:
            menu.addAction(tr("Open")).triggered.connect(
                lambda: self.folder_chosen.emit(folder.root)
            )
            menu.addAction(tr("Show in the file manager")).triggered.connect(
                lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder.root)))
            )
        menu.addSeparator()
        menu.addAction(tr("Remove from the list")).triggered.connect(lambda: self._forget(folder))
        menu.exec(self._tree.viewport().mapToGlobal(place))
        menu.deleteLater()

    def _locate(self, folder: KnownFolder) -> None:
        """Ask where a missing folder lies now."""
        title = tr("Where is '{name}' now?", name=folder.name)
        chosen = QFileDialog.getExistingDirectory(self, title)
        if chosen:
            workspace, root = self._session.workspace, Path(chosen)
            self._session.background.run(
                "relocate",
                lambda: workspace.relocate(folder.key, root),
                lambda _key: self.folder_chosen.emit(root),
            )

    def _forget(self, folder: KnownFolder) -> None:
        self._session.workspace.forget_folder(folder.key)
        self.refresh()

    def _keep_count(self) -> None:
        """Note how many images the open folder has, for the time when it is not open."""
        session = self._session
        if session.folder is None:
            return
        workspace, key, count = session.workspace, session.folder.key, len(session.table)

        def keep() -> None:
            counts = workspace.setting(_COUNTS, {})
            if counts.get(key) != count:
                workspace.set_setting(_COUNTS, counts | {key: count})

        session.background.run("folder count", keep, lambda _nothing: None)

    def _themed(self, _theme: Theme) -> None:
        if self._folders:
            self.refresh()


def _folder(item: QTreeWidgetItem) -> KnownFolder:
    folder: KnownFolder = item.data(0, Qt.ItemDataRole.UserRole + 9)
    return folder


def _top(item: QTreeWidgetItem) -> QTreeWidgetItem:
    """Return the folder's item that an item is below."""
    parent = item.parent()
    return item if parent is None else _top(parent)


def _part_item(name: str, count: int, part: _Part) -> QTreeWidgetItem:
    item = QTreeWidgetItem([name])
    item.setData(0, _COUNT, f"{count:,}")
    item.setData(0, _PART, part)
    item.setSizeHint(0, QSize(0, _PART_ROW))
    item.setToolTip(0, tr("Show only {name}", name=name))
    return item


def _descendants(item: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    children = [item.child(number) for number in range(item.childCount())]
    return [item, *(below for child in children if child for below in _descendants(child))]


def _only(criterion: Criterion | None) -> str | None:
    """Return the one word that a criterion lets pass, or None."""
    if criterion is None or len(criterion.keys) != 1:
        return None
    return next(iter(criterion.keys))


def _exactly(kind: str, key: str) -> Criterion:
    return among(kind, frozenset({key}))


class _RowPainter(QStyledItemDelegate):
    """Draws the name, a quiet second line for folders, and the count at the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Any) -> None:
        shown = QStyleOptionViewItem(option)
        self.initStyleOption(shown, index)
        shown.text = ""
        view = shown.widget
        shown.icon = type(shown.icon)()
        view.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, shown, painter, view)
        theme, area = current_theme(), QRect(option.rect)
        area.adjust(SPACE.xs, 0, -SPACE.s, 0)
        picture = index.data(Qt.ItemDataRole.DecorationRole)
        detail, count, tone = (index.data(role) for role in (_DETAIL, _COUNT, _TONE))
        painter.save()
        if picture is not None:
            top = area.top() + (area.height() - 16) // 2
            picture.paint(painter, QRect(area.left(), top, 16, 16))
            area.adjust(16 + SPACE.s, 0, 0, 0)
        painter.setFont(number_font(TYPE.caption))
        painter.setPen(theme.colour("text_secondary"))
        painter.drawText(area, _RIGHT, count or "")
        width = painter.fontMetrics().horizontalAdvance(count or "")
        area.adjust(0, 0, -width - SPACE.s if count else 0, 0)
        name_area = area
        if detail:
            half = area.height() // 2
            below = QRect(area.left(), area.top() + half, area.width(), half - 3)
            name_area = QRect(area.left(), area.top() + 3, area.width(), half - 2)
            painter.setFont(ui_font(TYPE.caption))
            painter.setPen(theme.colour("warning" if tone == "warning" else "text_secondary"))
            middle = Qt.TextElideMode.ElideMiddle
            shown_detail = painter.fontMetrics().elidedText(detail, middle, below.width())
            painter.drawText(below, _LEFT, shown_detail)
        font = ui_font(TYPE.body)
        font.setBold(tone == "current")
        painter.setFont(font)
        painter.setPen(theme.colour("text_disabled" if tone == "warning" else "text"))
        elided = painter.fontMetrics().elidedText(
            index.data() or "", Qt.TextElideMode.ElideRight, name_area.width()
        )
        painter.drawText(name_area, _LEFT, elided)
        painter.restore()


_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight

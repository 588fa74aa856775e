"""The first page: open a folder, try the sample, or go on where one left off."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.core.workspace import KnownFolder
from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import pixmap, set_icon
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_kind, set_role, set_surface
from desktop_app.gui.widgets.names import named

_WIDTH = 560
_MOST_RECENT = 5
_LOGO = 56


class Welcome(QWidget):
    """What a window shows before a folder is open."""

    open_wanted = Signal()
    sample_wanted = Signal()
    folder_chosen = Signal(Path)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_surface(self, "background")
        self._logo = QLabel()
        title = QLabel(tr("See what is in your images, and what is wrong"))
        set_role(title, "title")
        text = QLabel(
            tr(
                "Open or drop a folder of images. Loupe learns what they have in common, "
                "without labels and without internet, and ranks what is unusual."
            )
        )
        text.setWordWrap(True)
        set_role(text, "secondary")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(SPACE.xs)
        self._recent_title = QLabel(tr("Recent folders"))
        set_role(self._recent_title, "caption")

        column = QVBoxLayout()
        column.setSpacing(SPACE.m)
        column.addStretch(2)
        column.addWidget(self._logo)
        column.addWidget(title)
        column.addWidget(text)
        column.addSpacing(SPACE.s)
        column.addLayout(self._buttons())
        column.addSpacing(SPACE.l)
        column.addWidget(self._recent_title)
        column.addLayout(self._recent)
        column.addStretch(3)
        box = QWidget()
        box.setMaximumWidth(_WIDTH)
        box.setLayout(column)
        row = QHBoxLayout(self)
        row.addStretch(1)
        row.addWidget(box, 6)
        row.addStretch(1)
        follow_theme(self._draw)
        self.set_recent([])

    def set_recent(self, folders: list[KnownFolder]) -> None:
        """List the folders opened last; missing ones are marked."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self._recent_title.setVisible(bool(folders))
        for folder in folders[:_MOST_RECENT]:
            self._recent.addWidget(self._folder_button(folder))

    def _folder_button(self, folder: KnownFolder) -> QPushButton:
        missing = tr("missing") if folder.is_missing else ""
        text = f"{folder.name}    {folder.root.parent}    {missing}".strip()
        button = named(QPushButton(text), folder.name, str(folder.root))
        button.setEnabled(not folder.is_missing)
        if folder.is_missing:
            button.setToolTip(tr("The folder is not at '{path}' any more.", path=folder.root))
        set_kind(button, "tool")
        set_icon(button, "folder")
        button.setStyleSheet("text-align: left;")
        button.clicked.connect(lambda: self.folder_chosen.emit(folder.root))
        return button

    def _buttons(self) -> QHBoxLayout:
        open_button = named(QPushButton(tr("Open folder…")), tr("Open folder"), "Ctrl+O")
        set_kind(open_button, "primary")
        set_icon(open_button, "folder-open", "on_accent")
        open_button.clicked.connect(self.open_wanted)
        sample_button = named(
            QPushButton(tr("Try the built-in sample")),
            tr("Try the built-in sample"),
            tr("A few hundred photographs of painted tiles, some of them damaged"),
        )
        set_icon(sample_button, "sparkle")
        sample_button.clicked.connect(self.sample_wanted)
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.setAlignment(Qt.AlignmentFlag.AlignLeft)
        row.addWidget(open_button)
        row.addWidget(sample_button)
        return row

    def _draw(self, _theme: Theme) -> None:
        self._logo.setPixmap(pixmap("loupe", _LOGO, "accent", self.devicePixelRatioF()))

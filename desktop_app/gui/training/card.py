"""The card of a method in the gallery, and that of a plugin that cannot be used."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.core.catalog import MethodInfo
from desktop_app.gui.i18n import language, tr
from desktop_app.gui.icons import pixmap
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_kind, set_role, set_surface
from desktop_app.gui.training.capabilities import capability_words
from desktop_app.gui.training.flow import FlowLayout
from desktop_app.gui.widgets import Badge, named


class MethodCard(QFrame):
    """Title, summary, what the method can do and what it needs; a click chooses it."""

    chosen = Signal(str)
    """Carries the id of the method."""

    def __init__(self, info: MethodInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.info = info
        title, summary, needs = (
            info.text(name, language()) for name in ("title", "summary", "needs")
        )
        set_surface(self, "card")
        self.setProperty("hoverable", True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        named(self, title, tr("Set up {title}", title=title))
        self.setAccessibleDescription(summary)
        heading = QLabel(title, wordWrap=True)
        set_role(heading, "heading")
        words = QLabel(summary, wordWrap=True)
        set_role(words, "secondary")
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.m, SPACE.m, SPACE.m, SPACE.m)
        column.setSpacing(SPACE.xs)
        column.addWidget(heading)
        column.addWidget(words)
        column.addLayout(self._badges())
        if needs:
            column.addLayout(self._needs(needs))
        column.addStretch()

    def words(self) -> str:
        """Return all that a search looks into, in lower case."""
        info = self.info
        texts = [info.text(name, language()) for name in ("title", "family", "summary", "needs")]
        badges = [capability_words(name)[0] for name in info.capabilities]
        return " ".join([info.id, info.title, info.family, *texts, *badges]).lower()

    def set_selected(self, selected: bool) -> None:
        """Outline the card of the method that is being set up."""
        if self.property("selected") != selected:
            self.setProperty("selected", selected)
            self.style().unpolish(self)
            self.style().polish(self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Choose the method."""
        inside = self.rect().contains(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and inside:
            self.chosen.emit(self.info.id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose the method with Return or the space bar."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.info.id)
        else:
            super().keyPressEvent(event)

    def _badges(self) -> FlowLayout:
        flow = FlowLayout()
        flow.setContentsMargins(0, SPACE.xs, 0, 0)
        for capability in self.info.capabilities:
            word, sentence = capability_words(capability)
            badge = Badge(word)
            badge.setToolTip(sentence)
            flow.addWidget(badge)
        return flow

    def _needs(self, needs: str) -> QHBoxLayout:
        self._glyph = QLabel()
        words = QLabel(needs, wordWrap=True)
        set_role(words, "caption")
        row = QHBoxLayout()
        row.setContentsMargins(0, SPACE.xs, 0, 0)
        row.setSpacing(SPACE.xs)
        row.addWidget(self._glyph, alignment=Qt.AlignmentFlag.AlignTop)
        row.addWidget(words, 1)
        follow_theme(self._draw)
        return row

    def _draw(self, _theme: Theme) -> None:
        self._glyph.setPixmap(pixmap("image", 14, "text_secondary", self.devicePixelRatioF()))


class BrokenCard(QFrame):
    """A plugin that could not be loaded: its problem and a way to its traceback."""

    traceback_wanted = Signal(object)
    """Carries the `MethodInfo`."""

    def __init__(self, info: MethodInfo, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.info = info
        set_surface(self, "card")
        self.setAccessibleName(info.title)
        self.setAccessibleDescription(info.problem)
        heading = QLabel(info.title, wordWrap=True)
        set_role(heading, "heading")
        words = QLabel(info.problem, wordWrap=True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(words, "secondary")
        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        head.addWidget(heading, 1)
        head.addWidget(Badge(tr("broken"), "bad"))
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.m, SPACE.m, SPACE.m, SPACE.m)
        column.setSpacing(SPACE.xs)
        column.addLayout(head)
        column.addWidget(words)
        self.button = named(
            QPushButton(tr("Show traceback")),
            tr("Show traceback"),
            tr("Show what the plugin said when it failed"),
        )
        set_kind(self.button, "tool")
        self.button.setVisible(bool(info.traceback))
        self.button.clicked.connect(lambda: self.traceback_wanted.emit(self.info))
        column.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addStretch()

    def words(self) -> str:
        """Return all that a search looks into, in lower case."""
        return f"{self.info.id} {self.info.title} {self.info.problem}".lower()

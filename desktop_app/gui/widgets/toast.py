"""Short messages over the corner of the window, with at most one thing to do about them."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import pixmap, set_icon
from desktop_app.gui.theme import SPACE, Theme, follow_theme, set_kind, set_role, set_tone
from desktop_app.gui.widgets.badge import Tone
from desktop_app.gui.widgets.names import named

_ICONS: dict[Tone, str] = {
    "": "info",
    "accent": "info",
    "good": "check-circle",
    "warning": "warning",
    "bad": "error",
}
_TINTS: dict[Tone, str] = {"": "text_secondary"}  # every other tone is its own tint
_SECONDS = 6.0
_WIDTH = 360  # logical pixels
_MOST = 4  # on screen at once


class Toast(QFrame):
    """One message; it leaves by itself unless it reports something bad."""

    def __init__(
        self,
        text: str,
        tone: Tone,
        detail: str,
        action: tuple[str, Callable[[], object]] | None,
        seconds: float | None,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._tone = tone
        self.setProperty("toast", True)
        set_tone(self, tone)
        self.setFixedWidth(_WIDTH)
        self.setAccessibleName(text)
        self._picture = QLabel()
        message = QLabel(text, wordWrap=True)
        self.close_button = named(QToolButton(), tr("Dismiss"))
        self.close_button.setIconSize(QSize(14, 14))
        set_icon(self.close_button, "x", "text_secondary")
        self.close_button.clicked.connect(self.dismiss)
        words = QVBoxLayout()
        words.setSpacing(SPACE.xs)
        words.addWidget(message)
        if detail:
            remark = QLabel(detail, wordWrap=True)
            set_role(remark, "caption")
            words.addWidget(remark)
        self.action_button: QPushButton | None = None
        if action is not None:
            label, act = action
            self.action_button = named(QPushButton(label), label)
            set_kind(self.action_button, "secondary")
            self.action_button.clicked.connect(lambda: act())
            self.action_button.clicked.connect(self.dismiss)
            words.addWidget(self.action_button, alignment=Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.m, SPACE.m, SPACE.s, SPACE.m)
        row.setSpacing(SPACE.s)
        row.addWidget(self._picture, alignment=Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.close_button, alignment=Qt.AlignmentFlag.AlignTop)
        follow_theme(self._draw)
        if seconds is None and tone != "bad":
            seconds = _SECONDS
        self._life = QTimer(self, singleShot=True)
        self._life.timeout.connect(self.dismiss)
        if seconds:
            self._life.start(round(seconds * 1000))

    def dismiss(self) -> None:
        """Take the message away."""
        self._life.stop()
        self.hide()
        self.deleteLater()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Stay for as long as the pointer rests on the message."""
        if self._life.isActive():
            self._life.stop()
            self._life.setInterval(2000)
            self._life.setProperty("resumes", True)
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Leave two seconds after the pointer has."""
        if self._life.property("resumes"):
            self._life.start()
        super().leaveEvent(event)

    def _draw(self, _theme: Theme) -> None:
        tint = _TINTS.get(self._tone, self._tone)
        ratio = self.devicePixelRatioF()
        self._picture.setPixmap(pixmap(_ICONS[self._tone], 18, tint, ratio))


class ToastHost(QObject):
    """Stacks toasts over the lower right corner of a window, the newest at the bottom."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._toasts: list[Toast] = []
        window.installEventFilter(self)

    def show_toast(
        self,
        text: str,
        tone: Tone = "",
        *,
        detail: str = "",
        action: tuple[str, Callable[[], object]] | None = None,
        seconds: float | None = None,
    ) -> Toast:
        """Show a message; bad news stays until it is dismissed, everything else six seconds.

        `action` is a label and what it does, such as opening a traceback. `seconds` 0 means until
        dismissed.
        """
        toast = Toast(text, tone, detail, action, seconds, self._window)
        toast.destroyed.connect(self._arrange)
        toast.installEventFilter(self)
        self._toasts.append(toast)
        toast.show()
        for old in self._shown()[:-_MOST]:
            old.dismiss()
        self._arrange()
        return toast

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the stack in its corner."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Hide, QEvent.Type.LayoutRequest):
            self._arrange()
        return super().eventFilter(watched, event)

    def _shown(self) -> list[Toast]:
        self._toasts = [toast for toast in self._toasts if isValid(toast) and not toast.isHidden()]
        return self._toasts

    def _arrange(self) -> None:
        if not isValid(self._window):
            return
        bottom = self._window.height() - SPACE.xl - SPACE.l  # above the status bar
        for toast in reversed(self._shown()):
            toast.adjustSize()
            bottom -= toast.height()
            toast.move(self._window.width() - toast.width() - SPACE.l, bottom)
            toast.raise_()
            bottom -= SPACE.s

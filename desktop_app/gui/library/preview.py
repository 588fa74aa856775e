"""The photograph below the pointer, enlarged."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from desktop_app.gui.theme import SPACE, set_surface
from desktop_app.gui.widgets.elided import ElidedLabel
from desktop_app.gui.widgets.images import ImageLabel

_WAIT = 400  # ms that the pointer must rest
_EDGE = 360  # logical pixels


class HoverPreview(QObject):
    """Shows an enlarged image beside a tile on which the pointer rests."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self._enabled = False
        self._image: Callable[[], QImage | None] = lambda: None
        self._caption = ""
        self._beside = QRect()
        self._card: _Card | None = None
        self._wait = QTimer(self, singleShot=True, interval=_WAIT)
        self._wait.timeout.connect(self._show)

    def set_enabled(self, enabled: bool) -> None:
        """Show previews from now on, or never."""
        self._enabled = enabled
        if not enabled:
            self.hide()

    def offer(self, image: Callable[[], QImage | None], caption: str, beside: QRect) -> None:
        """Show an image beside a place on the screen once the pointer has rested there."""
        self.hide()
        if self._enabled:
            self._image, self._caption, self._beside = image, caption, beside
            self._wait.start()

    def hide(self) -> None:
        """Take the image away."""
        self._wait.stop()
        if self._card is not None:
            self._card.hide()

    def _show(self) -> None:
        image = self._image()
        if image is None:
            return
        if self._card is None:
            self._card = _Card(self._owner.window())
        self._card.show_image(image, self._caption, self._beside)


class _Card(QFrame):
    """An overlay inside the window, so that it never takes the focus."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        set_surface(self, "card")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._picture = ImageLabel("")
        self._picture.set_scaling("smooth")
        self._caption = ElidedLabel()
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.s, SPACE.s, SPACE.s, SPACE.xs)
        column.setSpacing(SPACE.xs)
        column.addWidget(self._picture, 1)
        column.addWidget(self._caption)

    def show_image(self, image: QImage, caption: str, beside: QRect) -> None:
        """Show an image to the right of a place on the screen, or to the left of it."""
        window = self._window
        size = image.size().scaled(_EDGE, _EDGE, Qt.AspectRatioMode.KeepAspectRatio)
        self._picture.set_image(image)
        self._caption.setText(caption)
        self.resize(size.width() + 2 * SPACE.s, size.height() + SPACE.xl + SPACE.m)
        place = QRect(window.mapFromGlobal(beside.topLeft()), beside.size())
        left = place.right() + SPACE.s
        if left + self.width() > window.width():
            left = place.left() - SPACE.s - self.width()
        top = min(place.top(), window.height() - self.height() - SPACE.s)
        self.move(QPoint(max(0, left), max(0, top)))
        self.raise_()
        self.show()

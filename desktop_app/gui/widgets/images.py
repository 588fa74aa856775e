"""Arrays of pixels on the screen."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop_app.gui.theme import Theme, current_theme, follow_theme
from desktop_app.sdk.errors import InvalidInput

Scaling = Literal["auto", "crisp", "smooth"]
"""`auto` shows pixels as squares from two screen pixels each and blends them below."""

_FORMATS = {
    1: QImage.Format.Format_Grayscale8,
    3: QImage.Format.Format_RGB888,
    4: QImage.Format.Format_RGBA8888,
}


def image_from_array(pixels: NDArray[np.uint8]) -> QImage:
    """Return an image that owns a copy of `pixels`, uint8 (H, W) or (H, W, C) with C 1, 3 or 4.

    Raises InvalidInput for any other shape or type.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
        raise InvalidInput(
            "Pixels were expected as uint8 of shape (H, W) or (H, W, C), "
            f"but {pixels.dtype} of shape {pixels.shape} came."
        )
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if channels not in _FORMATS:
        raise InvalidInput(f"An image has 1, 3 or 4 channels, but {channels} came.")
    whole = np.ascontiguousarray(pixels)
    view = QImage(whole.data, width, height, width * channels, _FORMATS[channels])
    return view.copy()  # the view dies with `whole`


class ImageLabel(QWidget):
    """Draws one image as large as fits, its aspect kept, with a translucent overlay on top."""

    clicked = Signal(QPointF)
    """Where the image was clicked, in pixels of the image."""
    double_clicked = Signal(QPointF)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._overlay: QImage | None = None
        self._opacity = 1.0
        self._scaling: Scaling = "auto"
        self._hint = QSize(160, 160)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow_theme(self._themed)

    def image(self) -> QImage | None:
        """Return what is shown."""
        return self._image

    def set_image(self, image: QImage | NDArray[np.uint8] | None) -> None:
        """Show an image, uint8 pixels (H, W[, C]), or nothing."""
        self._image = image_from_array(image) if isinstance(image, np.ndarray) else image
        self.update()

    def set_overlay(self, overlay: QImage | NDArray[np.uint8] | None, opacity: float = 1.0) -> None:
        """Lay a second picture over the whole image, such as RGBA of a heat map (h, w, 4)."""
        self._overlay = image_from_array(overlay) if isinstance(overlay, np.ndarray) else overlay
        self._opacity = opacity
        self.update()

    def set_opacity(self, opacity: float) -> None:
        """Set how much of the overlay shows, 0 to 1."""
        self._opacity = opacity
        self.update()

    def set_scaling(self, scaling: Scaling) -> None:
        """Choose between squares and blending."""
        self._scaling = scaling
        self.update()

    def set_size_hint(self, width: int, height: int) -> None:
        """Set the size in logical pixels that the layout should aim at."""
        self._hint = QSize(width, height)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Return the size that `set_size_hint` asked for."""
        return self._hint

    def minimumSizeHint(self) -> QSize:
        """Return a size below which nothing could be recognised."""
        return QSize(24, 24)

    def image_area(self) -> QRectF:
        """Return where on the widget the image lies; empty without one."""
        if self._image is None or self._image.isNull():
            return QRectF()
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        return QRectF(left, top, size.width(), size.height())

    def image_position(self, position: QPointF) -> QPointF | None:
        """Return the pixel of the image below a place on the widget, or None beside the image."""
        area = self.image_area()
        if self._image is None or not area.contains(position):
            return None
        offset = position - area.topLeft()
        return QPointF(
            offset.x() / area.width() * self._image.width(),
            offset.y() / area.height() * self._image.height(),
        )

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the image, then the overlay."""
        area = self.image_area()
        if self._image is None or area.isEmpty():
            return
        painter = QPainter(self)
        enlarged = area.width() * self.devicePixelRatioF() >= 2 * self._image.width()
        smooth = self._scaling == "smooth" or (self._scaling == "auto" and not enlarged)
        hint = QPainter.RenderHint.SmoothPixmapTransform
        painter.setRenderHint(hint, smooth)
        painter.drawImage(area, _fitted(self._image, area, self.devicePixelRatioF(), smooth))
        if self._overlay is not None:
            painter.setRenderHint(hint, True)
            painter.setOpacity(self._opacity)
            painter.drawImage(area, self._overlay)
        if self.hasFocus():
            painter.setOpacity(1.0)
            painter.setPen(current_theme().colour("accent"))
            painter.drawRect(area.adjusted(0, 0, -1, -1))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Say which pixel was clicked."""
        place = self.image_position(event.position())
        if event.button() == Qt.MouseButton.LeftButton and place is not None:
            self.clicked.emit(place)
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Say which pixel was clicked twice."""
        place = self.image_position(event.position())
        if event.button() == Qt.MouseButton.LeftButton and place is not None:
            self.double_clicked.emit(place)

    def _themed(self, _theme: Theme) -> None:
        self.update()


def _fitted(image: QImage, area: QRectF, ratio: float, smooth: bool) -> QImage:
    """Shrink by averaging where the painter's bilinear filter would skip pixels."""
    wanted = QSize(round(area.width() * ratio), round(area.height() * ratio))
    if not smooth or image.width() < 2 * wanted.width():
        return image
    return image.scaled(
        wanted, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )

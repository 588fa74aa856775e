"""One line below the pictures: the worst place, the normal place most like it, where that is."""

from pathlib import Path, PurePosixPath

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.reasons import Reason
from desktop_app.gui.theme import SPACE, set_role
from desktop_app.gui.widgets import ElidedLabel, named

_SIDE = 40  # logical pixels of a picture of a place


class ReasonBar(QWidget):
    """Shows both places side by side and leads to the normal image and back."""

    opened = Signal()
    """The analyst wants to look at the normal image."""
    returned = Signal()
    """The analyst wants to go back to the image that it explains."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place, self._normal = _Patch(tr("Worst place")), _Patch(tr("Most similar place"))
        self._between = QLabel("↔")
        self._text = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        set_role(self._text, "secondary")
        self.open_button = _link(tr("Open"), tr("Look at the normal image"))
        self.open_button.clicked.connect(self.opened)
        self.back_button = _link(tr("Back"), tr("Back to the image that was looked at before"))
        self.back_button.clicked.connect(self.returned)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        row.setSpacing(SPACE.s)
        for widget in (self._place, self._between, self._normal):
            row.addWidget(widget)
        row.addWidget(self._text, 1)
        row.addWidget(self.open_button)
        row.addWidget(self.back_button)

    def show_reason(
        self, reason: Reason | None, place: QImage | None, message: str, *, can_open: bool
    ) -> None:
        """Show a reason and the picture of the worst place, or say why there is none."""
        self._place.set_image(place)
        self._normal.set_image(reason.picture if reason is not None else None)
        both = place is not None and reason is not None and reason.picture is not None
        self._between.setVisible(both)
        self.open_button.setVisible(can_open)
        self._text.setText(message if reason is None else _sentence(reason))

    def show_way_back(self, name: str) -> None:
        """Offer to go back to an image; "" for none."""
        self.back_button.setVisible(bool(name))
        self.back_button.setText(tr("Back to {name}", name=name))


class _Patch(QLabel):
    """A small picture of a place."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setFixedHeight(_SIDE)
        self.setAccessibleName(name)
        self.setToolTip(name)

    def set_image(self, image: QImage | None) -> None:
        """Show a picture, or take no room."""
        self.setVisible(image is not None)
        if image is None:
            return
        ratio = self.devicePixelRatioF()
        size = QSize(round(_SIDE * ratio), round(_SIDE * ratio))
        smooth = Qt.TransformationMode.SmoothTransformation
        pixels = QPixmap.fromImage(image.scaled(size, Qt.AspectRatioMode.KeepAspectRatio, smooth))
        pixels.setDevicePixelRatio(ratio)
        self.setPixmap(pixels)


def _link(text: str, tip: str) -> QToolButton:
    button = named(QToolButton(), text, tip)
    button.setText(text)
    button.setProperty("kind", "link")
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _sentence(reason: Reason) -> str:
    distance = f"{reason.distance:.4g}"
    name = reason.path or PurePosixPath(reason.folder).name
    if reason.path and reason.source < 0:
        name = str(Path(reason.folder) / reason.path)
    if reason.box is None:
        return tr("Most similar training image: {name}, {value} away", name=name, value=distance)
    return tr("Most similar place: {name}, {value} away", name=name, value=distance)

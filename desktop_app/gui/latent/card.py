"""The image below the pointer: thumbnail, name, label and score on a small card."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop_app.gui.theme import SPACE, TYPE, number_font, set_role, set_surface
from desktop_app.gui.widgets import ElidedLabel, ImageLabel
from desktop_app.gui.widgets.dot import Dot

_EDGE = 148  # logical pixels
_AWAY = 18  # from the pointer


class HoverCard(QFrame):
    """Lies over a map beside the pointer and never takes a click."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        set_surface(self, "card")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._picture = ImageLabel("")
        self._picture.setFixedHeight(_EDGE)
        self._name = ElidedLabel()
        self._dot = Dot()
        self._label = ElidedLabel("", Qt.TextElideMode.ElideRight)
        self._score = QLabel()
        self._score.setFont(number_font(TYPE.caption))
        set_role(self._label, "secondary")
        set_role(self._score, "secondary")
        line = QHBoxLayout()
        line.setSpacing(SPACE.xs)
        line.addWidget(self._dot)
        line.addWidget(self._label, 1)
        line.addWidget(self._score)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.s, SPACE.s, SPACE.s, SPACE.s)
        column.setSpacing(SPACE.xs)
        column.addWidget(self._picture)
        column.addWidget(self._name)
        column.addLayout(line)
        self.setFixedWidth(_EDGE + 2 * SPACE.s)
        self.hide()

    def show_image(
        self, image: QImage | None, name: str, label: str, colour: str, score: str
    ) -> None:
        """Show what is known of an image; the picture may follow later."""
        self._picture.set_image(image)
        self._name.setText(name)
        self._label.setText(label)
        self._dot.set_colour(colour)
        self._score.setText(score)

    def set_image(self, image: QImage | None) -> None:
        """Show the picture, since it has arrived."""
        self._picture.set_image(image)

    def move_beside(self, place: QPoint) -> None:
        """Lie beside a place on the owner, inside it."""
        owner = self.parentWidget()
        if owner is None:
            return
        self.adjustSize()
        left = place.x() + _AWAY
        if left + self.width() > owner.width():
            left = place.x() - _AWAY - self.width()
        top = min(max(SPACE.s, place.y() - self.height() // 2), owner.height() - self.height())
        self.move(max(0, left), max(0, top))
        self.show()
        self.raise_()

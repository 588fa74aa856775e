"""The rooms of the inspector: the ranked images, and beside them whatever the window adds.

A room is made when somebody enters it.
"""

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from desktop_app.gui.i18n import tr
from desktop_app.gui.lazy import LazyView
from desktop_app.gui.theme import SPACE, set_surface
from desktop_app.gui.widgets import Segment, Segmented

IMAGES = "images"
"""The key of the first room."""


class Rooms(QWidget):
    """A row of doors above one room; without doors while there is but one."""

    def __init__(self, images: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tip = tr("The most unusual images first")
        self._doors = Segmented(
            tr("Rooms of the inspector"), [Segment(IMAGES, tr("Images"), tip=tip)]
        )
        self._rooms: dict[str, QWidget] = {IMAGES: images}
        self._stack = QStackedWidget()
        self._stack.addWidget(images)
        self._doors.chosen.connect(lambda key: self._stack.setCurrentWidget(self._rooms[key]))
        self._bar = QWidget()
        self._bar.hide()
        set_surface(self._bar, "surface")
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(SPACE.s, SPACE.xs, SPACE.s, SPACE.xs)
        row.addWidget(self._doors)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addWidget(self._stack, 1)

    def add(self, door: Segment, make: Callable[[], QWidget]) -> None:
        """Add a room behind a door; `make` is called when it is entered first."""
        room = LazyView(make)
        self._rooms[door.key] = room
        self._stack.addWidget(room)
        self._doors.add(door)
        self._bar.show()

    def room(self, key: str) -> QWidget:
        """Return a room, made now if nobody has entered it yet."""
        room = self._rooms[key]
        return room.content if isinstance(room, LazyView) else room

    def enter(self, key: str) -> None:
        """Go to a room; raises KeyError for an unknown one."""
        self._doors.choose(key)

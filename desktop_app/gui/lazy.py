"""Views that are made when they are looked at, or when the window has nothing else to do."""

from collections.abc import Callable

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

_PAUSE_MILLISECONDS = 60


class LazyView(QWidget):
    """A place in the window whose content is made once."""

    def __init__(self, make: Callable[[], QWidget], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make = make
        self._content: QWidget | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    @property
    def is_made(self) -> bool:
        """Tell whether the content is there."""
        return self._content is not None

    @property
    def content(self) -> QWidget:
        """The content, made now if it is not there yet."""
        if self._content is None:
            self._content = self._make()
            self._column.addWidget(self._content)
        return self._content

    def showEvent(self, event: QShowEvent) -> None:
        """Make the content before it is seen."""
        self.content.show()
        super().showEvent(event)


def make_in_turn(views: list[LazyView]) -> None:
    """Make the views one after the other, with pauses in which the window handles events."""
    waiting = [view for view in views if not view.is_made]
    if not waiting:
        return

    def make() -> None:
        waiting[0].content  # noqa: B018 - making it is what is wanted
        make_in_turn(waiting[1:])

    QTimer.singleShot(_PAUSE_MILLISECONDS, waiting[0], make)

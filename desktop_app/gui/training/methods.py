"""The right side of the window: the gallery of methods, and the form of the chosen one."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from desktop_app.core.runs import Run
from desktop_app.gui.session import Session
from desktop_app.gui.training.gallery import MethodGallery
from desktop_app.gui.training.setup import TrainPanel


class MethodsPanel(QWidget):
    """Gallery and form in one place, one at a time."""

    started = Signal(object)
    """Carries the `Job` that was started or queued."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.gallery = MethodGallery(session)
        self.setup = TrainPanel(session)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.gallery)
        self._stack.addWidget(self.setup)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self.gallery.method_chosen.connect(self.choose)
        self.setup.gallery_wanted.connect(self.show_gallery)
        self.setup.started.connect(self.started)

    def choose(self, method_id: str) -> None:
        """Set up a method."""
        if method_id != self.setup.method_id:
            self.setup.choose(method_id)
        self._show_setup(method_id)

    def duplicate(self, run: Run) -> None:
        """Set up the method of a run with its parameters."""
        self.setup.duplicate(run)
        self._show_setup(self.setup.method_id)

    def show_gallery(self) -> None:
        """Show all methods."""
        self._stack.setCurrentWidget(self.gallery)
        self.gallery.search.setFocus()

    def _show_setup(self, method_id: str) -> None:
        if self.setup.method_id and self.setup.method_id == method_id:
            self.gallery.select(method_id)
            self._stack.setCurrentWidget(self.setup)

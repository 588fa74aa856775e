"""Pictures that only one method draws: those of its training as they come, then its last ones."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from desktop_app.core.viewfiles import read_views
from desktop_app.gui.background import Background
from desktop_app.gui.theme import SPACE
from desktop_app.gui.training.turns import Turns
from desktop_app.gui.views.frame import ViewFrame, view_frame
from desktop_app.gui.views.words import in_words
from desktop_app.sdk.errors import UnreadableRun
from desktop_app.sdk.views import View


class MethodPictures(QScrollArea):
    """Frames one below the other; a newer picture of a title takes the place of the older."""

    counted = Signal(int)
    """Carries how many pictures there are."""
    failed = Signal(str)
    """A sentence about a picture that could not be saved."""

    def __init__(
        self,
        background: Background,
        texts: Callable[[], Mapping[str, str]] = dict,
        parent: QWidget | None = None,
    ) -> None:
        """`texts` tells the translations of the method of the run."""
        super().__init__(parent)
        self._background = background
        self._texts = texts
        self._run: Path | None = None
        self._asked: dict[str, Path] = {}
        self._final: set[str] = set()
        self._waiting: dict[str, View] = {}
        self._live = False
        self.frames: dict[str, ViewFrame] = {}
        self._views: dict[str, View] = {}  # of the frames, in the words of the method
        self._turns = Turns(self)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, SPACE.s, SPACE.s, SPACE.s)
        self._column.setSpacing(SPACE.m)
        self._column.addStretch()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(inside)

    def open_run(self, run: Path | None) -> None:
        """Forget the pictures of another run."""
        self._run = run
        self._asked.clear()
        self._final.clear()
        self._waiting.clear()
        self._turns.take(())
        for frame in self.frames.values():
            self._drop(frame)
        self.frames.clear()
        self._views.clear()
        self.counted.emit(0)

    def follow(self, views: Mapping[str, Path], *, live: bool) -> None:
        """Read those behind that are new; one whose file is gone already is passed over.

        While a run is `live` they are newer than the pictures of its former end.
        """
        self._live = live
        for title, path in views.items():
            if self._asked.get(title) != path:
                self._asked[title] = path
                self._read(f"picture {title}", partial(_newest, path), self._take_newest)

    def finish(self) -> None:
        """Read the pictures of the trained method behind."""
        if self._run is not None:
            self._read("views", partial(read_views, self._run / "views"), self._take_final)

    def translate(self) -> None:
        """Show the pictures again in words that are known by now."""
        texts = self._texts()
        told = [view for view in self._views.values() if in_words(view, texts).title != view.title]
        self._turns.take([partial(self._show, view) for view in told])

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what came while nobody looked."""
        super().showEvent(event)
        waiting, self._waiting = self._waiting, {}
        self._turns.take([partial(self._show, view) for view in waiting.values()])

    def _read(
        self, name: str, read: Callable[[], list[View]], then: Callable[[list[View]], None]
    ) -> None:
        run = self._run

        def take(views: list[View]) -> None:
            if run == self._run:
                then(views)

        self._background.run(name, read, take)

    def _take_newest(self, views: list[View]) -> None:
        for view in views:
            if view.title in self._final and not self._live:
                continue
            if view.title in self.frames and not self.isVisible():
                self._waiting[view.title] = view
            else:
                self._show(view)

    def _take_final(self, views: list[View]) -> None:
        self._final = {view.title for view in views}
        self._waiting.clear()
        self._turns.take([partial(self._show, view) for view in views])

    def _show(self, view: View) -> None:
        frame = view_frame(in_words(view, self._texts()))
        frame.failed.connect(self.failed)
        former = self.frames.get(view.title)
        place = self._column.count() - 1  # before the stretch
        if former is not None:
            place = self._column.indexOf(former)
            self._drop(former)
        self.frames[view.title], self._views[view.title] = frame, view
        self._column.insertWidget(place, frame)
        self.counted.emit(len(self.frames))

    def _drop(self, frame: ViewFrame) -> None:
        self._column.removeWidget(frame)
        frame.hide()
        frame.deleteLater()


def _newest(path: Path) -> list[View]:
    with suppress(UnreadableRun):  # a newer one has just taken its place
        return read_views(path)
    return []

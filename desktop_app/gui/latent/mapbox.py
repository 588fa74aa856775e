"""What the mouse does on the point canvas: move, turn, draw a lasso or a rectangle."""

from typing import Any, Literal, Protocol

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPolygonF

Tool = Literal["cursor", "lasso", "rectangle"]
SelectionMode = Literal["replace", "add", "subtract"]


class Canvas(Protocol):
    """What the box asks of the canvas that it lies on, and tells it."""

    @property
    def is_spatial(self) -> bool:
        """Tell whether the points lie in space."""

    def tool(self) -> Tool:
        """Return what a drag does."""

    def turn(self, right: float, up: float) -> None:
        """Turn points in space by a drag in logical pixels."""

    def finish_turn(self) -> None:
        """Take it that the drag has ended."""

    def draw_lasso(self, path: QPolygonF) -> None:
        """Show a path in widget coordinates."""

    def finish_lasso(self, path: QPolygonF, mode: SelectionMode) -> None:
        """Select what lies inside a path."""

    def click(self, place: QPointF) -> None:
        """Take a click."""

    def request_menu(self, place: QPointF) -> None:
        """Take a click with the right button."""


class MapBox(pg.ViewBox):  # type: ignore[misc]
    """Moves the map, or draws a lasso on it where the canvas says so."""

    canvas: Canvas

    def __init__(self) -> None:
        super().__init__(enableMenu=False, defaultPadding=0.0)
        self._path = QPolygonF()

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        """Draw with the left button unless the tool is the cursor; every other drag moves."""
        tool = self.canvas.tool()
        if event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        if tool == "cursor":
            self._drag_points(event, axis)
            return
        event.accept()
        here = self._on_widget(event.scenePos())
        start = self._on_widget(event.buttonDownScenePos())
        if event.isStart():
            self._path = QPolygonF([start])
        if tool == "lasso":
            self._path.append(here)
        else:
            self._path = QPolygonF(QRectF(start, here).normalized())
        if event.isFinish():
            self.canvas.finish_lasso(self._path, _mode(event.modifiers()))
        else:
            self.canvas.draw_lasso(self._path)

    def _drag_points(self, event: Any, axis: int | None) -> None:
        """Move the map, or turn points in space unless a key asks for a move."""
        moving = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if not self.canvas.is_spatial or moving:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        step = event.scenePos() - event.lastScenePos()
        self.canvas.turn(step.x(), step.y())
        if event.isFinish():
            self.canvas.finish_turn()

    def mouseClickEvent(self, event: Any) -> None:
        """Tell the canvas."""
        place = self._on_widget(event.scenePos())
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.canvas.click(place)
        elif event.button() == Qt.MouseButton.RightButton:
            event.accept()
            self.canvas.request_menu(place)

    def _on_widget(self, place: Any) -> QPointF:
        return QPointF(place.x(), place.y())


def _mode(modifiers: Qt.KeyboardModifier) -> SelectionMode:
    if modifiers & Qt.KeyboardModifier.ShiftModifier:
        return "add"
    subtracting = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier
    return "subtract" if modifiers & subtracting else "replace"

"""Panes of one scene zoom and move together."""

import pytest
from PySide6.QtCore import QPointF, QSizeF

from desktop_app.gui.inspector.zoom import Zoom

PICTURE, PANE = QSizeF(400, 200), QSizeF(200, 200)


def test_the_whole_picture_fits_in_the_beginning() -> None:
    area = Zoom().area(PICTURE, PANE)
    assert (area.left(), area.top(), area.width(), area.height()) == (0, 50, 200, 100)


def test_what_is_below_the_pointer_stays_there() -> None:
    zoom, share = Zoom(), QPointF(0.4, 0.6)
    before = zoom.area(PICTURE, PANE)
    zoom.zoom_at(3, share)
    after = zoom.area(PICTURE, PANE)
    assert after.width() == pytest.approx(600)
    x, y = (
        [area.left() + share.x() * area.width(), area.top() + share.y() * area.height()]
        for area in (before, after)
    )
    assert x == pytest.approx(y)


def test_the_picture_cannot_be_moved_out_of_sight() -> None:
    zoom = Zoom()
    zoom.set_scale(2)
    zoom.move(10, -10)
    area = zoom.area(QSizeF(100, 100), QSizeF(100, 100))
    assert area.left() == pytest.approx(0)
    assert area.bottom() == pytest.approx(100)


def test_zooming_out_ends_where_the_picture_fits() -> None:
    zoom = Zoom()
    zoom.zoom_at(8, QPointF(0.1, 0.1))
    zoom.zoom_at(0.001, QPointF(0.9, 0.9))
    assert zoom.scale == 1
    assert zoom.area(PICTURE, PANE) == Zoom().area(PICTURE, PANE)


def test_pictures_of_different_resolution_show_the_same_place() -> None:
    zoom = Zoom()
    zoom.zoom_at(4, QPointF(0.25, 0.5))
    assert zoom.area(QSizeF(4000, 2000), PANE) == zoom.area(QSizeF(64, 32), PANE)

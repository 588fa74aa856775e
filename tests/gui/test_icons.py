"""Icons: drawn, complete, tinted."""

import re

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon, QImage
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from desktop_app.gui import icons
from desktop_app.gui.resources import resource
from desktop_app.gui.theme import DARK, LIGHT, apply_theme

NAMES = icons.icon_names()


def test_there_are_icons_for_the_whole_window() -> None:
    needed = "folder play pause stop kill save export search lasso rectangle cursor map undo moon"
    assert set(needed.split()) <= set(NAMES)
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_is_24_by_24_in_one_tintable_colour(name: str) -> None:
    drawing = resource("icons", f"{name}.svg").read_text(encoding="utf-8")
    assert 'viewBox="0 0 24 24"' in drawing
    assert "currentColor" in drawing
    assert not re.search(r"#[0-9a-fA-F]{3}", drawing)


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_has_ink(qapp: QApplication, name: str) -> None:
    image = icons.pixmap(name, 24).toImage()
    assert 15 < _ink(image) < 300


def test_an_unknown_icon_is_refused(qapp: QApplication) -> None:
    with pytest.raises(FileNotFoundError):
        icons.icon("no-such-icon")


def test_an_icon_takes_the_colours_of_a_new_theme(qtbot: QtBot, qapp: QApplication) -> None:
    button = QToolButton()
    qtbot.addWidget(button)
    apply_theme(qapp, "light")
    icons.set_icon(button, "stop")
    assert _strongest(button.icon()) == LIGHT.colours.text
    apply_theme(qapp, "dark")
    assert _strongest(button.icon()) == DARK.colours.text


def test_disabled_and_checked_icons_look_different(qapp: QApplication) -> None:
    apply_theme(qapp, "dark")
    shown = icons.icon("stop")
    assert _strongest(shown, mode=QIcon.Mode.Disabled) == DARK.colours.text_disabled
    assert _strongest(shown, state=QIcon.State.On) == DARK.colours.accent


def _strongest(
    icon: QIcon, mode: QIcon.Mode = QIcon.Mode.Normal, state: QIcon.State = QIcon.State.Off
) -> str:
    """Return the colour of the most opaque pixel."""
    image = icon.pixmap(QSize(32, 32), 1.0, mode, state).toImage()
    image = image.convertToFormat(QImage.Format.Format_ARGB32)
    pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    return max(pixels, key=lambda colour: colour.alpha()).name()


def _ink(image: QImage) -> int:
    places = ((x, y) for x in range(image.width()) for y in range(image.height()))
    return sum(image.pixelColor(x, y).alpha() > 127 for x, y in places)

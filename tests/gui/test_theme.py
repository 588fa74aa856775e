"""The look: readable, complete, and told apart by everybody."""

import re
from dataclasses import fields
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.gui import theme
from desktop_app.gui.resources import resource
from desktop_app.gui.theme import COLOUR_MAPS, DARK, LIGHT, Theme, contrast

BOTH = pytest.mark.parametrize("look", [DARK, LIGHT], ids=lambda look: look.name)
LAYERS = ("canvas", "background", "surface", "raised", "hover")


@BOTH
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("role", ["text", "text_secondary", "accent", "good", "warning", "bad"])
def test_text_reads_on_every_layer(look: Theme, layer: str, role: str) -> None:
    assert contrast(getattr(look.colours, role), getattr(look.colours, layer)) >= 4.5


@BOTH
@pytest.mark.parametrize(
    ("role", "ground"),
    [
        ("text", "selection"),
        ("text", "pressed"),
        ("text_secondary", "selection"),
        ("on_accent", "accent_fill"),
        ("on_accent", "accent_fill_hover"),
        ("on_accent", "accent_fill_pressed"),
        ("good", "good_fill"),
        ("warning", "warning_fill"),
        ("bad", "bad_fill"),
    ],
)
def test_text_reads_on_its_fill(look: Theme, role: str, ground: str) -> None:
    assert contrast(getattr(look.colours, role), getattr(look.colours, ground)) >= 4.5


@BOTH
@pytest.mark.parametrize("layer", ["canvas", "background", "surface", "raised"])
def test_focus_rings_and_check_boxes_are_visible(look: Theme, layer: str) -> None:
    for role in ("accent", "border_strong"):
        assert contrast(getattr(look.colours, role), getattr(look.colours, layer)) >= 3


@BOTH
def test_at_least_twelve_categories_are_seen_on_the_canvas(look: Theme) -> None:
    assert len(set(look.categories)) >= 12
    for colour in look.categories:
        assert contrast(colour, look.colours.canvas) >= 2


@BOTH
@pytest.mark.parametrize("vision", ["normal", "protanopia", "deuteranopia"])
def test_categories_differ_for_every_vision(look: Theme, vision: str) -> None:
    seen = [_oklab(_as_seen(colour, vision)) for colour in look.categories]
    nearest = min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))
    assert nearest >= (0.1 if vision == "normal" else 0.08)


@BOTH
def test_the_colours_of_categories_repeat_after_the_last(look: Theme) -> None:
    lut = look.category_lut(len(look.categories) + 1)
    assert lut.shape == (len(look.categories) + 1, 3)
    np.testing.assert_array_equal(lut[0], lut[-1])


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_a_colour_map_is_a_table_of_256_colours(name: str) -> None:
    table = theme.colour_map(name)
    assert (table.shape, table.dtype) == ((256, 3), np.uint8)
    assert len(np.unique(table, axis=0)) > 200


@pytest.mark.parametrize("name", sorted(set(COLOUR_MAPS) - {"rainbow"}))
def test_a_colour_map_grows_brighter(name: str) -> None:
    brightness = theme.colour_map(name) @ np.array([0.2126, 0.7152, 0.0722])
    assert brightness[-1] - brightness[0] > 100
    assert np.diff(brightness[::16]).min() > 0


@BOTH
def test_every_token_of_the_style_sheet_has_a_value(qapp: QApplication, look: Theme) -> None:
    assert "$" not in theme.style_sheet(look)


@BOTH
def test_every_glyph_of_the_style_sheet_is_drawn_in_the_colours_of_its_theme(look: Theme) -> None:
    colours = {getattr(look.colours, colour.name) for colour in fields(look.colours)}
    sheet = resource("themes", "loupe.qss").read_text(encoding="utf-8")
    glyphs = set(re.findall(r"url\(glyph:([\w.-]+)\)", sheet))
    assert len(glyphs) > 8
    for glyph in glyphs:
        drawing = resource("themes", look.name, glyph).read_text(encoding="utf-8")
        assert set(re.findall(r"#[0-9a-f]{6}", drawing)) <= colours


def test_a_theme_reaches_palette_and_followers(qtbot: QtBot, qapp: QApplication) -> None:
    follower = Follower()
    qtbot.addWidget(follower)
    for look in (LIGHT, DARK):
        theme.apply_theme(qapp, look.name)
        assert follower.seen[-1] is look
        shown = qapp.palette().color(QPalette.ColorRole.WindowText).name()
        assert shown == look.colours.text


def test_the_desktop_decides_where_the_analyst_does_not(qapp: QApplication) -> None:
    assert theme.apply_theme(qapp, "system") in (DARK, LIGHT)
    assert theme.apply_theme(qapp, "dark") is DARK


def test_a_look_is_applied_to_a_widget_that_is_already_shown(
    qtbot: QtBot, qapp: QApplication
) -> None:
    theme.apply_theme(qapp, "light")
    button = QPushButton("Start")
    qtbot.addWidget(button)
    button.resize(80, 28)
    button.show()
    before = button.grab().toImage().pixelColor(8, 8).name()
    theme.set_kind(button, "primary")
    after = button.grab().toImage().pixelColor(8, 8).name()
    theme.apply_theme(qapp, "dark")
    assert before != after == LIGHT.colours.accent_fill


def test_the_fonts_hold_latin_and_chinese(qapp: QApplication) -> None:
    available = set(QFontDatabase.families())
    families = [family for family in theme.ui_font().families() if family in available]
    systems = [QFontDatabase.writingSystems(family) for family in families]
    assert any(QFontDatabase.WritingSystem.Latin in system for system in systems)
    chinese = QFontDatabase.families(QFontDatabase.WritingSystem.SimplifiedChinese)
    wanted = bool(set(theme.ui_font().families()) & set(chinese)) or not chinese
    assert wanted


class Follower(QLabel):
    """Remembers the themes that it was told."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.seen: list[Theme] = []
        theme.follow_theme(self.remember)

    def remember(self, look: Theme) -> None:
        self.seen.append(look)


# colour vision: Machado, Oliveira & Fernandes 2009, severity 1; OKLab: Ottosson 2020
_VISIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def _as_seen(colour: str, vision: str) -> NDArray[np.float64]:
    """Return linear RGB."""
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return np.clip(_VISIONS[vision] @ linear, 0, 1)


def _oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return _TO_LAB @ np.cbrt(_TO_LMS @ linear)

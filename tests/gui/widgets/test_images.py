"""Arrays on the screen."""

import gc

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from desktop_app.gui.widgets import ImageLabel, image_from_array
from desktop_app.sdk.errors import InvalidInput


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
def test_an_array_of_any_channels_becomes_an_image(shape: tuple[int, ...]) -> None:
    pixels = np.zeros(shape, np.uint8)
    pixels[2, 3] = 200
    image = image_from_array(pixels)
    assert (image.width(), image.height()) == (7, 5)
    assert image.pixelColor(3, 2).red() == 200
    assert image.pixelColor(2, 3).red() == 0


def test_the_image_outlives_its_array() -> None:
    pixels = np.full((64, 64, 3), 90, np.uint8)
    image = image_from_array(pixels[::2, ::-1])
    del pixels
    gc.collect()
    np.full((64, 64, 3), 13, np.uint8)
    assert image.pixelColor(10, 10) == QColor(90, 90, 90)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_other_arrays_are_refused_with_a_sentence(pixels: np.ndarray) -> None:  # type: ignore[type-arg]
    with pytest.raises(InvalidInput, match="came"):
        image_from_array(pixels)


def test_few_pixels_stay_squares_and_the_aspect_is_kept(qtbot: QtBot) -> None:
    label = ImageLabel("Photograph")
    qtbot.addWidget(label)
    label.resize(300, 100)
    pixels = np.zeros((2, 2), np.uint8)
    pixels[0, 0] = 255
    label.set_image(pixels)
    shown = label.grab().toImage()
    assert label.image_area().getRect() == (100, 0, 100, 100)
    assert shown.pixelColor(145, 45).red() == 255
    assert shown.pixelColor(155, 45).red() == 0


def test_a_click_tells_the_pixel_of_the_image(qtbot: QtBot) -> None:
    label = ImageLabel("Photograph")
    qtbot.addWidget(label)
    label.resize(200, 100)
    label.set_image(np.zeros((10, 10), np.uint8))
    assert label.image_position(QPointF(100, 50)) == QPointF(5, 5)
    assert label.image_position(QPointF(10, 50)) is None


def test_an_overlay_covers_the_image_by_its_opacity(qtbot: QtBot) -> None:
    label = ImageLabel("Photograph")
    qtbot.addWidget(label)
    label.resize(80, 80)
    label.set_image(np.zeros((4, 4), np.uint8))
    label.set_overlay(np.full((2, 2, 4), 255, np.uint8), 0.5)
    assert label.grab().toImage().pixelColor(40, 40).red() == pytest.approx(128, abs=2)
    label.set_opacity(0)
    assert label.grab().toImage().pixelColor(40, 40).red() == 0

"""Numbers per pixel as colours, masks as lines."""

import numpy as np
import pyqtgraph as pg

from desktop_app.gui.inspector.heat import (
    contour,
    difference,
    greyed,
    heat_rgba,
    outline,
    pixels_of,
)
from desktop_app.gui.theme import colour_map

GREY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def test_a_value_has_the_same_colour_in_every_map() -> None:
    lut = colour_map("inferno")
    first = heat_rgba(np.array([[0.0, 0.5]]), (0, 1), lut)
    second = heat_rgba(np.array([[0.5, 9.0]]), (0, 1), lut)
    assert first[0, 1].tolist() == second[0, 0].tolist()
    assert second[0, 1, :3].tolist() == lut[255].tolist()


def test_what_is_usual_fades_out_unless_told_otherwise() -> None:
    values, lut = np.array([[0.0, 1.0, np.nan]]), colour_map("magma")
    assert heat_rgba(values, (0, 1), lut)[0, :, 3].tolist() == [0, 255, 204]
    assert heat_rgba(values, (0, 1), lut, fade=False)[0, :, 3].tolist() == [255, 255, 204]


def test_a_scale_without_extent_breaks_nothing() -> None:
    assert heat_rgba(np.ones((2, 2)), (1, 1), colour_map("grey")).shape == (2, 2, 4)


def test_the_outline_of_a_square_is_four_lines() -> None:
    mask = np.zeros((10, 20), np.bool_)
    mask[2:5, 4:12] = True
    lines = outline(mask)
    expected = {
        (0.2, 0.2, 0.6, 0.2),
        (0.2, 0.5, 0.6, 0.5),
        (0.2, 0.2, 0.2, 0.5),
        (0.6, 0.2, 0.6, 0.5),
    }
    assert {tuple(np.round(line, 4).tolist()) for line in lines.astype(np.float64)} == expected


def test_large_masks_are_thinned_without_losing_small_defects() -> None:
    mask = np.zeros((2000, 3000), np.bool_)
    mask[1500, 2999] = True
    lines = outline(mask)
    assert len(lines) == 4
    assert abs(lines[:, [0, 2]].mean() - 1) < 0.01
    assert abs(lines[:, [1, 3]].mean() - 0.75) < 0.01


def test_an_empty_mask_has_no_outline() -> None:
    assert outline(np.zeros((5, 5), np.bool_)).shape == (0, 4)


def test_the_difference_is_the_mean_over_the_channels() -> None:
    image, rebuilt = np.zeros((3, 1, 1), np.float32), np.ones((3, 1, 1), np.float32)
    rebuilt[0] = 0
    assert np.isclose(difference(image, rebuilt), 2 / 3).all()


def test_images_become_pixels_that_qt_can_draw() -> None:
    assert pixels_of(np.full((1, 2, 3), 0.5)).shape == (2, 3)
    assert pixels_of(np.full((3, 2, 3), 2.0)).max() == 255


def test_what_is_usual_is_transparent_and_what_is_above_is_not() -> None:
    values = np.array([[0.0, 0.5, 0.6, 1.0]])
    alpha = heat_rgba(values, (0.0, 1.0), GREY, usual=0.5)[0, :, 3]
    assert alpha[:2].tolist() == [0, 0]
    assert 0 < alpha[2] < alpha[3] == 255
    assert (heat_rgba(values, (0.0, 1.0), GREY, fade=False, usual=0.5)[..., 3] == 255).all()


def test_a_usual_value_above_the_scale_leaves_only_what_exceeds_it() -> None:
    alpha = heat_rgba(np.array([[0.9, 3.0]]), (0.0, 1.0), GREY, usual=2.0)[0, :, 3]
    assert alpha.tolist() == [0, 255]


def test_the_usual_part_of_a_scale_is_grey() -> None:
    red = np.zeros((256, 3), np.uint8)
    red[:, 0] = 240
    shown = greyed(red, (0.0, 2.0), 1.0)
    assert (shown[:128] == 80).all()
    assert (shown[128:] == red[128:]).all()
    assert greyed(red, (0.0, 2.0), None) is red


def smooth_map(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.sin(rows / 4.3) * np.cos(columns / 5.1) + 0.1 * np.sin(rows * columns / 90)


def test_contours_equal_those_of_pyqtgraph() -> None:
    values = smooth_map(40, 50)
    expected = np.array(pg.functions.isocurve(values, 0.4))[..., ::-1].reshape(-1, 4)
    lines = contour(values, 0.4) * [50, 40, 50, 40]
    inside = lines[((lines > 0.499) & (lines < [49.501, 39.501, 49.501, 39.501])).all(axis=1)]
    assert len(inside) == len(expected)
    middles = (inside[:, None, :2] + inside[:, None, 2:]) / 2
    wanted = (expected[None, :, :2] + expected[None, :, 2:]) / 2
    gaps = np.linalg.norm(middles - wanted, axis=2)
    assert gaps.min(axis=0).max() < 1e-3
    assert gaps.min(axis=1).max() < 1e-3


def test_a_contour_surrounds_what_is_above_it_and_ends_at_the_edge() -> None:
    values = np.zeros((10, 20))
    values[4:6, 8:10] = 1.0
    lines = contour(values, 0.5)
    assert len(lines) == 8
    assert np.allclose(lines[:, [0, 2]].min(), 8 / 20)
    assert np.allclose(lines[:, [0, 2]].max(), 10 / 20)
    values[:, :5] = 1.0
    assert (contour(values, 0.5)[:, [1, 3]] == 0).any()


def test_a_level_that_no_value_reaches_has_no_contour() -> None:
    assert contour(np.zeros((4, 5)), 1.0).shape == (0, 4)
    assert contour(np.full((4, 5), np.nan), 1.0).shape == (0, 4)


def test_large_maps_are_coloured_with_as_many_pixels_as_a_screen_shows() -> None:
    rows, columns = np.mgrid[:2048, :2048] / 2048

    picture = heat_rgba(rows + columns, (0.0, 2.0), GREY, fade=False)

    assert picture.shape == (1024, 1024, 4)
    assert abs(int(picture[512, 256, 0]) - 96) <= 1


def test_steps_of_the_scale_colour_each_value_as_it_would_be_alone() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.5, (64, 64))

    for usual in (None, 0.3, 1.5):
        together = heat_rgba(values, (0.0, 1.0), GREY, usual=usual)
        share = np.clip(values, 0, 1)
        assert np.abs(together[..., 0] - share * 255).max() <= 1.1
        above = share / 0.6
        if usual is not None:
            span = max(1 - usual, 0) or 1.0
            above = np.clip((values - usual) / span, 0, 1) / 0.6
        assert np.abs(together[..., 3] - np.minimum(above, 1) * 255).max() <= 1.5

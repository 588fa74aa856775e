"""Points as pixels."""

import numpy as np
import pytest

from desktop_app.gui.latent import splat
from desktop_app.gui.latent.splat import MARGIN, Window

WINDOW = Window(0.0, 0.0, 10.0, 5.0, 100, 50)
BLACK = 0xFF000000
LUT = np.array([[255, 0, 0], [0, 255, 0]], np.uint8)


def at(*places: tuple[float, float]) -> splat.Placed:
    x, y = np.array(places, np.float32).T
    return splat.placed(x, y, np.ones(len(places), bool), WINDOW)


def test_a_point_lies_where_its_coordinates_say() -> None:
    placed = at((5.05, 2.05))
    row, column = divmod(int(placed.flat[0]), WINDOW.shape[1])
    assert (row - MARGIN, column - MARGIN) == (20, 50)


def test_points_out_of_sight_hidden_and_without_a_place_are_left_out() -> None:
    x = np.array([5, 50, np.nan, 5], np.float32)
    y = np.array([2, 2, 2, np.inf], np.float32)
    placed = splat.placed(x, y, np.array([True, True, True, True]), WINDOW)
    assert placed.points.tolist() == [0]
    hidden = splat.placed(x, y, np.zeros(4, bool), WINDOW)
    assert hidden.points.tolist() == []


@pytest.mark.parametrize("diameter", [1.5, 2.5, 5.0, 9.0, 16.0])
def test_a_mark_covers_the_area_of_its_disc(diameter: float) -> None:
    mark = splat.stamp(diameter)
    assert mark.coverage.sum() == pytest.approx(np.pi * diameter**2 / 4, rel=0.1)
    assert abs(mark.rows).max() <= MARGIN
    assert (mark.rows.sum(), mark.columns.sum()) == (0, 0)


def test_later_points_lie_on_top_in_colour_and_in_identity() -> None:
    placed = at((5, 2), (5, 2))
    raster = splat.empty(WINDOW, BLACK)
    splat.splat(raster, placed.flat, np.array([0, 1], np.uint8), LUT, BLACK, 5.0)
    image = splat.cropped(raster)
    assert image.shape == (50, 100)
    assert image[50 - 1 - 20, 50] == 0xFF00FF00
    assert splat.identities(placed).reshape(-1)[placed.flat[0]] == 1


def test_a_mark_has_soft_edges() -> None:
    placed = at((5, 2))
    raster = splat.empty(WINDOW, BLACK)
    splat.splat(raster, placed.flat, np.zeros(1, np.uint8), LUT, BLACK, 6.0)
    reds = np.unique(raster >> 16 & 0xFF)
    assert reds[0] == 0
    assert reds[-1] == 255
    assert len(reds) > 3


def test_many_points_are_drawn_as_few_are() -> None:
    rng = np.random.default_rng(0)
    places = rng.uniform((0, 0), (10, 5), (70_000, 2)).astype(np.float32)
    placed = splat.placed(places[:, 0], places[:, 1], np.ones(70_000, bool), WINDOW)
    index = rng.integers(0, 2, len(placed.points)).astype(np.uint8)
    at_once = splat.empty(WINDOW, BLACK)
    splat.splat(at_once, placed.flat, index, LUT, BLACK, 3.0)
    one_by_one = splat.empty(WINDOW, BLACK)
    for start in range(0, len(index), 10_000):
        part = slice(start, start + 10_000)
        splat.splat(one_by_one, placed.flat[part], index[part], LUT, BLACK, 3.0)
    np.testing.assert_array_equal(at_once, one_by_one)


def test_a_density_is_brightest_in_the_middle_and_has_the_mean_colour() -> None:
    rng = np.random.default_rng(0)
    places = rng.normal((5, 2.5), 0.8, (100_000, 2)).astype(np.float32)
    placed = splat.placed(places[:, 0], places[:, 1], np.ones(100_000, bool), WINDOW)
    index = (np.arange(100_000) % 2).astype(np.uint8)
    raster = splat.density(placed, splat.relief(placed), index, LUT, BLACK)
    image = splat.cropped(raster)
    red, green = image >> 16 & 0xFF, image >> 8 & 0xFF
    assert red[25, 50] > red[25, 62] > red[25, 99]
    assert abs(int(red[25, 50]) - int(green[25, 50])) < 25


def test_an_outlier_stays_in_sight_beside_a_dense_cloud() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.normal((3, 2.5), 0.3, (100_000, 2))
    places = np.vstack([cloud, [[9.0, 4.0]]]).astype(np.float32)
    placed = splat.placed(places[:, 0], places[:, 1], np.ones(100_001, bool), WINDOW)
    index = np.zeros(100_001, np.uint8)
    image = splat.cropped(splat.density(placed, splat.relief(placed), index, LUT, BLACK))
    assert (image[50 - 1 - 40, 90] >> 16 & 0xFF) > 100


def test_a_window_without_points_is_empty() -> None:
    placed = splat.placed(
        np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(3, bool), WINDOW
    )
    raster = splat.density(placed, splat.relief(placed), np.zeros(3, np.uint8), LUT, BLACK)
    assert (raster == BLACK).all()


def test_colours_are_laid_over_the_background() -> None:
    share = np.array([[0.0], [0.5], [1.0]], np.float32)
    mixed = splat.blended(np.full((3, 3), 200, np.uint8), 0xFF640000, share)
    assert [hex(value) for value in mixed] == ["0xff640000", "0xff966464", "0xffc8c8c8"]
    assert splat.faded(LUT, BLACK, 0.5).tolist() == [[128, 0, 0], [0, 128, 0]]

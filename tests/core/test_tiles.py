from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.crops import crops_of
from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache
from desktop_app.core.regions import InsideRegion, Region
from desktop_app.core.runs import JobSpec
from desktop_app.core.tiles import (
    TiledDataset,
    TileGrid,
    capabilities_in_tiles,
    grid_of,
    usual_overlap,
    why_whole,
)
from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import InvalidParameter

GRIDS = [
    TileGrid(64, 64),
    TileGrid(64, 64, 63),
    TileGrid(64, 32),
    TileGrid(65, 32),
    TileGrid(100, 32, 8),
    TileGrid(101, 33, 32 // 3),
    TileGrid(50, 49, 0),
    TileGrid(256, 64, 16),
    TileGrid(40, 16, 15),
    TileGrid(1024, 256, 32),
]


def name_of(grid: TileGrid) -> str:
    return f"{grid.side}-{grid.tile}-{grid.overlap}"


@pytest.mark.parametrize("grid", GRIDS, ids=name_of)
def test_tiles_reach_from_border_to_border_and_share_what_is_asked(grid: TileGrid) -> None:
    starts = np.unique(grid.corners[:, 0])

    assert (starts[0], starts[-1]) == (0, grid.side - grid.tile)
    assert (np.diff(starts) <= grid.tile - grid.overlap).all()
    fewer = max(1, len(starts) - 2) * (grid.tile - grid.overlap) + grid.tile
    assert len(starts) <= 2 or fewer - (grid.tile - grid.overlap) < grid.side
    assert len(grid) == len(starts) ** 2


@pytest.mark.parametrize("grid", GRIDS, ids=name_of)
def test_an_image_that_is_cut_is_whole_again_when_stitched(grid: TileGrid) -> None:
    images = np.random.default_rng(0).random((2, 1, grid.side, grid.side), np.float32)
    pairs = np.argwhere(np.ones((2, len(grid)), np.bool_))

    tiles = grid.cut(images, pairs)

    whole = grid.stitched(tiles.reshape(2, len(grid), 1, grid.tile, grid.tile))
    assert np.allclose(whole, images, atol=1e-5)


def test_tiles_that_differ_pass_into_each_other_without_a_seam() -> None:
    grid = TileGrid(96, 32, 16)
    levels = np.arange(len(grid), dtype=np.float32) % 2  # neighbours differ by 1

    whole = grid.stitched(np.ones((1, len(grid), 32, 32)) * levels[:, None, None])[0]

    steps = max(np.abs(np.diff(whole, axis=0)).max(), np.abs(np.diff(whole, axis=1)).max())
    assert steps < 1.5 / 16  # a ramp as long as the overlap; with hard borders it would be 1
    hard = TileGrid(96, 32, 0)
    told = np.ones((1, len(hard), 32, 32)) * (np.arange(9) % 2)[:, None, None]
    assert np.abs(np.diff(hard.stitched(told)[0], axis=1)).max() == 1


@pytest.mark.parametrize(
    ("side", "tile", "overlap", "said"),
    [
        (64, 65, 0, "Tiles must be 8 pixels to the image size of 64, got 65"),
        (64, 7, 0, "got 7"),
        (64, 32, 32, "must be 0 to 31, got 32"),
        (64, 32, -1, "must be 0 to 31, got -1"),
        (2048, 16, 8, "65,025 tiles, at most 1,024"),
    ],
)
def test_tiles_that_cannot_be_cut_are_refused(
    side: int, tile: int, overlap: int, said: str
) -> None:
    with pytest.raises(InvalidParameter, match=said):
        TileGrid(side, tile, overlap)


def test_tiles_outside_of_the_region_are_left_out() -> None:
    inside = np.zeros((96, 96), np.bool_)
    inside[:40] = True

    grid = TileGrid(96, 32, 0, inside)

    assert grid.corners[:, 0].tolist() == [0, 0, 0, 32, 32, 32]
    assert grid.counted(0) is None
    crossed = grid.counted(3)
    assert crossed is not None
    assert crossed[:8].all()
    assert not crossed[8:].any()
    whole = grid.stitched(np.ones((1, 6, 32, 32)))[0]
    assert np.isfinite(whole[:64]).all()
    assert np.isnan(whole[64:]).all()


def test_tiles_of_a_data_set_are_those_of_each_image_in_order() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 40, 40)).astype(np.uint8)
    grid = TileGrid(40, 16, 4)

    tiles = TiledDataset(ArrayDataset(pixels), grid)

    assert (len(tiles), tiles.sample_shape) == (27, (3, 16, 16))
    top, left = grid.corners[5]
    expected = pixels[1, :, top : top + 16, left : left + 16]
    assert np.array_equal(tiles.pixels(slice(14, 15))[0], expected)
    mixed = np.array([14, 0, 26, 14])
    assert np.array_equal(tiles.pixels(mixed)[0], expected)
    assert np.array_equal(tiles.pixels(mixed)[3], expected)
    assert np.array_equal(tiles.pixels(slice(None))[mixed], tiles.pixels(mixed))
    assert len(tiles.pixels(slice(5, 5))) == 0
    assert tiles.images(slice(0, 2)).max() <= 1


def test_squares_read_alone_are_those_of_whole_images(mvtec_folder: Path) -> None:
    folder = ImageFolder(mvtec_folder)
    table = folder.list_files()
    cache = PixelCache(folder, 24, 3)
    assert list(cache.fill(table))
    data = cache.dataset(table)
    inside = np.zeros((24, 24), np.bool_)
    inside[3:15] = True
    filled = InsideRegion(data, inside, np.array([1, 2, 3], np.uint8))
    rows, corners = np.array([4, 0, 4]), np.array([[0, 0], [10, 14], [7, 3]])

    for seen in (data, filled):
        plain = ArrayDataset(seen.pixels(slice(None)))
        assert np.array_equal(crops_of(seen, rows, corners, 10), crops_of(plain, rows, corners, 10))


def test_a_spec_says_how_images_are_cut() -> None:
    spec = JobSpec(folder="", image_size=64, tile=32, overlap=usual_overlap(32))

    grid = grid_of(spec, Region(np.eye(64, dtype=np.bool_)))

    assert grid is not None
    assert (grid.side, grid.tile, grid.overlap) == (64, 32, 4)
    assert len(grid) == 7  # of nine: the diagonal passes by two corners
    assert grid_of(spec.model_copy(update={"tile": 0})) is None


@pytest.mark.parametrize(
    ("capabilities", "labels", "said"),
    [
        (("scores", "localizes"), False, ""),
        (("scores", "localizes", "clusters"), False, ""),
        (("encodes", "scores"), False, ""),
        (("encodes", "embeds"), False, "places"),
        (("encodes", "scores", "clusters"), False, "groups"),
        (("encodes",), False, "scores"),
        (("scores", "localizes"), True, "labels"),
    ],
)
def test_methods_that_tiles_make_no_sense_for_are_told_by_what_they_can_do(
    capabilities: tuple[str, ...], labels: bool, said: str
) -> None:
    assert why_whole(capabilities, uses_labels=labels) == said


def test_codes_of_tiles_are_not_decoded_but_images_are_rebuilt() -> None:
    offered = capabilities_in_tiles(("encodes", "decodes", "scores", "clusters", "completes"))

    assert offered == ("encodes", "scores", "rebuilds")

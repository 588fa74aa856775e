"""A region of interest fits images of any size, and hides what does not count."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.heatmaps import OUTSIDE, heat_picture
from desktop_app.core.regions import (
    InsideRegion,
    Region,
    joined,
    mean_colour,
    read_region,
    region_from_png,
)
from desktop_app.core.reports.pictures import overlaid
from desktop_app.core.scoring import aupro, pixel_auroc
from desktop_app.core.sight import counted
from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import InvalidInput


def left_half(height: int = 8, width: int = 8) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), np.bool_)
    mask[:, : width // 2] = True
    return mask


def test_a_region_fits_images_of_any_size() -> None:
    region = Region(left_half())

    for height, width in ((2, 2), (8, 8), (30, 50), (5, 4)):
        assert np.array_equal(region.at(height, width), left_half(height, width))


def test_a_speck_is_never_lost_where_images_are_small() -> None:
    speck = np.zeros((300, 300), np.bool_)
    speck[10, 20] = True

    assert Region(speck).at(4, 4).sum() == 1


def test_a_region_survives_its_file_and_its_hash_tells_it_from_others() -> None:
    region = Region(left_half())

    again = region_from_png(region.png())

    assert np.array_equal(again.mask, region.mask)
    assert again.hash == region.hash
    assert Region(~left_half()).hash != region.hash
    assert Region(left_half(4, 16)).hash != region.hash


def test_a_large_mask_is_reduced(tmp_path: Path) -> None:
    Image.fromarray(left_half(600, 3000).astype(np.uint8)).save(tmp_path / "遮罩.png")

    region = read_region(tmp_path / "遮罩.png")

    assert region.mask.shape == (205, 1024)
    assert region.share == 0.5


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_mask_that_is_none_is_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mask.png"
    if content is None:
        Image.new("L", (4, 4)).save(path)
    else:
        path.write_bytes(content)

    with pytest.raises(InvalidInput, match="mask"):
        read_region(path)


def test_an_ignore_mask_takes_away_from_a_region() -> None:
    top = Region(left_half().T)
    left = Region(left_half())

    both = joined(left, top)

    assert both is not None
    assert both.share == 0.25
    assert both.mask[4:, :4].all()
    alone = joined(None, top)
    assert alone is not None
    assert np.array_equal(alone.mask, ~top.mask)
    assert joined(None, None) is None
    with pytest.raises(InvalidInput, match="marks the whole image"):
        joined(None, Region(np.ones((2, 2), np.bool_)))
    with pytest.raises(InvalidInput, match="nothing is marked"):
        joined(left, left)


def test_what_lies_outside_shows_the_mean_colour_of_what_counts() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), np.uint8)
    data, inside = ArrayDataset(pixels), left_half()

    seen = InsideRegion(data, inside, mean_colour(data, inside))

    mean = np.rint(pixels[..., inside].mean(axis=(0, 2)))
    assert np.array_equal(
        seen.pixels(slice(0, 5))[..., ~inside], np.broadcast_to(mean[None, :, None], (5, 3, 32))
    )
    assert np.array_equal(seen.pixels(np.array([3, 1]))[..., inside], pixels[[3, 1]][..., inside])
    assert np.allclose(seen.images(slice(0, 5)) * 255, seen.pixels(slice(0, 5)))


def test_maps_are_no_number_where_they_do_not_count_and_grey_in_pictures() -> None:
    maps = np.random.default_rng(0).random((2, 8, 8)).astype(np.float32)

    shown = counted(Region(left_half()), maps)

    assert np.array_equal(np.isnan(shown[0]), ~left_half())
    assert np.array_equal(shown[..., left_half()], maps[..., left_half()])
    assert (heat_picture(shown[0], 0, 1)[~left_half()] == OUTSIDE).all()
    dark = overlaid(np.zeros((16, 16, 3), np.uint8), shown[0], 0, 1)
    assert len(np.unique(dark[:, 8:])) == 1
    assert 0 < dark[0, 15, 0] < OUTSIDE


def test_pixels_that_do_not_count_are_left_out_of_the_measures() -> None:
    random = np.random.default_rng(0)
    maps, masks = random.random((4, 8, 8)), random.random((4, 8, 8)) < 0.3
    region = Region(left_half())

    shown = counted(region, maps)

    assert pixel_auroc(shown, masks) == pixel_auroc(maps[:, :, :4], masks[:, :, :4])
    assert aupro(shown, masks) == aupro(maps[:, :, :4], masks[:, :, :4])


def test_a_map_of_no_numbers_at_all_has_diverged() -> None:
    maps = np.full((1, 4, 4), np.nan)

    with pytest.raises(InvalidInput, match="diverged"):
        pixel_auroc(maps, left_half(4, 4)[None])

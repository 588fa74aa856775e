import time
from pathlib import Path

import numpy as np
import pytest

from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache
from desktop_app.sdk.data import Images
from desktop_app.worker import forecast as module
from desktop_app.worker.forecast import Forecast, forecast


@pytest.fixture
def folder(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> ImageFolder:
    monkeypatch.setattr(module, "_TRIED", 2)
    return ImageFolder(image_folder)


def test_the_pace_of_a_few_images_is_that_of_all(folder: ImageFolder) -> None:
    table = folder.list_files()
    cache = PixelCache(folder, 8, 1)

    def look(images: Images) -> None:
        time.sleep(0.05 * len(images))

    found = forecast(cache, folder, table, look)

    assert found is not None
    assert found.images == len(table)
    assert 0.05 * len(table) <= found.seconds < 0.05 * len(table) + 5
    assert 50e6 < found.peak_bytes < 1e11
    assert cache.absent(table) == len(table) - 2  # what was tried is kept


def test_unreadable_images_are_passed_over(folder: ImageFolder) -> None:
    table = folder.list_files()
    for path in (table.paths[0], table.paths[-1]):
        folder.absolute(path).write_bytes(b"nothing")
    table = folder.list_files()

    assert forecast(PixelCache(folder, 8, 1), folder, table, lambda _images: None) is None


def test_small_folders_are_not_worth_a_forecast(
    image_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TRIED", 1000)
    folder = ImageFolder(image_folder)

    def look(_images: Images) -> None:
        pytest.fail("looked at")

    assert forecast(PixelCache(folder, 8, 1), folder, folder.list_files(), look) is None


@pytest.mark.parametrize(("seconds", "told"), [(95.4, "95 s"), (212.0, "3.5 min")])
def test_it_is_told_in_one_sentence(seconds: float, told: str) -> None:
    sentence = Forecast(2000, seconds, 812_000_000).sentence()

    assert sentence.startswith(f"2,000 images: about {told} and 812 MB of memory")


def test_folders_are_foretold_and_then_looked_at(folder: ImageFolder) -> None:
    table = folder.list_files()
    cache = PixelCache(folder, 8, 1)
    sums: list[np.ndarray] = []

    forecast(cache, folder, table, lambda images: sums.append(images.sum()))

    assert len(sums) == 2  # one to warm up, one that counts


def test_the_tiles_of_images_count(folder: ImageFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRIED", 64)
    table, sizes = folder.list_files(), list[int]()
    cache = PixelCache(folder, 8, 1)

    def look(images: Images) -> None:
        sizes.append(len(images))

    assert forecast(cache, folder, table, look) is None
    found = forecast(cache, folder, table, look, tiles=30)

    assert found is not None
    assert found.images == len(table)
    assert sizes == [1, 1]  # 64 tiles are two images and a bit

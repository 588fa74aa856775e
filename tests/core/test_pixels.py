import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from desktop_app.core import pixels as pixels_module
from desktop_app.core.decoding import decode
from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import CachedDataset, PixelCache, natural_channels
from desktop_app.core.table import ImageTable
from desktop_app.sdk.data import ArrayDataset, Dataset
from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from tests.core.pictures import files_below, save_picture, save_pictures


def filled(folder: ImageFolder, size: int = 8, channels: int = 3) -> CachedDataset:
    table = folder.list_files()
    cache = PixelCache(folder, size, channels)
    for _ in cache.fill(table):
        pass
    return cache.dataset(folder.table().usable())


def decoded(folder: ImageFolder, table: ImageTable, size: int, channels: int) -> ArrayDataset:
    images = [decode(folder.absolute(path), size, channels) for path in table.paths]
    return ArrayDataset(np.stack(images).transpose(0, 3, 1, 2))


ROWS: list[Any] = [
    slice(None), slice(2, 5), slice(4, None, -1), slice(0, 6, 2), slice(3, 3),
    np.array([0, 5, 2, 2]), np.array([-1]), np.array([], np.int64),
]  # fmt: skip


@pytest.mark.parametrize("rows", ROWS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_cache_reads_what_the_files_hold(photographs: Path, rows: Any, channels: int) -> None:
    folder = ImageFolder(photographs)
    data = filled(folder, 8, channels)
    files = decoded(folder, folder.table(), 8, channels)
    np.testing.assert_array_equal(data.pixels(rows), files.pixels(rows))
    np.testing.assert_array_equal(data.images(rows), files.images(rows))
    assert data.images(rows).dtype == np.float32


def test_the_cache_is_a_dataset_of_the_sdk(photographs: Path) -> None:
    data = filled(ImageFolder(photographs))
    assert isinstance(data, Dataset)
    assert (data.name, data.sample_shape, len(data)) == ("photographs", (3, 8, 8), 6)


def test_pixels_belong_to_the_caller(photographs: Path) -> None:
    data = filled(ImageFolder(photographs))
    first = data.pixels(slice(0, 2))
    first[:] = 0
    assert data.pixels(slice(0, 2)).any()


def test_rows_follow_the_table_whatever_its_order(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    filled(folder)
    table = folder.table().where(np.array([5, 0, 3]))
    data = PixelCache(folder, 8, 3).dataset(table)
    files = decoded(folder, table, 8, 3)
    np.testing.assert_array_equal(data.pixels(slice(None)), files.pixels(slice(None)))


def test_each_image_is_decoded_once(photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(ImageFolder(photographs))
    monkeypatch.setattr(pixels_module, "decode", lambda *_: pytest.fail("decoded twice"))
    assert len(filled(ImageFolder(photographs))) == 6


def test_a_changed_image_is_decoded_again(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    filled(folder)
    save_picture(photographs / "cats" / "1.png", value=250, side=21)
    data = filled(folder)
    assert (data.pixels(np.array([1]))[0, 0] == 250).all()


def test_a_table_that_is_not_in_the_cache_is_refused(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    table = folder.list_files()
    with pytest.raises(InvalidInput, match="6 of 6 images of 'photographs' are not in the pixel"):
        PixelCache(folder, 8, 3).dataset(table)


def test_unreadable_images_go_into_quarantine(photographs: Path) -> None:
    (photographs / "cats" / "1.png").write_text("no image")
    folder = ImageFolder(photographs)
    data = filled(folder)
    assert len(data) == 5
    assert folder.problems() == [("cats/1.png", "The file holds text, not an image.")]


def test_a_folder_that_disappears_is_an_error_not_a_quarantine(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    table = folder.list_files()
    shutil.rmtree(photographs)
    with pytest.raises(InvalidInput, match="does not exist"):
        list(PixelCache(folder, 8, 3).fill(table))
    assert folder.problems() == []


def test_a_fill_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    save_pictures(tmp_path / "images", *(f"{index:03d}.png" for index in range(200)))
    folder = ImageFolder(tmp_path / "images")
    table = folder.list_files()
    steps = PixelCache(folder, 8, 3).fill(table)
    while next(steps)[0] < 60:
        pass
    steps.close()
    _, total = next(PixelCache(folder, 8, 3).fill(table))
    assert 0 < total <= 140


def test_a_killed_fill_leaves_no_wrong_pixels(tmp_path: Path, home: Path) -> None:
    root = tmp_path / "images"
    save_pictures(root, *(f"{index:03d}.png" for index in range(150)))
    script = (
        "import sys; from pathlib import Path\n"
        "from desktop_app.core.images import ImageFolder\n"
        "from desktop_app.core.pixels import PixelCache\n"
        "folder = ImageFolder(Path(sys.argv[1]))\n"
        "for done, _ in PixelCache(folder, 8, 3).fill(folder.list_files()):\n"
        "    print(done, flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    folder = ImageFolder(root)
    data = filled(folder)
    files = decoded(folder, folder.table(), 8, 3)
    np.testing.assert_array_equal(data.pixels(slice(None)), files.pixels(slice(None)))


def test_a_disk_that_is_too_small_is_refused_before_the_work(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ImageFolder(photographs)
    table = folder.list_files()
    usage = shutil.disk_usage(photographs)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InvalidInput, match="Free some space or choose a smaller image size"):
        list(PixelCache(folder, 8, 3).fill(table))


def test_a_disk_that_fills_up_is_a_sentence(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = ImageFolder(photographs)
    table = folder.list_files()
    monkeypatch.setattr(pixels_module, "_write_all", full)
    with pytest.raises(InvalidInput, match="the disk is full"):
        list(PixelCache(folder, 8, 3).fill(table))
    monkeypatch.undo()
    assert next(PixelCache(folder, 8, 3).fill(table)) == (0, 6)


def test_the_source_is_not_touched(photographs: Path) -> None:
    before = files_below(photographs)
    filled(ImageFolder(photographs))
    assert files_below(photographs) == before


def test_a_high_id_costs_no_memory(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    table = folder.list_files()
    far = ImageTable(
        **{name: getattr(table, name) for name in ImageTable.__dataclass_fields__ if name != "ids"},
        ids=table.ids + 5_000_000,
    )
    cache = PixelCache(folder, 64, 3)
    for _ in cache.fill(far):
        pass
    assert (cache.dataset(far).pixels(slice(None))[0, 0] == 0).all()


@pytest.mark.parametrize(("size", "channels"), [(0, 3), (5000, 3), (64, 2)])
def test_impossible_sizes_are_refused(photographs: Path, size: int, channels: int) -> None:
    with pytest.raises(InvalidParameter, match="got"):
        PixelCache(ImageFolder(photographs), size, channels)


def test_grey_folders_have_one_channel(tmp_path: Path) -> None:
    for index in range(3):
        Image.new("RGB", (9, 9), (index, index, index)).save(tmp_path / f"{index}.png")
    folder = ImageFolder(tmp_path)
    assert natural_channels(folder.list_files()) == 3  # nothing is known before the probe
    list(folder.probe())
    assert natural_channels(folder.table()) == 1
    save_picture(tmp_path / "colour.png")
    folder.list_files()
    list(folder.probe())
    assert natural_channels(folder.table()) == 3


def test_an_empty_table_is_an_empty_dataset(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    none = folder.list_files().where(np.zeros(0, np.int64))
    data = PixelCache(folder, 8, 3).dataset(none)
    assert (len(data), data.pixels(slice(None)).shape) == (0, (0, 3, 8, 8))


def test_removed_pixels_are_made_again(photographs: Path) -> None:
    folder = ImageFolder(photographs)
    filled(folder)
    PixelCache(folder, 8, 3).remove()
    assert next(PixelCache(folder, 8, 3).fill(folder.table())) == (0, 6)

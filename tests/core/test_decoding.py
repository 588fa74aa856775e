import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from desktop_app.core.decoding import (
    THUMBNAIL_SIDE,
    decode,
    decode_mask,
    examine,
    is_image_name,
    make_thumbnail,
)
from desktop_app.sdk.errors import UnreadableImage
from tests.core.mutated import MutatedFile, mutated_files

MUTATED = mutated_files(90, seed=1)


@pytest.mark.parametrize("file", MUTATED, ids=[file.name for file in MUTATED])
def test_a_mutated_file_is_used_or_refused_with_a_sentence(
    tmp_path: Path, file: MutatedFile
) -> None:
    path = tmp_path / file.name
    path.write_bytes(file.data)
    try:
        remark, problem = examine(path).remark, ""
        decode(path, 16, 3)
    except UnreadableImage as reason:
        remark, problem = "", str(reason)
    came = "problem" if problem else "remark" if remark else "good"
    assert file.expected in (came, "anything")
    assert all(not text or text.endswith(".") for text in (problem, remark))


def test_pixels_come_as_they_are_in_the_file(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode(tmp_path / "a.png"), pixels)


def test_a_square_size_stretches_and_averages(tmp_path: Path) -> None:
    stripes = np.zeros((40, 80), np.uint8)
    stripes[:, ::2] = 200
    Image.fromarray(stripes).save(tmp_path / "a.png")
    small = decode(tmp_path / "a.png", 10, 1)
    assert small.shape == (10, 10, 1)
    assert np.abs(small.astype(int) - 100).max() <= 3


def test_channels_follow_the_file_unless_they_are_asked_for(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 7).save(tmp_path / "grey.png")
    Image.new("RGB", (4, 4), "red").save(tmp_path / "red.png")
    assert decode(tmp_path / "grey.png").shape == (4, 4, 1)
    assert decode(tmp_path / "red.png").shape == (4, 4, 3)
    assert decode(tmp_path / "grey.png", channels=3).tolist()[0][0] == [7, 7, 7]
    assert decode(tmp_path / "red.png", channels=1)[0, 0, 0] == 76  # ITU-R 601 luma


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(tmp_path: Path, kind: str, orientation: int) -> None:
    upright = np.zeros((24, 40), np.uint8)
    upright[:8, :8] = 255  # a mark in the upper left corner
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: np.rot90(upright), 7: np.rot90(upright, 2).T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind.lower()}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, kind, exif=exif)
    assert np.abs(decode(path, channels=1)[:, :, 0].astype(int) - upright).max() < 60
    found = examine(path)
    assert (found.width, found.height) == (40, 24)
    assert found.remark == ""


def test_sixteen_bits_are_scaled_alike_in_every_file(tmp_path: Path) -> None:
    for kind in ("png", "tif"):
        values = np.array([[0, 257, 1285, 32768, 65535]], np.uint16)
        Image.fromarray(values).save(tmp_path / f"a.{kind}")
        assert decode(tmp_path / f"a.{kind}")[0, :, 0].tolist() == [0, 1, 5, 128, 255]


def test_floats_are_scaled_by_the_range_they_use(tmp_path: Path) -> None:
    def decoded(*values: float) -> list[int]:
        path = tmp_path / "a.tif"
        Image.fromarray(np.array([values], np.float32)).save(path)
        return [int(value) for value in decode(path)[0, :, 0]]

    assert decoded(0, 0.2, 1) == [0, 51, 255]
    assert decoded(0, 51, 255) == [0, 51, 255]
    assert decoded(-100, 0, 100, np.nan) == [0, 128, 255, 0]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_lie_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (6, 6), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 3, 6))
    image.convert(mode).save(tmp_path / "a.png")
    pixels = decode(tmp_path / "a.png", channels=1)[:, :, 0]
    assert pixels[:, :3].min() == 255
    assert pixels[:, 3:].max() == 0


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = decode(tmp_path / "a.jpg")[4, 4]
    assert red > 240
    assert max(green, blue) < 15


def test_a_large_jpeg_is_decoded_small_and_alike(tmp_path: Path) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    large = Image.fromarray(coarse).resize((600, 600), Image.Resampling.BICUBIC)
    large.save(tmp_path / "a.jpg", quality=95)
    large.save(tmp_path / "a.png")
    lossy, exact = (decode(tmp_path / f"a.{kind}", 32, 3).astype(int) for kind in ("jpg", "png"))
    assert np.abs(lossy - exact).mean() < 3


def test_a_mask_marks_what_is_not_black(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 30:60] = 1  # classes as small numbers, nearly black to the eye
    Image.fromarray(mask).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode_mask(tmp_path / "a.png"), mask > 0)
    half = decode_mask(tmp_path / "a.png", 20)
    assert half.shape == (20, 20)
    assert half[5:10, 10:20].all()
    assert half.sum() == 50


def test_a_tiny_defect_does_not_vanish_from_a_small_mask(tmp_path: Path) -> None:
    mask = np.zeros((500, 500), np.uint8)
    mask[3, 3] = 255
    Image.fromarray(mask).save(tmp_path / "a.png")
    assert decode_mask(tmp_path / "a.png", 10).sum() == 1


def test_a_jpeg_mask_is_not_blurred_by_its_compression(tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 255
    Image.fromarray(mask).save(tmp_path / "a.jpg", quality=60)
    np.testing.assert_array_equal(decode_mask(tmp_path / "a.jpg"), mask > 0)


def test_thumbnails_keep_the_shape_and_are_small(tmp_path: Path) -> None:
    Image.new("RGB", (800, 400), "teal").save(tmp_path / "wide.jpg")
    Image.new("RGBA", (300, 300), (9, 9, 9, 90)).save(tmp_path / "clear.png")
    Image.new("L", (28, 28), 9).save(tmp_path / "tiny.png")
    wide, clear, tiny = (
        Image.open(BytesIO(make_thumbnail(tmp_path / name)))
        for name in ("wide.jpg", "clear.png", "tiny.png")
    )
    assert (wide.size, wide.format) == ((THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2), "JPEG")
    assert (clear.format, clear.mode) == ("PNG", "RGBA")
    assert (tiny.size, tiny.format) == ((28, 28), "PNG")


def test_colour_is_found_in_the_pixels_not_in_the_mode(tmp_path: Path) -> None:
    Image.new("RGB", (30, 30), (90, 90, 90)).save(tmp_path / "grey.png")
    Image.new("RGB", (30, 30), (90, 91, 90)).save(tmp_path / "green.png")
    assert examine(tmp_path / "grey.png").channels == 1
    assert examine(tmp_path / "green.png").channels == 3


def test_equal_files_have_equal_hashes_whatever_their_names(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (9, 9), 3).save(tmp_path / name)
    Image.new("L", (9, 9), 4).save(tmp_path / "c.png")
    first, second, third = (examine(tmp_path / f"{name}.png").content_hash for name in "abc")
    assert first == second != third


def test_a_header_is_believed_before_memory_is_spent(tmp_path: Path) -> None:
    huge = next(file for file in MUTATED if file.name == "00 huge PNG.png")
    (tmp_path / "a.png").write_bytes(huge.data)
    with pytest.raises(UnreadableImage, match="claims 3,600 megapixels; at most 200"):
        decode(tmp_path / "a.png", 16, 3)


def test_the_reason_names_a_missing_file_and_a_dead_link(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="gone"):
        decode(tmp_path / "none.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UnreadableImage, match="points to nothing"):
        decode(tmp_path / "link.png")
    with pytest.raises(UnreadableImage, match="not a file"):
        decode(tmp_path)


def test_warnings_of_pillow_do_not_leak(tmp_path: Path) -> None:
    odd = [file for file in mutated_files(200) if "exif" in file.name or "huge" in file.name]
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        for file in odd:
            (tmp_path / file.name).write_bytes(file.data)
            try:
                examine(tmp_path / file.name)
            except UnreadableImage:
                continue
    assert leaked == []


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a.JPG", True), ("照片 1.tiff", True), ("🙂.webp", True), ("a.b.jp2", True),
        ("a.txt", False), ("jpg", False), ("a", False), (".hidden.png", False),
        ("a.png.bak", False),
    ],
)  # fmt: skip
def test_image_files_are_known_by_extension(name: str, is_one: bool) -> None:
    assert is_image_name(name) == is_one

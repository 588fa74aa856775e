"""Three hundred image files as real folders hold them: cut, mislabelled, lying, or merely odd.

`python -m tests.core.mutated FOLDER` writes them, for trials by hand.
"""

import io
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageCms

Expected = Literal["problem", "remark", "good", "anything"]
"""Quarantined with a reason; used with a remark; used in silence; or any of these."""


@dataclass(frozen=True)
class MutatedFile:
    name: str
    data: bytes
    expected: Expected


def mutated_files(number: int = 300, seed: int = 0) -> list[MutatedFile]:
    """Return `number` files, the same for the same seed."""
    random = np.random.default_rng(seed)
    files: list[MutatedFile] = []
    for turn in count():
        for kind, (make, expected) in _KINDS.items():
            if len(files) == number:
                return files
            extension, data = make(random)
            files.append(MutatedFile(f"{turn:02d} {kind}{extension}", data, expected))
    return files


def write_mutated_files(folder: Path, number: int = 300, seed: int = 0) -> list[MutatedFile]:
    """Write the files into a folder and return them."""
    files = mutated_files(number, seed)
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(file.data)
    return files


# --- good pictures -----------------------------------------------------------------------------

_EXTENSIONS = {
    "JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "GIF": ".gif", "TIFF": ".tif", "WEBP": ".webp",
    "PPM": ".ppm", "JPEG2000": ".jp2", "TGA": ".tga",
}  # fmt: skip


def _picture(random: np.random.Generator, mode: str = "RGB") -> Image.Image:
    height, width = random.integers(24, 80, 2)
    noise = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    return _lab(picture) if mode == "LAB" else picture.convert(mode)


def _lab(picture: Image.Image) -> Image.Image:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(picture, srgb, lab, outputMode="LAB")
    assert converted is not None
    return converted


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _file(random: np.random.Generator, kind: str, mode: str = "RGB") -> tuple[str, bytes]:
    return _EXTENSIONS[kind], _encoded(_picture(random, mode), kind)


# --- damage ------------------------------------------------------------------------------------

Maker = Callable[[np.random.Generator], tuple[str, bytes]]


def _cut(kind: str) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        extension, data = _file(random, kind)
        return extension, data[: int(len(data) * random.uniform(0.05, 0.9))]

    return make


def _without_its_end(kind: str, bytes_lost: int) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        extension, data = _file(random, kind)
        return extension, data[:-bytes_lost]

    return make


def _flipped(kind: str) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        extension, data = _file(random, kind)
        broken = bytearray(data)
        for place in random.integers(0, len(data), 12):
            broken[place] ^= 1 << int(random.integers(8))
        return extension, bytes(broken)

    return make


def _renamed(kind: str, extension: str) -> Maker:
    return lambda random: (extension, _file(random, kind)[1])


def _bytes(extension: str, data: bytes) -> Maker:
    return lambda _: (extension, data)


def _garbage(extension: str) -> Maker:
    return lambda random: (extension, b"\xfe\xed" + random.bytes(int(random.integers(10, 5000))))


# --- headers that lie --------------------------------------------------------------------------


def _png_chunk(name: bytes, data: bytes, crc_error: int = 0) -> bytes:
    crc = zlib.crc32(name + data) ^ crc_error
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def _png(width: int, height: int, header_crc: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _png_chunk(b"IHDR", header, header_crc)
        + _png_chunk(b"IDAT", pixels)
        + _png_chunk(b"IEND", b"")
    )


def _with_bad_checksum(random: np.random.Generator) -> tuple[str, bytes]:
    data = bytearray(_file(random, "PNG")[1])
    start = data.index(b"IDAT")
    length = struct.unpack(">I", data[start - 4 : start])[0]
    data[start + 4 + length] ^= 0xFF
    return ".png", bytes(data)


def _jpeg_claiming(width: int, height: int) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        data = bytearray(_file(random, "JPEG")[1])
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
        return ".jpg", bytes(data)

    return make


def _bmp_claiming(width: int, height: int) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        data = bytearray(_file(random, "BMP")[1])
        data[18:26] = struct.pack("<ii", width, height)
        return ".bmp", bytes(data)

    return make


def _gif_claiming(width: int, height: int) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        data = bytearray(_file(random, "GIF", "P")[1])
        data[6:10] = struct.pack("<HH", width, height)
        return ".gif", bytes(data)

    return make


def _tiff_claiming(width: int, height: int) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        data = bytearray(_file(random, "TIFF")[1])
        start = struct.unpack("<I", data[4:8])[0]
        for entry in range(struct.unpack("<H", data[start : start + 2])[0]):
            place = start + 2 + 12 * entry
            tag = struct.unpack("<H", data[place : place + 2])[0]
            if tag in (256, 257):
                value = width if tag == 256 else height
                data[place + 2 : place + 12] = struct.pack("<HII", 4, 1, value)
        return ".tif", bytes(data)

    return make


# --- odd but usable ----------------------------------------------------------------------------


def _with_exif(exif: bytes, kind: str = "JPEG") -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        return _EXTENSIONS[kind], _encoded(_picture(random), kind, exif=exif)

    return make


def _exif(orientation: int) -> bytes:
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack(
        "<HHIHHI", 0x0112, 3, 1, orientation, 0, 0
    )


def _frames(kind: str) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        side = int(random.integers(20, 60))
        first, *others = (
            Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8))
            for _ in range(int(random.integers(2, 6)))
        )
        data = _encoded(first, kind, save_all=True, append_images=others)
        return _EXTENSIONS[kind], data

    return make


def _transparent(kind: str, mode: str = "RGBA") -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        picture = _picture(random).convert("RGBA")
        picture.putalpha(Image.fromarray(random.integers(0, 256, picture.size[::-1], np.uint8)))
        return _EXTENSIONS[kind], _encoded(picture.convert(mode), kind)

    return make


def _palette_with_transparency(random: np.random.Generator) -> tuple[str, bytes]:
    picture = _picture(random, "P")
    return ".png", _encoded(picture, "PNG", transparency=picture.getpixel((0, 0)))


def _numbers(kind: str, dtype: type, low: float, high: float) -> Maker:
    def make(random: np.random.Generator) -> tuple[str, bytes]:
        values = random.uniform(low, high, (40, 30)).astype(dtype)
        return _EXTENSIONS[kind], _encoded(Image.fromarray(values), kind)

    return make


def _not_a_number(random: np.random.Generator) -> tuple[str, bytes]:
    return ".tif", _encoded(Image.fromarray(np.full((20, 30), np.nan, np.float32)), "TIFF")


def _lzw_tiff_cut(random: np.random.Generator) -> tuple[str, bytes]:
    data = _encoded(_picture(random), "TIFF", compression="tiff_lzw")
    return ".tiff", data[: len(data) // 2]


def _all(makers: dict[str, Maker], expected: Expected) -> dict[str, tuple[Maker, Expected]]:
    return {name: (make, expected) for name, make in makers.items()}


_KINDS: dict[str, tuple[Maker, Expected]] = {
    **_all({f"cut {kind}": _cut(kind) for kind in _EXTENSIONS}, "problem"),
    **_all(
        {
            "cut LZW": _lzw_tiff_cut,
            "last pixels lost BMP": _without_its_end("BMP", 4),
            "empty": _bytes(".png", b""),
            "two bytes": _bytes(".jpg", b"\xff\xd8"),
            "only zeros": _bytes(".jpg", bytes(3000)),
            "text 文本": _bytes(".jpg", "这不是图像\n".encode() * 200),
            "json": _bytes(".png", b'{"image": null}'),
            "page": _bytes(".jpeg", b"<!DOCTYPE html><title>404</title>"),
            "pdf": _bytes(".tif", b"%PDF-1.7\n" + bytes(range(256)) * 4),
            "zip": _bytes(".png", b"PK\x03\x04" + bytes(range(256))),
            "postscript": _bytes(".jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
            "garbage jpg": _garbage(".jpg"),
            "garbage png": _garbage(".png"),
            "garbage tga": _garbage(".tga"),
            "huge PNG": _bytes(".png", _png(60_000, 60_000)),
            "huge PNG wrong crc": _bytes(".png", _png(60_000, 60_000, header_crc=1)),
            "large empty PNG": _bytes(".png", _png(9_000, 9_000)),
            "huge JPEG": _jpeg_claiming(65_500, 65_500),
            "wide JPEG": _jpeg_claiming(65_500, 2_000),
            "huge BMP": _bmp_claiming(1 << 20, 1 << 20),
            "huge GIF": _gif_claiming(65_000, 65_000),
            "huge TIFF": _tiff_claiming(1 << 20, 1 << 20),
            "huge PPM": _bytes(".ppm", b"P6\n500000 500000\n255\n" + bytes(300)),
            "no width PNG": _bytes(".png", _png(0, 12)),
            "no pixels PPM": _bytes(".ppm", b"P6\n0 0\n255\n"),
            "negative BMP": _bmp_claiming(-5, 12),
            "not a number": _not_a_number,
        },
        "problem",
    ),
    **_all({f"bits flipped {kind}": _flipped(kind) for kind in _EXTENSIONS}, "anything"),
    **_all({"last byte lost JPEG": _without_its_end("JPEG", 1)}, "anything"),
    **_all(
        {
            "png called jpg": _renamed("PNG", ".jpg"),
            "jpeg called png": _renamed("JPEG", ".PNG"),
            "gif called bmp": _renamed("GIF", ".bmp"),
            "webp called jpeg": _renamed("WEBP", ".jpeg"),
            "bmp called tga": _renamed("BMP", ".tga"),
            "exif garbage": _with_exif(b"Exif\0\0" + bytes(range(200))),
            "exif cut": _with_exif(_exif(6)[:20]),
            "exif entries beyond end": _with_exif(b"Exif\0\0II*\0\x08\0\0\0\xff\0" + bytes(30)),
            "exif orientation 99": _with_exif(_exif(99)),
            "exif garbage png": _with_exif(b"\x01\x02\x03\x04 nothing", "PNG"),
            "animated GIF": _frames("GIF"),
            "animated WEBP": _frames("WEBP"),
            "animated PNG": _frames("PNG"),
            "pages TIFF": _frames("TIFF"),
            "CMYK JPEG": lambda random: _file(random, "JPEG", "CMYK"),
            "CMYK TIFF": lambda random: _file(random, "TIFF", "CMYK"),
            "YCbCr TIFF": lambda random: _file(random, "TIFF", "YCbCr"),
            "LAB TIFF": lambda random: _file(random, "TIFF", "LAB"),
            "transparent PNG": _transparent("PNG"),
            "transparent WEBP": _transparent("WEBP"),
            "transparent grey PNG": _transparent("PNG", "LA"),
            "transparent palette": _palette_with_transparency,
            "16 bit PNG": _numbers("PNG", np.uint16, 0, 65535),
            "16 bit TIFF": _numbers("TIFF", np.uint16, 0, 65535),
            "32 bit TIFF": _numbers("TIFF", np.int32, -90_000, 90_000),
            "float TIFF": _numbers("TIFF", np.float32, -3, 7),
            "bad checksum PNG": _with_bad_checksum,
            "no end PNG": _without_its_end("PNG", 12),
            "no end GIF": _without_its_end("GIF", 1),
        },
        "remark",
    ),
    **_all(
        {
            "palette": lambda random: _file(random, "PNG", "P"),
            "one bit": lambda random: _file(random, "PNG", "1"),
            "one bit TIFF": lambda random: _file(random, "TIFF", "1"),
            "turned": _with_exif(_exif(6)),
            "grey 图": lambda random: _file(random, "JPEG", "L"),
            "🙂 emoji": lambda random: _file(random, "JPEG"),
        },
        "good",
    ),
}


if __name__ == "__main__":
    written = write_mutated_files(Path(sys.argv[1]))
    print(f"{len(written)} files in {sys.argv[1]}")

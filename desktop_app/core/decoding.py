"""One image file as 8-bit pixels, upright and without transparency, or the reason why not.

A file is opened, judged by its header, and only then decoded. Values of 16 bits are scaled by
1/257, transparent parts are laid on white, CMYK is converted, only the first frame counts. JPEG
files are decoded at the smallest of their built-in scales that is large enough.

Shapes: H rows, W columns, C channels (1 or 3), S the side of a square.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.complaints import heard_complaints
from desktop_app.core.integrity import flaw
from desktop_app.core.modes import (
    CONVERTED_MODES,
    GREY_MODES,
    eight_bit,
    flat,
    has_holes,
    marked,
    shows_colour,
)
from desktop_app.core.reasons import BROKEN_EXIF, MOST_PIXELS, complaint, reason, too_many_pixels
from desktop_app.sdk.errors import UnreadableImage

EXTENSIONS = {
    ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG",
    ".png": "PNG", ".apng": "PNG",
    ".bmp": "BMP", ".dib": "DIB",
    ".gif": "GIF",
    ".tif": "TIFF", ".tiff": "TIFF",
    ".webp": "WEBP",
    ".jp2": "JPEG2000", ".j2k": "JPEG2000", ".jpx": "JPEG2000", ".jpf": "JPEG2000",
    ".ppm": "PPM", ".pgm": "PPM", ".pbm": "PPM", ".pnm": "PPM", ".pfm": "PPM",
    ".tga": "TGA",
    ".avif": "AVIF",
}  # fmt: skip
"""Lower-case extensions of image files and the Pillow format that each promises."""

THUMBNAIL_SIDE = 160
"""The longest side of a thumbnail in pixels."""

_LARGE = 25_000_000  # pixels; larger images are decoded one at a time, to bound the memory
_IN_MEMORY = 64_000_000  # bytes; smaller files are read once, for the hash and for Pillow
_TINY = 64  # pixels; thumbnails up to this side are kept without loss

_large_image = threading.Lock()

Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # Pillow refuses what is twice as large


@dataclass(frozen=True)
class Examination:
    """What is known of an image file after it was decoded once."""

    width: int
    """Columns of the upright image."""
    height: int
    """Rows of the upright image."""
    mode: str
    """Pillow's name of the pixel format in the file."""
    channels: int
    """1 when the image shows no colour, else 3."""
    remark: str
    """Sentences about what is odd, or ""."""
    content_hash: bytes
    """BLAKE2b of the file, 16 bytes."""
    thumbnail: bytes
    """JPEG or PNG file, longest side at most THUMBNAIL_SIDE."""


def decode(path: Path, size: int | None = None, channels: int | None = None) -> NDArray[np.uint8]:
    """Return an image as uint8 (H, W, C), stretched to (S, S, C) where a size S is given.

    Without `channels`, C is 1 for files in a grey mode and 3 for all others. Raises
    UnreadableImage with the reason when there is nothing to be shown.
    """
    with _opened(path) as file:
        grey = file.image.mode in GREY_MODES if channels is None else channels == 1
        image = file.loaded((size, size) if size else None, grey)
        if size:
            image = image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
        pixels = np.asarray(file.upright(flat(image).convert("L" if grey else "RGB")))
    return pixels[:, :, None] if grey else pixels


def decode_mask(path: Path, size: int | None = None) -> NDArray[np.bool_]:
    """Return a defect mask as booleans (H, W), or (S, S): where at least half a pixel is marked.

    Every value above zero marks a defect (in JPEG files, above half of the brightest). A defect
    too small for half a pixel marks every pixel it touches, so that no mask becomes empty.
    """
    with _opened(path) as file:
        file.image.load()
        mask = Image.fromarray(marked(file.image).astype(np.uint8) * np.uint8(255))
        mask = file.upright(mask)
    if size is None:
        return np.asarray(mask) > 0
    share = np.asarray(mask.convert("F").resize((size, size), Image.Resampling.BOX))
    halves = share >= 127.5
    return halves if halves.any() else share > 0


def examine(path: Path) -> Examination:
    """Return size, mode, oddities, content hash and thumbnail of an image, decoding it once.

    Raises UnreadableImage with the reason for quarantine.
    """
    box = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    with _opened(path) as file:
        mode = file.image.mode
        file.count_frames()
        image = file.loaded(box, mode in GREY_MODES)
        if max(image.size) > THUMBNAIL_SIDE:
            image.thumbnail(box, reducing_gap=2.0)
        image = file.upright(image)
        width, height = file.upright_size()
        return Examination(
            width=width,
            height=height,
            mode=mode,
            channels=3 if shows_colour(flat(image)) else 1,
            remark=" ".join(file.remarks(image)),
            content_hash=file.content_hash(),
            thumbnail=_thumbnail_file(image),
        )


def make_thumbnail(path: Path) -> bytes:
    """Return a thumbnail as a JPEG or PNG file; raises UnreadableImage with the reason."""
    return examine(path).thumbnail


def content_hash(path: Path) -> bytes:
    """Return the BLAKE2b hash of a file, 16 bytes; raises OSError."""
    with path.open("rb") as stream:
        return _hash(stream)


def is_image_name(name: str) -> bool:
    """Say whether a file of this name is taken for an image: known extension, not hidden."""
    _, dot, extension = name.rpartition(".")
    return not name.startswith(".") and dot + extension.lower() in EXTENSIONS


class _File:
    """An open image file: its header is read, its pixels are not yet."""

    def __init__(self, path: Path, stream: BufferedReader | BytesIO, heard: list[str]) -> None:
        self.image = Image.open(stream, formats=_formats(path.suffix.lower()))
        self.width, self.height = self.image.size
        self._promised = EXTENSIONS.get(path.suffix.lower(), "")
        self._stream = stream
        self._heard = heard
        self._remarks: list[str] = []
        self._orientation = 1
        if not self.width or not self.height:
            raise UnreadableImage(f"The image has no pixels ({self.width} x {self.height}).")
        if self.width * self.height > MOST_PIXELS:
            raise UnreadableImage(too_many_pixels(self.width * self.height))
        if self.image.format in {"JPEG", "MPO"}:
            _require_jpeg_data(self.width * self.height, stream)

    def count_frames(self) -> None:
        """Take note of frames or pages beyond the first, before the pixels are loaded."""
        frames = getattr(self.image, "n_frames", 1)
        if frames == 1 or self.image.format == "MPO":  # a photograph with its own preview
            return
        if self.image.format == "TIFF":
            self._remarks.append(f"The first of {frames} pages is used.")
        else:
            self._remarks.append(f"Animated: the first of {frames} frames is used.")

    def loaded(self, at_least: tuple[int, int] | None, grey: bool) -> Image.Image:
        """Return the first frame in mode L, LA, RGB or RGBA, not yet turned upright.

        With `at_least`, a JPEG file may come smaller than it is, but not smaller than this.
        """
        if at_least and self.image.format in {"JPEG", "MPO"}:
            self.image.draft("L" if grey and self.image.mode == "RGB" else None, at_least)
        self.image.load()
        self._orientation = self._read_orientation()
        image, remark = eight_bit(self.image)
        self._remarks.append(remark)
        return image

    def upright(self, image: Image.Image) -> Image.Image:
        """Return a picture of this file, turned as its EXIF data say."""
        turn = _TURNS.get(self._orientation)
        return image if turn is None else image.transpose(turn)

    def upright_size(self) -> tuple[int, int]:
        """Return (width, height) of the file, turned as its EXIF data say."""
        sideways = self._orientation >= 5
        return (self.height, self.width) if sideways else (self.width, self.height)

    def content_hash(self) -> bytes:
        """Return the hash of all bytes of the file."""
        self._stream.seek(0)
        return _hash(self._stream)

    def remarks(self, image: Image.Image) -> list[str]:
        """Return what is odd about the file, once it is loaded as this 8-bit image."""
        remarks = [*self._remarks]
        came = _family(self.image.format or "")
        if self._promised and _family(self._promised) != came:
            remarks.append(f"The name promises {self._promised}, the file holds {came}.")
        if self.image.mode in CONVERTED_MODES:
            remarks.append(f"{self.image.mode} colours are converted to RGB.")
        if has_holes(image):
            remarks.append("Transparent parts are laid on white.")
        remarks.append(flaw(self.image.format or "", self._stream))
        remarks += [complaint(warning) for warning in self._heard]
        return [remark for remark in dict.fromkeys(remarks) if remark]

    def _read_orientation(self) -> int:
        """Return the EXIF orientation, 1 to 8, after the pixels are loaded."""
        info = self.image.info
        if not _TELLS_ORIENTATION & info.keys():
            return 1
        value: object = None
        if _is_exif(info.get("exif")):
            try:
                value = self.image.getexif().get(_ORIENTATION, 1)
            except Exception:  # damaged EXIF data raise nearly everything; the pixels are good
                value = None
        if isinstance(value, int) and 1 <= value <= 8:
            return value
        self._remarks.append(BROKEN_EXIF)
        return 1


@contextmanager
def _opened(path: Path) -> Iterator[_File]:
    """Yield an open image file; whatever goes wrong becomes an UnreadableImage with a reason."""
    start = b""
    try:
        _require_filled_file(path)
        with heard_complaints() as heard, path.open("rb") as raw:
            start = raw.read(512)
            raw.seek(0)
            small = os.fstat(raw.fileno()).st_size <= _IN_MEMORY
            file = _File(path, BytesIO(raw.read()) if small else raw, heard)
            with file.image, _turn(file.width * file.height):
                yield file
    except UnreadableImage:
        raise
    except Exception as error:  # damaged files raise nearly everything; each is one quarantine
        raise UnreadableImage(reason(error, start)) from error


def _require_filled_file(path: Path) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        link = path.is_symlink()
        raise UnreadableImage(
            "The link points to nothing." if link else "The file is gone."
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableImage("This is not a file.")
    if not found.st_size:
        raise UnreadableImage("The file is empty (0 bytes).")


def _require_jpeg_data(pixels: int, stream: BufferedReader | BytesIO) -> None:
    """Raise UnreadableImage when a JPEG header claims more pixels than its data can hold.

    Pillow paints grey what is missing before a proper end. Every block of 8 x 8 pixels takes at
    least one bit, so 512 pixels need a byte.
    """
    position = stream.tell()
    length = stream.seek(0, os.SEEK_END)
    stream.seek(position)
    if length < pixels // 512:
        raise UnreadableImage(
            f"The header claims {pixels / 1e6:,.0f} megapixels, too many for {length:,} bytes."
        )


def _turn(pixels: int) -> AbstractContextManager[object]:
    return _large_image if pixels > _LARGE else nullcontext()


@cache
def _formats(extension: str) -> tuple[str, ...]:
    """Return the Pillow formats that are tried on a file of this extension.

    The list is closed: some of Pillow's other readers start programs (EPS) or guess too much.
    """
    Image.init()
    promised = EXTENSIONS.get(extension)
    known = [name for name in dict.fromkeys(EXTENSIONS.values()) if name in Image.OPEN]
    return tuple(name for name in known if name not in _WITHOUT_SIGNATURE or name == promised)


_WITHOUT_SIGNATURE = frozenset({"TGA", "DIB"})
"""Formats that nearly any bytes could be: believed only when the name says so."""


def _family(name: str) -> str:
    return {"MPO": "JPEG", "DIB": "BMP"}.get(name, name)


def _hash(stream: BufferedReader | BytesIO) -> bytes:
    return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest()


def _thumbnail_file(image: Image.Image) -> bytes:
    file = BytesIO()
    if has_holes(image) or max(image.size) <= _TINY:
        image.save(file, "PNG")
    else:
        flat(image).save(file, "JPEG", quality=85)
    return file.getvalue()


_ORIENTATION = 0x0112  # EXIF tag

_TELLS_ORIENTATION = frozenset({"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"})
"""Names in Pillow's `info` under which an orientation may be found."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientations and what makes the image upright."""


def _is_exif(data: object) -> bool:
    """Say whether EXIF data begin as they should; absent data do."""
    if not isinstance(data, bytes):
        return True
    return data.removeprefix(b"Exif\0\0")[:4] in {b"", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}

"""Why an image file cannot be used, or what is odd about it, in one sentence."""

import re

from PIL import Image, UnidentifiedImageError

MOST_PIXELS = 200_000_000
"""Images with more pixels than this are refused by their header, before anything is decoded."""

BROKEN_EXIF = "The EXIF data are damaged and ignored."

_COMPLAINTS = (
    (r"exceeds limit|Palette images with Transparency|malformed MPO", ""),
    (r"EXIF|Metadata|Tag |MakerNote", BROKEN_EXIF),
    (r"APNG", "The animation is damaged; the still image is used."),
)
"""Patterns of Pillow's warnings and the sentence for the analyst; "" where there is none."""

_DAMAGES = (
    (r"runcated|unexpected end|[Nn]ot enough", "The file is truncated."),
    (
        r"broken|decoder|[Dd]ecode|unrecognized data|chunk|checksum|CRC|corrupt",
        "The pixel data are damaged.",
    ),
)
"""Patterns of Pillow's errors and the sentence for the analyst."""

_SIGNATURES = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"RIFF", "WEBP"),
    (b"\0\0\0\x0cjP", "JPEG 2000"),
    (b"P5\n", "PGM"),
    (b"P6\n", "PPM"),
)
"""First bytes of image files."""

_CONTENTS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"%!PS", "a PostScript document"),
)
"""First bytes of what is sometimes mistaken for an image."""


def reason(error: Exception, start: bytes) -> str:
    """Return why a file could not be decoded, from the error and its first 512 bytes."""
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, PermissionError):
        return "The file may not be read (permission denied)."
    if isinstance(error, Image.DecompressionBombError):
        claimed = re.search(r"\((\d+) pixels\)", text)
        return too_many_pixels(int(claimed[1]) if claimed else MOST_PIXELS)
    if isinstance(error, MemoryError):
        return "The image does not fit in memory."
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(start)
    for pattern, sentence in _DAMAGES:
        if re.search(pattern, text):
            return sentence
    return f"The image cannot be decoded ({text or type(error).__name__})."


def too_many_pixels(pixels: int) -> str:
    """Return why an image of so many pixels is not decoded."""
    most = MOST_PIXELS / 1e6
    return f"The header claims {pixels / 1e6:,.0f} megapixels; at most {most:,.0f} are read."


def complaint(warning: str) -> str:
    """Return what a warning of Pillow means to the analyst, "" for nothing."""
    for pattern, sentence in _COMPLAINTS:
        if re.search(pattern, warning):
            return sentence
    return f"Read with a warning: {' '.join(warning.split()).rstrip('.')}."


def _unidentified(start: bytes) -> str:
    if not start.strip(b"\0"):
        return "The file holds only zero bytes."
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return f"The header of this {name} file is damaged."
    for signature, content in _CONTENTS:
        if start.startswith(signature):
            return f"The file holds {content}, not an image."
    if _is_text(start):
        return "The file holds text, not an image."
    return "The content is no known kind of image."


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # more than one character cut in two
            return False
        text = start[: error.start].decode("utf-8")
    return all(character.isprintable() or character.isspace() for character in text)

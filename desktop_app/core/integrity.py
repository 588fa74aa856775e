"""Flaws of image files that are decoded all the same: wrong checksums and missing ends."""

import os
import struct
import zlib
from collections.abc import Callable
from io import BufferedReader, BytesIO

_NO_END = "The end of the file is missing, but all pixels could be read."
_CHECKSUM = "A checksum in the file is wrong, but all pixels could be read."


def flaw(format_name: str, stream: BufferedReader | BytesIO) -> str:
    """Return what is wrong with a file that could be decoded, or ""."""
    check = _CHECKS.get(format_name)
    return check(stream) if check else ""


def _png_flaw(stream: BufferedReader | BytesIO) -> str:
    """Check every chunk: length, name, data, CRC of name and data (PNG specification, 5.3)."""
    stream.seek(8)
    while len(header := stream.read(8)) == 8:
        length, name = struct.unpack(">I4s", header)
        data, checksum = stream.read(length), stream.read(4)
        if len(checksum) < 4:
            return _NO_END
        if zlib.crc32(data, zlib.crc32(name)) != int.from_bytes(checksum, "big"):
            return _CHECKSUM
        if name == b"IEND":
            return ""
    return _NO_END


def _gif_flaw(stream: BufferedReader | BytesIO) -> str:
    stream.seek(max(stream.seek(0, os.SEEK_END) - 512, 0))
    return "" if stream.read().rstrip(b"\0").endswith(b";") else _NO_END


def _jpeg_flaw(stream: BufferedReader | BytesIO) -> str:
    """Look for the end marker after the header, which may hold a whole JPEG file as a preview."""
    stream.seek(0)
    data = stream.read()
    position = 2
    while data[position : position + 1] == b"\xff":
        if data[position + 1] == _START_OF_SCAN:
            return "" if data.find(b"\xff\xd9", position) >= 0 else _NO_END
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return ""


_START_OF_SCAN = 0xDA

_CHECKS: dict[str, Callable[[BufferedReader | BytesIO], str]] = {
    "PNG": _png_flaw,
    "GIF": _gif_flaw,
    "JPEG": _jpeg_flaw,
    "MPO": _jpeg_flaw,
}

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from desktop_app.core.integrity import flaw


def encoded(kind: str) -> bytes:
    file = BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "BMP", "TIFF"])
def test_a_whole_file_has_no_flaw(kind: str) -> None:
    assert flaw(kind, BytesIO(encoded(kind))) == ""


@pytest.mark.parametrize(("kind", "lost"), [("PNG", 12), ("PNG", 3), ("GIF", 1), ("JPEG", 2)])
def test_a_missing_end_is_told(kind: str, lost: int) -> None:
    assert "end of the file is missing" in flaw(kind, BytesIO(encoded(kind)[:-lost]))


def test_a_wrong_checksum_is_told() -> None:
    data = bytearray(encoded("PNG"))
    data[data.index(b"IEND") - 5] ^= 1  # last byte of the checksum of the pixels
    assert "checksum" in flaw("PNG", BytesIO(bytes(data)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_a_camera_appends_is_no_flaw(kind: str) -> None:
    assert flaw(kind, BytesIO(encoded(kind) + b"a film of two seconds" * 9000)) == ""


def test_the_end_of_a_preview_is_not_the_end_of_the_file() -> None:
    preview = b"\xff\xe1" + (2 + 4).to_bytes(2, "big") + b"\xff\xd8\xff\xd9"
    data = encoded("JPEG")[:-2]
    assert "missing" in flaw("JPEG", BytesIO(data[:2] + preview + data[2:]))

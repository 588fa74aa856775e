"""Small pictures for tests of the data path."""

from pathlib import Path

import numpy as np
from PIL import Image


def save_picture(path: Path, value: int = 128, side: int = 20, **options: object) -> Path:
    """Write a square picture of one colour and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((side, side, 3), (value, value // 2, 255 - value), np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def save_pictures(root: Path, *names: str) -> Path:
    """Write a picture under each relative name, each of another colour, and return the root."""
    for index, name in enumerate(names):
        save_picture(root / name, value=(37 * index) % 256)
    return root


def files_below(root: Path) -> dict[str, tuple[int, int]]:
    """Return relative path -> (size, time) of everything under a folder, to see what changed."""
    return {
        path.relative_to(root).as_posix(): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
    }

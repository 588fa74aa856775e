"""Small image folders, made on the fly: textures, some with a bright blot and its mask."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_classes(
    root: Path,
    classes: tuple[str, ...] = ("circles", "stripes"),
    per_class: int = 12,
    side: int = 16,
    colour: bool = False,
) -> Path:
    """Write one sub-folder of PNG files per class and return the root."""
    for number, name in enumerate(classes):
        for index in range(per_class):
            picture = texture(np.random.default_rng([number, index]), side, number)
            write_png(root / name / f"图 {index:02d}.png", picture, colour)
    return root


def write_mvtec(root: Path, good: int = 12, side: int = 16, colour: bool = False) -> Path:
    """Write `train/good`, `test/good`, `test/blot`, `test/scratch` and `ground_truth`."""
    for index in range(good):
        picture = texture(np.random.default_rng([7, index]), side)
        write_png(root / "train" / "good" / f"{index:03d}.png", picture, colour)
    for index in range(4):
        picture = texture(np.random.default_rng([8, index]), side)
        write_png(root / "test" / "good" / f"{index:03d}.png", picture, colour)
    for number, defect in enumerate(("blot", "scratch")):
        for index in range(3):
            random = np.random.default_rng([9 + number, index])
            picture, mask = with_defect(texture(random, side), random)
            write_png(root / "test" / defect / f"{index:03d}.png", picture, colour)
            write_png(root / "ground_truth" / defect / f"{index:03d}_mask.png", mask)
    return root


def texture(random: np.random.Generator, side: int = 16, kind: int = 0) -> NDArray[np.uint8]:
    """Return a grey picture (S, S): waves whose direction depends on `kind`, with noise."""
    rows, columns = np.mgrid[:side, :side] / side
    phase = random.uniform(0, 2 * np.pi)
    waves = np.sin(2 * np.pi * 2 * (rows if kind % 2 else columns) + phase)
    noise = random.normal(0, 0.1, (side, side))
    return np.clip(110 + 40 * waves + 40 * noise, 0, 255).astype(np.uint8)


def with_defect(
    picture: NDArray[np.uint8], random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the picture (S, S) with a bright blot, and the blot's mask (S, S), 0 or 255."""
    side = len(picture)
    row, column = random.integers(side // 4, side - side // 4, 2)
    rows, columns = np.mgrid[:side, :side]
    blot = (rows - row) ** 2 + (columns - column) ** 2 <= (side / 8) ** 2
    damaged = picture.copy()
    damaged[blot] = 255
    return damaged, blot.astype(np.uint8) * 255


def write_png(path: Path, picture: NDArray[np.uint8], colour: bool = False) -> None:
    """Write a grey picture (S, S), or one tinted in colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if colour:
        picture = np.stack([picture, picture // 2, 255 - picture], axis=-1)
    Image.fromarray(picture).save(path)

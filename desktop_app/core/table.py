"""The images of a folder as columns of equal length."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageTable:
    """Row i of every column is image i; rows are sorted by path."""

    ids: NDArray[np.int64]
    """Numbers that stay with an image as long as it is in the folder, and are never reused."""
    paths: list[str]
    """POSIX paths relative to the folder."""
    labels: list[str]
    """Names of classes or defects, "" where unknown."""
    splits: list[str]
    """"train", "validation", "test" or ""."""
    masks: list[str]
    """Relative paths of the ground-truth masks, "" where there is none."""
    problems: list[str]
    """Reasons for quarantine, "" where an image can be used."""
    remarks: list[str]
    """What is worth knowing of images that are used, or ""."""
    widths: NDArray[np.int32]
    """Columns of the upright images, 0 until probed."""
    heights: NDArray[np.int32]
    """Rows of the upright images, 0 until probed."""
    channels: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    """1 for images without colour, 3 for others, 0 until probed."""
    fingerprints: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    """Numbers above zero that change with the size or time of a file; 0 where unknown."""
    sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Bytes of the files, 0 where unknown."""

    def __post_init__(self) -> None:
        for name, kind in (
            ("channels", np.int8),
            ("fingerprints", np.uint64),
            ("sizes", np.int64),
        ):
            if len(getattr(self, name)) != len(self.ids):
                object.__setattr__(self, name, np.zeros(len(self.ids), kind))

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "ImageTable":
        """Return the table of these rows, given as row numbers or as a mask (N,)."""
        numbers = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows)
        picked = numbers.tolist()
        return ImageTable(
            ids=self.ids[numbers],
            paths=[self.paths[row] for row in picked],
            labels=[self.labels[row] for row in picked],
            splits=[self.splits[row] for row in picked],
            masks=[self.masks[row] for row in picked],
            problems=[self.problems[row] for row in picked],
            remarks=[self.remarks[row] for row in picked],
            widths=self.widths[numbers],
            heights=self.heights[numbers],
            channels=self.channels[numbers],
            fingerprints=self.fingerprints[numbers],
            sizes=self.sizes[numbers],
        )

    def usable(self) -> "ImageTable":
        """Return the table of all images that are not in quarantine."""
        if not any(self.problems):
            return self
        return self.where(np.array([not problem for problem in self.problems]))


def natural_channels(table: ImageTable) -> Literal[1, 3]:
    """Return 1 when every usable image is known to show no colour, else 3."""
    known = table.usable().channels
    return 1 if len(known) and (known == 1).all() else 3


def fingerprints(sizes: NDArray[np.int64], mtimes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return a number above zero for each file, from its size and time; (N,) each."""
    mixed = sizes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mtimes.astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(31)
    return mixed | np.uint64(1)

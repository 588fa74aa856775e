"""Ground-truth masks of some images, decoded one at a time."""

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.images import ImageFolder, decode_mask


class MaskColumn:
    """The masks (S, S) beside a column of images; None where an image has none."""

    def __init__(self, folder: ImageFolder, paths: list[str], size: int) -> None:
        """`paths` are relative to the folder, "" where there is no mask."""
        self._folder = folder
        self._paths = paths
        self._size = size

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, row: int) -> NDArray[np.bool_] | None:
        mask = self._paths[row]
        return decode_mask(self._folder.absolute(mask), self._size) if mask else None

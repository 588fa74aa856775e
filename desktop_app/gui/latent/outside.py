"""An image that is not in the folder: where the method would put it, and what is most like it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from desktop_app.core.columns import ResultColumns
from desktop_app.core.decoding import make_thumbnail
from desktop_app.gui.latent.decode import nearest_to
from desktop_app.gui.session import Session

NEIGHBOURS = 10


@dataclass(frozen=True)
class Guest:
    """An image from elsewhere, seen by the open run."""

    path: Path
    image: QImage
    latent: NDArray[np.float32]
    """(D,)."""
    rows: NDArray[np.int64]
    """Rows of the images most like it, the nearest first."""
    distances: NDArray[np.float32]
    """How far these are in the latent space."""

    def place(self, positions: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return a place among its neighbours on a map (N, k), nearer to the nearer ones."""
        there = np.isfinite(positions[self.rows]).all(axis=1)
        if not there.any():
            return None
        weights = 1 / (self.distances[there] + 1e-6 * (float(self.distances.max()) or 1.0))
        found: NDArray[np.float32] = np.average(positions[self.rows[there]], 0, weights).astype(
            np.float32
        )
        return found


class Outside(QObject):
    """Asks the open run about one image file at a time."""

    found = Signal(object)
    """Carries the Guest."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session

    def ask(self, path: Path) -> None:
        """Let the open run look at an image file; `found` tells what it says."""
        result = self._session.result
        if result is None or result.latents is None or result.latents.ndim != 2:
            return
        latents = result.latents

        def take(_header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
            if self._session.result is result:
                self._look(path, result, latents, arrays)

        self._session.inference.request("encode_file", {"path": str(path)}, {}, take)

    def _look(
        self,
        path: Path,
        result: ResultColumns,
        latents: NDArray[np.float32],
        arrays: Mapping[str, NDArray[Any]],
    ) -> None:
        """Find the neighbours, in the space whose neighbours are the true ones."""
        latent = arrays["latents"][0].astype(np.float32)
        space, own = latents, latent
        if result.vectors is not None and "vectors" in arrays:
            space, own = result.vectors, arrays["vectors"][0].astype(np.float32)

        def work() -> Guest:
            image = QImage.fromData(make_thumbnail(path))
            places, distances = nearest_to(space, own, NEIGHBOURS)
            rows = rows_of(result.index, len(space))[places]
            return Guest(path, image, latent, rows[rows >= 0], distances[rows >= 0])

        self._session.background.run("guest", work, self._take)

    def _take(self, guest: Guest) -> None:
        self.found.emit(guest)


def rows_of(index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the row of each of `count` images of a result, -1 for none; `index` (N,) inverted."""
    rows = np.full(count, -1, np.int64)
    known = np.flatnonzero(index >= 0)
    rows[index[known]] = known
    return rows

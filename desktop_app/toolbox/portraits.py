"""What the clusters of a fitted set look like: their sizes, and pictures of typical members.

Shapes: K clusters, M members of each, P pictures, C channels, h rows, w columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import Images, Pixels, as_images
from desktop_app.sdk.method import State
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.represented import shrunk

_MEMBERS = 9
_MOST_PICTURES = 900
"""Members of all clusters together; of many clusters each shows fewer."""


@dataclass(frozen=True)
class Portraits:
    """Sizes of clusters and small pictures of their most typical members."""

    sizes: NDArray[np.int64]
    """(K,)."""
    rows: NDArray[np.int64]
    """(K, M): rows of the data set, most typical first; -1 where a cluster has fewer."""
    pictures: Pixels
    """(P, C, h, w): of the rows that are not -1, in their order."""

    @classmethod
    def of(
        cls,
        labels: NDArray[np.int64],
        oddity: NDArray[np.floating],
        count: int,
        small_images: Callable[[NDArray[np.int64]], Pixels],
    ) -> "Portraits":
        """Choose the members of least oddity (N,) of `count` clusters; labels are (N,), or -1."""
        most = min(_MEMBERS, max(1, _MOST_PICTURES // max(1, count)))
        rows = np.full((count, most), -1, np.int64)
        for cluster in range(count):
            members = np.flatnonzero(labels == cluster)
            typical = members[np.argsort(oddity[members], kind="stable")[:most]]
            rows[cluster, : len(typical)] = typical
        sizes = np.bincount(labels[labels >= 0], minlength=count).astype(np.int64)
        return cls(sizes, rows, small_images(rows[rows >= 0]))

    def state(self) -> State:
        """Return what `restored` takes."""
        return State({"sizes": self.sizes, "rows": self.rows, "pictures": self.pictures}, {})

    @classmethod
    def restored(cls, state: State) -> "Portraits":
        """Return what was saved."""
        return cls(*(np.array(state.arrays[name]) for name in ("sizes", "rows", "pictures")))

    def views(self, centres: Images | None, names: Sequence[str] | None = None) -> tuple[View, ...]:
        """Return the sizes as bars, and each cluster as a row of its centre and its members.

        `centres` are images (K, C, H, W), None where centres cannot be drawn.
        """
        if len(self.sizes) == 0:
            return ()
        number = np.arange(len(self.sizes), dtype=np.float32)
        sizes = Curve(
            "Cluster sizes",
            {"images": (number, self.sizes.astype(np.float32))},
            x_label="cluster",
            y_label="images",
            kind="bars",
        )
        return sizes, self._gallery(centres, names or [f"{k}" for k in range(len(self.sizes))])

    def _gallery(self, centres: Images | None, names: Sequence[str]) -> ImageGrid:
        K, M = self.rows.shape
        members = np.ones((K, M, *self.pictures.shape[1:]), np.float32)
        members[self.rows >= 0] = as_images(self.pictures)
        captions = [
            [f"{n}: {size:,}", *[""] * (M - 1)] for n, size in zip(names, self.sizes, strict=True)
        ]
        if centres is not None and shrunk(centres[:1]).shape[1:] == self.pictures.shape[1:]:
            members = np.concatenate([shrunk(centres)[:, None], members], axis=1)
            captions = [[*row, ""] for row in captions]
            title = "Centre of each cluster and its nearest images"
        else:
            title = "Most typical images of each cluster"
        return ImageGrid(
            title,
            members.reshape(-1, *members.shape[2:]),
            columns=members.shape[1],
            captions=[caption for row in captions for caption in row],
        )

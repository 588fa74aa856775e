"""Self-organizing map: a sheet of prototypes that is laid over the images.

Kohonen, The self-organizing map, Proceedings of the IEEE 78, 1990, by its batch algorithm; groups
of cells after Vesanto & Alhoniemi, Clustering of the self-organizing map, 2000.

    b_n = argmin_u |x_n - w_u|                                                   (best unit)
    h_uv = exp(-|r_u - r_v|^2 / (2 sigma^2)),   sigma: side / 2 -> 1             (neighbourhood)
    w_u = sum_n h_{u b_n} x_n / sum_n h_{u b_n},   that is   W <- (H'X) / (H'1)
    quantisation error = mean_n |x_n - w_{b_n}|
    topographic error = share of n whose two best units are not neighbours on the grid

H'X is made of the sums over the images of each unit: U x U numbers instead of N x U.

Shapes: N images, D dimensions, S rows and columns of the grid, U = S*S units.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import grid_to_graph
from torch import Tensor

from desktop_app.sdk.data import Array, Images, Pixels, as_images, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import HeatMap, ImageGrid, View
from desktop_app.toolbox.neighbours import Neighbours
from desktop_app.toolbox.representation import RepresentationParams
from desktop_app.toolbox.represented import RepresentedMethod, shrunk

_START_SAMPLE = 8192
"""Images that the first two principal directions are found on."""
_START_REACH = math.sqrt(3)
"""Standard deviations from the middle of the sheet to its edge, so that it spreads as images do."""
_BLOCK = 4096
"""Images whose distances are computed at once."""
_SHARPNESS = 16
"""Power of the inverse distances that weigh the units around the best one."""
_TINY = 1e-12
_FEW = 256
"""Images that are placed at once: nine vectors of each are held."""
_TILE = 28
"""Longest side in pixels of the pictures on the map."""
_PLANES = 4
"""Dimensions that are shown over the map."""


class SOMParams(RepresentationParams):
    """Size of the map, and how it is laid over the images."""

    side: int = param(
        0,
        low=0,
        high=100,
        scale="log",
        unit="cells",
        help="Rows and columns S of the map; 0 takes as many as make 5 sqrt(N) cells.",
    )
    passes: int = param(
        25, low=2, high=10_000, scale="log", unit="passes", help="Passes over the images."
    )
    last_radius: float = param(
        1.0,
        low=0.3,
        high=10.0,
        unit="cells",
        help="Radius of the neighbourhood in the last pass: smaller maps images more closely, "
        "larger keeps neighbours together.",
    )
    groups: int = param(
        0,
        low=0,
        high=200,
        scale="log",
        help="Groups of adjacent cells that are the clusters; 0 makes every cell a cluster.",
    )


class SOM(RepresentedMethod[SOMParams]):
    """Arranges images on a grid of prototypes."""

    card = Card(
        id="som",
        title="Self-organizing map",
        family="Dimension reduction",
        paper="Kohonen 1990",
        summary="Lays a grid of prototypes over the images, so that similar ones are side by side.",
        translations={
            "zh_CN": {
                "title": "自组织映射",
                "family": "降维",
                "summary": "在图像上铺开一张原型网格，使相似的图像彼此相邻。",
            }
        },
    )

    presets = (
        Preset("28 px", {"components": 0}, "Drawings and digits, every pixel.", 28),
        Preset("64 px", {"components": 50}, "Photographs.", 64),
        Preset("128 px", {"components": 100}, "Photographs with detail.", 128),
        Preset("Close", {"last_radius": 0.7, "passes": 60}, "Prototypes nearer to the images."),
        Preset("Groups", {"groups": 10}, "Ten regions of the map as clusters."),
    )

    toy_params: ClassVar[dict[str, int]] = {"passes": 12, "groups": 3, "components": 0}
    """What the conformance kit trains with on its small images."""

    def __init__(
        self, params: SOMParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self.side = 0
        """Rows and columns S of the map; 0 before the training."""
        self.prototypes: Array = np.zeros((0, 0), np.float32)
        """W (U, D), row by row; (0, 0) before the training."""
        self.regions: NDArray[np.int64] = np.zeros(0, np.int64)
        """Cluster (U,) of every cell; empty before the training is over."""
        self._round = 0
        """Passes so far."""
        self._hits: NDArray[np.int64] = np.zeros(0, np.int64)
        """Images (U,) of every cell; empty before the training is over."""
        self._nearest: Pixels = np.zeros((0, 1, 1, 1), np.uint8)
        """Small picture (U, C, h, w) of the image nearest to every prototype."""

    def learn(self) -> Events:
        """Lay out the sheet along two principal directions, then draw it to the images."""
        X = torch.from_numpy(self.vectors).to(self.device)  # (N, D)
        if self._round == 0 and self.side == 0:
            self.side = self.params.side or max(2, round(math.sqrt(5 * math.sqrt(len(X)))))
            self.prototypes = _sheet(self.vectors, self.side, self.seed)
        grid = _grid(self.side).to(X)  # (U, 2)
        apart = (grid[:, None] - grid).square().sum(dim=2)  # (U, U), squared distances
        passes = self.params.passes
        while self._round <= passes:
            W = torch.from_numpy(self.prototypes).to(X)
            units, distances = two_best(X, W)
            values = {
                "quantisation_error": float(distances.double().mean()),
                "topographic_error": float((apart[units[:, 0], units[:, 1]] > 2).double().mean()),
                "empty_cells": float(len(W) - int((torch.bincount(units[:, 0]) > 0).sum())),
            }
            if self._round == 0:
                value = values["quantisation_error"]
                yield TrivialValue("quantisation_error", value, "principal plane", stays=None)
            if self._round < passes:
                sums, counts = _sums(X, units[:, 0], len(W))
                H = torch.exp(-apart / (2 * self._radius(self._round) ** 2))  # (U, U)
                W = (H @ sums) / (H @ counts)[:, None]
                self.prototypes = W.cpu().numpy()
            else:
                self._describe(X.cpu(), units[:, 0].cpu())
            self._round += 1
            yield self.metrics(self._round / (passes + 1), values, epoch=self._round, images=len(X))

    def encode(self, images: Images) -> Array:
        """Return the place (N, 2) on the map: column, and row counted from below.

        The best unit and the up to eight around it are weighed by a power of the inverse distance.
        """
        units, vectors = self._best(images)
        grid, prototypes = _grid(self.side), torch.from_numpy(self.prototypes)
        around, there = _around(self.side)  # (U, 9)
        places = []
        for x, unit in zip(torch.split(vectors, _FEW), torch.split(units, _FEW), strict=True):
            distances = (prototypes[around[unit]] - x[:, None]).norm(dim=2)  # (n, 9)
            least = distances.masked_fill(~there[unit], torch.inf).amin(dim=1, keepdim=True)
            weights = ((least + _TINY) / (distances + _TINY)).pow(_SHARPNESS) * there[unit]
            places.append(
                (weights[:, :, None] * grid[around[unit]]).sum(1) / weights.sum(1)[:, None]
            )
        rows, columns = torch.cat(places).T
        return torch.stack([columns, self.side - 1 - rows], dim=1).numpy()

    def decode(self, latents: Array) -> Images:
        """Return the images (N, C, H, W) of places (N, 2) on the map, between four prototypes."""
        self._require_trained()
        places = np.clip(np.asarray(latents, np.float32), 0, self.side - 1)
        columns, rows = places[:, 0], self.side - 1 - places[:, 1]
        W = self.prototypes.reshape(self.side, self.side, -1)
        top, left = (
            np.minimum(np.floor(place).astype(np.int64), max(0, self.side - 2))
            for place in (rows, columns)
        )
        down, right = (rows - top)[:, None], (columns - left)[:, None]
        upper = (1 - right) * W[top, left] + right * W[top, left + 1]
        lower = (1 - right) * W[top + 1, left] + right * W[top + 1, left + 1]
        images: Images = self.representation.images_of((1 - down) * upper + down * lower)
        return images

    def cluster(self, images: Images) -> NDArray[np.int64]:
        """Return the cell (N,) of images, row by row, or the group that it belongs to."""
        units = self._best(images)[0].numpy()
        return self.regions[units] if len(self.regions) else units

    def score(self, images: Images) -> Array:
        """Return the distance (N,) of images to the nearest prototype."""
        units, vectors = self._best(images)
        distances: Array = (vectors - torch.from_numpy(self.prototypes)[units]).norm(dim=1).numpy()
        return distances

    def views(self) -> Sequence[View]:
        """Return distances between cells, images of each, prototypes and single dimensions."""
        if len(self.regions) == 0:
            return ()
        S = self.side
        W = self.prototypes.reshape(S, S, -1)
        maps: list[View] = [
            HeatMap("U-matrix: distance to the neighbouring cells", u_matrix(W), "row", "column"),
            HeatMap(
                "Images per cell", self._hits.reshape(S, S).astype(np.float32), "row", "column"
            ),
        ]
        if self.params.groups:
            groups = self.regions.reshape(S, S).astype(np.float32)
            maps.append(HeatMap("Group of each cell", groups, "row", "column"))
        if self.representation.makes_images:
            drawn = shrunk(self.representation.images_of(self.prototypes), _TILE)
            maps.append(ImageGrid("Prototypes", drawn, columns=S))
        maps.append(ImageGrid("Image nearest to each cell", as_images(self._nearest), columns=S))
        return (
            *maps,
            *(
                HeatMap(f"Dimension {d + 1} over the map", W[:, :, d].copy(), "row", "column")
                for d in range(min(_PLANES, W.shape[2]))
            ),
        )

    def learned(self) -> State:
        """Return the prototypes, and what was found about every cell."""
        arrays: dict[str, NDArray[Any]] = {
            "prototypes": self.prototypes,
            "regions": self.regions,
            "hits": self._hits,
            "nearest": self._nearest,
        }
        return State(arrays, {"side": self.side, "round": self._round})

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self.prototypes = np.array(state.arrays["prototypes"])
        self.regions = np.array(state.arrays["regions"])
        self._hits = np.array(state.arrays["hits"])
        self._nearest = np.array(state.arrays["nearest"])
        self.side = int(state.values["side"])
        self._round = int(state.values["round"])

    def _radius(self, number: int) -> float:
        """Return sigma in cells: from half the side down to the last radius, by equal factors."""
        first, last = max(self.side / 2, self.params.last_radius), self.params.last_radius
        return float(first * (last / first) ** (number / (self.params.passes - 1)))

    def _describe(self, vectors: Tensor, units: Tensor) -> None:
        """Note images, nearest image and cluster of every cell."""
        U = len(self.prototypes)
        self._hits = np.bincount(units.numpy(), minlength=U).astype(np.int64)
        rows = Neighbours(vectors).nearest(torch.from_numpy(self.prototypes))[1][:, 0].numpy()
        self._nearest = self.small_images(rows, _TILE)
        self.regions = np.arange(U, dtype=np.int64)
        groups = min(self.params.groups, U)
        if groups:
            ward = AgglomerativeClustering(
                groups, connectivity=grid_to_graph(self.side, self.side), linkage="ward"
            )
            found = ward.fit_predict(self.prototypes)
            sizes = np.bincount(found, weights=self._hits, minlength=groups)
            self.regions = np.argsort(np.argsort(-sizes, kind="stable"))[found].astype(np.int64)

    def _best(self, images: Images) -> tuple[Tensor, Tensor]:
        """Return the best unit (N,) and the vector (N, D) of images."""
        X = torch.from_numpy(self.represent(images))
        self._require_trained()
        return two_best(X, torch.from_numpy(self.prototypes))[0][:, 0], X

    def _require_trained(self) -> None:
        if self.side == 0:
            raise InvalidInput("The map is not laid out yet: let the training go on.")


def two_best(vectors: Tensor, prototypes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the two best units (N, 2) of vectors (N, D), and the distance (N,) to the first."""
    middle = prototypes.mean(dim=0)
    W = prototypes - middle
    squares = W.square().sum(dim=1)
    units, distances = [], []
    for block in torch.split(vectors, _BLOCK):
        X = block - middle
        partial = torch.addmm(squares, X, W.T, alpha=-2)  # (n, U)
        first = partial.argmin(dim=1, keepdim=True)
        partial.scatter_(1, first, torch.inf)
        units.append(torch.cat([first, partial.argmin(dim=1, keepdim=True)], dim=1))
        distances.append((X - W[first[:, 0]]).norm(dim=1))
    return torch.cat(units), torch.cat(distances)


def u_matrix(prototypes: Array) -> Array:
    """Return the mean distance (S, S) of each prototype (S, S, D) to those beside it."""
    total, count = (np.zeros(prototypes.shape[:2], np.float32) for _ in range(2))
    for axis in (0, 1):
        steps = np.linalg.norm(np.diff(prototypes, axis=axis), axis=2)
        for some in (slice(None, -1), slice(1, None)):
            place = (some, slice(None)) if axis == 0 else (slice(None), some)
            total[place] += steps
            count[place] += 1
    beside: Array = total / count
    return beside


def _around(side: int) -> tuple[Tensor, Tensor]:
    """Return the nine cells (U, 9) around every cell, and which of them are on the map (U, 9)."""
    steps = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2))  # (9, 2)
    places = _grid(side).long()[:, None] + steps  # (U, 9, 2)
    there = ((places >= 0) & (places < side)).all(dim=2)
    rows, columns = places.clamp(0, side - 1).unbind(2)
    return rows * side + columns, there


def _sheet(vectors: Array, side: int, seed: int) -> Array:
    """Return prototypes (U, D) on the plane of the two directions of largest variance."""
    sample = vectors[even_rows(len(vectors), _START_SAMPLE)]
    directions = min(2, *sample.shape)
    solver = "full" if min(sample.shape) < 500 else "randomized"
    pca = PCA(directions, svd_solver=solver, random_state=seed).fit(sample)
    reach = _START_REACH * np.sqrt(np.nan_to_num(pca.explained_variance_))  # (2,)
    share = _grid(side).numpy()[:, ::-1][:, :directions] / ((side - 1) / 2) - 1  # (U, 2)
    sheet: Array = (pca.mean_ + (share * reach) @ pca.components_).astype(np.float32)
    return sheet


def _grid(side: int) -> Tensor:
    """Return row and column (U, 2) of every cell."""
    steps = torch.arange(side, dtype=torch.float32)
    return torch.cartesian_prod(steps, steps)


def _sums(vectors: Tensor, units: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the sum (U, D) and the number (U,) of the vectors of each unit."""
    counts = torch.bincount(units, minlength=count).to(vectors.dtype)
    sums = torch.zeros((count, vectors.shape[1]), device=vectors.device)
    if vectors.device.type == "cpu":
        return sums.index_add_(0, units, vectors), counts
    for block, some in zip(torch.split(vectors, _BLOCK), torch.split(units, _BLOCK), strict=True):
        belongs = torch.nn.functional.one_hot(some, count).to(vectors.dtype)
        sums += belongs.T @ block  # unlike index_add_ there, the same sums every time
    return sums, counts


@hookimpl
def register_methods() -> list[type[SOM]]:
    """Offer self-organizing maps."""
    return [SOM]

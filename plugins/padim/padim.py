"""PaDiM: a Gaussian of what normal images look like at every place.

Defard et al., PaDiM: a patch distribution modeling framework for anomaly detection and
localization, 2020, https://arxiv.org/abs/2011.08785

    mu_p    = mean over images of the patch x_p at place p
    Sigma_p = 1 / (N - 1) sum over images of (x_p - mu_p)(x_p - mu_p)' + epsilon I    (their eq. 1)
    d(x_p)  = sqrt((x_p - mu_p)' Sigma_p^-1 (x_p - mu_p))                             (their eq. 2)

Differences: every layer is scaled to length 1 before it is stacked; d is divided by sqrt(D), so
that about 1 is usual; and the covariance of a place borrows a little from that of all places,

    Sigma_p <- (N Sigma_p + k Sigma) / (N + k) + epsilon tr(Sigma) / D I,

so that few images, or places where normal images never vary, do not give endless distances.
Where images are few beside D, they themselves stand for the covariances: the distances are the same
and take less time and memory.

Shapes: N images, C channels, S rows and columns, P places, D dimensions.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, HeatMap, View
from desktop_app.toolbox.featured import InspectedPatches, PatchParams
from desktop_app.toolbox.gaussians import (
    distances_at_places,
    distances_from_spans,
    reduction,
    spanned_gaussians,
    steadied,
    sum_of_squares,
    whitenings,
)
from desktop_app.toolbox.patches import PatchFeatures

_MOST_VALUES = 80_000_000
"""Numbers of all covariances together, 320 MB: on larger grids fewer dimensions are kept."""
_BLOCK = 64
"""Places whose covariances are inverted at once."""
_SPECTRUM = "How many directions vary"
_KEPT = (
    "axes",
    *("few", "shift", "sums", "products"),
    *("mean", "root", "directions", "whitening", "spread", "spectrum"),
)


class PaDiMParams(PatchParams):
    """How many dimensions of the features, and how covariances are steadied."""

    dimensions: int = param(
        160,
        low=2,
        high=1024,
        scale="log",
        help="Dimensions D that are kept of longer features; time and memory grow as their square.",
    )
    reduction: Literal["channels", "projection"] = param(
        "channels",
        help="How longer features are reduced: a random choice of channels as in the paper, or a "
        "random semi-orthogonal projection.",
    )
    epsilon: float = param(
        0.01,
        low=0.0,
        high=10.0,
        help="Added to every variance, as a share of the mean variance.",
        advanced=True,
    )
    borrowed: float = param(
        5.0,
        low=0.0,
        high=10_000.0,
        unit="images",
        help="How many images the covariance of all places counts for at each place.",
        advanced=True,
    )


class PaDiM(InspectedPatches[PaDiMParams]):
    """Knows how normal images vary at every place; what varies otherwise is unusual."""

    card = Card(
        id="padim",
        title="Patch distribution (PaDiM)",
        family="Anomaly detection",
        paper="2011.08785",
        summary="Learns at every place how normal images vary and shows what varies otherwise.",
        needs="Normal images, all aligned alike; best with imported network weights.",
        image_size=224,
        rank=30,
        translations={
            "zh_CN": {
                "title": "图像块分布 (PaDiM)",
                "family": "异常检测",
                "summary": "学习正常图像在每个位置上的变化，并指出异样之处。",
                "needs": "对齐一致的正常图像；导入网络权重时效果最佳。",
            }
        },
    )

    presets = (
        Preset("28 px", {"filters": 50}, "Tiny images, filters learned from them.", 28),
        Preset("64 px", {"filters": 50}, "Small images, filters learned from them.", 64),
        Preset("128 px", {"filters": 50}, "Photographs, filters learned from them.", 128),
        Preset("Few images", {"borrowed": 50.0}, "Less than thirty normal images.", 224),
    )

    toy_params: ClassVar[dict[str, int]] = {"filters": 16}
    """What the conformance kit trains with on its small images."""

    _shift = _sums = _products = _mean = _whitening = torch.empty(0)
    """(P, D) of the first batch; sums (P, D) and (P, D, D) around it; then mean (P, D), the inverse
    Cholesky factor (P, D, D) of each covariance."""
    _few = _root = _directions = torch.empty(0)
    """Of few images: their patches (N, P, D); then the factor (D, D) that all places share, and the
    directions (P, N, D) in which each of them varies."""
    _images = 0
    """Images in the sums."""
    _axes = torch.empty(0)
    """(dimensions of the features, D) that reduces them, empty where nothing is reduced."""
    _spread = _spectrum = torch.empty(0)
    """(P,) mean variance at each place, and (D,) variances along the axes of all places."""

    def learn(self, data: Dataset, patches: PatchFeatures) -> Events:
        """Sum up the patches of all images, then invert the covariances."""
        if len(self._mean):
            return
        if self._images == 0:
            D = self._kept(patches)
            if patches.dimensions > D:
                yield Note(f"{D} of {patches.dimensions} dimensions of the features are kept.")
                self._axes = reduction(patches.dimensions, D, self.params.reduction, self.seed)
        every = np.arange(len(data), dtype=np.int64)
        for rows, seen in self.looked_at(data, every, self._images):
            vectors = self._reduced(seen).flatten(1, 2)
            if 2 * len(data) <= vectors.shape[2]:
                self._gather(vectors)
            else:
                self._observe(vectors)
            share = self._images / len(data)
            values = {"images": float(self._images)}
            if self._images == len(data):
                if len(self._few):
                    self._conclude_few()
                else:
                    self._conclude()
                values["mean_variance"] = float(self._spread.mean())
            yield self.metrics(share, values, epoch=share, images=len(rows))

    def _kept(self, patches: PatchFeatures) -> int:
        most = int(math.sqrt(_MOST_VALUES / patches.places))
        return max(1, min(patches.dimensions, self.params.dimensions, most))

    def _reduced(self, patches: Tensor) -> Tensor:
        return patches @ self._axes.to(patches.device) if len(self._axes) else patches

    def _observe(self, seen: Tensor) -> None:
        """Take patches (n, P, D) into the sums, which are around the first of them."""
        if self._images == 0:
            _, P, D = seen.shape
            self._shift = seen.mean(0)
            self._sums = torch.zeros(P, D, device=seen.device)
            self._products = torch.zeros(P, D, D, device=seen.device)
        apart = (seen - self._shift).transpose(0, 1)  # (P, n, D)
        self._sums += apart.sum(1)
        self._products.baddbmm_(apart.transpose(1, 2), apart)
        self._images += len(seen)

    def _gather(self, seen: Tensor) -> None:
        """Keep patches (n, P, D): of few images they are less than their products."""
        self._few = torch.cat([self._few, seen]) if len(self._few) else seen
        self._images += len(seen)

    def _conclude_few(self) -> None:
        """Turn the patches of few images into means and the directions of each place."""
        self._mean = self._few.mean(0)
        apart = self._few.sub_(self._mean)
        own = apart.square().sum(0) / max(1, self._images - 1)  # (P, D) variances
        pooled = torch.zeros(own.shape[1], own.shape[1], dtype=torch.float64, device=own.device)
        for image in apart:
            pooled += image.T.double() @ image.double()
        pooled /= len(own) * max(1, self._images - 1)
        self._spread = own.mean(1)
        self._spectrum = _variances(pooled)
        self._root, self._directions = spanned_gaussians(
            apart, pooled, borrowed=self.params.borrowed, epsilon=self.params.epsilon
        )
        self._few = torch.empty(0)

    def _conclude(self) -> None:
        """Turn the sums into means and inverse Cholesky factors, a block of places at a time."""
        offset = self._sums / self._images
        blocks = [slice(start, start + _BLOCK) for start in range(0, len(offset), _BLOCK)]
        pooled = torch.zeros_like(self._products[0], dtype=torch.float64)
        for some in blocks:
            pooled += self._covariances(some, offset).sum(0)
        pooled /= len(offset)
        spreads = []
        for some in blocks:
            own = self._covariances(some, offset)
            spreads.append(own.diagonal(dim1=1, dim2=2).mean(1).float())
            steady = steadied(own, pooled, self._images, self.params.borrowed, self.params.epsilon)
            self._products[some] = whitenings(steady).float()  # there is never a second of it
        self._mean = self._shift + offset
        self._spectrum = _variances(pooled)
        self._spread = torch.cat(spreads)
        self._whitening = self._products
        self._shift = self._sums = self._products = torch.empty(0)

    def _covariances(self, some: slice, offset: Tensor) -> Tensor:
        """Return the covariances (p, D, D) of some places, float64."""
        squares = sum_of_squares(self._products[some], offset[some], self._images)
        return squares / max(1, self._images - 1)

    def distances(self, patches: Tensor) -> Tensor:
        """Return Mahalanobis distances (N, H, W) over sqrt(D) of patches (N, H, W, D)."""
        if not len(self._mean):
            raise InvalidInput(f"{self.card.title} is not trained yet: let the training end.")
        vectors = self._reduced(patches).flatten(1, 2)
        if len(self._directions):
            distances = distances_from_spans(vectors, self._mean, self._root, self._directions)
        else:
            distances = distances_at_places(vectors, self._mean, self._whitening)  # (N, P)
        return distances.view(patches.shape[:3])

    def views(self) -> Sequence[View]:
        """Return where the features come from, where images vary, and in how many directions."""
        views = list(super().views())
        if len(self._mean):
            number = np.arange(1, len(self._spectrum) + 1, dtype=np.float32)
            views += [
                HeatMap(
                    "How much normal images vary at each place",
                    self._spread.view(self.patches.grid).cpu().numpy().copy(),
                    "row",
                    "column",
                ),
                Curve(
                    _SPECTRUM,
                    {"variance": (number, self._spectrum.cpu().numpy().copy())},
                    x_label="direction, all places together",
                    y_label="variance",
                ),
            ]
        return views

    def learned(self) -> State:
        """Return what was gathered while there is any, else means and factors."""
        tensors = {name: getattr(self, f"_{name}") for name in _KEPT}
        arrays = {
            name: tensor.cpu().numpy().copy() for name, tensor in tensors.items() if len(tensor)
        }
        return State(arrays, {"images": self._images})

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self._images = state.values["images"]
        for name, array in state.arrays.items():
            place = "cpu" if name == "axes" else self.device
            setattr(self, f"_{name}", torch.tensor(array, device=place))


def _variances(covariance: Tensor) -> Tensor:
    """Return the variances (D,) along the axes of a covariance (D, D), largest first."""
    ascending: Tensor = torch.linalg.eigvalsh(covariance)
    return ascending.flip(0).clamp_min(0).float()


@hookimpl
def register_methods() -> list[type[PaDiM]]:
    """Offer the patch distribution."""
    return [PaDiM]

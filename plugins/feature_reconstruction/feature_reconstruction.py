"""Feature reconstruction: what the principal components of normal features cannot rebuild.

Ahuja et al., Probabilistic modeling of deep features for out-of-distribution and adversarial
detection (DFM), 2019, https://arxiv.org/abs/1909.11786, and Ndiour et al., FRE: a fast method for
anomaly detection and segmentation, 2022, https://arxiv.org/abs/2211.12650

    T(x)  = V'(f(x) - m)            f all patches of an image in one vector, V its components
    FRE   = |f(x) - m - V T(x)|^2                                                     (their eq. 2)
    map   = the same, summed over the dimensions of each place
    -log p(x) = 1/2 sum_k T(x)_k^2 / e_k + FRE / (2 e)     `score` likelihood: DFM, with the mean
                                                   variance e of the directions that are left out

Shapes: N images, C channels, S rows and columns, H W of the grid, F = H W D values, K components.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, Images, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, HeatMap, View
from desktop_app.toolbox.featured import InspectedPatches, PatchParams
from desktop_app.toolbox.patches import PatchFeatures, enlarged, worst_patches

_MOST_VALUES = 60_000_000
"""Numbers of the features of all images that components are found on: 120 MB as float16."""
_LEAST = 1e-12
"""Variances below this are rounding errors of zero."""


class FeatureReconstructionParams(PatchParams):
    """How fine the features are, how much of their variance is kept, and what is the score."""

    explained: float = param(
        0.9, low=0.01, high=1.0, help="Share of the variance that the components K keep."
    )
    components: int = param(
        128, low=1, high=1024, scale="log", help="Components that are kept at most."
    )
    pooling: int = param(
        2,
        low=1,
        high=8,
        unit="patches",
        help="Side of the square of patches that is averaged: coarser is quicker and steadier.",
    )
    scoring: Literal["places", "likelihood"] = param(
        "places",
        help="places: the mean error of the worst places; likelihood: the negative log likelihood "
        "of the whole image under a Gaussian (DFM).",
    )


class FeatureReconstruction(InspectedPatches[FeatureReconstructionParams]):
    """Rebuilds the features of normal images from few components; what is left is unusual."""

    card = Card(
        id="feature_reconstruction",
        title="Feature reconstruction",
        family="Anomaly detection",
        paper="2211.12650",
        summary="Rebuilds features from the components of normal images and shows what is left.",
        needs="Normal images, all aligned alike; best with imported network weights.",
        image_size=224,
        translations={
            "zh_CN": {
                "title": "特征重建",
                "family": "异常检测",
                "summary": "用正常图像的主成分重建特征，并指出无法重建的部分。",
                "needs": "对齐一致的正常图像；导入网络权重时效果最佳。",
            }
        },
    )

    presets = (
        Preset("28 px", {"filters": 50, "pooling": 1}, "Tiny images, learned filters.", 28),
        Preset("64 px", {"filters": 50}, "Small images, filters learned from them.", 64),
        Preset("128 px", {"filters": 50}, "Photographs, filters learned from them.", 128),
    )

    toy_params: ClassVar[dict[str, int]] = {"filters": 16, "pooling": 1}
    """What the conformance kit trains with on its small images."""

    _gathered = torch.empty(0, 0, dtype=torch.float16)
    """(n, F) until the components are found."""
    _mean = _axes = _variances = _usual = torch.empty(0)
    """(F,) and (K, F); (K,) variances along them; (H W,) mean error at each place."""
    _left = 0.0
    """Mean variance of the directions that are left out."""

    def learn(self, data: Dataset, patches: PatchFeatures) -> Events:
        """Gather the features of the images, or of an even sample, then find their components."""
        if len(self._mean):
            return
        values = self._coarse(torch.zeros(1, *patches.grid, patches.dimensions)).numel()
        rows = even_rows(len(data), max(2, _MOST_VALUES // values))
        if len(rows) < len(data) and not len(self._gathered):
            yield Note(f"The components are found on {len(rows)} of {len(data)} images.")
        for some, seen in self.looked_at(data, rows, len(self._gathered)):
            found = self._coarse(seen).flatten(1).half()
            self._gathered = torch.cat([self._gathered, found]) if len(self._gathered) else found
            share = len(self._gathered) / len(rows)
            told = {"images": float(len(self._gathered))}
            if len(self._gathered) == len(rows):
                told["explained"] = self._conclude()
                told["components"] = float(len(self._axes))
            yield self.metrics(share, told, epoch=share, images=len(some))

    def _coarse(self, patches: Tensor) -> Tensor:
        """Return patches (N, H, W, D) averaged over squares, places before dimensions."""
        side = min(self.params.pooling, *patches.shape[1:3])
        if side == 1:
            return patches
        return F.avg_pool2d(patches.permute(0, 3, 1, 2), side).permute(0, 2, 3, 1)

    def _conclude(self) -> float:
        """Find mean and components of what is gathered; return the share of variance they keep."""
        features = self._gathered.float()
        self._mean = features.mean(0)
        features -= self._mean
        axes, variances, rest = principal_axes(
            features, self.params.explained, self.params.components
        )
        self._axes, self._variances = axes, variances
        own = variances.sum()
        self._left = float(rest) / max(1, features.shape[1] - len(axes))
        errors = features - (features @ axes.T) @ axes
        self._usual = errors.square().mean(0).view(-1, self.patches.dimensions).sum(1)
        self._gathered = torch.empty(0, 0, dtype=torch.float16)
        return float(own / (own + rest).clamp_min(_LEAST))

    def distances(self, patches: Tensor) -> Tensor:
        """Return the squared errors (N, H, W) of the rebuilt features of each place."""
        return self._rebuilt(patches)[0]

    def _rebuilt(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return errors (N, H, W) of each place, and codes T(x) (N, K)."""
        if not len(self._mean):
            raise InvalidInput(f"{self.card.title} is not trained yet: let the training end.")
        coarse = self._coarse(patches)
        apart = coarse.flatten(1) - self._mean
        codes = apart @ self._axes.T
        left = (apart - codes @ self._axes).view(coarse.shape)
        return left.square().sum(3), codes

    def likelihoods(self, errors: Tensor, codes: Tensor) -> Tensor:
        """Return -log p (N,) but for a constant, of errors (N, H, W) and codes (N, K)."""
        within = (codes.square() / self._variances.clamp_min(_LEAST)).sum(1)
        return 0.5 * (within + errors.flatten(1).sum(1) / max(self._left, _LEAST))

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, S, S) of images (N, C, S, S), computed once."""
        size = images.shape[-1]

        def both(patches: Tensor) -> tuple[Tensor, ...]:
            errors, codes = self._rebuilt(patches)
            return self._scores(errors, codes), enlarged(errors, size)

        scores, maps = self.answers(images, both)
        return scores, maps

    def score(self, images: Images) -> Array:
        """Return the mean error of the worst places, or -log p, (N,) of images (N, C, S, S)."""
        return self.answers(images, lambda own: (self._scores(*self._rebuilt(own)),))[0]

    def encode(self, images: Images) -> Array:
        """Return the codes T(x) (N, K) of images."""
        return self.answers(images, lambda own: (self._rebuilt(own)[1],))[0]

    def _scores(self, errors: Tensor, codes: Tensor) -> Tensor:
        if self.params.scoring == "likelihood":
            return self.likelihoods(errors, codes)
        return worst_patches(errors, region=self.region)

    def views(self) -> Sequence[View]:
        """Return where the features come from, the variances, and where errors are usual."""
        views = list(super().views())
        if len(self._mean):
            number = np.arange(1, len(self._variances) + 1, dtype=np.float32)
            grid = self._coarse(torch.zeros(1, *self.patches.grid, 1)).shape[1:3]
            views += [
                Curve(
                    "Variance of each component",
                    {"variance": (number, self._variances.cpu().numpy().copy())},
                    x_label="component",
                    y_label="variance",
                    marks={"mean of what is left out": self._left},
                ),
                HeatMap(
                    "Usual error at each place",
                    self._usual.view(grid).cpu().numpy().copy(),
                    "row",
                    "column",
                ),
            ]
        return views

    def learned(self) -> State:
        """Return what is gathered, or what was found in it."""
        if not len(self._mean):
            gathered = {"gathered": self._gathered} if len(self._gathered) else {}
        else:
            gathered = {
                "mean": self._mean,
                "axes": self._axes,
                "variances": self._variances,
                "usual": self._usual,
            }
        arrays = {name: tensor.cpu().numpy().copy() for name, tensor in gathered.items()}
        return State(arrays, {"left": self._left})

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self._left = state.values["left"]
        for name, array in state.arrays.items():
            setattr(self, f"_{name}", torch.tensor(array, device=self.device))


def principal_axes(centred: Tensor, share: float, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return axes (K, F), variances (K,) and the variance that is left of centred rows (N, F).

    K is the least that keeps `share` of the variance, from 1 to `most`. The products of rows with
    rows are enough: there are far fewer images than values.
    """
    count = max(1, len(centred) - 1)
    energies, mixes = torch.linalg.eigh((centred @ centred.T).double())  # rising, (N,) and (N, N)
    energies, mixes = energies.flip(0).clamp_min(0) / count, mixes.flip(1)
    total = energies.sum()
    wanted = int((energies.cumsum(0) < share * total - _LEAST).sum()) + 1
    real = int((energies > max(_LEAST, 1e-7 * float(energies[0]))).sum())
    K = max(1, min(wanted, most, real))
    axes = (mixes[:, :K] / (energies[:K] * count).clamp_min(_LEAST).sqrt()).float().T @ centred
    return axes, energies[:K].float(), (total - energies[:K].sum()).clamp_min(0).float()


@hookimpl
def register_methods() -> list[type[FeatureReconstruction]]:
    """Offer the feature reconstruction."""
    return [FeatureReconstruction]

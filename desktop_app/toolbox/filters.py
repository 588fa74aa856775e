"""A bank of filters learned from the images themselves, in seconds and without any labels.

Coates & Ng, The importance of encoding versus training with sparse features, ICML 2011, and
Coates, Lee & Ng, An analysis of single-layer networks in unsupervised feature learning, 2011

    x' = (x - mean(x)) / sqrt(var(x) + c)       each patch, contrast normalised
    y  = V' (x' - m) / sqrt(e + epsilon)        whitened along principal axes V of variances e
    f_k = max(0, mean_j |y - c_j| - |y - c_k|)  triangle activation of the k-means centroids c

The same is done at several scales of the image. Brightness and contrast, which the normalisation
takes out, are kept as maps of their own.

Shapes: N images, C channels, L places, P = C x side x side values of a patch, R axes, K filters.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, even_rows
from desktop_app.toolbox.training import to_device

_SIDE = 7
"""Pixels of a patch."""
_SCALES = (1, 2, 4)
"""By how much the image is shrunk before patches are cut."""
_STRIDE = 2
"""Pixels, at each scale, from patch to patch."""
_FLAT = (10 / 255) ** 2
"""Variance c at which a patch counts as flat: 10 grey levels, as in the paper."""
_PATCHES = 40_000
"""Patches per scale that filters are learned from."""
_IMAGES = 256
"""Images that these patches are cut from."""
_PASSES = 12
"""Of k-means; later ones change little."""
_KEPT = 0.99
"""Share of the variance that the principal axes keep."""
_EPSILON = 0.01
"""Added to the variances, as a share of their mean."""
STATISTICS = 2
"""Channels at the end of each map: brightness and contrast."""


class FilterBank(nn.Module):
    """Whitening and filters of every scale."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Hold per scale s a mean.s (P,), a whitening.s (P, R) and centroids.s (K, R)."""
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(_flat(name), tensor)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """Return one map (N, K + 2, H_l, W_l) per scale of images (N, C, H, W) in [0, 1]."""
        maps = []
        for scale in _scales_of(images):
            small = F.avg_pool2d(images, scale) if scale > 1 else images
            maps.append(self._activations(small, scale))
        return maps

    def pictures(self, channels: int) -> Tensor:
        """Return the finest filters as pictures (K, C, side, side) around zero."""
        whitening, centroids = self._of("whitening", 1), self._of("centroids", 1)
        pictures: Tensor = centroids @ torch.linalg.pinv(whitening)
        return pictures.view(-1, channels, _SIDE, _SIDE)

    def _activations(self, images: Tensor, scale: int) -> Tensor:
        patches, statistics = _normalised(_cut(images))
        whitened = (patches - self._of("mean", scale)) @ self._of("whitening", scale)  # (N, L, R)
        distances: Tensor = torch.cdist(whitened, self._of("centroids", scale))  # (N, L, K)
        triangle = (distances.mean(2, keepdim=True) - distances).clamp_min(0)
        values = torch.cat([triangle, statistics], dim=2).transpose(1, 2)
        rows, columns = (-(-side // _STRIDE) for side in images.shape[-2:])
        activations: Tensor = values.reshape(len(images), -1, rows, columns)
        return activations

    def _of(self, name: str, scale: int) -> Tensor:
        tensor: Tensor = self.get_buffer(_flat(f"{name}.{scale}"))
        return tensor


def learned_filters(data: Dataset, count: int, *, seed: int, device: str) -> FilterBank:
    """Return a bank of `count` filters per scale learned from a data set."""
    rows = even_rows(len(data), _IMAGES)
    generator = np.random.default_rng(seed)
    tensors: dict[str, Tensor] = {}
    for scale in _scales(min(data.sample_shape[1:])):
        patches = _sample(data, rows, scale, generator, device)
        mean, whitening = _whitening(patches)
        whitened = (patches - mean) @ whitening
        centroids = _k_means(whitened, count, generator)
        tensors |= {
            f"mean.{scale}": mean,
            f"whitening.{scale}": whitening,
            f"centroids.{scale}": centroids,
        }
    return FilterBank(tensors).to(device)


def _sample(
    data: Dataset,
    rows: NDArray[np.int64],
    scale: int,
    generator: np.random.Generator,
    device: str,
) -> Tensor:
    """Return contrast-normalised patches (n, P) from random places of these images."""
    per_image = -(-_PATCHES // len(rows))
    found = []
    for row in rows:
        image = to_device(data.pixels(slice(int(row), int(row) + 1)), device)
        small = F.avg_pool2d(image, scale) if scale > 1 else image
        patches = _cut(small)[0]  # (L, P)
        places = generator.integers(len(patches), size=per_image)
        chosen = patches[torch.from_numpy(places).to(patches.device)]
        found.append(_normalised(chosen[None])[0][0])
    return torch.cat(found)


def _cut(images: Tensor) -> Tensor:
    """Return the patches (N, L, P) around every `_STRIDE`-th pixel of images (N, C, H, W)."""
    margin = _SIDE // 2
    padded = F.pad(images, (margin, margin, margin, margin), mode="reflect")
    return F.unfold(padded, _SIDE, stride=_STRIDE).transpose(1, 2)


def _normalised(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Return contrast-normalised patches (N, L, P), and brightness and contrast (N, L, 2)."""
    mean = patches.mean(2, keepdim=True)
    contrast = (patches.var(2, keepdim=True, correction=0) + _FLAT).sqrt()
    return (patches - mean) / contrast, torch.cat([mean, contrast], dim=2)


def _whitening(patches: Tensor) -> tuple[Tensor, Tensor]:
    mean = patches.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov(patches.T).double())
    variances, axes = variances.flip(0).clamp_min(0), axes.flip(1)  # the largest first
    share = variances.cumsum(0) / variances.sum()
    kept = int((share < _KEPT).sum()) + 1
    scales = (variances + _EPSILON * variances.mean()).rsqrt()
    return mean, (axes * scales)[:, :kept].float().contiguous()


def _k_means(points: Tensor, count: int, generator: np.random.Generator) -> Tensor:
    """Return centroids (K, R) of points (n, R); an empty cluster starts anew at a random point."""
    start = generator.choice(len(points), size=min(count, len(points)), replace=False)
    centroids = points[torch.from_numpy(start).to(points.device)]
    for _ in range(_PASSES):
        nearest = torch.addmm(centroids.square().sum(1), points, centroids.T, alpha=-2).argmin(1)
        sums = torch.zeros_like(centroids).index_add_(0, nearest, points)
        sizes = torch.bincount(nearest, minlength=len(centroids))
        empty = torch.nonzero(sizes == 0).squeeze(1)
        centroids = sums / sizes.clamp_min(1)[:, None]
        if len(empty):
            anew = generator.integers(len(points), size=len(empty))
            centroids[empty] = points[torch.from_numpy(anew).to(points.device)]
    return centroids


def _scales_of(images: Tensor) -> tuple[int, ...]:
    return _scales(min(images.shape[-2:]))


def _scales(size: int) -> tuple[int, ...]:
    """Return the scales at which an image of `size` pixels still holds a patch."""
    return tuple(scale for scale in _SCALES if size // scale >= _SIDE)


def _flat(name: str) -> str:
    return name.replace(".", "_")

"""Anomaly scores and maps of methods that rebuild an image: what cannot be rebuilt is unusual.

Two scales are offered. `ReconstructionScores` is the plain squared error. `CalibratedScores` knows
how large the error usually is at each pixel, counts part of the distance from the mean image (an
image can be rebuilt well and still be unlike all others), and ranks an image by its worst spot.
On five folders of photographs at 64 pixels, 128 principal components reach a mean image AUROC of
.81 with the plain error and of .85 with the calibrated one; the distance from the mean image
reaches .80. No folder falls behind that by more than .005, with the plain error by up to .05.

Shapes: N images, C channels, H rows, W columns.
"""

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from desktop_app.sdk.data import Array, Images
from desktop_app.toolbox.inference import inference, require_shape
from desktop_app.toolbox.regions import inside
from desktop_app.toolbox.running import RunningMean

PULL = 1 / 3
"""Part of the way that a rebuilt image is moved to the mean image before it is compared."""
_FLOOR = 1.0
"""Pixels count as having at least this share of the usual error of the whole image."""
_LEAST_ERROR = 1e-6
"""Squared error below any grey level, where images are rebuilt exactly."""


class ReconstructionScores:
    """Gives Scores and Localizes to a TorchMethod that can rebuild its input."""

    sample_shape: tuple[int, int, int] | None
    region: NDArray[np.bool_] | None

    @abstractmethod
    def reconstruction(self, images: Tensor) -> Tensor:
        """Return the rebuilt images (N, C, H, W) in [0, 1]."""

    @inference
    def score(self, images: Tensor) -> Tensor:
        """Return the mean squared error (N,) per pixel and channel; higher is more unusual."""
        error = (self._checked(images) - self.reconstruction(images)).square()
        return inside(error.mean(dim=1), self.region).mean(dim=1)

    @inference
    def localize(self, images: Tensor) -> Tensor:
        """Return the squared error (N, H, W), averaged over channels and smoothed (sigma S/64)."""
        error = self._checked(images) - self.reconstruction(images)
        return smoothed(error.square().mean(dim=1))

    def _checked(self, images: Tensor) -> Tensor:
        if self.sample_shape is not None:
            require_shape(images, self.sample_shape)
        return images


class CalibratedScores(ReconstructionScores):
    """Gives Scores and Localizes in units of what is usual; `build` makes `self.usual`."""

    usual: "UsualError"

    @inference
    def score(self, images: Tensor) -> Tensor:
        """Return the peak (N,) of each map of `localize`; higher is more unusual."""
        return worst_spot(self._map(images), self.region)

    @inference
    def localize(self, images: Tensor) -> Tensor:
        """Return errors (N, H, W) in units of the usual error, smoothed (sigma S/64)."""
        return self._map(images)

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, H, W), rebuilding the images once."""
        maps: Array = self.localize(images)
        return worst_spot(torch.from_numpy(maps), self.region).numpy(), maps

    def _map(self, images: Tensor) -> Tensor:
        rebuilt = self.reconstruction(self._checked(images))
        return error_map(deviation(images, rebuilt, self.usual.centre), self.usual.error.value)


class UsualError(nn.Module):
    """The mean image, and how large the squared error of training images is at each pixel."""

    centre: Tensor

    def __init__(self, sample_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.full(sample_shape, 0.5))
        self.error = RunningMean(*sample_shape[1:])

    @torch.no_grad()
    def observe(self, images: Tensor, rebuilt: Tensor) -> None:
        """Take a batch (N, C, H, W) of the training into the average."""
        self.error.observe(deviation(images, rebuilt, self.centre).square().mean(dim=(0, 1)))


def deviation(images: Tensor, rebuilt: Tensor, centre: Tensor) -> Tensor:
    """Return images less their rebuilt images, which are first moved towards the mean image."""
    return images - pulled(rebuilt, centre)


def pulled(rebuilt: Tensor, centre: Tensor) -> Tensor:
    """Return rebuilt images (N, C, H, W) on their way to the mean image (C, H, W)."""
    return torch.lerp(rebuilt, centre.expand_as(rebuilt), PULL)


def error_map(error: Tensor, usual: Tensor) -> Tensor:
    """Return squares (N, H, W) of errors (N, C, H, W) in units of the usual square (H, W)."""
    usual = smoothed(usual.unsqueeze(0))
    return smoothed(error.square().mean(dim=1)) / (usual + _FLOOR * usual.mean() + _LEAST_ERROR)


def worst_spot(maps: Tensor, region: NDArray[np.bool_] | None = None) -> Tensor:
    """Return the peak (N,) of maps (N, H, W) where they count."""
    return inside(maps, region).amax(dim=1)


def smoothed(maps: Tensor, sigma: float | None = None, radius: int | None = None) -> Tensor:
    """Return maps (N, H, W) under a Gaussian of `sigma` pixels that ends after `radius`.

    Without them sigma is 1/64 of the width, and at least one pixel, and the radius three sigma.
    """
    sigma = sigma or max(1.0, maps.shape[-1] / 64)
    radius = max(1, min(radius or round(3 * sigma), min(maps.shape[-2:]) - 1))
    offsets = torch.arange(-radius, radius + 1, device=maps.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2).to(maps.dtype)
    down, across = (_banded(kernel / kernel.sum(), offsets, side) for side in maps.shape[-2:])
    return down @ maps @ across.T


def _banded(kernel: Tensor, offsets: Tensor, side: int) -> Tensor:
    """Return the matrix (S, S) of a filter that mirrors at the border.

    As a product of matrices it takes a tenth of the time of a convolution, its gradient too.
    """
    last = side - 1
    reached = torch.arange(side, device=kernel.device)[:, None] + offsets  # (S, 2 radius + 1)
    mirrored = last - (last - reached.abs()).abs()
    matrix = kernel.new_zeros(side, side)
    return matrix.scatter_add_(1, mirrored, kernel.expand_as(mirrored).contiguous())

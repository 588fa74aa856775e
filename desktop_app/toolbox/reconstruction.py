"""Anomaly scores and maps of methods that rebuild an image: what cannot be rebuilt is unusual.

Shapes: N images, C channels, H rows, W columns.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.toolbox.inference import inference, require_shape


class ReconstructionScores:
    """Gives Scores and Localizes to a TorchMethod that can rebuild its input."""

    sample_shape: tuple[int, int, int] | None

    @abstractmethod
    def reconstruction(self, images: Tensor) -> Tensor:
        """Return the rebuilt images (N, C, H, W) in [0, 1]."""

    @inference
    def score(self, images: Tensor) -> Tensor:
        """Return the mean squared error (N,) per pixel and channel; higher is more unusual."""
        return (self._checked(images) - self.reconstruction(images)).square().mean(dim=(1, 2, 3))

    @inference
    def localize(self, images: Tensor) -> Tensor:
        """Return the squared error (N, H, W), averaged over channels and smoothed (sigma S/64)."""
        return error_map(self._checked(images) - self.reconstruction(images))

    def _checked(self, images: Tensor) -> Tensor:
        if self.sample_shape is not None:
            require_shape(images, self.sample_shape)
        return images


def error_map(error: Tensor) -> Tensor:
    """Return the squares (N, H, W) of errors (N, C, H, W), averaged over channels and smoothed."""
    return smoothed(error.square().mean(dim=1), sigma=max(1.0, error.shape[-1] / 64))


def smoothed(maps: Tensor, sigma: float) -> Tensor:
    """Return maps (N, H, W) under a Gaussian of standard deviation `sigma` pixels."""
    radius = max(1, min(round(3 * sigma), min(maps.shape[-2:]) - 1))
    offsets = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    padded = F.pad(maps.unsqueeze(1), (radius, radius, radius, radius), mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3)).squeeze(1)


def parameter_count(module: nn.Module) -> int:
    """Return the number of trainable numbers."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)

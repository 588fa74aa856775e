"""Ways to spoil images, for methods that learn to repair them.

Shapes: N images, C channels, H rows, W columns.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Corruption = Literal["gaussian", "masking", "salt_pepper"]


def corrupted(
    images: Tensor, kind: Corruption, amount: float, generator: torch.Generator | None = None
) -> Tensor:
    """Return spoilt images (N, C, H, W) in [0, 1].

    `amount` is the standard deviation of Gaussian noise, or the share of pixels that are black
    (masking) or black or white (salt and pepper). A generator makes the same noise again.
    """
    return _KINDS[kind](images, amount, generator)


def masked(values: Tensor, share: float) -> Tensor:
    """Return values of any shape of which about `share` are 0."""
    return values * (torch.rand_like(values) >= share)


def _gaussian(images: Tensor, deviation: float, generator: torch.Generator | None) -> Tensor:
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return (images + deviation * noise).clamp(0, 1)


def _masking(images: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    return images * (_dice(images, generator) >= share)


def _salt_pepper(images: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    dice = _dice(images, generator)
    white = (dice < share / 2).to(images.dtype)
    return torch.where(dice < share, white, images)


def _dice(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return a uniform number (N, 1, H, W) for each pixel: its channels share their fate."""
    shape = (len(images), 1, *images.shape[2:])
    return torch.rand(shape, generator=generator, device=images.device)


_KINDS: dict[Corruption, Callable[[Tensor, float, torch.Generator | None], Tensor]] = {
    "gaussian": _gaussian,
    "masking": _masking,
    "salt_pepper": _salt_pepper,
}

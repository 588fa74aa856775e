"""A small U-Net: from images to as many maps, seeing wide and drawing sharp.

Ronneberger, Fischer & Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015,
https://arxiv.org/abs/1505.04597; with group normalisation in place of batch normalisation, so that
an image is treated alike alone and among others, in training and afterwards. The first convolution
already halves the image and the last map is enlarged: two thirds of the time of a processor went
into layers at full size.

Shapes: N images, C channels, H rows, W columns.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEAST_SIDE = 4
"""Pixels at which halving ends."""
_GROUP = 8
"""Channels that are normalised together."""
_WIDEST = 8
"""Times `width`: more channels no level has."""


class Narrowing(nn.Module):
    """Halves the image a few times while it widens."""

    centre: Tensor
    spread: Tensor

    def __init__(self, inputs: int, side: int, *, width: int = 16, depth: int = 5) -> None:
        """Lay out the levels for images of S = `side` pixels.

        `width` channels at half size, more after each of the at most `depth` - 1 halvings to come.
        """
        super().__init__()
        levels = 1
        while levels < depth and side // 2 ** (levels + 1) >= _LEAST_SIDE:
            levels += 1
        self.widths = [width * min(2**level, _WIDEST) for level in range(levels)]
        self.stem = nn.Sequential(
            _convolution(inputs, width, kernel=5, stride=2), _convolution(width, width)
        )
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(before, after, stride=2), _convolution(after, after))
            for before, after in pairwise(self.widths)
        )
        self.register_buffer("centre", torch.zeros(inputs, 1, 1))
        self.register_buffer("spread", torch.ones(()))
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps of every level, the finest first, of images (N, C, H, W)."""
        standard = (images - self.centre) / self.spread
        seen = [self.stem(standard.contiguous(memory_format=torch.channels_last))]
        for block in self.down:
            seen.append(block(seen[-1]))
        return seen


class Widening(nn.Module):
    """Comes back from the coarsest level with what was seen on the way."""

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        """Lay out the way back from levels of these widths, the finest first."""
        super().__init__()
        self.up = nn.ModuleList(
            _convolution(before + after, before) for before, after in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[0], outputs, 1)
        self.to(memory_format=torch.channels_last)

    def begin_at(self, value: float) -> None:
        """Let the first maps be nearly this value everywhere."""
        nn.init.normal_(self.head.weight, std=0.01)
        self.head.bias = nn.Parameter(torch.full((self.head.out_channels,), value))

    def forward(self, seen: Sequence[Tensor]) -> Tensor:
        """Return maps (N, outputs, H, W) at half the size of the images."""
        maps = seen[-1]
        for block, finer in zip(reversed(self.up), reversed(seen[:-1]), strict=True):
            maps = block(torch.cat([finer, enlarged_to(maps, finer)], dim=1))
        drawn: Tensor = self.head(maps)
        return drawn.contiguous()


class UNet(nn.Module):
    """Both ways together: from images to as many maps of their size."""

    def __init__(
        self, inputs: int, outputs: int, side: int, *, width: int = 16, depth: int = 5
    ) -> None:
        super().__init__()
        self.narrowing = Narrowing(inputs, side, width=width, depth=depth)
        self.widening = Widening(self.narrowing.widths, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Return maps (N, outputs, H, W) of images (N, C, H, W)."""
        return enlarged_to(self.widening(self.narrowing(images)), images)


def enlarged_to(maps: Tensor, larger: Tensor) -> Tensor:
    """Return maps (N, C, h, w) at the size of others (N, C', H, W)."""
    return F.interpolate(maps, size=larger.shape[2:], mode="bilinear", align_corners=False)


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    groups = max(1, outputs // _GROUP)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.GroupNorm(groups if outputs % groups == 0 else 1, outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )

"""A small U-Net: from images to as many maps, seeing wide and drawing sharp.

Ronneberger, Fischer & Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015,
https://arxiv.org/abs/1505.04597; with group normalisation in place of batch normalisation, so that
an image is treated alike alone and among others, in training and afterwards.

Shapes: N images, C channels, H rows, W columns.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEAST_SIDE = 4
"""Pixels at which halving ends."""
_GROUP = 8
"""Channels that are normalised together."""


class UNet(nn.Module):
    """Halves the image a few times while it widens, and comes back with what it saw on the way."""

    def __init__(
        self, inputs: int, outputs: int, side: int, *, width: int = 16, depth: int = 5
    ) -> None:
        """Lay out the network for images of S = `side` pixels.

        `width` channels at full size, twice as many after each of at most `depth` halvings.
        """
        super().__init__()
        halvings = 0
        while halvings < depth and side // 2 ** (halvings + 1) >= _LEAST_SIDE:
            halvings += 1
        widths = [width * min(2**level, 8) for level in range(halvings + 1)]
        self.stem = _convolution(inputs, widths[0])
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(before, after, stride=2), _convolution(after, after))
            for before, after in pairwise(widths)
        )
        self.up = nn.ModuleList(
            _convolution(before + after, before) for before, after in pairwise(widths)
        )
        self.head = nn.Conv2d(widths[0], outputs, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return maps (N, outputs, H, W) of images (N, C, H, W)."""
        seen = [self.stem(images.contiguous(memory_format=torch.channels_last))]
        for block in self.down:
            seen.append(block(seen[-1]))
        maps = seen.pop()
        for block in reversed(self.up):
            finer = seen.pop()
            wider = F.interpolate(maps, size=finer.shape[2:], mode="bilinear", align_corners=False)
            maps = block(torch.cat([finer, wider], dim=1))
        drawn: Tensor = self.head(maps)
        return drawn.contiguous()


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    groups = max(1, outputs // _GROUP)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(groups if outputs % groups == 0 else 1, outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )

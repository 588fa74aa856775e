"""Encoders and decoders, dense and convolutional, for images of any size from 16 to 512 pixels.

Decoders return logits; a sigmoid brings them to [0, 1]. Both decoders end in an offset, one number
per pixel: set to the logit of the mean image, an untrained decoder already draws that image, and
training is spent on what distinguishes the images. Transposed convolutions of kernel 4 and stride 2
(every output pixel is reached by as many inputs: no checkerboard) took half the time of up-sampling
and convolving on two processor cores, channels-last a tenth less than the usual layout.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D latent dimensions.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import InvalidParameter

_SMALLEST_MAP = 4
"""Pixels at which automatic convolutional networks stop halving."""
_LEAST_CHANNELS = 16
_NEGATIVE_SLOPE = 0.1
"""Of the leaky rectifiers: no unit can die for good."""
_MEAN_MARGIN = 1e-3
"""Distance that a mean image keeps from 0 and 1, where the logit is infinite."""
_MEAN_ROWS = 2048
"""Images that are enough for a mean image."""


class DenseEncoder(nn.Module):
    """Layers of `nodes`, each half as wide as the one before, from an image to D numbers."""

    def __init__(
        self, sample_shape: tuple[int, int, int], outputs: int, *, layers: int = 2, nodes: int = 512
    ) -> None:
        super().__init__()
        widths = [math.prod(sample_shape), *dense_widths(layers, nodes)]
        self.layers = nn.Sequential(
            nn.Flatten(), *_dense_blocks(widths), nn.Linear(widths[-1], outputs)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) of images (N, C, H, W)."""
        encoded: Tensor = self.layers(images - 0.5)
        return encoded

    def filters(self) -> Tensor:
        """Return the weights of the first layer, one row of F values per node."""
        first = self.layers[1]
        return next(first.parameters()).detach()


class DenseDecoder(nn.Module):
    """The mirror of DenseEncoder: from D numbers to the logits of an image."""

    def __init__(
        self, inputs: int, sample_shape: tuple[int, int, int], *, layers: int = 2, nodes: int = 512
    ) -> None:
        super().__init__()
        widths = [inputs, *reversed(dense_widths(layers, nodes))]
        self.layers = nn.Sequential(
            *_dense_blocks(widths),
            nn.Linear(widths[-1], math.prod(sample_shape), bias=False),
            nn.Unflatten(1, sample_shape),
        )
        self.offset = nn.Parameter(torch.zeros(sample_shape))

    def forward(self, latents: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of latent vectors (N, D)."""
        logits: Tensor = self.layers(latents) + self.offset
        return logits


class ConvEncoder(nn.Module):
    """Convolutions that halve the image and double the channels, then one linear map to D numbers."""

    def __init__(
        self, sample_shape: tuple[int, int, int], outputs: int, *, layers: int = 0, nodes: int = 256
    ) -> None:
        super().__init__()
        sizes = conv_sizes(sample_shape, layers)
        channels = [sample_shape[0], *conv_channels(len(sizes) - 1, nodes)]
        self.blocks = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), _rectifier())
                for before, after in pairwise(channels)
            )
        )
        self.head = nn.Linear(channels[-1] * math.prod(sizes[-1]), outputs)
        self.blocks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) of images (N, C, H, W)."""
        maps = self.blocks((images - 0.5).contiguous(memory_format=torch.channels_last))
        encoded: Tensor = self.head(maps.flatten(1))
        return encoded


class ConvDecoder(nn.Module):
    """The mirror of ConvEncoder: from D numbers to the logits of an image."""

    def __init__(
        self, inputs: int, sample_shape: tuple[int, int, int], *, layers: int = 0, nodes: int = 256
    ) -> None:
        super().__init__()
        self.sizes = list(reversed(conv_sizes(sample_shape, layers)))
        channels = [*reversed(conv_channels(len(self.sizes) - 1, nodes)), sample_shape[0]]
        self.start = (channels[0], *self.sizes[0])
        self.head = nn.Sequential(nn.Linear(inputs, math.prod(self.start)), _rectifier())
        self.blocks = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            for before, after in pairwise(channels)
        )
        self.rectifier = _rectifier()
        self.offset = nn.Parameter(torch.zeros(sample_shape))
        self.blocks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, latents: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of latent vectors (N, D)."""
        maps = self.head(latents).unflatten(1, self.start)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for block, (rows, columns) in zip(self.blocks, self.sizes[1:], strict=True):
            maps = block(maps)[:, :, :rows, :columns]  # twice the size, less one where that was odd
            if block is not self.blocks[-1]:
                maps = self.rectifier(maps)
        logits: Tensor = maps + self.offset
        return logits


def dense_widths(layers: int, nodes: int) -> list[int]:
    """Return the width of each dense layer, the widest first; `layers` 0 stands for two."""
    return [max(1, nodes >> number) for number in range(layers or 2)]


def conv_channels(layers: int, nodes: int) -> list[int]:
    """Return the channels after each convolution, the widest last."""
    narrowest = min(_LEAST_CHANNELS, nodes)
    return [max(narrowest, nodes >> (layers - 1 - number)) for number in range(layers)]


def conv_sizes(sample_shape: tuple[int, int, int], layers: int) -> list[tuple[int, int]]:
    """Return rows and columns of the image and after each halving, rounded up.

    `layers` 0 halves until the shorter side is 4 pixels or less.
    Raises InvalidParameter when more halvings are asked for than the image has.
    """
    _, rows, columns = sample_shape
    most = math.ceil(math.log2(max(2, min(rows, columns))))
    count = layers or max(1, math.ceil(math.log2(min(rows, columns) / _SMALLEST_MAP)))
    if count > most:
        raise InvalidParameter(
            f"Images of {rows} x {columns} pixels can be halved {most} times, "
            f"got {count} layers: choose fewer layers or larger images."
        )
    return [(_ceil_shift(rows, number), _ceil_shift(columns, number)) for number in range(count + 1)]


def begin_at_mean(decoder: DenseDecoder | ConvDecoder, data: Dataset) -> None:
    """Set the offset of a decoder to the logit of the mean image."""
    mean = torch.from_numpy(mean_image(data)).clamp(_MEAN_MARGIN, 1 - _MEAN_MARGIN)
    with torch.no_grad():
        decoder.offset.copy_(torch.logit(mean))


def mean_image(data: Dataset, most: int = _MEAN_ROWS) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return the mean (C, H, W) in [0, 1] of at most `most` images, evenly spread over the rows."""
    rows = np.unique(np.linspace(0, len(data) - 1, min(most, len(data))).astype(np.int64))
    total = np.zeros(data.sample_shape, dtype=np.float64)
    for part in np.array_split(rows, math.ceil(len(rows) / 64)):
        total += data.pixels(part).sum(axis=0, dtype=np.float64)
    return (total / (255 * len(rows))).astype(np.float32)


def _dense_blocks(widths: list[int]) -> list[nn.Module]:
    return [
        nn.Sequential(nn.Linear(before, after), _rectifier()) for before, after in pairwise(widths)
    ]


def _rectifier() -> nn.Module:
    return nn.LeakyReLU(_NEGATIVE_SLOPE)


def _ceil_shift(size: int, halvings: int) -> int:
    return -(-size >> halvings)

"""Encoders and decoders, dense and convolutional, for images of any size from 16 to 512 pixels.

Both ends are fitted to the images (`fit_to_images`): an encoder sees the deviation from the mean
image in units of its spread, a decoder adds its deviation to the mean image. An untrained decoder
already draws the mean, and faint differences between images train as fast as strong ones. Without
it, photographs that differ by a few grey levels stayed at the mean image for hundreds of steps.

Decoders return logits; a sigmoid brings them to [0, 1]. Transposed convolutions of kernel 4 and
stride 2 (every output pixel is reached by as many inputs: no checkerboard) take half the time of
up-sampling and convolving on two processor cores, channels-last a tenth less than the usual layout.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D latent dimensions.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from desktop_app.sdk.data import Array, Dataset, even_rows
from desktop_app.sdk.errors import InvalidParameter

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)

SampleShape = tuple[int, int, int]
"""C, H, W."""

_SMALLEST_MAP = 4
"""Pixels at which automatic convolutional networks stop halving."""
_LEAST_CHANNELS = 16
_NEGATIVE_SLOPE = 0.1
"""Of the leaky rectifiers: no unit can die for good."""
_RECTIFIER_GAIN = nn.init.calculate_gain("leaky_relu", _NEGATIVE_SLOPE)
_LAST_GAIN = 0.1
"""Initial gain of a decoder's last layer, which therefore begins close to the mean image."""
_MEAN_MARGIN = 1e-3
"""Distance that the mean image keeps from 0 and 1, where the logit is infinite."""
_LEAST_SPREAD = 1 / 255
"""A folder of equal images counts as if it varied by one grey level."""
_STATISTICS_ROWS = 2048
"""Images that are enough for mean and spread."""


class DenseEncoder(nn.Module):
    """Layers of `nodes`, each half as wide as the one before, from an image to D numbers.

    `widths` names the width of each hidden layer instead; none at all makes one linear map.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        sample_shape: SampleShape,
        outputs: int,
        *,
        layers: int = 0,
        nodes: int = 512,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        hidden = dense_widths(layers, nodes) if widths is None else widths
        steps = [math.prod(sample_shape), *hidden]
        self.hidden = nn.Sequential(*_dense_blocks(steps))
        self.head = _linear(steps[-1], outputs, gain=1.0)
        _remember_images(self, sample_shape)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) of images (N, C, H, W)."""
        encoded: Tensor = self.head(self.hidden(self.deviation(images)))
        return encoded

    def deviation(self, images: Tensor) -> Tensor:
        """Return what the first layer sees (N, F): the mean image is 0, the spread 1."""
        return ((images - self.centre) / self.spread).flatten(1)

    def filters(self) -> Tensor:
        """Return the weights of the first layer, one row of F values per node."""
        return next(self.parameters()).detach()


class DenseDecoder(nn.Module):
    """The mirror of DenseEncoder: from D numbers to the logits of an image."""

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        inputs: int,
        sample_shape: SampleShape,
        *,
        layers: int = 0,
        nodes: int = 512,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        hidden = dense_widths(layers, nodes) if widths is None else widths
        steps = [inputs, *reversed(hidden)]
        self.hidden = nn.Sequential(*_dense_blocks(steps))
        self.last = _linear(steps[-1], math.prod(sample_shape), gain=_LAST_GAIN)
        _remember_images(self, sample_shape)

    def forward(self, latents: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of latent vectors (N, D)."""
        return self.logits(self.last(self.hidden(latents)))

    def logits(self, deviation: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of deviations (N, F) from the mean image."""
        return _logits(self.centre, self.spread, deviation.view(len(deviation), *self.centre.shape))


class ConvEncoder(nn.Module):
    """Convolutions that halve the image and widen, then one linear map to D numbers."""

    centre: Tensor
    spread: Tensor

    def __init__(
        self, sample_shape: SampleShape, outputs: int, *, layers: int = 0, nodes: int = 256
    ) -> None:
        super().__init__()
        sizes = conv_sizes(sample_shape, layers)
        channels = [sample_shape[0], *conv_channels(len(sizes) - 1, nodes)]
        self.blocks = nn.Sequential(*(_down(before, after) for before, after in pairwise(channels)))
        self.head = _linear(channels[-1] * math.prod(sizes[-1]), outputs, gain=1.0)
        _remember_images(self, sample_shape)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) of images (N, C, H, W)."""
        deviation = (images - self.centre) / self.spread
        maps = self.blocks(deviation.contiguous(memory_format=torch.channels_last))
        encoded: Tensor = self.head(maps.flatten(1))
        return encoded


class ConvDecoder(nn.Module):
    """The mirror of ConvEncoder: from D numbers to the logits of an image."""

    centre: Tensor
    spread: Tensor

    def __init__(
        self, inputs: int, sample_shape: SampleShape, *, layers: int = 0, nodes: int = 256
    ) -> None:
        super().__init__()
        self.sizes = list(reversed(conv_sizes(sample_shape, layers)))
        channels = [*reversed(conv_channels(len(self.sizes) - 1, nodes)), sample_shape[0]]
        self.start = (channels[0], *self.sizes[0])
        self.head = _linear(inputs, math.prod(self.start), gain=_RECTIFIER_GAIN)
        self.blocks = nn.ModuleList(
            _up(before, after, gain=_LAST_GAIN if number == len(channels) - 1 else _RECTIFIER_GAIN)
            for number, (before, after) in enumerate(pairwise(channels), start=1)
        )
        self.rectifier = nn.LeakyReLU(_NEGATIVE_SLOPE)
        _remember_images(self, sample_shape)
        self.to(memory_format=torch.channels_last)

    def forward(self, latents: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of latent vectors (N, D)."""
        maps = self.head(latents).unflatten(1, self.start)
        maps = maps.contiguous(memory_format=torch.channels_last)
        for block, (rows, columns) in zip(self.blocks, self.sizes[1:], strict=True):
            maps = block(self.rectifier(maps))[:, :, :rows, :columns]  # one less where that is odd
        return _logits(self.centre, self.spread, maps)


Encoder = DenseEncoder | ConvEncoder
Decoder = DenseDecoder | ConvDecoder


def fit_to_images(encoder: Encoder, decoder: Decoder, data: Dataset) -> None:
    """Tell an encoder and a decoder the mean image and the spread around it."""
    mean, spread = image_statistics(data)
    for network in (encoder, decoder):
        network.centre.copy_(torch.from_numpy(mean))
        network.spread.fill_(max(spread, _LEAST_SPREAD))


def image_statistics(data: Dataset, most: int = _STATISTICS_ROWS) -> tuple[Array, float]:
    """Return the mean image (C, H, W) and the standard deviation of all values around it.

    At most `most` images are read, evenly spread over the rows. Images are in [0, 1].
    """
    rows = even_rows(len(data), most)
    total: NDArray[np.float64] = np.zeros(data.sample_shape)
    squares: NDArray[np.float64] = np.zeros(data.sample_shape)
    for part in np.array_split(rows, math.ceil(len(rows) / 64)):
        values = data.pixels(part).astype(np.float64) / 255
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    mean = total / len(rows)
    variance = float((squares / len(rows) - mean**2).mean())
    return mean.astype(np.float32), math.sqrt(max(variance, 0.0))


def colour_statistics(data: Dataset, most: int = 256) -> tuple[Tensor, Tensor]:
    """Return the mean colour (C, 1, 1) and the standard deviation () of all values.

    At most `most` images are read, evenly spread over the rows. Images are in [0, 1].
    """
    mean, spread = image_statistics(data, most)
    whole = math.sqrt(spread**2 + float(mean.var()))  # around the mean image, and that image's own
    centre = torch.from_numpy(mean.mean(axis=(1, 2), keepdims=True))
    return centre, torch.tensor(max(whole, _LEAST_SPREAD))


def dense_widths(layers: int, nodes: int) -> list[int]:
    """Return the width of each dense layer, the widest first; `layers` 0 stands for two."""
    return [max(1, nodes >> number) for number in range(layers or 2)]


def conv_channels(layers: int, nodes: int) -> list[int]:
    """Return the channels after each convolution, the widest last."""
    narrowest = min(_LEAST_CHANNELS, nodes)
    return [max(narrowest, nodes >> (layers - 1 - number)) for number in range(layers)]


def conv_sizes(sample_shape: SampleShape, layers: int) -> list[tuple[int, int]]:
    """Return rows and columns of the image and after each halving, rounded up.

    `layers` 0 halves until the shorter side is 4 pixels or less.
    Raises InvalidParameter when more halvings are asked for than the image has.
    """
    _, rows, columns = sample_shape
    shorter = min(rows, columns)
    most = max(1, math.ceil(math.log2(shorter)))
    count = layers or max(1, math.ceil(math.log2(shorter / _SMALLEST_MAP)))
    if count > most:
        raise InvalidParameter(
            f"Images of {rows} x {columns} pixels can be halved {most} times, got {count} layers: "
            "choose fewer layers or larger images."
        )
    return [(-(-rows >> number), -(-columns >> number)) for number in range(count + 1)]


def _remember_images(network: nn.Module, sample_shape: SampleShape) -> None:
    network.register_buffer("centre", torch.full(sample_shape, 0.5))
    network.register_buffer("spread", torch.ones(()))


def _logits(centre: Tensor, spread: Tensor, deviation: Tensor) -> Tensor:
    """Return the logits of the mean image moved by a deviation (N, C, H, W) in units of spread.

    A logit moves by 4 where an image of grey 0.5 moves by 1.
    """
    return torch.logit(centre, eps=_MEAN_MARGIN) + 4 * spread * deviation


def _dense_blocks(widths: list[int]) -> list[nn.Module]:
    return [
        nn.Sequential(_linear(before, after, _RECTIFIER_GAIN), nn.LeakyReLU(_NEGATIVE_SLOPE))
        for before, after in pairwise(widths)
    ]


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    return _initialised(layer, gain / math.sqrt(inputs))


def _down(before: int, after: int) -> nn.Module:
    layer = nn.Conv2d(before, after, 3, stride=2, padding=1)
    return nn.Sequential(
        _initialised(layer, _RECTIFIER_GAIN / math.sqrt(9 * before)), nn.LeakyReLU(_NEGATIVE_SLOPE)
    )


def _up(before: int, after: int, gain: float) -> nn.ConvTranspose2d:
    layer = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
    return _initialised(layer, gain / math.sqrt(4 * before))  # 4 of 16 weights reach each pixel


def _initialised(layer: Layer, deviation: float) -> Layer:
    nn.init.normal_(layer.weight, std=deviation)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer

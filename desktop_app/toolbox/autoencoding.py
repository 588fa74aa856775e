"""What methods with an encoder and a decoder share; the loss and the loop are the method's own.

A method chooses its networks in `build` and calls `prepare` at the first step. It then encodes,
decodes, rebuilds, scores and marks what it cannot rebuild, and remembers how its code is used.

Shapes: N images, C channels, H rows, W columns, D numbers of the code.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, View
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.networks import (
    ConvDecoder,
    ConvEncoder,
    Decoder,
    DenseDecoder,
    DenseEncoder,
    Encoder,
    fit_to_images,
)
from desktop_app.toolbox.reconstruction import CalibratedScores, UsualError
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.torch_method import TorchMethod

P = TypeVar("P", bound=TrainingParams)

_SHOWN = 64
"""Filters in the view."""


class NetworkParams(TrainingParams):
    """The networks of a pair of encoder and decoder, dense or convolutional."""

    architecture: Literal["conv", "dense"] = param(
        "conv", help="Convolutions for photographs, dense layers for tiny images."
    )
    layers: int = param(
        0,
        low=0,
        high=9,
        unit="layers",
        help="Hidden layers of the encoder, mirrored in the decoder; 0 suits them to the image.",
    )
    nodes: int = param(
        128,
        low=1,
        high=8192,
        scale="log",
        help="Nodes (dense) or channels (conv) of the widest layer; towards the code dense layers "
        "halve, towards the image convolutions do.",
    )


class BlendingParams(NetworkParams):
    """Networks that are trained on blends of images, where there are few."""

    blend: int = param(
        1000,
        low=0,
        high=1_000_000,
        scale="log",
        unit="images",
        advanced=True,
        help="Folders of up to this many images are trained on blends of two of them, larger ones "
        "on a share of blends; 0 never blends.",
    )

    def blended_share(self, data: Dataset) -> float:
        """Return the share of the images of a folder that are blended with another one."""
        return self.blend / len(data)


class AutoencodingMethod(CalibratedScores, TorchMethod[P]):
    """A method of an encoder, a decoder and a code of D numbers between them."""

    encoder: Encoder
    decoder: Decoder

    def remember_codes(self, sample_shape: tuple[int, int, int], code_size: int) -> None:
        """Make, in `build`, what is remembered about errors and about a code of D numbers."""
        self.usual = UsualError(sample_shape)
        self.codes = RunningMean(2, code_size)  # mean and mean square of each number of the code

    def prepare(self, data: Dataset) -> None:
        """Tell both networks and the scores what the images are like: before the first step."""
        fit_to_images(self.encoder, self.decoder, data)
        self.usual.centre.copy_(self.encoder.centre)

    @torch.no_grad()
    def observe(self, images: Tensor, codes: Tensor, rebuilt: Tensor) -> None:
        """Take a batch of images (N, C, H, W), codes (N, D) and rebuilt images into the memory."""
        self.usual.observe(images, rebuilt)
        self.codes.observe(torch.stack([codes.mean(dim=0), codes.square().mean(dim=0)]))

    def code(self, images: Tensor) -> Tensor:
        """Return the codes (N, D) of images (N, C, H, W)."""
        codes: Tensor = self.encoder(images)
        return codes

    def explained(self, images: Tensor, error: Tensor) -> Tensor:
        """Return the share of variance that a mean squared error leaves explained."""
        return 1 - error / (images - self.encoder.centre).square().mean().clamp(min=1e-12)

    def code_variances(self) -> Tensor:
        """Return the variance over images of each number of the code (D,)."""
        moments: Tensor = self.codes.value
        return (moments[1] - moments[0].square()).clamp(min=0)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (N, D) of images."""
        return self.code(self._checked(images))

    @inference
    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes (N, D)."""
        images: Tensor = self.decoder(latents).sigmoid()
        return images

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return the rebuilt images (N, C, H, W)."""
        rebuilt: Tensor = self.decoder(self.code(images)).sigmoid()
        return rebuilt

    def views(self) -> Sequence[View]:
        """Return how the code is used, where errors are usual and, if dense, the filters."""
        if self.sample_shape is None:
            return ()
        views: list[View] = [self._spread_of_codes(), self._usual_errors()]
        if isinstance(self.encoder, DenseEncoder):
            views.append(self._filters(self.encoder))
        return views

    def _spread_of_codes(self) -> Curve:
        spread = self.code_variances().sqrt().cpu().numpy()  # (D,)
        number = np.arange(1, len(spread) + 1, dtype=np.float32)
        return Curve(
            "Spread of each number of the code",
            {"standard deviation": (number, np.sort(spread)[::-1].copy())},
            x_label="number of the code, by spread",
            y_label="standard deviation over images",
            kind="bars",
        )

    def _usual_errors(self) -> HeatMap:
        return HeatMap("Usual error at each pixel", self.usual.error.value.cpu().numpy().copy())

    def _filters(self, encoder: DenseEncoder) -> ImageGrid:
        filters = encoder.filters().cpu().numpy()  # (nodes, F)
        strongest = np.argsort(-np.square(filters).sum(axis=1), kind="stable")[:_SHOWN]
        images = filters[strongest].reshape(-1, *encoder.centre.shape)
        return ImageGrid("Strongest filters of the first layer", images, signed=True)


def make_networks(
    params: NetworkParams, sample_shape: tuple[int, int, int], outputs: int, inputs: int
) -> tuple[Encoder, Decoder]:
    """Return an encoder to `outputs` numbers and a decoder from `inputs` numbers."""
    layers, nodes = params.layers, params.nodes
    if params.architecture == "dense":
        return (
            DenseEncoder(sample_shape, outputs, layers=layers, nodes=nodes),
            DenseDecoder(inputs, sample_shape, layers=layers, nodes=nodes),
        )
    return (
        ConvEncoder(sample_shape, outputs, layers=layers, nodes=nodes),
        ConvDecoder(inputs, sample_shape, layers=layers, nodes=nodes),
    )

"""Undercomplete autoencoder.

Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006,
https://doi.org/10.1126/science.1127647; trained on blends of images (Zhang et al., mixup, 2018,
https://arxiv.org/abs/1710.09412) where there are few.

    z = f(x),   x' = g(z),   loss = L(x, x')            z much shorter than x

L is the squared error or the binary cross-entropy, averaged over values and images.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D numbers of the code.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.events import Events
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, View
from desktop_app.toolbox.augmentation import blended
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.networks import (
    ConvDecoder,
    ConvEncoder,
    DenseDecoder,
    DenseEncoder,
    fit_to_images,
)
from desktop_app.toolbox.reconstruction import CalibratedScores, UsualError
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import descend

_SHOWN = 64
"""Filters in the view."""


class AutoencoderParams(TrainingParams):
    """The four hyper-parameters of every autoencoder, and those of its training."""

    architecture: Literal["conv", "dense"] = param(
        "conv", help="Convolutions for photographs, dense layers for tiny images."
    )
    code_size: int = param(
        32, low=1, high=4096, scale="log", help="Numbers D in the code; fewer squeeze harder."
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
    loss: Literal["mse", "bce"] = param(
        "mse", help="Squared error, or binary cross-entropy for nearly black and white images."
    )
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


class Autoencoder(CalibratedScores, TorchMethod[AutoencoderParams]):
    """Squeezes images through a short code and learns to rebuild them from it."""

    card = Card(
        id="autoencoder",
        title="Autoencoder",
        family="Autoencoders",
        paper="10.1126/science.1127647",
        summary="Learns a short code for each image; what cannot be rebuilt from it is unusual.",
        translations={
            "zh_CN": {
                "title": "自编码器",
                "family": "自编码器",
                "summary": "为每张图像学习一个简短的编码；无法由编码重建的内容即为异常。",
            }
        },
    )

    toy_params: ClassVar[dict[str, int]] = {"nodes": 32}
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about codes and errors."""
        D, layers, nodes = self.params.code_size, self.params.layers, self.params.nodes
        self.encoder: DenseEncoder | ConvEncoder
        self.decoder: DenseDecoder | ConvDecoder
        if self.params.architecture == "dense":
            self.encoder = DenseEncoder(sample_shape, D, layers=layers, nodes=nodes)
            self.decoder = DenseDecoder(D, sample_shape, layers=layers, nodes=nodes)
        else:
            self.encoder = ConvEncoder(sample_shape, D, layers=layers, nodes=nodes)
            self.decoder = ConvDecoder(D, sample_shape, layers=layers, nodes=nodes)
        self.usual = UsualError(sample_shape)
        self.codes = RunningMean(2, D)  # mean and mean square of each number of the code

    def learn(self, data: Dataset) -> Events:
        """Minimise the reconstruction loss, in units of that of the mean image."""
        if self.clock.step == 0:
            fit_to_images(self.encoder, self.decoder, data)
            self.usual.centre.copy_(self.encoder.centre)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            x = blended(step.batch, self.params.blend / len(data))  # (N, C, H, W)
            z = self.encoder(x)  # (N, D)
            logits = self.decoder(z)  # (N, C, H, W)
            rebuilt = logits.sigmoid()
            mse = F.mse_loss(rebuilt, x)
            bce = self.params.loss == "bce"
            loss = F.binary_cross_entropy_with_logits(logits, x) if bce else mse
            descend(loss / self.encoder.spread**2, adam)
            self.usual.observe(x, rebuilt)
            self.codes.observe(torch.stack([z.mean(dim=0), z.square().mean(dim=0)]))
            explained = 1 - mse / (x - self.encoder.centre).square().mean().clamp(min=1e-12)
            yield step.metrics(loss=loss, mse=mse, explained_variance=explained)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (N, D) of images."""
        codes: Tensor = self.encoder(self._checked(images))
        return codes

    @inference
    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes (N, D)."""
        images: Tensor = self.decoder(latents).sigmoid()
        return images

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return the rebuilt images (N, C, H, W)."""
        rebuilt: Tensor = self.decoder(self.encoder(images)).sigmoid()
        return rebuilt

    def views(self) -> Sequence[View]:
        """Return how the code is used, where errors are usual and, if dense, the filters."""
        if self.sample_shape is None:
            return ()
        mean, square = self.codes.value.cpu().numpy()
        spread = np.sqrt(np.maximum(square - mean**2, 0)).astype(np.float32)  # (D,)
        number = np.arange(1, len(spread) + 1, dtype=np.float32)
        views: list[View] = [
            Curve(
                "Spread of each number of the code",
                {"standard deviation": (number, np.sort(spread)[::-1].copy())},
                x_label="number of the code, by spread",
                y_label="standard deviation over images",
                kind="bars",
            ),
            HeatMap("Usual error at each pixel", self.usual.error.value.cpu().numpy().copy()),
        ]
        if isinstance(self.encoder, DenseEncoder):
            views.append(self._filters(self.encoder))
        return views

    def _filters(self, encoder: DenseEncoder) -> ImageGrid:
        filters = encoder.filters().cpu().numpy()  # (nodes, F)
        strongest = np.argsort(-np.square(filters).sum(axis=1), kind="stable")[:_SHOWN]
        images = filters[strongest].reshape(-1, *encoder.centre.shape)
        return ImageGrid("Strongest filters of the first layer", images, signed=True)


@hookimpl
def register_methods() -> list[type[Autoencoder]]:
    """Offer the autoencoder."""
    return [Autoencoder]

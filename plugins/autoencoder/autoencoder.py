"""Undercomplete autoencoder.

Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006,
https://doi.org/10.1126/science.1127647

    z = f(x),  x' = g(z),  loss = L(x, x')          with z much shorter than x

L is the squared error or the binary cross-entropy, averaged over pixels and images.

Shapes: N images, C channels, H rows, W columns, D latent dimensions.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.events import Events
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.inference import inference, require_shape
from desktop_app.toolbox.networks import (
    ConvDecoder,
    ConvEncoder,
    DenseDecoder,
    DenseEncoder,
    fit_to_images,
)
from desktop_app.toolbox.reconstruction import ReconstructionScores
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import descend


class AutoencoderParams(TrainingParams):
    """The four hyper-parameters of an autoencoder, and those of its training."""

    architecture: Literal["dense", "conv"] = param(
        "conv", help="Dense layers for tiny images, convolutions for photographs."
    )
    code_size: int = param(32, low=1, high=4096, scale="log", help="Numbers D in the code.")
    layers: int = param(
        0, low=0, high=9, unit="layers",
        help="Hidden layers of the encoder, mirrored in the decoder; 0 suits them to the image.",
    )
    nodes: int = param(
        256, low=1, high=8192, scale="log",
        help="Nodes (dense) or channels (conv) of the widest layer; each next one has half.",
    )
    loss: Literal["mse", "bce"] = param(
        "mse", help="Squared error, or binary cross-entropy for nearly black and white images."
    )


class Autoencoder(ReconstructionScores, TorchMethod[AutoencoderParams]):
    """Squeezes images through a short code and learns to rebuild them from it."""

    card = Card(
        id="autoencoder",
        title="Autoencoder",
        family="Autoencoders",
        paper="10.1126/science.1127647",
        summary="Learns a short code for each image; what it cannot rebuild is unusual.",
        translations={
            "zh_CN": {
                "title": "自编码器",
                "family": "自编码器",
                "summary": "为每张图像学习一个简短的编码；无法重建的部分即为异常。",
            }
        },
    )

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder and decoder."""
        size = {"layers": self.params.layers, "nodes": self.params.nodes}
        D = self.params.code_size
        dense = self.params.architecture == "dense"
        self.encoder = (DenseEncoder if dense else ConvEncoder)(sample_shape, D, **size)
        self.decoder = (DenseDecoder if dense else ConvDecoder)(D, sample_shape, **size)

    def learn(self, data: Dataset) -> Events:
        """Minimise the reconstruction loss, beginning at the mean image."""
        if self.clock.step == 0:
            fit_to_images(self.encoder, self.decoder, data)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            x = step.batch  # (N, C, H, W)
            z = self.encoder(x)  # (N, D)
            logits = self.decoder(z)  # (N, C, H, W)
            if self.params.loss == "mse":
                loss = F.mse_loss(logits.sigmoid(), x)
            else:
                loss = F.binary_cross_entropy_with_logits(logits, x)
            descend(loss / self.encoder.spread**2, adam)
            yield step.metrics(loss=loss)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (N, D)."""
        return self.encoder(images)

    @inference
    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes (N, D)."""
        return self.decoder(latents).sigmoid()

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return the rebuilt images (N, C, H, W)."""
        return self.decoder(self.encoder(images)).sigmoid()


@hookimpl
def register_methods() -> list[type[Autoencoder]]:
    """Offer the autoencoder."""
    return [Autoencoder]

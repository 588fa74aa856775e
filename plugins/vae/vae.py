"""Variational autoencoder.

Kingma & Welling, Auto-encoding variational Bayes, 2014, https://arxiv.org/abs/1312.6114, with the
weight of Higgins et al., beta-VAE, 2017, the free bits of Kingma et al., 2016,
https://arxiv.org/abs/1606.04934, and the calibrated Gaussian of Rybkin et al., 2021,
https://arxiv.org/abs/2006.13202

    loss = E_q(z|x)[-log p(x|z)] + beta * KL(q(z|x) || N(0, I))       (their eq. 3 has beta = 1)

Summed over pixels and latent dimensions, averaged over images: nats per image. The Gaussian has one
variance for all values, at its optimum sigma^2 = mean squared error (their eq. 5).

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D latent dimensions.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, Images
from desktop_app.sdk.events import Events
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import Curve, View
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

ACTIVE_VARIANCE = 0.01
"""A dimension is active where Var_x E[z] exceeds this (Burda et al., 2016)."""
_MEMORY = 0.98
"""Share of a running average that a step leaves unchanged."""
_LEAST_VARIANCE = (0.5 / 255) ** 2
"""Of the Gaussian: half a grey level."""
_MOST_LOG_VARIANCE = 8.0
"""Of the posterior, either way: keeps its exponential finite."""


class VAEParams(TrainingParams):
    """The latent space, what it is weighed against, and the networks."""

    latent_dim: int = param(32, low=1, high=1024, scale="log", help="Latent dimensions D.")
    beta: float = param(
        1.0, low=0.0, high=100.0, help="Weight of the KL term; above 1, a beta-VAE."
    )
    likelihood: Literal["gaussian", "bernoulli"] = param(
        "gaussian",
        help="Gaussian with the best variance for photographs, Bernoulli for black on white.",
    )
    warm_up: float = param(
        0.1, low=0.0, high=1.0, unit="of the training",
        help="Share of the training in which the weight of the KL term rises from 0 to beta.",
    )
    free_bits: float = param(
        0.0, low=0.0, high=5.0, unit="nats", advanced=True,
        help="KL per latent dimension that costs nothing; above 0 it keeps dimensions alive.",
    )
    architecture: Literal["dense", "conv"] = param(
        "conv", help="Dense layers for tiny images, convolutions for photographs."
    )
    layers: int = param(0, low=0, high=9, unit="layers", help="x")
    nodes: int = param(256, low=1, high=8192, scale="log", help="x")


class VAE(ReconstructionScores, TorchMethod[VAEParams]):
    """Learns a smooth Gaussian code from which new images can be drawn."""

    card = Card(
        id="vae",
        title="Variational autoencoder",
        family="Autoencoders",
        paper="1312.6114",
        summary="Learns a smooth code from which new images can be drawn.",
    )

    noise_variance: Tensor
    divergence: Tensor
    code_mean: Tensor
    code_square: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder and decoder."""
        size = {"layers": self.params.layers, "nodes": self.params.nodes}
        D = self.params.latent_dim
        dense = self.params.architecture == "dense"
        self.encoder = (DenseEncoder if dense else ConvEncoder)(sample_shape, 2 * D, **size)
        self.decoder = (DenseDecoder if dense else ConvDecoder)(D, sample_shape, **size)
        self.register_buffer("noise_variance", torch.ones(()))
        self.register_buffer("divergence", torch.zeros(D))
        self.register_buffer("code_mean", torch.zeros(D))
        self.register_buffer("code_square", torch.zeros(D))

    def learn(self, data: Dataset) -> Events:
        """Minimise the negative evidence lower bound."""
        if self.clock.step == 0:
            fit_to_images(self.encoder, self.decoder, data)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            x = step.batch  # (N, C, H, W)
            mean, log_var = self.posterior(x)  # each (N, D)
            z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)  # reparameterised
            nll = self.negative_log_likelihood(self.decoder(z), x).mean()
            kl = divergence(mean, log_var)  # (N, D)
            weight = self.params.beta
            if self.params.warm_up > 0:
                weight *= min(1.0, step.progress / self.params.warm_up)
            paid = kl.mean(dim=0).clamp(min=self.params.free_bits).sum()
            loss = nll + weight * paid
            descend(loss, adam)
            with torch.no_grad():
                self._remember(step.number, mean, kl)
            yield step.metrics(
                loss=loss, nll=nll, kl=kl.sum(dim=1).mean(), active=float(self.active_units())
            )

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.encoder(images).chunk(2, dim=1)
        return mean, log_var.clamp(-_MOST_LOG_VARIANCE, _MOST_LOG_VARIANCE)

    def negative_log_likelihood(self, logits: Tensor, images: Tensor) -> Tensor:
        if self.params.likelihood == "bernoulli":
            bce = F.binary_cross_entropy_with_logits(logits, images, reduction="none")
            return bce.flatten(1).sum(dim=1)
        error = (logits.sigmoid() - images).square().flatten(1)  # (N, F)
        if self.training:
            variance = error.detach().mean().clamp(min=_LEAST_VARIANCE)
            self.noise_variance.copy_(variance)
        return 0.5 * (error / self.noise_variance + torch.log(2 * math.pi * self.noise_variance)).sum(dim=1)

    def active_units(self) -> int:
        variance = self.code_square - self.code_mean.square()
        return int((variance > ACTIVE_VARIANCE).sum())

    def _remember(self, number: int, mean: Tensor, kl: Tensor) -> None:
        share = max(1 / number, 1 - _MEMORY)
        self.divergence.lerp_(kl.mean(dim=0), share)
        self.code_mean.lerp_(mean.mean(dim=0), share)
        self.code_square.lerp_(mean.square().mean(dim=0), share)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        return self.posterior(images)[0]

    @inference
    def decode(self, latents: Tensor) -> Tensor:
        return self.decoder(latents).sigmoid()

    def reconstruction(self, images: Tensor) -> Tensor:
        return self.decoder(self.posterior(images)[0]).sigmoid()


def divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_var)) || N(0, I)) in nats, per image and dimension."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)


@hookimpl
def register_methods() -> list[type[VAE]]:
    return [VAE]

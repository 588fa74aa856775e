"""Variational autoencoder.

Kingma & Welling, Auto-encoding variational Bayes, 2014, https://arxiv.org/abs/1312.6114, with the
weight of Higgins et al., beta-VAE, 2017, the free bits of Kingma et al., 2016,
https://arxiv.org/abs/1606.04934, and the calibrated Gaussian of Rybkin et al., 2021,
https://arxiv.org/abs/2006.13202

    loss = E_q(z|x)[-log p(x|z)] + beta * KL(q(z|x) || N(0, I))       (their eq. 3 has beta = 1)

Sums over values and latent dimensions, means over images: nats per image. The Gaussian has one
variance for all values, and it is always the best one: the mean squared error (Rybkin, eq. 5).

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D latent dimensions.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, Images
from desktop_app.sdk.events import Events
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import Curve, HeatMap, View
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

ACTIVE_VARIANCE = 0.01
"""A latent dimension is active where Var_x E[z|x] exceeds this (Burda et al., 2016)."""
_LEAST_VARIANCE = (0.5 / 255) ** 2
"""Of the Gaussian: half a grey level."""
_MOST_LOG_VARIANCE = 10.0
"""Of the posterior, either way: its exponential stays finite."""


class VAEParams(TrainingParams):
    """The latent space, what it is weighed against, and the networks."""

    latent_dim: int = param(32, low=1, high=1024, scale="log", help="Latent dimensions D.")
    beta: float = param(
        1.0,
        low=0.0,
        high=100.0,
        help="Weight of the KL term: above 1, a beta-VAE with fewer and clearer dimensions.",
    )
    likelihood: Literal["gaussian", "bernoulli"] = param(
        "gaussian",
        help="Gaussian of the best variance for photographs, Bernoulli for nearly black and white.",
    )
    warm_up: float = param(
        0.1,
        low=0.0,
        high=1.0,
        unit="of the training",
        help="Share of the training in which the weight of the KL term rises from 0 to beta.",
    )
    free_bits: float = param(
        0.0,
        low=0.0,
        high=5.0,
        unit="nats",
        advanced=True,
        help="KL of each latent dimension that costs nothing; above 0, no dimension falls asleep.",
    )
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


class VAE(CalibratedScores, TorchMethod[VAEParams]):
    """Learns a smooth Gaussian code from which new images can be drawn."""

    card = Card(
        id="vae",
        title="Variational autoencoder",
        family="Autoencoders",
        paper="1312.6114",
        summary="Learns a smooth code from which new images can be drawn and old ones rebuilt.",
        translations={
            "zh_CN": {
                "title": "变分自编码器",
                "family": "自编码器",
                "summary": "学习一个平滑的编码，既能重建已有图像，也能生成新图像。",
            }
        },
    )

    toy_params: ClassVar[dict[str, int]] = {"nodes": 32}
    """What the conformance kit trains with on its small images."""

    noise: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about codes and errors."""
        D, layers, nodes = self.params.latent_dim, self.params.layers, self.params.nodes
        self.encoder: DenseEncoder | ConvEncoder
        self.decoder: DenseDecoder | ConvDecoder
        if self.params.architecture == "dense":
            self.encoder = DenseEncoder(sample_shape, 2 * D, layers=layers, nodes=nodes)
            self.decoder = DenseDecoder(D, sample_shape, layers=layers, nodes=nodes)
        else:
            self.encoder = ConvEncoder(sample_shape, 2 * D, layers=layers, nodes=nodes)
            self.decoder = ConvDecoder(D, sample_shape, layers=layers, nodes=nodes)
        self.usual = UsualError(sample_shape)
        self.register_buffer("noise", torch.ones(()))  # variance of the Gaussian
        self.codes = RunningMean(2, D)  # mean and mean square of each E[z|x]
        self.divergences = RunningMean(D)  # KL of each dimension, nats

    def learn(self, data: Dataset) -> Events:
        """Minimise the negative evidence lower bound."""
        if self.clock.step == 0:
            fit_to_images(self.encoder, self.decoder, data)
            self.usual.centre.copy_(self.encoder.centre)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            x = step.batch  # (N, C, H, W)
            mean, log_var = self.posterior(x)  # each (N, D)
            z = mean + torch.exp(log_var / 2) * torch.randn_like(mean)  # reparameterised
            logits = self.decoder(z)  # (N, C, H, W)
            self._calibrate(logits, x)
            nll = self.negative_log_likelihood(logits, x).mean()  # nats per image
            kl = divergence(mean, log_var).mean(dim=0)  # (D,), nats
            charged = kl.clamp(min=self.params.free_bits).sum()
            loss = nll + self._weight(step.progress) * charged
            descend(loss, adam)
            self._remember(x, logits, mean, kl)
            yield step.metrics(
                loss=loss,
                nll=nll,
                kl=kl.sum(),
                elbo=-(nll + kl.sum()),
                active_units=float((self.code_variances() > ACTIVE_VARIANCE).sum()),
            )

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z|x), each (N, D)."""
        mean, log_var = self.encoder(images).chunk(2, dim=1)
        return mean, log_var.clamp(-_MOST_LOG_VARIANCE, _MOST_LOG_VARIANCE)

    def negative_log_likelihood(self, logits: Tensor, images: Tensor) -> Tensor:
        """Return -log p(x|z) in nats (N,), summed over all values of an image."""
        if self.params.likelihood == "bernoulli":
            nats = F.binary_cross_entropy_with_logits(logits, images, reduction="none")
        else:
            error = (logits.sigmoid() - images).square()
            nats = 0.5 * (error / self.noise + torch.log(2 * math.pi * self.noise))
        return nats.flatten(1).sum(dim=1)

    def code_variances(self) -> Tensor:
        """Return Var_x E[z|x] of each latent dimension (D,)."""
        moments: Tensor = self.codes.value
        return (moments[1] - moments[0].square()).clamp(min=0)

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the posterior means (N, D) of images."""
        return self.posterior(self._checked(images))[0]

    @inference
    def decode(self, latents: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of latent vectors (N, D)."""
        images: Tensor = self.decoder(latents).sigmoid()
        return images

    def generate(self, count: int, seed: int) -> Images:
        """Return images (count, C, H, W) of draws from N(0, I)."""
        draws = np.random.default_rng(seed).standard_normal((count, self.params.latent_dim))
        images: Images = self.decode(draws.astype(np.float32))
        return images

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of the posterior means."""
        rebuilt: Tensor = self.decoder(self.posterior(images)[0]).sigmoid()
        return rebuilt

    def views(self) -> Sequence[View]:
        """Return how much each latent dimension tells, and where errors are usual."""
        if self.sample_shape is None:
            return ()
        kl = self.divergences.value.cpu().numpy()
        variances = self.code_variances().cpu().numpy()
        order = np.argsort(-kl, kind="stable")
        number = np.arange(1, len(kl) + 1, dtype=np.float32)
        return (
            Curve(
                "KL per latent dimension",
                {"KL": (number, kl[order])},
                x_label="latent dimension, by KL",
                y_label="nats",
                kind="bars",
            ),
            Curve(
                "Active units",
                {"variance of the posterior mean": (number, variances[order])},
                x_label="latent dimension, by KL",
                y_label="variance over images",
                marks={"active above": ACTIVE_VARIANCE},
                kind="bars",
            ),
            HeatMap("Usual error at each pixel", self.usual.error.value.cpu().numpy().copy()),
        )

    def _weight(self, progress: float) -> float:
        """Return the weight of the KL term: from 0 to beta while it warms up."""
        warm = min(1.0, progress / self.params.warm_up) if self.params.warm_up > 0 else 1.0
        return self.params.beta * warm

    @torch.no_grad()
    def _calibrate(self, logits: Tensor, images: Tensor) -> None:
        """Give the Gaussian the variance of this batch, the one that makes it most likely."""
        error = (logits.sigmoid() - images).square().mean()
        self.noise.copy_(error.clamp(min=_LEAST_VARIANCE))

    @torch.no_grad()
    def _remember(self, images: Tensor, logits: Tensor, mean: Tensor, kl: Tensor) -> None:
        self.usual.observe(images, logits.sigmoid())
        self.codes.observe(torch.stack([mean.mean(dim=0), mean.square().mean(dim=0)]))
        self.divergences.observe(kl)


def divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_var)) || N(0, 1)) in nats, elementwise."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)


@hookimpl
def register_methods() -> list[type[VAE]]:
    """Offer the variational autoencoder."""
    return [VAE]

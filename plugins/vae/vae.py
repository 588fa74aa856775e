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
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.autoencoding import AutoencodingMethod, NetworkParams, make_networks
from desktop_app.toolbox.baselines import mean_image_entropy
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.training import descend

ACTIVE_VARIANCE = 0.01
"""A latent dimension is active where Var_x E[z|x] exceeds this (Burda et al., 2016)."""
_LEAST_VARIANCE = (0.5 / 255) ** 2
"""Of the Gaussian: half a grey level."""
_MOST_LOG_VARIANCE = 10.0
"""Of the posterior, either way: its exponential stays finite."""
_COLLAPSED = 0.5
"""KL in nats, beyond the free bits, at which the code tells next to nothing of an image."""
_TRAVERSED = 8
"""Latent dimensions that are moved one at a time, those of the largest KL."""
_STEPS = np.linspace(-3, 3, 7, dtype=np.float32)
"""Where they are moved to, in standard deviations of the prior."""
_SAMPLES = 32


class VAEParams(NetworkParams):
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


class VAE(AutoencodingMethod[VAEParams]):
    """Learns a smooth Gaussian code from which new images can be drawn."""

    card = Card(
        id="vae",
        title="Variational autoencoder",
        family="Autoencoders",
        paper="1312.6114",
        summary="Learns a smooth code from which new images can be drawn and old ones rebuilt.",
        rank=20,
        translations={
            "zh_CN": {
                "title": "变分自编码器",
                "family": "自编码器",
                "summary": "学习一个平滑的编码，既能重建已有图像，也能生成新图像。",
            }
        },
    )

    presets = (
        Preset(
            "28 px, dense",
            {
                "architecture": "dense",
                "layers": 1,
                "nodes": 400,
                "latent_dim": 20,
                "likelihood": "bernoulli",
            },
            "Digits and other tiny, nearly black and white images: 400 nodes, 20 dimensions.",
            28,
        ),
        Preset("32 px", {"nodes": 64}, "Small colour images.", 32),
        Preset("64 px", {"latent_dim": 64}, "Photographs of one kind of thing.", 64),
        Preset(
            "128 px",
            {"latent_dim": 128, "nodes": 256, "batch_size": 64, "free_bits": 0.02},
            "Larger photographs; free bits keep the many dimensions awake.",
            128,
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {"nodes": 32}
    """What the conformance kit trains with on its small images."""

    noise: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about codes and errors."""
        D = self.params.latent_dim
        self.encoder, self.decoder = make_networks(self.params, sample_shape, 2 * D, D)
        self.remember_codes(sample_shape, D)
        self.register_buffer("noise", torch.ones(()))  # variance of the Gaussian
        self.divergences = RunningMean(D)  # KL of each dimension, nats

    def learn(self, data: Dataset) -> Events:
        """Minimise the negative evidence lower bound."""
        if self.clock.step == 0:
            self.prepare(data)
            yield from self._trivial_values()
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
            self.observe(x, mean, logits.sigmoid())
            self.divergences.observe(kl)
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

    def code(self, images: Tensor) -> Tensor:
        """Return the posterior means (N, D)."""
        return self.posterior(images)[0]

    def generate(self, count: int, seed: int) -> Images:
        """Return images (count, C, H, W) of draws from N(0, I)."""
        draws = np.random.default_rng(seed).standard_normal((count, self.params.latent_dim))
        images: Images = self.decode(draws.astype(np.float32))
        return images

    def views(self) -> Sequence[View]:
        """Return what each latent dimension tells and draws, usual errors, and new images."""
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
            self._usual_errors(),
            self._traversal(kl),
            ImageGrid("Draws from the prior", self.generate(_SAMPLES, seed=0)),
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

    def _trivial_values(self) -> Iterator[TrivialValue]:
        """Tell what the mean image costs, and the KL of a code that says nothing."""
        nats = self.mean_image_nats()
        yield TrivialValue("nll", nats, "mean image")
        yield TrivialValue("elbo", -nats, "mean image")
        free = self.params.free_bits * self.params.latent_dim
        yield TrivialValue("kl", free + _COLLAPSED, "collapse", stays="below")

    def mean_image_nats(self) -> float:
        """Return -log p(x) per image when every image is rebuilt as the mean image."""
        values = self.encoder.centre.numel()
        if self.params.likelihood == "bernoulli":
            return values * mean_image_entropy(self.encoder.centre.cpu().numpy())
        variance = max(float(self.encoder.spread) ** 2, _LEAST_VARIANCE)
        return 0.5 * values * (1 + math.log(2 * math.pi * variance))

    def _traversal(self, kl: Array) -> ImageGrid:
        """Return images decoded on lines through 0, one row for each dimension."""
        dimensions = np.argsort(-kl, kind="stable")[:_TRAVERSED]
        latents = np.zeros((len(dimensions), len(_STEPS), len(kl)), np.float32)
        for row, dimension in enumerate(dimensions):
            latents[row, :, dimension] = _STEPS
        return ImageGrid(
            "One latent dimension at a time",
            self.decode(latents.reshape(-1, len(kl))),
            columns=len(_STEPS),
            captions=[f"z{d} = {z:+.0f}" for d in dimensions for z in _STEPS],
        )


def divergence(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_var)) || N(0, 1)) in nats, elementwise."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)


@hookimpl
def register_methods() -> list[type[VAE]]:
    """Offer the variational autoencoder."""
    return [VAE]

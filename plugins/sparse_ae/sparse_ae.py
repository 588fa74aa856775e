"""Sparse autoencoder, in three ways.

    loss = |x - g(h)|^2 / |x - m|^2 + weight * penalty(h)            m the mean image

kl: h = sigmoid(a), and each unit is to be active on average rho of the time. Ng, Sparse
autoencoder, CS294A lecture notes, 2011, https://web.stanford.edu/class/cs294a/sparseAutoencoder.pdf

    penalty = sum_j KL(rho || rho_j) = sum_j rho log rho/rho_j + (1-rho) log (1-rho)/(1-rho_j)

l1: h = relu(a). What a unit draws counts along, |v_j|, so that nothing is won by small codes and a
strong decoder.

    penalty = mean_n sum_j h_nj |v_j|                   |v_j| the root mean square of column j

topk: only the k largest of h = relu(a) stay; there is no penalty. Makhzani & Frey, k-sparse
autoencoders, 2014, https://arxiv.org/abs/1312.5663: k falls from 4 k during the first half of the
training, or many units die.

Shapes: N images, C channels, H rows, W columns, D units of the code.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.autoencoding import AutoencodingMethod, NetworkParams, make_networks
from desktop_app.toolbox.networks import ConvDecoder, DenseDecoder, DenseEncoder
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.training import descend

_START = 4
"""Times k that are active at the start of a top-k training."""
_SETTLED = 0.5
"""Progress from which on k is what was asked for."""
_RESPONDS = 0.5
"""A sigmoid unit responds to an image that activates it so far; a rectified one, above 0."""
_DEAD = 1e-4
"""Share of the images that a unit responds to, below which it is dead."""
_LEAST = 1e-6
_SHOWN = 32
"""Units in the views, and those whose most activating images are kept."""
_FORGETTING = 0.999
"""Factor per step on the activation of a kept image: units change while they learn."""


class SparseParams(NetworkParams):
    """How many units there are, how few of them may be active, and how that is asked for."""

    architecture: Literal["conv", "dense"] = param(
        "dense", help="Dense layers for tiny images, convolutions for photographs."
    )
    layers: int = param(
        0,
        low=0,
        high=9,
        unit="layers",
        help="Hidden layers before the code; 0: none if dense, else those that suit the image.",
    )
    code_size: int = param(
        1000,
        low=1,
        high=16_384,
        scale="log",
        unit="units",
        help="Units D of the code: more than other autoencoders have, as few are active at a time.",
    )
    sparsity: Literal["kl", "l1", "topk"] = param(
        "topk",
        help="topk: the same number of units for every image; kl: every unit equally often; "
        "l1: as many as the image needs.",
    )
    active: int = param(
        25, low=1, high=16_384, scale="log", unit="units", help="topk: units that stay active, k."
    )
    target: float = param(
        0.05, low=0.001, high=0.5, scale="log", help="kl: mean activation of every unit, rho."
    )
    weight: float = param(
        0.1,
        low=0.0,
        high=100.0,
        help="kl, l1: weight of the penalty beside the share of variance that is not rebuilt.",
    )


class SparseAutoencoder(AutoencodingMethod[SparseParams]):
    """Describes each image by a few of many units."""

    card = Card(
        id="sparse_ae",
        title="Sparse autoencoder",
        family="Autoencoders",
        paper="1312.5663",
        summary="Finds a large set of parts of which each image needs only a few.",
        image_size=32,
        translations={
            "zh_CN": {
                "title": "稀疏自编码器",
                "family": "自编码器",
                "summary": "学习大量的部件，每张图像只需其中少数几个即可描述。",
            }
        },
    )

    presets = (
        Preset("28 px, top-k", {}, "Digits and other tiny images: 25 of 1000 parts.", 28),
        Preset(
            "28 px, KL",
            {"sparsity": "kl", "code_size": 512},
            "The same with sigmoid units that are active equally often.",
            28,
        ),
        Preset(
            "32 px",
            {"code_size": 2048, "active": 50},
            "Small colour images, which need more parts.",
            32,
        ),
        Preset(
            "64 px",
            {"architecture": "conv", "code_size": 2048, "active": 64},
            "Photographs: the units choose among what convolutions see.",
            64,
        ),
        Preset(
            "128 px",
            {"architecture": "conv", "code_size": 4096, "active": 128, "batch_size": 64},
            "Larger photographs.",
            128,
        ),
    )
    experiments = (
        Experiment(
            "Kind of sparsity",
            "Three ways to ask for few active units: their parts, dead units and errors.",
            {
                "top-k": {"sparsity": "topk"},
                "KL": {"sparsity": "kl"},
                "L1": {"sparsity": "l1"},
            },
        ),
        Experiment(
            "Active units",
            "From strokes to whole images: the fewer units an image may use, the more each draws.",
            {f"{k} units": {"sparsity": "topk", "active": k} for k in (5, 15, 25, 70)},
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {"code_size": 128, "nodes": 32}
    """What the conformance kit trains with on its small images."""

    allowed: Tensor
    best: Tensor
    best_activation: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about units and errors."""
        D, params = self.params.code_size, self.params
        if params.architecture == "dense" and params.layers == 0:
            self.encoder = DenseEncoder(sample_shape, D, widths=())
            self.decoder = DenseDecoder(D, sample_shape, widths=())
        else:
            self.encoder, self.decoder = make_networks(params, sample_shape, D, D)
        if params.sparsity == "kl":
            torch.nn.init.constant_(
                self.encoder.head.bias, math.log(params.target / (1 - params.target))
            )
        self.remember_codes(sample_shape, D)
        self.responses = RunningMean(D)  # share of the images that each unit responds to
        self.register_buffer("allowed", torch.tensor(min(_START * params.active, D)))  # k, now
        shown = min(_SHOWN, D)
        self.register_buffer("best", torch.zeros(shown, *sample_shape))
        self.register_buffer("best_activation", torch.zeros(shown))

    def learn(self, data: Dataset) -> Events:
        """Minimise the error, in units of that of the mean image, and the penalty."""
        if self.clock.step == 0:
            self.prepare(data)
            yield TrivialValue("mse", float(self.encoder.spread) ** 2, "mean image")
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            self.allowed.fill_(self._active_at(step.progress))
            x = step.batch  # (N, C, H, W)
            h = self.code(x)  # (N, D)
            rebuilt = self.decoder(h).sigmoid()
            mse = F.mse_loss(rebuilt, x)
            loss = mse / self.encoder.spread**2 + self.params.weight * self.penalty(h)
            descend(loss, adam)
            self.observe(x, h, rebuilt)
            self._observe_units(x, h)
            yield step.metrics(
                loss=loss,
                mse=mse,
                explained_variance=self.explained(x, mse),
                mean_activation=h.mean(),
                dead_units=self.dead_share(),
                population_sparsity=sparseness(h.mean(dim=1), h.square().mean(dim=1)),
                lifetime_sparsity=sparseness(*self.codes.value),
            )

    def code(self, images: Tensor) -> Tensor:
        """Return the activations (N, D) of the units."""
        a: Tensor = self.encoder(images)
        if self.params.sparsity == "kl":
            return a.sigmoid()
        h = a.relu()
        return strongest(h, int(self.allowed)) if self.params.sparsity == "topk" else h

    def penalty(self, h: Tensor) -> Tensor:
        """Return what activations (N, D) cost."""
        if self.params.sparsity == "kl":
            return bernoulli_divergence(self.params.target, h.mean(dim=0)).sum()
        if self.params.sparsity == "l1":
            return (h.mean(dim=0) * self._drawn_by_units()).sum()
        return h.new_zeros(())

    def dead_share(self) -> Tensor:
        """Return the share of units that respond to none of the images."""
        return (self.responses.value < _DEAD).float().mean()

    def views(self) -> Sequence[View]:
        """Return what units draw, which images activate them, how often, and the common views."""
        if self.sample_shape is None:
            return ()
        responses = np.sort(self.responses.value.cpu().numpy())[::-1].copy()
        number = np.arange(1, len(responses) + 1, dtype=np.float32)
        return (
            self._parts(),
            ImageGrid(
                "Most activating image of each of these units", self.best.cpu().numpy().copy()
            ),
            Curve(
                "How often each unit responds",
                {"share of images": (number, responses)},
                x_label="unit, by its share",
                y_label="share of images",
            ),
            *super().views(),
        )

    def _active_at(self, progress: float) -> int:
        """Return k: from 4 k down to k in the first half of the training."""
        k, D = self.params.active, self.params.code_size
        left = max(0.0, 1 - progress / _SETTLED)
        return min(D, round(k * (1 + (_START - 1) * left)))

    def _drawn_by_units(self) -> Tensor:
        """Return how strongly each unit enters the decoder (D,), as a root mean square."""
        if isinstance(self.decoder, ConvDecoder):
            weight = self.decoder.head.weight  # (outputs, D)
        else:
            weight = next(self.decoder.parameters())
        return weight.square().mean(dim=0).clamp(min=1e-12).sqrt()

    def _parts(self) -> ImageGrid:
        """Return what the first units add to the mean of all codes, at their usual strength."""
        moments = self.codes.value.cpu().numpy()
        mean, strength = moments[0], 2 * np.sqrt(moments[1])
        codes = np.repeat(mean[None], len(self.best) + 1, axis=0)  # the last stays the mean
        units = np.arange(len(self.best))
        codes[units, units] += strength[units]
        images = self.decode(codes)
        return ImageGrid("What units draw", images[:-1] - images[-1], signed=True)

    @torch.no_grad()
    def _observe_units(self, x: Tensor, h: Tensor) -> None:
        threshold = _RESPONDS if self.params.sparsity == "kl" else 0.0
        self.responses.observe((h > threshold).float().mean(dim=0))
        strongest_now, rows = h[:, : len(self.best)].max(dim=0)  # (U,)
        self.best_activation.mul_(_FORGETTING)
        better = strongest_now > self.best_activation
        self.best[better] = x[rows[better]]
        self.best_activation[better] = strongest_now[better]


def strongest(h: Tensor, count: int) -> Tensor:
    """Return activations (N, D) of which all but the `count` largest of each row are 0."""
    values, places = h.topk(min(count, h.shape[1]), dim=1)
    return torch.zeros_like(h).scatter(1, places, values)


def bernoulli_divergence(target: float, mean: Tensor) -> Tensor:
    """Return KL(Bernoulli(target) || Bernoulli(mean)) in nats, elementwise."""
    mean = mean.clamp(_LEAST, 1 - _LEAST)
    return target * torch.log(target / mean) + (1 - target) * torch.log((1 - target) / (1 - mean))


def sparseness(mean: Tensor, square: Tensor) -> Tensor:
    """Return the mean of 1 - mean^2 / mean square: 0 where all are equal, near 1 where one is.

    Treves & Rolls, 1991, without the correction for small numbers. Silent rows count as 1.
    """
    return (1 - mean.square() / square.clamp(min=1e-12)).mean()


@hookimpl
def register_methods() -> list[type[SparseAutoencoder]]:
    """Offer the sparse autoencoder."""
    return [SparseAutoencoder]

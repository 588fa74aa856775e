"""Contractive autoencoder.

Rifai et al., Contractive auto-encoders: explicit invariance during feature extraction, ICML 2011,
https://icml.cc/2011/papers/455_icmlpaper.pdf

    loss = |x - g(f(x))|^2 + lambda |J_f(x)|_F^2                                     (their eq. 6)

A sigmoid layer h = s(W x + b) whose decoder shares its weights, W', has the exact penalty

    |J_f(x)|_F^2 = sum_j (h_j (1 - h_j))^2 sum_i W_ij^2                              (their eq. 7)

A deep encoder has an estimate of it (Hutchinson, 1990): E |J v|^2 = |J|_F^2 for v ~ N(0, I), one v
per image, by forward differentiation. It counts in units of the variance of the code, so that
nothing is won by a short code and a strong decoder.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D numbers of the code.
"""

import math
import warnings
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, even_rows
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.autoencoding import AutoencodingMethod, NetworkParams, make_networks
from desktop_app.toolbox.inference import evaluating
from desktop_app.toolbox.networks import DenseDecoder, DenseEncoder
from desktop_app.toolbox.training import descend

_LEAST_VARIANCE = 1e-6
"""Of a deep code, where all its images are alike."""
_PROBE = 8
"""Images at which the singular values are computed."""
_TANGENTS = 8
"""Directions that are drawn for each of `_DRAWN` images."""
_DRAWN = 4


class ContractiveParams(NetworkParams):
    """The form of the encoder, the code and how strongly it is held still."""

    form: Literal["one_layer", "deep"] = param(
        "one_layer",
        help="one_layer: a sigmoid layer whose weights the decoder shares, with the exact penalty; "
        "deep: the networks named here, with an estimate of it.",
    )
    code_size: int = param(256, low=1, high=4096, scale="log", help="Numbers D in the code.")
    contraction: float = param(
        0.03,
        low=0.0,
        high=100.0,
        help="Weight of the penalty on how fast the code changes with the image; 0: a plain "
        "autoencoder.",
    )


class ContractiveAutoencoder(AutoencodingMethod[ContractiveParams]):
    """Learns a code that hardly moves when an image changes a little."""

    card = Card(
        id="contractive_ae",
        title="Contractive autoencoder",
        family="Autoencoders",
        paper="https://icml.cc/2011/papers/455_icmlpaper.pdf",
        summary="Learns a code that follows only those changes that the images themselves make.",
        translations={
            "zh_CN": {
                "title": "收缩自编码器",
                "family": "自编码器",
                "summary": "学习只随图像自身变化方向而变化、对其他扰动稳定的编码。",
            }
        },
    )

    presets = (
        Preset("28 px", {}, "Digits and other tiny, centred images: one sigmoid layer.", 28),
        Preset(
            "32 px, deep",
            {"form": "deep", "nodes": 64, "code_size": 64},
            "Small colour images.",
            32,
        ),
        Preset(
            "64 px, deep",
            {"form": "deep", "code_size": 64},
            "Photographs of one kind of thing.",
            64,
        ),
        Preset(
            "128 px, deep",
            {"form": "deep", "code_size": 128, "batch_size": 64},
            "Larger photographs.",
            128,
        ),
    )
    experiments = (
        Experiment(
            "Contraction",
            "What does stillness cost? Without, with a little and with much contraction.",
            {
                "plain": {"contraction": 0.0},
                "default": {},
                "strong": {"contraction": 0.3},
            },
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {"code_size": 64}
    """What the conformance kit trains with on its small images."""

    probe: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about codes and errors."""
        D = self.params.code_size
        if self.params.form == "one_layer":
            self.encoder = SigmoidLayer(sample_shape, D)
            self.decoder = TiedDecoder(self.encoder, sample_shape)
        else:
            self.encoder, self.decoder = make_networks(self.params, sample_shape, D, D)
        self.remember_codes(sample_shape, D)
        self.register_buffer("probe", torch.zeros(_PROBE, *sample_shape))

    def learn(self, data: Dataset) -> Events:
        """Minimise error and contraction, both in units of the error of the mean image."""
        if self.clock.step == 0:
            self.prepare(data)
            rows = np.resize(even_rows(len(data), _PROBE), _PROBE)
            self.probe.copy_(torch.from_numpy(data.images(rows)))
            mean_image = float(self.encoder.spread) ** 2
            yield TrivialValue("mse", mean_image, "mean image")
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        values = math.prod(data.sample_shape)  # F: the paper sums the error over them
        for step in self.steps(data):
            x = step.batch  # (N, C, H, W)
            z, slopes = self.code_and_slopes(x)  # (N, D), (N,)
            rebuilt = self.decoder(z).sigmoid()
            mse = F.mse_loss(rebuilt, x)
            loss = mse + self.params.contraction * slopes.mean() / values
            descend(loss / self.encoder.spread**2, adam)
            self.observe(x, z, rebuilt)
            yield step.metrics(
                loss=loss,
                mse=mse,
                explained_variance=self.explained(x, mse),
                jacobian_norm=slopes.detach().mean().sqrt(),
            )

    def code_and_slopes(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes (N, D) and the squared norm of their Jacobian (N,), exact or estimated."""
        if isinstance(self.encoder, SigmoidLayer):
            h: Tensor = self.encoder(images)
            return h, self.encoder.squared_jacobian(h)
        z, moved = moved_along(self.encoder, images, torch.randn_like(images))
        variance = z.var(dim=0, correction=0).mean().clamp(min=_LEAST_VARIANCE)
        return z, moved.square().sum(dim=1) / variance

    def jacobian(self, image: Tensor) -> Tensor:
        """Return the derivative (D, F) of the code by the values of one image (C, H, W)."""
        with evaluating(self):
            slopes: Tensor = torch.func.jacrev(lambda x: self.encoder(x[None])[0])(image)
        return slopes.flatten(1).detach()

    def views(self) -> Sequence[View]:
        """Return how many directions the code follows, and which, besides the common views."""
        if self.sample_shape is None:
            return ()
        found = [_directions(self.jacobian(x)) for x in self.probe]
        drawn = np.concatenate([changes[:_TANGENTS] for _, changes in found[:_DRAWN]])
        return (
            _spectrum(np.stack([values for values, _ in found])),
            ImageGrid(
                "Changes that the code follows most, for four images",
                drawn.reshape(-1, *self.sample_shape),
                columns=len(drawn) // _DRAWN,
                signed=True,
            ),
            *super().views(),
        )


class SigmoidLayer(DenseEncoder):
    """An encoder of a single layer, h = sigmoid(W d + b), d the deviation from the mean image."""

    def __init__(self, sample_shape: tuple[int, int, int], outputs: int) -> None:
        super().__init__(sample_shape, outputs, widths=())

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) in [0, 1] of images (N, C, H, W)."""
        return super().forward(images).sigmoid()

    def squared_jacobian(self, h: Tensor) -> Tensor:
        """Return |dh/dx|_F^2 (N,) of codes (N, D), by the values of the images."""
        weights = self.head.weight.square().sum(dim=1)  # (D,)
        by_deviation = (h * (1 - h)).square() @ weights  # (N,)
        return by_deviation / self.spread**2


class TiedDecoder(DenseDecoder):
    """The decoder whose weights are those of a sigmoid layer, turned round: W' h + c."""

    def __init__(self, layer: SigmoidLayer, sample_shape: tuple[int, int, int]) -> None:
        super().__init__(layer.head.out_features, sample_shape, widths=())
        del self.last
        self.weight = layer.head.weight
        self.bias = nn.Parameter(torch.zeros(layer.head.in_features))

    def forward(self, latents: Tensor) -> Tensor:
        """Return logits (N, C, H, W) of codes (N, D)."""
        return self.logits(latents @ self.weight + self.bias)


def moved_along(network: nn.Module, images: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outputs (N, D) and how they move, J v, as each image moves along its change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch compiles rules of its own
        outputs, moved = torch.func.jvp(network, (images,), (change,))[:2]
    return outputs, moved


def _directions(jacobian: Tensor) -> tuple[Array, Array]:
    """Return singular values (D,) by size and the changes (D, F) of an image they belong to."""
    _, values, changes = torch.linalg.svd(jacobian, full_matrices=False)
    return values.cpu().numpy(), changes.cpu().numpy()


def _spectrum(spectra: Array) -> Curve:
    number = np.arange(1, spectra.shape[1] + 1, dtype=np.float32)
    return Curve(
        "Singular values of the Jacobian",
        {
            "mean of 8 images": (number, spectra.mean(axis=0)),
            "least": (number, spectra.min(axis=0)),
            "most": (number, spectra.max(axis=0)),
        },
        x_label="direction, by its singular value",
        y_label="change of the code for a change of the image",
    )


@hookimpl
def register_methods() -> list[type[ContractiveAutoencoder]]:
    """Offer the contractive autoencoder."""
    return [ContractiveAutoencoder]

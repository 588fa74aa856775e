"""GANomaly: an autoencoder, a second encoder that must agree, and an adversary.

Akcay, Atapour-Abarghouei & Breckon, GANomaly: semi-supervised anomaly detection via adversarial
training, 2018, https://arxiv.org/abs/1805.06725, eq. 2-6:

    z = e(x),   x' = g(z),   z' = e'(x')
    loss = w_a |f(x) - f(x')|^2 + w_c |x - x'| + w_e |z - z'|^2            A(x) = |z - z'|

f are the features that the adversary judges by; it learns to tell x from x'. Beside A there are as
scores |x - x'|^2 + |f(x) - f(x')|^2 (Schlegl et al., f-AnoGAN, 2019,
https://doi.org/10.1016/j.media.2019.01.010, eq. 6), and the peak of the heat map, which shows
x - x' alone. Norms are means over their numbers, and all scores are in units of what is usual.

Shapes: N images, C channels, H rows, W columns, D numbers of the code, K features.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.toolbox.adversary import Adversary, Judge, adversary_lines, unmasking
from desktop_app.toolbox.augmentation import blended, variance_left
from desktop_app.toolbox.autoencoding import AutoencodingMethod, BlendingParams, make_networks
from desktop_app.toolbox.baselines import components_error
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.networks import fit_to_images
from desktop_app.toolbox.reconstruction import worst_spot
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.training import descend, let_rate_fall

_BETAS = (0.5, 0.999)
"""Of Adam, for both players (their section 4)."""
_LEAST_RESIDUAL = 1e-6
"""Keeps units finite where every image is rebuilt exactly."""


class GanomalyParams(BlendingParams):
    """The code, the weights of the three demands, the adversary and the score."""

    code_size: int = param(
        100, low=1, high=4096, scale="log", help="Numbers D in the code; fewer squeeze harder."
    )
    adversarial: float = param(
        1.0, low=0.0, high=1000.0, help="Weight w_a: to have the features of real images."
    )
    contextual: float = param(
        50.0, low=0.0, high=1000.0, help="Weight w_c: to resemble the image, value by value."
    )
    latent: float = param(
        1.0, low=0.0, high=1000.0, help="Weight w_e: to have the code of the image."
    )
    adversary: Adversary = param(
        "entropy", advanced=True, help="Entropy, as in the paper, or least squares (LSGAN)."
    )
    handicap: float = param(
        0.2,
        low=0.001,
        high=10.0,
        scale="log",
        advanced=True,
        help="Learning rate of the adversary, as a share of that of the networks: lower it when "
        "the adversary wins.",
    )
    score: Literal["latent", "residual", "map"] = param(
        "residual",
        help="What ranks images: distance of the codes (GANomaly), error of image and features "
        "(f-AnoGAN), or the peak of the heat map.",
    )
    batch_size: int = param(
        16, low=1, high=4096, scale="log", unit="images", help="Images per optimiser step."
    )


class Ganomaly(AutoencodingMethod[GanomalyParams]):
    """Rebuilds images so well that an adversary and a second encoder are deceived."""

    card = Card(
        id="ganomaly",
        title="GANomaly",
        family="Autoencoders",
        paper="1805.06725",
        summary="An autoencoder with an adversary; what it cannot rebuild to the life is unusual.",
        needs="Normal images.",
        image_size=128,
        rank=70,
        translations={
            "zh_CN": {
                "title": "对抗式异常检测 (GANomaly)",
                "family": "自编码器",
                "summary": "带有对抗网络的自编码器；无法逼真重建的内容即为异常。",
                "needs": "正常图像。",
            }
        },
    )
    presets = (
        Preset(
            "28 px", {"nodes": 64, "code_size": 32, "batch_size": 128}, "Digits and symbols.", 28
        ),
        Preset("64 px", {"batch_size": 32}, "Photographs of one kind of thing.", 64),
        Preset("128 px", {}, "Larger photographs.", 128),
        Preset(
            "128 px, thorough",
            {"nodes": 256, "batch_size": 64, "least_steps": 6000, "learning_rate": 2e-4},
            "As in the paper, for a GPU or a night.",
            128,
        ),
    )
    experiments = (
        Experiment(
            "Demands",
            "What do the adversary and the second encoder add to plain reconstruction?",
            {
                "all three": {},
                "no adversary": {"adversarial": 0.0},
                "no second code": {"latent": 0.0},
                "image alone": {"adversarial": 0.0, "latent": 0.0, "score": "map"},
            },
        ),
    )
    toy_params: ClassVar[dict[str, object]] = {"nodes": 16, "code_size": 16, "batch_size": 8}
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make both encoders, the decoder, the adversary and what is remembered."""
        D = self.params.code_size
        self.encoder, self.decoder = make_networks(self.params, sample_shape, D, D)
        self.second, _ = make_networks(self.params, sample_shape, D, D)
        self.judge = Judge(sample_shape, max(4, self.params.nodes // 2))
        self.remember_codes(sample_shape, D)
        self.usual_residuals = RunningMean(3)
        """Mean |z - z'|, |x - x'|^2 and |f(x) - f(x')|^2 of training images."""

    def learn(self, data: Dataset) -> Events:
        """Let the adversary learn, then deceive it, in every step."""
        if self.clock.step == 0:
            self.prepare(data)
            fit_to_images(self.second, self.decoder, data)
            yield from self._trivial_values(data)
        p, share = self.params, self.params.blended_share(data)
        made_by = [self.encoder, self.decoder, self.second]
        weights = [weight for network in made_by for weight in network.parameters()]
        adam = self.keep("adam", torch.optim.Adam(weights, p.learning_rate, _BETAS))
        against_rate = p.handicap * p.learning_rate
        against = self.keep(
            "adversary", torch.optim.Adam(self.judge.parameters(), against_rate, _BETAS)
        )
        for step in self.steps(data):
            x = blended(step.batch, share)  # (N, C, H, W)
            z = self.code(x)  # (N, D)
            rebuilt = self.decoder(z).sigmoid()
            again = self.second(rebuilt)  # (N, D)
            let_rate_fall(against, against_rate, step.progress)
            discriminator = unmasking(
                self._opinion(x), self._opinion(rebuilt.detach()), p.adversary
            )
            descend(discriminator, against)
            real, made = self._features(x).detach(), self._features(rebuilt)
            adversarial = F.mse_loss(made, real)
            contextual = F.l1_loss(rebuilt, x)
            latent = F.mse_loss(again, z)
            loss = p.adversarial * adversarial + p.contextual * contextual + p.latent * latent
            let_rate_fall(adam, p.learning_rate, step.progress)
            descend(loss, adam)
            self.observe(x, z, rebuilt)
            self.usual_residuals.observe(residuals(z, again, x, rebuilt, real, made).mean(dim=0))
            mse = F.mse_loss(rebuilt, x)
            yield step.metrics(
                loss=loss,
                discriminator=discriminator,
                adversarial=adversarial,
                contextual=contextual,
                latent=latent,
                mse=mse,
                explained_variance=self.explained(x, mse),
            )

    @inference
    def score(self, images: Tensor) -> Tensor:
        """Return how unusual images are (N,), as the parameter `score` says."""
        x = self._checked(images)
        return self._ranked(x, self._map(x))

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, H, W) of images."""
        both: Array = self._inspected(images)
        return both[:, 0], both[:, 1:].reshape(-1, *images.shape[2:])

    @inference
    def _inspected(self, images: Tensor) -> Tensor:
        x = self._checked(images)
        maps = self._map(x)
        return torch.cat([self._ranked(x, maps).unsqueeze(1), maps.flatten(1)], dim=1)

    def _ranked(self, images: Tensor, maps: Tensor) -> Tensor:
        if self.params.score == "map":
            return worst_spot(maps, self.region)
        z = self.code(images)
        rebuilt = self.decoder(z).sigmoid()
        real, made = self._features(images), self._features(rebuilt)
        found = residuals(z, self.second(rebuilt), images, rebuilt, real, made)
        usual = self.usual_residuals.value.clamp(min=_LEAST_RESIDUAL)
        codes, values, features = (found / usual).unbind(dim=1)
        return codes if self.params.score == "latent" else (values + features) / 2

    def _features(self, images: Tensor) -> Tensor:
        """Return what the adversary judges by (N, K)."""
        return self.judge.features(self._deviation(images))

    def _opinion(self, images: Tensor) -> Tensor:
        opinion: Tensor = self.judge(self._deviation(images))
        return opinion

    def _deviation(self, images: Tensor) -> Tensor:
        """Return images less their mean, in units of the spread."""
        return (images - self.encoder.centre) / self.encoder.spread

    def _trivial_values(self, data: Dataset) -> Iterator[TrivialValue]:
        """Tell what the mean image reaches, and where the adversary stands."""
        left = variance_left(self.params.blended_share(data))
        yield TrivialValue("mse", left * float(self.encoder.spread) ** 2, "mean image")
        error = components_error(data, self.params.code_size)
        if error is not None:
            yield TrivialValue("mse", left * error, "PCA with the same code size", stays=None)
        yield from adversary_lines(self.params.adversary)


@torch.no_grad()
def residuals(
    z: Tensor, again: Tensor, images: Tensor, rebuilt: Tensor, real: Tensor, made: Tensor
) -> Tensor:
    """Return |z - z'|, |x - x'|^2 and |f(x) - f(x')|^2 (N, 3), means over their numbers."""
    return torch.stack(
        [
            (z - again).abs().mean(dim=1),
            (images - rebuilt).square().mean(dim=(1, 2, 3)),
            (real - made).square().mean(dim=1),
        ],
        dim=1,
    )


@hookimpl
def register_methods() -> list[type[Ganomaly]]:
    """Offer GANomaly."""
    return [Ganomaly]

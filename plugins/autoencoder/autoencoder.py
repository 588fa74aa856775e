"""Undercomplete autoencoder.

Hinton & Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 313, 2006,
https://doi.org/10.1126/science.1127647; trained on blends of images (Zhang et al., mixup, 2018,
https://arxiv.org/abs/1710.09412) where there are few.

    z = f(x),   x' = g(z),   loss = L(x, x')            z much shorter than x

L is the squared error or the binary cross-entropy, averaged over values and images.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D numbers of the code.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.toolbox.augmentation import blended, variance_left
from desktop_app.toolbox.autoencoding import AutoencodingMethod, BlendingParams, make_networks
from desktop_app.toolbox.baselines import components_error, mean_image_entropy
from desktop_app.toolbox.training import descend


class AutoencoderParams(BlendingParams):
    """The networks, the code and what is asked of the rebuilt images."""

    code_size: int = param(
        32, low=1, high=4096, scale="log", help="Numbers D in the code; fewer squeeze harder."
    )
    loss: Literal["mse", "bce"] = param(
        "mse", help="Squared error, or binary cross-entropy for nearly black and white images."
    )


class Autoencoder(AutoencodingMethod[AutoencoderParams]):
    """Squeezes images through a short code and learns to rebuild them from it."""

    card = Card(
        id="autoencoder",
        title="Autoencoder",
        family="Autoencoders",
        paper="10.1126/science.1127647",
        summary="Learns a short code for each image; what cannot be rebuilt from it is unusual.",
        rank=10,
        translations={
            "zh_CN": {
                "title": "自编码器",
                "family": "自编码器",
                "summary": "为每张图像学习一个简短的编码；无法由编码重建的内容即为异常。",
            }
        },
    )

    presets = (
        Preset(
            "28 px, dense",
            {"architecture": "dense", "layers": 2, "nodes": 512, "batch_size": 250, "epochs": 10},
            "Digits and other tiny, centred images: layers of 512 and 256 nodes.",
            28,
        ),
        Preset("32 px", {"nodes": 64}, "Small colour images.", 32),
        Preset("64 px", {"code_size": 64}, "Photographs of one kind of thing.", 64),
        Preset(
            "128 px",
            {"code_size": 128, "nodes": 256, "batch_size": 64},
            "Larger photographs, with finer detail in a longer code.",
            128,
        ),
    )
    experiments = (
        Experiment(
            "Depth",
            "Does a deeper encoder rebuild better from a code of the same size? Encoders of one to "
            "four hidden layers.",
            {
                "1 layer": {"layers": 1},
                "2 layers": {"layers": 2},
                "3 layers": {"layers": 3},
                "4 layers": {"layers": 4},
            },
        ),
        Experiment(
            "Code size",
            "How many numbers do the images need? The error falls until the code is long enough.",
            {f"{size} numbers": {"code_size": size} for size in (2, 8, 32, 128)},
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {"nodes": 32}
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about codes and errors."""
        D = self.params.code_size
        self.encoder, self.decoder = make_networks(self.params, sample_shape, D, D)
        self.remember_codes(sample_shape, D)

    def learn(self, data: Dataset) -> Events:
        """Minimise the reconstruction loss, in units of that of the mean image."""
        if self.clock.step == 0:
            self.prepare(data)
            yield from self._trivial_values(data)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            x = blended(step.batch, self.params.blended_share(data))  # (N, C, H, W)
            z = self.code(x)  # (N, D)
            logits = self.decoder(z)  # (N, C, H, W)
            rebuilt = logits.sigmoid()
            mse = F.mse_loss(rebuilt, x)
            bce = self.params.loss == "bce"
            loss = F.binary_cross_entropy_with_logits(logits, x) if bce else mse
            descend(loss / self.encoder.spread**2, adam)
            self.observe(x, z, rebuilt)
            yield step.metrics(loss=loss, mse=mse, explained_variance=self.explained(x, mse))

    def _trivial_values(self, data: Dataset) -> Iterator[TrivialValue]:
        """Tell what the mean image and principal components reach on the images as blended."""
        left = variance_left(self.params.blended_share(data))
        mean_image = left * float(self.encoder.spread) ** 2
        if self.params.loss == "bce":
            entropy = mean_image_entropy(self.encoder.centre.cpu().numpy())
            yield TrivialValue("loss", entropy, "mean image")
        else:
            yield TrivialValue("loss", mean_image, "mean image")
        yield TrivialValue("mse", mean_image, "mean image")
        error = components_error(data, self.params.code_size)
        if error is not None:
            yield TrivialValue("mse", left * error, "PCA with the same code size", stays=None)


@hookimpl
def register_methods() -> list[type[Autoencoder]]:
    """Offer the autoencoder."""
    return [Autoencoder]

"""Autoencoder of structure.

Bergmann, Loewe, Fauser, Sattlegger & Steger, Improving unsupervised defect segmentation by applying
structural similarity to autoencoders, 2019, https://arxiv.org/abs/1807.02011

    z = f(x),   x' = g(z),   loss = (1 - a) (1 - SSIM(x, x')) + a |x - x'|      (theirs has a = 0)

With several scales SSIM is MS-SSIM, and the mix with the absolute error is that of Zhao, Gallo,
Frosio & Kautz, Loss functions for image restoration with neural networks, 2017,
https://arxiv.org/abs/1511.08861, eq. 12. The heat map adds up dissimilarity and squared error with
the same weights, both in units of what is usual at each pixel.

Shapes: N images, C channels, H rows, W columns, D numbers of the code.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, even_rows
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import HeatMap, View
from desktop_app.toolbox.augmentation import blended, variance_left
from desktop_app.toolbox.autoencoding import AutoencodingMethod, BlendingParams, make_networks
from desktop_app.toolbox.baselines import components_error
from desktop_app.toolbox.reconstruction import deviation, error_map, pulled, smoothed
from desktop_app.toolbox.running import RunningMean
from desktop_app.toolbox.similarity import ms_ssim, ssim_map
from desktop_app.toolbox.training import descend, let_rate_fall, to_device

_SAMPLE = 64
"""Images on which the mean image is judged."""
_LEAST_USUAL = 0.02
"""Dissimilarity that counts as usual where images are rebuilt to the last grey level."""


class SsimAutoencoderParams(BlendingParams):
    """The code, and what counts as alike."""

    code_size: int = param(
        100, low=1, high=4096, scale="log", help="Numbers D in the code; fewer squeeze harder."
    )
    similarity: Literal["ssim", "ms_ssim"] = param(
        "ssim", help="Structure around each pixel, or at several scales at once."
    )
    radius: int = param(
        5,
        low=1,
        high=32,
        unit="pixels",
        help="Pixels that the window of the comparison reaches beyond its middle.",
    )
    absolute: float = param(
        0.16,
        low=0.0,
        high=1.0,
        help="Weight a of the absolute error of each value: light and colour, which structure "
        "hardly sees.",
    )
    batch_size: int = param(
        16, low=1, high=4096, scale="log", unit="images", help="Images per optimiser step."
    )


class SsimAutoencoder(AutoencodingMethod[SsimAutoencoderParams]):
    """Squeezes images through a short code and rebuilds their structure."""

    card = Card(
        id="ssim_autoencoder",
        title="Structural autoencoder",
        family="Autoencoders",
        paper="1807.02011",
        summary="Rebuilds images from a short code; where edges and texture differ is unusual.",
        image_size=128,
        rank=12,
        translations={
            "zh_CN": {
                "title": "结构相似性自编码器",
                "family": "自编码器",
                "summary": "由简短的编码重建图像；边缘与纹理不同之处即为异常。",
            }
        },
    )
    presets = (
        Preset(
            "28 px",
            {"nodes": 64, "code_size": 32, "radius": 3, "batch_size": 128},
            "Digits and symbols.",
            28,
        ),
        Preset("64 px", {"batch_size": 32}, "Photographs of one kind of thing.", 64),
        Preset("128 px", {}, "Parts and surfaces.", 128),
        Preset(
            "128 px, as in the paper",
            {
                "absolute": 0.0,
                "blend": 0,
                "learning_rate": 2e-4,
                "epochs": 200,
                "batch_size": 128,
                "nodes": 256,
            },
            "Structure alone, for hours or a GPU.",
            128,
        ),
    )
    experiments = (
        Experiment(
            "Similarity",
            "What is gained by looking at structure, at one scale or several, instead of values?",
            {
                "structure": {"absolute": 0.0},
                "several scales": {"absolute": 0.0, "similarity": "ms_ssim"},
                "both": {},
                "values": {"absolute": 1.0},
            },
        ),
    )
    toy_params: ClassVar[dict[str, int]] = {"nodes": 16, "radius": 3}
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about codes and dissimilarity."""
        D = self.params.code_size
        self.encoder, self.decoder = make_networks(self.params, sample_shape, D, D)
        self.remember_codes(sample_shape, D)
        self.usually_unlike = RunningMean(*sample_shape[1:])

    def learn(self, data: Dataset) -> Events:
        """Rebuild structure and, a little, values."""
        if self.clock.step == 0:
            self.prepare(data)
            yield from self._trivial_values(data)
        share, rate = self.params.blended_share(data), self.params.learning_rate
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), rate))
        for step in self.steps(data):
            x = blended(step.batch, share)  # (N, C, H, W)
            z = self.code(x)  # (N, D)
            rebuilt = self.decoder(z).sigmoid()  # (N, C, H, W)
            similarity = self._similarity(x, rebuilt)
            loss = torch.lerp(1 - similarity, F.l1_loss(rebuilt, x), self.params.absolute)
            let_rate_fall(adam, rate, step.progress)
            descend(loss, adam)
            self.observe(x, z, rebuilt)
            mse = F.mse_loss(rebuilt, x)
            yield step.metrics(
                loss=loss,
                similarity=similarity,
                mse=mse,
                explained_variance=self.explained(x, mse),
            )

    @torch.no_grad()
    def observe(self, images: Tensor, codes: Tensor, rebuilt: Tensor) -> None:
        """Take a batch into the memory, how unlike it is rebuilt too."""
        super().observe(images, codes, rebuilt)
        self.usually_unlike.observe(self._unlike(images, rebuilt).mean(dim=0))

    def views(self) -> Sequence[View]:
        """Return where structure is hard to rebuild, and the views of every autoencoder."""
        if self.sample_shape is None:
            return ()
        unlike = self.usually_unlike.value.cpu().numpy().copy()
        return (HeatMap("Usual dissimilarity around each pixel", unlike), *super().views())

    def _similarity(self, images: Tensor, rebuilt: Tensor) -> Tensor:
        """Return the mean similarity, from which is learned."""
        similar = ms_ssim if self.params.similarity == "ms_ssim" else ssim_map
        return similar(images, rebuilt, self.params.radius).mean()

    def _unlike(self, images: Tensor, rebuilt: Tensor) -> Tensor:
        """Return dissimilarity (N, H, W) of images and rebuilt ones, nearer to the mean image."""
        others = pulled(rebuilt, self.usual.centre)
        return 1 - ssim_map(images, others, self.params.radius).mean(dim=1)

    def _map(self, images: Tensor) -> Tensor:
        """Return dissimilarity and error (N, H, W) in units of what is usual, smoothed."""
        rebuilt = self.reconstruction(self._checked(images))
        unlike = smoothed(self._unlike(images, rebuilt))
        usual = smoothed(self.usually_unlike.value.unsqueeze(0))
        structure = unlike / (usual + usual.mean() + _LEAST_USUAL)
        error = deviation(images, rebuilt, self.usual.centre)
        values = error_map(error, self.usual.error.value)
        return torch.lerp(structure, values, self.params.absolute)

    def _trivial_values(self, data: Dataset) -> Iterator[TrivialValue]:
        """Tell what the mean image reaches, and principal components by their squared error."""
        share = self.params.blended_share(data)
        x = to_device(data.pixels(even_rows(len(data), _SAMPLE)), self.device)
        x = blended(x, share)
        mean = self.encoder.centre.expand_as(x)
        similarity = self._similarity(x, mean)
        loss = torch.lerp(1 - similarity, F.l1_loss(mean, x), self.params.absolute)
        yield TrivialValue("loss", float(loss), "mean image")
        yield TrivialValue("similarity", float(similarity), "mean image", stays=None)
        left = variance_left(share)
        yield TrivialValue("mse", left * float(self.encoder.spread) ** 2, "mean image")
        error = components_error(data, self.params.code_size)
        if error is not None:
            yield TrivialValue("mse", left * error, "PCA with the same code size", stays=None)


@hookimpl
def register_methods() -> list[type[SsimAutoencoder]]:
    """Offer the autoencoder of structure."""
    return [SsimAutoencoder]

"""Denoising autoencoder.

Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008,
https://doi.org/10.1145/1390156.1390294

    x~ = x spoilt at random,   z = f(x~),   x' = g(z),   loss = |x - x'|^2       (their section 2.3)

The clean image is what must be drawn: copying does not help, the code has to know what images are
like. Squared error, averaged over values and images.

Shapes: N images, C channels, H rows, W columns, D numbers of the code.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset, Images, even_rows
from desktop_app.sdk.events import Events, Preview, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Experiment, Preset
from desktop_app.sdk.params import param
from desktop_app.toolbox.autoencoding import AutoencodingMethod, NetworkParams, make_networks
from desktop_app.toolbox.baselines import best_gaussian, psnr
from desktop_app.toolbox.corruption import Corruption, corrupted
from desktop_app.toolbox.inference import inference
from desktop_app.toolbox.training import Step, descend

_PROBE = 32
"""Images, always with the same noise, on which the repair is measured."""
_PROBE_EVERY = 20
"""Steps between two measurements."""
_SHOWN = 8
"""Images of the probe in a preview."""
_PREVIEWS = 10
"""Previews of a training."""


class DenoisingParams(NetworkParams):
    """The networks, the code and the noise that is to be removed."""

    code_size: int = param(
        256, low=1, high=4096, scale="log", help="Numbers D in the code; more keep finer detail."
    )
    corruption: Corruption = param(
        "gaussian",
        help="Grey-level noise, black pixels (masking), or black and white ones (salt_pepper).",
    )
    amount: float = param(
        0.2,
        low=0.0,
        high=1.0,
        help="Standard deviation of the Gaussian noise (white is 1), or share of spoilt pixels.",
    )


class DenoisingAutoencoder(AutoencodingMethod[DenoisingParams]):
    """Learns to draw the clean image from a spoilt one."""

    card = Card(
        id="denoising_ae",
        title="Denoising autoencoder",
        family="Autoencoders",
        paper="10.1145/1390156.1390294",
        summary="Learns to repair spoilt images, and with it a code that ignores noise.",
        rank=30,
        translations={
            "zh_CN": {
                "title": "去噪自编码器",
                "family": "自编码器",
                "summary": "学习修复受损的图像，并得到对噪声不敏感的编码。",
            }
        },
    )

    presets = (
        Preset(
            "28 px, dense",
            {"architecture": "dense", "layers": 1, "nodes": 512, "code_size": 128},
            "Digits and other tiny, centred images.",
            28,
        ),
        Preset("32 px", {"nodes": 64}, "Small colour images.", 32),
        Preset("64 px", {}, "Photographs of one kind of thing.", 64),
        Preset(
            "128 px",
            {"code_size": 512, "batch_size": 64},
            "Larger photographs, with finer detail in a longer code.",
            128,
        ),
    )
    experiments = (
        Experiment(
            "Amount of noise",
            "How much noise still teaches? More noise makes the code ignore more detail.",
            {f"{amount:.0%}": {"amount": amount} for amount in (0.05, 0.1, 0.2, 0.4)},
        ),
    )

    toy_params: ClassVar[dict[str, Any]] = {
        "architecture": "dense",
        "nodes": 128,
        "code_size": 32,
    }
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make encoder, decoder and what is remembered about codes and errors."""
        D = self.params.code_size
        self.encoder, self.decoder = make_networks(self.params, sample_shape, D, D)
        self.remember_codes(sample_shape, D)

    def learn(self, data: Dataset) -> Events:
        """Minimise the error between the clean image and the one drawn from its spoilt copy."""
        clean = data.images(even_rows(len(data), _PROBE))
        noisy = self._probe_noise(clean)
        if self.clock.step == 0:
            self.prepare(data)
            yield from self._trivial_values(clean, noisy)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            x = step.batch  # (N, C, H, W)
            z = self.code(corrupted(x, self.params.corruption, self.params.amount))  # (N, D)
            rebuilt = self.decoder(z).sigmoid()
            mse = F.mse_loss(rebuilt, x)
            descend(mse / self.encoder.spread**2, adam)
            self.observe(x, z, rebuilt)
            values: dict[str, Tensor | float] = {
                "loss": mse,
                "explained_variance": self.explained(x, mse),
            }
            if step.number % _PROBE_EVERY == 0 or step.number in (1, step.total):
                repaired = self.translate(noisy)
                values |= {"psnr_in": psnr(clean, noisy), "psnr_out": psnr(clean, repaired)}
                if _is_shown(step):
                    yield _preview(clean, noisy, repaired)
            yield step.metrics(**values)

    @inference
    def translate(self, images: Tensor) -> Tensor:
        """Return the repaired images (N, C, H, W)."""
        return self.reconstruction(self._checked(images))

    def _probe_noise(self, clean: Images) -> Images:
        generator = torch.Generator().manual_seed(self.seed)
        images = torch.from_numpy(clean)
        spoilt: Images = corrupted(
            images, self.params.corruption, self.params.amount, generator
        ).numpy()
        return spoilt

    def _trivial_values(self, clean: Images, noisy: Images) -> Iterator[TrivialValue]:
        """Tell what the mean image, the noise left alone and the best Gaussian filter reach."""
        yield TrivialValue("loss", float(self.encoder.spread) ** 2, "mean image")
        yield TrivialValue("psnr_out", psnr(clean, noisy), "noise left alone", stays="below")
        filtered = best_gaussian(clean, noisy)[1]
        yield TrivialValue("psnr_out", filtered, "best Gaussian filter", stays="below")


def _is_shown(step: Step) -> bool:
    """Tell whether a preview belongs to this measurement: a few in a training."""
    every = max(1, step.total // (_PREVIEWS * _PROBE_EVERY)) * _PROBE_EVERY
    return step.number % every == 0 or step.number == step.total


def _preview(clean: Images, noisy: Images, repaired: Images) -> Preview:
    rows = [part[:_SHOWN] for part in (clean, noisy, repaired)]
    return Preview(
        "repaired", np.concatenate(rows), len(rows[0]), "Clean, spoilt and repaired images"
    )


@hookimpl
def register_methods() -> list[type[DenoisingAutoencoder]]:
    """Offer the denoising autoencoder."""
    return [DenoisingAutoencoder]

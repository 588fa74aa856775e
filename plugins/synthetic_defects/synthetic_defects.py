"""Segmentation of defects that are made from normal images.

Schlueter, Tan, Hou & Kainz, Natural synthetic anomalies for self-supervised anomaly detection and
localization (NSA), 2022, https://arxiv.org/abs/2109.15222; with `reconstruct`, after Zavrtanik,
Kristan & Skocaj, DRAEM, 2021, https://arxiv.org/abs/2108.07610.

    x' = x with made defects,   y = f(x')  or  f(x', g(x')),   g(x') close to x
    m  = 1 / (1 + exp(-(|x' - x| - 24) / 12)) where x' is spoilt, else 0     in grey levels of 255
    loss = BCE(y, m) + (1 - dice(y, m))  [+ |g(x') - x|^2 / spread^2]

with dice(y, m) = 2 sum y m / (sum y + sum m). Faint changes are half forgiven by the logistic label
m (NSA, section 3.2). The last layer begins at the log-odds of a spoilt pixel: otherwise the first
hundred steps are spent on finding out that most pixels are normal. The score of an image is the
mean logit of its most suspicious pixels.

Shapes: N images, C channels, H rows, W columns.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.events import Events, Preview, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import ImageGrid, View
from desktop_app.toolbox.augmentation import lit, mirrored, moved
from desktop_app.toolbox.inference import inference, require_shape
from desktop_app.toolbox.networks import colour_statistics
from desktop_app.toolbox.reconstruction import smoothed
from desktop_app.toolbox.regions import inside
from desktop_app.toolbox.synthesis import Recipe, spoilt
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import descend, let_rate_fall
from desktop_app.toolbox.unet import Narrowing, UNet, Widening, enlarged_to

_RECIPES: dict[str, tuple[Recipe, ...]] = {
    "mixed": ("blotch", "blotch", "blotch", "blended", "blended", "pasted", "scar", "textured"),
    "blotch": ("blotch",),
    "blended": ("blended",),
    "pasted": ("pasted", "scar"),
    "textured": ("textured",),
}
_SPOILT = 0.75
"""Share of the images of a batch that are given defects."""
_MOST_DEFECTS = 3
"""Of one image."""
_PRIOR = -3.0
"""Log-odds of a spoilt pixel, where the last layer begins."""
_SUSPICIOUS = 0.005
"""Share of the pixels whose mean logit is the score, and at least four."""
_SHOWN = 8


class SyntheticDefectsParams(TrainingParams):
    """Which defects are made, and how the network looks at them."""

    recipe: Literal["mixed", "blotch", "blended", "pasted", "textured"] = param(
        "mixed",
        help="How defects are made: blotches and scratches of any outline, seamlessly blended "
        "patches of other images, pasted ones and scars, procedural textures, or all in turn.",
    )
    reconstruct: bool = param(
        False,
        help="Also learn to repair the image and compare it with its repair: slower, for images "
        "that look alike.",
    )
    width: int = param(
        16, low=4, high=256, scale="log", unit="channels", help="Channels of the finest maps."
    )
    mirror: bool = param(
        True,
        help="Images are mirrored at random while training: not where left and right, or above "
        "and below, tell something.",
    )
    shift: float = param(
        0.03,
        low=0.0,
        high=0.5,
        help="Share of the side by which images are moved while training.",
        advanced=True,
    )
    light: float = param(
        0.1,
        low=0.0,
        high=0.5,
        help="By how much brightness and contrast are varied while training.",
        advanced=True,
    )
    epochs: int = param(5, low=1, high=100_000, scale="log", help="Passes over the images.")
    batch_size: int = param(
        8, low=1, high=4096, scale="log", unit="images", help="Images per optimiser step."
    )
    learning_rate: float = param(
        2e-3, low=1e-8, high=10.0, scale="log", help="Step size of the optimiser."
    )


class SyntheticDefects(TorchMethod[SyntheticDefectsParams]):
    """Learns to mark defects that were made from the normal images themselves."""

    card = Card(
        id="synthetic_defects",
        title="Synthetic defects",
        family="Anomaly detection",
        paper="2109.15222",
        summary="Spoils normal images itself and learns to mark what was spoilt; needs no weights.",
        needs="Normal images.",
        image_size=128,
        rank=60,
        translations={
            "zh_CN": {
                "title": "合成缺陷",
                "family": "异常检测",
                "summary": "自行在正常图像上制造缺陷并学习标出它们；不需要任何外部权重。",
                "needs": "正常图像。",
            }
        },
    )
    presets = (
        Preset("28 px", {"least_steps": 1500, "batch_size": 32}, "Tiny images.", 28),
        Preset("64 px", {"width": 8}, "Small images: a first look in about a minute.", 64),
        Preset("128 px", {}, "Photographs of parts and surfaces.", 128),
        Preset("Thorough", {"least_steps": 3000, "width": 32}, "For a GPU or a night.", 256),
    )
    toy_params: ClassVar[dict[str, object]] = {"width": 4, "recipe": "pasted", "batch_size": 8}
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the network that marks and, where wanted, the one that repairs."""
        channels, side, width = sample_shape[0], min(sample_shape[1:]), self.params.width
        doubled = 2 if self.params.reconstruct else 1
        self.encoder = Narrowing(doubled * channels, side, width=width)
        self.marker = Widening(self.encoder.widths, 1)
        self.marker.begin_at(_PRIOR)
        self.repairer = (
            UNet(channels, channels, side, width=width) if self.params.reconstruct else None
        )

    def learn(self, data: Dataset) -> Events:
        """Make defects and learn to mark them."""
        if self.clock.step == 0:
            self._measure(data)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            random = np.random.default_rng([self.seed, step.number])
            x = self._varied(step.batch, random)  # (N, C, H, W)
            damaged, label = self._damaged(x, random)  # (N, C, H, W), (N, 1, H, W)
            let_rate_fall(adam, self.params.learning_rate, step.progress)
            logits, repair = self._marked(damaged)
            label = F.interpolate(label, size=logits.shape[2:], mode="area")
            bce = F.binary_cross_entropy_with_logits(logits, label)
            overlap = dice(logits.sigmoid(), label)
            loss = bce + 1 - overlap
            values = {"bce": bce, "dice": overlap}
            if repair is not None:
                spread = self.encoder.spread
                repair_error = ((repair - x) / spread).square().mean()
                loss, values["repair_error"] = loss + repair_error, repair_error
            descend(loss, adam, clip=1.0)
            if step.number == 1:
                yield _trivial(label)
            yield step.metrics(loss=loss, **values)
            if step.number % 100 == 1:
                yield _pictures(damaged, *(enlarged_to(part, damaged) for part in (label, logits)))

    @inference
    def score(self, images: Tensor) -> Tensor:
        """Return the mean logit (N,) of the most suspicious pixels; higher is more unusual."""
        return _scores(self._map(images), self.region)

    @inference
    def localize(self, images: Tensor) -> Tensor:
        """Return the logits (N, H, W) of being spoilt, smoothed."""
        return self._map(images)

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, H, W) from one pass."""
        maps: Array = self.localize(images)
        return _scores(torch.from_numpy(maps), self.region).numpy(), maps

    def views(self) -> Sequence[View]:
        """Return the kinds of defects that are made, on a grey card."""
        if self.sample_shape is None:
            return ()
        channels, height, width = self.sample_shape
        random = np.random.default_rng(self.seed)
        rows = np.linspace(0.25, 0.75, height, dtype=np.float32)[None, :, None]
        ground = np.broadcast_to(rows, (channels, height, width)).astype(np.float32)
        stripes = np.broadcast_to(
            (np.arange(width) // max(1, width // 8) % 2).astype(np.float32), ground.shape
        )
        recipes = _RECIPES[self.params.recipe]
        kinds = [recipes[number % len(recipes)] for number in range(_SHOWN)]
        made = [spoilt(ground, stripes.astype(np.float32), kind, random).image for kind in kinds]
        return (ImageGrid("How defects are made", np.stack(made), captions=kinds),)

    def _map(self, images: Tensor) -> Tensor:
        if self.sample_shape is not None:
            require_shape(images, self.sample_shape)
        return smoothed(enlarged_to(self._marked(images)[0], images).squeeze(1))

    def _marked(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits (N, 1, h, w) at half the size and the repair (N, C, H, W) of images."""
        repair: Tensor | None = None
        seen = images
        if self.repairer is not None:
            narrowing = self.repairer.narrowing
            repair = narrowing.centre + narrowing.spread * self.repairer(images)
            seen = torch.cat([images, repair.detach()], dim=1)
        return self.marker(self.encoder(seen)), repair

    def _measure(self, data: Dataset) -> None:
        """Tell the networks mean and spread of the images."""
        centre, spread = colour_statistics(data)
        repairing = [] if self.repairer is None else [self.repairer.narrowing]
        for network in [self.encoder, *repairing]:
            repeated = len(network.centre) // len(centre)
            network.centre.copy_(centre.repeat(repeated, 1, 1))
            network.spread.copy_(spread)

    def _varied(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Return images moved, mirrored and lit otherwise."""
        images = moved(images, self.params.shift, random)
        if self.params.mirror:
            images = mirrored(images, random)
        return lit(images, self.params.light, random)

    def _damaged(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return images with made defects and how spoilt each pixel is (N, 1, H, W)."""
        arrays = images.cpu().numpy()
        recipes = _RECIPES[self.params.recipe]
        made, labels = arrays.copy(), np.zeros((len(arrays), 1, *arrays.shape[2:]), np.float32)
        for row in np.flatnonzero(random.random(len(arrays)) < _SPOILT):
            for _ in range(int(random.integers(1, _MOST_DEFECTS + 1))):
                other = arrays[int(random.integers(len(arrays)))]
                recipe = recipes[int(random.integers(len(recipes)))]
                found = spoilt(made[row], other, recipe, random)
                made[row] = found.image
                labels[row, 0] = np.maximum(labels[row, 0], found.severity)
        return torch.from_numpy(made).to(images.device), torch.from_numpy(labels).to(images.device)


def dice(shares: Tensor, label: Tensor) -> Tensor:
    """Return the overlap in [0, 1] of shares and label, both (N, 1, H, W), over the whole batch."""
    return (2 * (shares * label).sum() + 1) / (shares.sum() + label.sum() + 1)


def _scores(maps: Tensor, region: NDArray[np.bool_] | None) -> Tensor:
    flat = inside(maps, region)
    count = max(4, round(_SUSPICIOUS * flat.shape[1]))
    return flat.topk(min(count, flat.shape[1]), dim=1).values.mean(dim=1)


def _trivial(label: Tensor) -> TrivialValue:
    """Return the cross-entropy of marking every pixel with the share of spoilt ones."""
    share = float(label.mean().clamp(1e-6, 1 - 1e-6))
    nats = -share * math.log(share) - (1 - share) * math.log(1 - share)
    return TrivialValue("bce", nats, "the share of spoilt pixels everywhere")


def _pictures(damaged: Tensor, label: Tensor, logits: Tensor) -> Preview:
    shown = [
        part[:_SHOWN].detach().expand(-1, damaged.shape[1], -1, -1)
        for part in (damaged, label, logits.sigmoid())
    ]
    images = torch.cat(shown).cpu().numpy()
    caption = "Spoilt images, where they were spoilt, and what the network marks."
    return Preview("made defects", images, columns=min(_SHOWN, len(damaged)), caption=caption)


@hookimpl
def register_methods() -> list[type[SyntheticDefects]]:
    """Offer the detector."""
    return [SyntheticDefects]

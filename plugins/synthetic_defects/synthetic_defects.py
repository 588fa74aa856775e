"""Segmentation of defects that are made from normal images.

Schlueter, Tan, Hou & Kainz, Natural synthetic anomalies for self-supervised anomaly detection and
localization (NSA), 2022, https://arxiv.org/abs/2109.15222; with `reconstruct`, after Zavrtanik,
Kristan & Skocaj, DRAEM, 2021, https://arxiv.org/abs/2108.07610.

    x' = x with a made defect where M = 1,   y = f(x')  or  f(x', g(x')),   g(x') close to x
    loss = BCE(y, M) + (1 - dice(y, M))  [+ |g(x') - x|^2 / spread]

with dice(y, M) = 2 sum y M / (sum y + sum M). The score of an image is the mean logit of its most
suspicious pixels.

Shapes: N images, C channels, H rows, W columns.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.events import Events, Preview, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import ImageGrid, View
from desktop_app.toolbox.inference import inference, require_shape
from desktop_app.toolbox.reconstruction import smoothed
from desktop_app.toolbox.synthesis import Recipe, spoilt
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import descend, let_rate_fall
from desktop_app.toolbox.unet import UNet

_RECIPES: dict[str, tuple[Recipe, ...]] = {
    "mixed": ("pasted", "scar", "blended", "blended", "textured"),
    "blended": ("blended",),
    "pasted": ("pasted", "scar"),
    "textured": ("textured",),
}
_SPOILT = 0.75
"""Share of the images of a batch that are given a defect."""
_SUSPICIOUS = 0.002
"""Share of the pixels whose mean logit is the score, and at least four."""
_SHOWN = 8


class SyntheticDefectsParams(TrainingParams):
    """Which defects are made, and how the network looks at them."""

    recipe: Literal["mixed", "blended", "pasted", "textured"] = param(
        "mixed",
        help="How defects are made: blended patches of other images, pasted ones and scars, "
        "procedural textures, or all of them in turn.",
    )
    reconstruct: bool = param(
        False,
        help="Also learn to repair the image and compare it with its repair: slower, for images "
        "that look alike.",
    )
    width: int = param(
        16, low=4, high=256, scale="log", unit="channels", help="Channels at full size."
    )
    shift: float = param(
        0.03,
        low=0.0,
        high=0.5,
        help="Share of the side by which images are moved while training.",
        advanced=True,
    )
    epochs: int = param(20, low=1, high=100_000, scale="log", help="Passes over the images.")
    batch_size: int = param(
        16, low=1, high=4096, scale="log", unit="images", help="Images per optimiser step."
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
        Preset("Quick", {"least_steps": 200, "width": 8}, "A first look in about a minute.", 64),
        Preset("128 px", {}, "Photographs of parts and surfaces.", 128),
        Preset("Thorough", {"least_steps": 3000, "width": 32}, "For a GPU or a night.", 256),
    )
    toy_params: ClassVar[dict[str, object]] = {"width": 4, "recipe": "pasted"}
    """What the conformance kit trains with on its small images."""

    centre: Tensor
    spread: Tensor

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the network that marks and, where wanted, the one that repairs."""
        channels, side = sample_shape[0], min(sample_shape[1:])
        doubled = 2 if self.params.reconstruct else 1
        self.marker = UNet(doubled * channels, 1, side, width=self.params.width)
        self.repairer = (
            UNet(channels, channels, side, width=self.params.width)
            if self.params.reconstruct
            else None
        )
        self.register_buffer("centre", torch.zeros(channels, 1, 1))
        self.register_buffer("spread", torch.ones(()))

    def learn(self, data: Dataset) -> Events:
        """Make defects and learn to mark them."""
        if self.clock.step == 0:
            self._measure(data)
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(data):
            random = np.random.default_rng([self.seed, step.number])
            x = self._moved(step.batch, random)  # (N, C, H, W)
            damaged, mask = self._damaged(x, random)  # (N, C, H, W), (N, 1, H, W)
            if step.number == 1:
                yield _trivial(mask)
            let_rate_fall(adam, self.params.learning_rate, step.progress)
            logits, repair = self._marked(damaged)
            bce = F.binary_cross_entropy_with_logits(logits, mask)
            overlap = dice(logits.sigmoid(), mask)
            loss = bce + 1 - overlap
            values = {"bce": bce, "dice": overlap}
            if repair is not None:
                repair_error = (repair - self._standard(x)).square().mean()
                loss, values["repair_error"] = loss + repair_error, repair_error
            descend(loss, adam, clip=1.0)
            yield step.metrics(loss=loss, **values)
            if step.number % 100 == 1:
                yield _pictures(damaged, mask, logits)

    @inference
    def score(self, images: Tensor) -> Tensor:
        """Return the mean logit (N,) of the most suspicious pixels; higher is more unusual."""
        return _scores(self._map(images))

    @inference
    def localize(self, images: Tensor) -> Tensor:
        """Return the logits (N, H, W) of being spoilt, smoothed."""
        return self._map(images)

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, H, W) from one pass."""
        maps: Array = self.localize(images)
        return _scores(torch.from_numpy(maps)).numpy(), maps

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
        return smoothed(self._marked(images)[0].squeeze(1))

    def _marked(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return logits (N, 1, H, W) and the standardised repair (N, C, H, W) of images."""
        standard = self._standard(images)
        if self.repairer is None:
            return self.marker(standard), None
        repair: Tensor = self.repairer(standard)
        return self.marker(torch.cat([standard, repair.detach()], dim=1)), repair

    def _standard(self, images: Tensor) -> Tensor:
        return (images - self.centre) / self.spread

    def _measure(self, data: Dataset) -> None:
        """Note mean and spread of the images."""
        rows = np.unique(np.linspace(0, len(data) - 1, min(len(data), 256)).astype(np.int64))
        images = torch.from_numpy(np.array(data.images(rows)))
        self.centre.copy_(images.mean(dim=(0, 2, 3)).view(-1, 1, 1))
        self.spread.copy_(images.std().clamp(min=1 / 255))

    def _moved(self, images: Tensor, random: np.random.Generator) -> Tensor:
        """Return images moved by a few pixels, their borders mirrored."""
        most = round(self.params.shift * min(images.shape[2:]))
        if most == 0:
            return images
        padded = F.pad(images, (most, most, most, most), mode="reflect")
        height, width = images.shape[2:]
        moves = random.integers(0, 2 * most + 1, (len(images), 2)).tolist()
        return torch.stack(
            [
                one[:, top : top + height, left : left + width]
                for one, (top, left) in zip(padded, moves, strict=True)
            ]
        )

    def _damaged(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return images with made defects and their masks (N, 1, H, W)."""
        arrays = images.cpu().numpy()
        recipes = _RECIPES[self.params.recipe]
        made, masks = arrays.copy(), np.zeros((len(arrays), 1, *arrays.shape[2:]), np.float32)
        for row in np.flatnonzero(random.random(len(arrays)) < _SPOILT):
            other = arrays[int(random.integers(len(arrays)))]
            recipe = recipes[int(random.integers(len(recipes)))]
            found = spoilt(arrays[row], other, recipe, random)
            made[row], masks[row, 0] = found.image, found.mask
        return torch.from_numpy(made).to(images.device), torch.from_numpy(masks).to(images.device)


def dice(shares: Tensor, mask: Tensor) -> Tensor:
    """Return the overlap in [0, 1] of shares and mask, both (N, 1, H, W), over the whole batch."""
    return (2 * (shares * mask).sum() + 1) / (shares.sum() + mask.sum() + 1)


def _scores(maps: Tensor) -> Tensor:
    flat = maps.flatten(1)
    count = max(4, round(_SUSPICIOUS * flat.shape[1]))
    return flat.topk(min(count, flat.shape[1]), dim=1).values.mean(dim=1)


def _trivial(mask: Tensor) -> TrivialValue:
    """Return the cross-entropy of marking every pixel with the share of spoilt ones."""
    share = float(mask.mean().clamp(1e-6, 1 - 1e-6))
    nats = -share * math.log(share) - (1 - share) * math.log(1 - share)
    return TrivialValue("bce", nats, "the share of spoilt pixels everywhere")


def _pictures(damaged: Tensor, mask: Tensor, logits: Tensor) -> Preview:
    shown = [
        part[:_SHOWN].detach().expand(-1, damaged.shape[1], -1, -1)
        for part in (damaged, mask, logits.sigmoid())
    ]
    images = torch.cat(shown).cpu().numpy()
    caption = "Spoilt images, where they were spoilt, and what the network marks."
    return Preview("made defects", images, columns=min(_SHOWN, len(damaged)), caption=caption)


@hookimpl
def register_methods() -> list[type[SyntheticDefects]]:
    """Offer the detector."""
    return [SyntheticDefects]

"""Context autoencoder.

Pathak, Krahenbuhl, Donahue, Darrell & Efros, Context encoders: feature learning by inpainting,
2016, https://arxiv.org/abs/1604.07379; least-squares adversary of Mao et al., 2017

    L = (1 - a) |w (x - g(x~))|^2 + a L_adv                                (their eq. 3, a = .001)
    w = 1 in the hidden region M, 10 in the band around it, 0 elsewhere    (their section 4)

x~ is the image without the region. The network sees a smooth continuation into it and draws what
is to be added to that. Squares are in units of the variance of the images around their mean.

Shapes: N images, C channels, H rows, W columns, D numbers of the code.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from desktop_app.sdk.data import Array, Dataset, even_rows
from desktop_app.sdk.events import Events, Preview, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import HeatMap, ImageGrid, View
from desktop_app.toolbox.adversary import Adversary, Judge, adversary_lines, unlike, unmasking
from desktop_app.toolbox.baselines import context_error
from desktop_app.toolbox.filling import sheet, smoothly_filled
from desktop_app.toolbox.inference import completion, evaluating, inference
from desktop_app.toolbox.networks import conv_channels, conv_sizes, image_statistics
from desktop_app.toolbox.reconstruction import CalibratedScores, UsualError
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import Step, descend, is_time, set_rate, to_device
from plugins.context_ae.masks import (
    Region,
    grid_masks,
    hidden_regions,
    surrounded,
)

_BAND_WEIGHT = 10.0
"""Weight of the band around the region, which the network can see."""
_ADVERSARY_RATE = 0.1
"""Learning rate of the adversary, as a share of the network's."""
_BETAS = (0.5, 0.999)
"""Of Adam (their section 4)."""
_FULL_RATE_SHARE, _LAST_RATE = 0.5, 0.05
"""Share of the training with the full learning rate, and what it falls to at the end."""
_SLOPE = 0.1
_LEAST_SPREAD = 1 / 255
_MEASURED = 16
"""Images of a batch whose every cell is predicted, now and then, to learn what error is usual."""
_MEASURES, _SHEETS = 40, 20
_SHOWN = 8
_RIDGE_MASKS = 3
"""Random regions for which the linear prediction is made."""


class ContextParams(TrainingParams):
    """The region, the network, and its adversary."""

    region: Region = param(
        "any",
        help="What is hidden: a square in the centre or anywhere, blocks of a grid, strokes of a "
        "brush, or any of the last three.",
    )
    size: float = param(
        0.5, low=0.05, high=0.9, unit="of the side", help="Side of squares, at most."
    )
    overlap: int = param(
        2,
        low=0,
        high=32,
        unit="pixels",
        advanced=True,
        help="Width of the band around the region that must be drawn too, with tenfold weight.",
    )
    mirror: bool = param(
        False,
        help="Half of the images are mirrored left to right: for photographs, not for characters.",
    )
    code_size: int = param(256, low=1, high=8192, scale="log", help="Numbers D in the code.")
    nodes: int = param(128, low=4, high=2048, scale="log", help="Channels of the narrowest maps.")
    skips: bool = param(
        True,
        help="Fine detail goes past the code: better pictures; without, a code that must say all.",
    )
    adversarial: float = param(
        0.001,
        low=0.0,
        high=0.5,
        help="Weight a of the adversary, who tells filled images from real ones; 0 for none.",
    )
    adversary: Adversary = param(
        "squares", advanced=True, help="Least squares (LSGAN), or the entropy of the paper."
    )


class ContextAE(CalibratedScores, TorchMethod[ContextParams]):
    """Fills in what is hidden, and finds unusual what does not follow from its surroundings."""

    card = Card(
        id="context_ae",
        title="Context autoencoder",
        family="Self-prediction",
        paper="1604.07379",
        summary="Learns to fill in hidden regions; what its surroundings do not foretell is odd.",
        translations={
            "zh_CN": {
                "title": "上下文自编码器",
                "family": "自预测",
                "summary": "学习补全被遮挡的区域；无法由周围预测的内容即为异常。",
            }
        },
    )

    presets = (
        Preset("28 px", {"nodes": 64, "code_size": 64}, "Digits and other tiny images.", 28),
        Preset(
            "32 px, centre",
            {"region": "centre", "nodes": 256, "code_size": 64, "batch_size": 32, "mirror": True},
            "The task of the paper, on small photographs.",
            32,
        ),
        Preset("64 px", {"mirror": True}, "Photographs of one kind of thing.", 64),
        Preset(
            "128 px",
            {"nodes": 256, "code_size": 512, "batch_size": 64, "overlap": 4, "mirror": True},
            "Larger photographs; about an hour without a graphics card.",
            128,
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {"nodes": 8, "code_size": 16, "adversarial": 0}
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:
        """Make the network, its adversary and what is remembered about errors."""
        self.network = ContextNetwork(sample_shape, self.params)
        self.usual = UsualError(sample_shape)
        if self.params.adversarial:
            self.judge = Judge(sample_shape, max(4, self.params.nodes // 2))

    def learn(self, data: Dataset) -> Events:
        """Draw what is hidden, and deceive the adversary."""
        if self.clock.step == 0:
            mean, spread = image_statistics(data)
            self.network.suit(mean, spread)
            self.usual.centre.copy_(self.network.centre)
            yield from self._trivial_values(data)
        shown = to_device(data.pixels(even_rows(len(data), _SHOWN)), self.device)
        rate = self.params.learning_rate
        adam = self.keep("adam", torch.optim.Adam(self.network.parameters(), rate, _BETAS))
        against = self._adversary()
        for step in self.steps(data):
            x = self._mirrored(step.batch)  # (N, C, H, W)
            mask = self._regions(len(x))  # (N, 1, H, W)
            drawn = self.network(x, mask)
            error = (drawn - x).square()
            band = surrounded(mask, self.params.overlap) & ~mask
            weights = mask + _BAND_WEIGHT * band
            hidden = (mask.sum() * x.shape[1]).clamp(min=1)
            loss = (weights * error).sum() / hidden / self.network.spread.square()
            values = {"mse": float((mask * error).sum().detach() / hidden)}
            if against is not None:
                filled = torch.where(mask, drawn, x)
                values |= self._judged(x, filled.detach(), against, step)
                deceit = self._deceit(filled)
                values["adversarial"] = deceit.item()
                loss = torch.lerp(loss, deceit, self.params.adversarial)
            _set_rate(adam, rate, step.progress)
            descend(loss, adam)
            if is_time(step, _MEASURES):
                self._measure(x[:_MEASURED])
            if is_time(step, _SHEETS):
                yield Preview("Filled in", self._sheet(shown), columns=3)
            yield step.metrics(loss=loss, **values)

    def reconstruction(self, images: Tensor) -> Tensor:
        """Return images (N, C, H, W) whose every cell is drawn from what surrounds it."""
        whole = torch.zeros_like(images)
        for mask in grid_masks(images.shape[2], images.shape[3], str(images.device)):
            hidden = mask.expand(len(images), -1, -1, -1)
            whole += hidden * self.network(images, hidden).clamp(0, 1)
        return whole

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (N, D) of images of which nothing is hidden."""
        x = self._checked(images)
        return self.network.code(x, x.new_zeros(len(x), 1, *x.shape[2:], dtype=torch.bool))

    @completion
    def complete(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return images (N, C, H, W) with what the network draws under the mask."""
        filled: Tensor = self.network(self._checked(images), mask)
        return filled

    def views(self) -> Sequence[View]:
        """Return where cells are hard to foretell, and the filters that look first."""
        if self.sample_shape is None:
            return ()
        filters = next(self.network.down.parameters()).detach().cpu().numpy()
        colours = np.ascontiguousarray(filters[:, : self.sample_shape[0]])
        usual = self.usual.error.value.cpu().numpy().copy()
        return (
            HeatMap("Usual error of each pixel, drawn from its surroundings", usual),
            ImageGrid("First filters", colours, signed=True),
        )

    def _regions(self, count: int) -> Tensor:
        rows, columns = self.usual.error.value.shape
        region, size = self.params.region, self.params.size
        return hidden_regions(region, count, rows, columns, size, self.device)

    def _mirrored(self, images: Tensor) -> Tensor:
        if not self.params.mirror:
            return images
        chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        return torch.where(chosen, images.flip(3), images)

    def _adversary(self) -> torch.optim.Optimizer | None:
        if not self.params.adversarial:
            return None
        rate = _ADVERSARY_RATE * self.params.learning_rate
        return self.keep("adversary", torch.optim.Adam(self.judge.parameters(), rate, _BETAS))

    def _judged(
        self, real: Tensor, filled: Tensor, adam: torch.optim.Optimizer, step: Step
    ) -> dict[str, float]:
        """Teach the adversary; return its loss."""
        loss = unmasking(self._opinion(real), self._opinion(filled), self.params.adversary)
        _set_rate(adam, _ADVERSARY_RATE * self.params.learning_rate, step.progress)
        descend(loss, adam)
        return {"discriminator": loss.item()}

    def _deceit(self, filled: Tensor) -> Tensor:
        """Return how far the adversary is from taking filled images for real ones."""
        return unlike(self._opinion(filled), 1.0, self.params.adversary)

    def _opinion(self, images: Tensor) -> Tensor:
        opinion: Tensor = self.judge(self.network.deviation(images))
        return opinion

    @torch.no_grad()
    def _measure(self, images: Tensor) -> None:
        self.usual.observe(images, self.reconstruction(images))

    @torch.no_grad()
    def _sheet(self, images: Tensor) -> Array:
        """Return rows of an image without its region, filled in, and whole (3 N, C, H, W)."""
        mask = self._regions(len(images))
        with evaluating(self):
            drawn = self.network(images, mask)
        return sheet(images, drawn, mask, self.network.centre.mean())

    def _trivial_values(self, data: Dataset) -> Iterator[TrivialValue]:
        """Tell what the mean image and a linear prediction from the context reach."""
        masks = self._regions(1 if self.params.region == "centre" else _RIDGE_MASKS)
        found = context_error(data, masks.squeeze(1).cpu().numpy())
        if found is not None:
            yield TrivialValue("mse", found.mean_image, "mean image")
            yield TrivialValue("mse", found.ridge, "ridge from context", stays=None)
        if self.params.adversarial:
            yield from adversary_lines(self.params.adversary)


class ContextNetwork(nn.Module):
    """Convolutions down to a code and up again, with fine detail beside it."""

    centre: Tensor
    spread: Tensor

    def __init__(self, sample_shape: tuple[int, int, int], params: ContextParams) -> None:
        super().__init__()
        self.sizes = conv_sizes(sample_shape, 0)
        channels = conv_channels(len(self.sizes) - 1, params.nodes)
        self.skips = params.skips
        self.down = nn.ModuleList(
            _layer(nn.Conv2d(*pair, 3, stride=2, padding=1))
            for pair in pairwise([sample_shape[0] + 1, *channels])
        )
        self.start = (channels[-1], *self.sizes[-1])
        inside = channels[-1] * self.sizes[-1][0] * self.sizes[-1][1]
        self.inwards = _layer(nn.Linear(inside, params.code_size))
        self.outwards = _layer(nn.Linear(params.code_size, inside))
        beside = 2 if params.skips else 1
        self.up = nn.ModuleList(
            _layer(nn.ConvTranspose2d(beside * before, after, 4, stride=2, padding=1))
            for before, after in pairwise([*reversed(channels), channels[0]])
        )
        self.last = nn.Conv2d(channels[0], sample_shape[0], 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(_bias(self.last))
        self.register_buffer("centre", torch.full(sample_shape, 0.5))
        self.register_buffer("spread", torch.ones(()))

    def suit(self, mean: Array, spread: float) -> None:
        """Take the mean image (C, H, W) and the spread around it."""
        self.centre.copy_(torch.from_numpy(mean))
        self.spread.fill_(max(spread, _LEAST_SPREAD))

    def deviation(self, images: Tensor) -> Tensor:
        """Return images less their mean, in units of the spread."""
        return (images - self.centre) / self.spread

    def code(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return the codes (N, D)."""
        return self._coded(smoothly_filled(self.deviation(images), mask), mask)[0]

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        """Return whole images (N, C, H, W), drawn from what is not hidden."""
        base = smoothly_filled(self.deviation(images), mask)
        code, maps = self._coded(base, mask)
        x: Tensor = functional.leaky_relu(self.outwards(code), _SLOPE).view(len(code), *self.start)
        for layer, beside, size in zip(
            self.up, reversed(maps), reversed(self.sizes[:-1]), strict=True
        ):
            x = torch.cat([x, beside], dim=1) if self.skips else x
            x = functional.leaky_relu(layer(x), _SLOPE)[:, :, : size[0], : size[1]]
        drawn: Tensor = (base + self.last(x)) * self.spread + self.centre
        return drawn

    def _coded(self, base: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        x: Tensor = torch.cat([base, mask.to(base.dtype)], dim=1)
        maps: list[Tensor] = []
        for layer in self.down:
            x = functional.leaky_relu(layer(x), _SLOPE)
            maps.append(x)
        code: Tensor = self.inwards(x.flatten(1))
        return code, maps


def _layer(layer: nn.Module) -> nn.Module:
    """Return a layer with the initial weights that keep the scale of leaky rectifiers."""
    weight = next(layer.parameters())
    if isinstance(layer, nn.ConvTranspose2d):
        nn.init.kaiming_normal_(weight, a=_SLOPE, mode="fan_out")
    else:
        nn.init.kaiming_normal_(weight, a=_SLOPE)
    nn.init.zeros_(_bias(layer))
    return layer


def _bias(layer: nn.Module) -> Tensor:
    return layer.get_parameter("bias")


def _set_rate(adam: torch.optim.Optimizer, rate: float, progress: float) -> None:
    """Let the rate fall in a straight line in the last part of the training."""
    left = min(1.0, (1 - progress) / (1 - _FULL_RATE_SHARE))
    set_rate(adam, rate * (_LAST_RATE + (1 - _LAST_RATE) * left))


@hookimpl
def register_methods() -> list[type[ContextAE]]:
    """Offer the context autoencoder."""
    return [ContextAE]

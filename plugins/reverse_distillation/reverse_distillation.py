"""Reverse distillation: what a narrow code of normal features cannot be unfolded to.

Deng & Li, Anomaly detection via reverse distillation from one-class embedding, 2022,
https://arxiv.org/abs/2201.10703

    M_l(h, w) = 1 - <f_l, g_l> / (|f_l| |g_l|)   f_l what the teacher says at a place,
                                                 g_l what the student restores     (their eq. 1)
    loss      = sum_l mean_{h, w} M_l(h, w)                                        (their eq. 2)
    map       = mean_l of M_l, enlarged                                            (their eq. 3)

The student does not see the image: all levels of the teacher are fused (MFF) and squeezed into a
one-class embedding (OCE), from which the student restores the levels, the coarsest first.

Differences: the teacher's channels are standardised, so that the angle is between deviations from
what is usual; every M_l is brought to one scale by the errors of images that were held out; the
score is the mean of the most unusual hundredth of the places.

Shapes: N images, C channels, S rows and columns, C_l H_l W_l of a level, D channels of the code.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import View
from desktop_app.toolbox.patches import resized
from desktop_app.toolbox.teachers import (
    Residual,
    Size,
    TaughtMethod,
    TaughtParams,
    UsualErrors,
    convolution,
    level_names,
)
from desktop_app.toolbox.training import descend, is_time, let_rate_fall

_BETAS = (0.5, 0.999)
"""Of Adam, as in the paper."""
_LEAST_HALVED = 4
"""Places along a side below which the code is as large as the coarsest level."""
_MEASURES = 10
"""Times that the errors of held-out images are measured in a training."""


class ReverseDistillationParams(TaughtParams):
    """The teacher, and how narrow the student's view is."""

    code_channels: int = param(
        128,
        low=4,
        high=2048,
        scale="log",
        help="Channels D of the code at each of its few places: fewer let less of defects through.",
    )
    width: int = param(
        64,
        low=4,
        high=1024,
        scale="log",
        unit="channels",
        help="Channels of the layers before and after the code.",
    )


class ReverseDistillation(TaughtMethod[ReverseDistillationParams]):
    """Restores a teacher's features from a narrow code; what is not restored is unusual."""

    card = Card(
        id="reverse_distillation",
        title="Reverse distillation",
        family="Anomaly detection",
        paper="2201.10703",
        summary="Restores features of normal images from a narrow code and shows what it cannot.",
        needs="Normal images; best with imported network weights.",
        image_size=224,
        rank=40,
        translations={
            "zh_CN": {
                "title": "反向蒸馏",
                "family": "异常检测",
                "summary": "把网络特征压缩成正常图像的编码，并指出无法恢复之处。",
                "needs": "正常图像；导入网络权重时效果最佳。",
            }
        },
    )

    presets = (
        Preset(
            "28 px", {"filters": 50, "width": 32}, "Tiny images, filters learned from them.", 28
        ),
        Preset("64 px", {"filters": 50}, "Small images, filters learned from them.", 64),
        Preset("128 px", {"filters": 50}, "Photographs, filters learned from them.", 128),
        Preset(
            "Thorough",
            {"width": 128, "code_channels": 256, "least_steps": 2000, "epochs": 20, "spacing": 4},
            "Imported weights and small defects, for a GPU or a night.",
            256,
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {
        "filters": 16,
        "width": 8,
        "code_channels": 8,
        "batch_size": 12,
    }
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:  # noqa: ARG002
        """Make bottleneck and student for the teacher's levels."""
        channels, sizes = self.teacher.channels, self.teacher.sizes
        width, code = self.params.width, self.params.code_channels
        self.bottleneck = Bottleneck(channels, sizes, width, code)
        self.student = Student(channels, sizes, width, code)
        self.usual = UsualErrors(len(sizes), sizes[0])

    def learn(self, data: Dataset) -> Events:
        """Restore what the teacher says of normal images."""
        lessons, held = self.lessons(data)
        if self.clock.step == 0:
            yield from self._trivial_values()
        adam = self.keep(
            "adam", torch.optim.Adam(self.parameters(), self.params.learning_rate, _BETAS)
        )
        for step in self.steps(lessons.data):
            let_rate_fall(adam, self.params.learning_rate, step.progress)
            levels = lessons.of(step.rows)
            losses = [one.mean() for one in self.errors(levels)]  # eq. 1, one for each level
            loss = torch.stack(losses).sum()  # eq. 2
            descend(loss, adam)
            values: dict[str, Tensor | float] = dict(zip(self._curves(), losses, strict=True))
            if is_time(step, _MEASURES):
                values["held_out"] = self.measure(held)
            yield step.metrics(loss=loss, **values)

    def errors(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return M_l (N, H_l, W_l) of every level that the teacher gave (N, C_l, H_l, W_l)."""
        restored = self.student(self.bottleneck(levels))
        return [
            1 - F.cosine_similarity(said, told, dim=1)
            for said, told in zip(levels, restored, strict=True)
        ]

    def codes(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the code, averaged over its places, (N, D)."""
        code: Tensor = self.bottleneck(levels)
        return code.mean(dim=(2, 3))

    def _curves(self) -> list[str]:
        return [f"loss_{name}" for name in level_names(self.teacher.sizes)]

    def _trivial_values(self) -> Iterator[TrivialValue]:
        """Tell what a student reaches that knows nothing of the teacher."""
        yield TrivialValue("loss", float(len(self.teacher.sizes)), "unrelated directions")
        for name in self._curves():
            yield TrivialValue(name, 1.0, "unrelated directions")

    def views(self) -> Sequence[View]:
        """Return where features come from, what is usual in each level, and where errors are."""
        views = list(super().views())
        if self.sample_shape is None:
            return views
        return [*views, *self.usual.views(level_names(self.teacher.sizes))]


class Bottleneck(nn.Module):
    """Fuses the levels at the size of the coarsest (MFF) and makes the code of them (OCE)."""

    def __init__(
        self, channels: Sequence[int], sizes: Sequence[Size], width: int, code: int
    ) -> None:
        super().__init__()
        self.size = sizes[-1]
        self.paths = nn.ModuleList(
            _path(own, size, self.size, width) for own, size in zip(channels, sizes, strict=True)
        )
        self.fuse = convolution(width * len(sizes), width, side=1)
        self.embed = Residual(width, code, stride=2 if min(self.size) >= _LEAST_HALVED else 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the code (N, D, h, w) of levels (N, C_l, H_l, W_l)."""
        parts = [
            resized(path(level.contiguous(memory_format=torch.channels_last)), self.size)
            for path, level in zip(self.paths, levels, strict=True)
        ]
        code: Tensor = self.embed(self.fuse(torch.cat(parts, dim=1)))
        return code


class Student(nn.Module):
    """Unfolds a code to the levels of the teacher, the coarsest first."""

    def __init__(
        self, channels: Sequence[int], sizes: Sequence[Size], width: int, code: int
    ) -> None:
        super().__init__()
        self.sizes = tuple(reversed(sizes))
        before = [code, *[width] * (len(sizes) - 1)]
        self.narrow = nn.ModuleList(convolution(own, width) for own in before)
        self.blocks = nn.ModuleList(Residual(width, width) for _ in sizes)
        self.heads = nn.ModuleList(nn.Conv2d(width, own, 1) for own in reversed(channels))
        self.to(memory_format=torch.channels_last)

    def forward(self, code: Tensor) -> list[Tensor]:
        """Return levels (N, C_l, H_l, W_l), the finest first, of codes (N, D, h, w)."""
        levels: list[Tensor] = []
        maps = code
        for narrow, block, head, size in zip(
            self.narrow, self.blocks, self.heads, self.sizes, strict=True
        ):
            maps = block(resized(narrow(maps), size))
            levels.insert(0, head(maps))
        return levels


def _path(channels: int, size: Size, target: Size, width: int) -> nn.Sequential:
    """Return the convolutions that halve maps until they are about as small as the target."""
    layers = []
    while min(size) >= 2 * min(target) > 0:
        layers.append(convolution(channels, width, stride=2))
        channels, size = width, (-(-size[0] // 2), -(-size[1] // 2))
    return nn.Sequential(*(layers or [convolution(channels, width, side=1)]))


@hookimpl
def register_methods() -> list[type[ReverseDistillation]]:
    """Offer the reverse distillation."""
    return [ReverseDistillation]

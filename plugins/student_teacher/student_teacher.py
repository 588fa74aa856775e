"""Student and teacher: what a student and an autoencoder of normal images say otherwise.

Wang, Han, Ding & Huang, Student-teacher feature pyramid matching for anomaly detection (STFPM),
2021, https://arxiv.org/abs/2103.04257, with the hard places, the autoencoder and the quantiles of
Batzner, Heckler & Koenig, EfficientAD, 2023, https://arxiv.org/abs/2303.14535

    E_l(h, w) = 1/2 |t_l / |t_l| - s_l / |s_l||^2 = 1 - cos(t_l, s_l)          (STFPM, eq. 1)
    A(h, w)   = 1 - cos(t, a),  a rebuilt from a code of D numbers of the whole image
    loss      = sum_l mean of the largest E_l + mean A                         (EfficientAD, eq. 2)
    map       = (1 - g) mean_l q(E_l) + g q(A),  q(e) = (e - q_.9) / (q_.995 - q_.9)
    score     = max over q(E_l) and q(A) of the mean of the worst hundredth of the places

t_l is what the teacher says at a place of level l, s_l what the student says. The student finds
what is wrong in itself, the autoencoder what does not go together: its code has no room for any
arrangement but the normal ones. Quantiles q are those of images that were held out.

Differences: the teacher's channels are standardised, so that the angle is between deviations from
what is usual. The student reads the first map of the teacher and foretells the later ones: one
that reads pixels and learns from thirty images errs on new normal ones too. The autoencoder is
compared with the teacher itself, not with a second answer of the student.

Shapes: N images, C channels, S rows and columns, C_l H_l W_l of a level, D numbers of the code.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import InvalidParameter
from desktop_app.sdk.events import Events, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset
from desktop_app.sdk.params import param
from desktop_app.sdk.views import View
from desktop_app.toolbox.patches import resized, worst_patches
from desktop_app.toolbox.teachers import (
    Size,
    TaughtMethod,
    TaughtParams,
    UsualErrors,
    convolution,
    level_names,
)
from desktop_app.toolbox.training import descend, is_time, let_rate_fall

_COARSE = 16
"""Places along a side that the autoencoder looks at, at most."""
_SMALLEST = 4
"""Places along a side from which the code is made."""
_MOST_WIDENINGS = 2
"""Levels after which the student doubles its channels no more."""
_MEASURES = 10
"""Times that the errors of held-out images are measured in a training."""
_AUTOENCODER = "autoencoder"


class StudentTeacherParams(TaughtParams):
    """The teacher, its student, and the autoencoder."""

    width: int = param(
        64,
        low=4,
        high=1024,
        scale="log",
        unit="channels",
        help="Channels of the student's first layers and of the autoencoder's.",
    )
    code_size: int = param(
        64,
        low=1,
        high=4096,
        scale="log",
        help="Numbers D from which the autoencoder rebuilds the features of a whole image.",
    )
    global_weight: float = param(
        0.2,
        low=0.0,
        high=1.0,
        help="Weight g of the autoencoder in maps: more where things are missing, surplus or in "
        "the wrong place. With 0 it has no part in scores either.",
    )
    hard_share: float = param(
        0.3,
        low=0.001,
        high=1.0,
        scale="log",
        help="Share of the places, those with the largest errors, that the student learns from.",
        advanced=True,
    )


class StudentTeacher(TaughtMethod[StudentTeacherParams]):
    """Teaches a student and an autoencoder features of normal images; they err on all others."""

    card = Card(
        id="student_teacher",
        title="Student and teacher",
        family="Anomaly detection",
        paper="2103.04257",
        summary="Teaches networks what normal features are like and shows where they err.",
        needs="Normal images; best with imported network weights.",
        image_size=224,
        rank=40,
        translations={
            "zh_CN": {
                "title": "师生网络",
                "family": "异常检测",
                "summary": "让学生网络学会正常图像的特征，并指出其预测出错之处。",
                "needs": "正常图像；导入网络权重时效果最佳。",
            }
        },
    )

    presets = (
        Preset("28 px", {"filters": 50, "width": 32}, "Tiny images, learned filters.", 28),
        Preset("64 px", {"filters": 50}, "Small images, filters learned from them.", 64),
        Preset("128 px", {"filters": 50}, "Photographs, filters learned from them.", 128),
        Preset(
            "Surfaces",
            {"global_weight": 0.0},
            "Imported weights; textures without an order that could be broken.",
            224,
        ),
        Preset(
            "Thorough",
            {"width": 128, "least_steps": 2000, "epochs": 20, "spacing": 4},
            "Imported weights and small defects, for a GPU or a night.",
            256,
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {
        "filters": 16,
        "width": 8,
        "code_size": 8,
        "batch_size": 12,
    }
    """What the conformance kit trains with on its small images."""

    def build(self, sample_shape: tuple[int, int, int]) -> None:  # noqa: ARG002
        """Make student and autoencoder for the teacher's levels."""
        teacher, width = self.teacher, self.params.width
        if sum(teacher.channels) == teacher.first:
            raise InvalidParameter(
                "The student reads the first map of the teacher and foretells the others, but this "
                "teacher has one map only: name two layers at least, or use another network."
            )
        targets = [teacher.channels[0] - teacher.first, *teacher.channels[1:]]
        self.student = Student(teacher.first, targets, teacher.sizes, width)
        rows, columns = teacher.sizes[-1]
        self.coarse = (min(rows, _COARSE), min(columns, _COARSE))
        self.autoencoder = FeatureAutoencoder(
            sum(teacher.channels), self.coarse, width, self.params.code_size
        )
        self.usual = UsualErrors(len(self._kinds()), teacher.sizes[0])

    def learn(self, data: Dataset) -> Events:
        """Teach student and autoencoder what the teacher says of normal images."""
        lessons, held = self.lessons(data)
        if self.clock.step == 0:
            yield from self._trivial_values()
        adam = self.keep("adam", torch.optim.Adam(self.parameters(), self.params.learning_rate))
        for step in self.steps(lessons.data):
            let_rate_fall(adam, self.params.learning_rate, step.progress)
            *apart, rebuilt = self.errors(lessons.of(step.rows))
            losses = [hardest(one, self.params.hard_share) for one in apart]
            losses.append(rebuilt.mean())
            loss = torch.stack(losses).sum()
            descend(loss, adam)
            values: dict[str, Tensor | float] = dict(zip(self._curves(), losses, strict=True))
            if is_time(step, _MEASURES):
                values["held_out"] = self.measure(held)
            yield step.metrics(loss=loss, **values)

    def errors(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return E_l (N, H_l, W_l) of the student, then A of the autoencoder, for levels."""
        first = self.teacher.first
        targets = [one for one in (levels[0][:, first:], *levels[1:]) if one.shape[1]]
        said = self.student(levels[0][:, :first])
        whole = torch.cat([resized(one, self.coarse) for one in levels], dim=1)
        pairs = [*zip(targets, said, strict=True), (whole, self.autoencoder(whole))]
        return [1 - F.cosine_similarity(one, other, dim=1) for one, other in pairs]

    def mixed(self, unusual: Tensor) -> Tensor:
        """Return the mean of the student's errors and those of the autoencoder, weighted."""
        g = self.params.global_weight
        return (1 - g) * unusual[:, :-1].mean(dim=1) + g * unusual[:, -1]

    def scores(self, unusual: Tensor) -> Tensor:
        """Return the mean of the worst places (N,) in the kind of error where it is largest."""
        asked = unusual if self.params.global_weight > 0 else unusual[:, :-1]
        each = [worst_patches(own, region=self.region) for own in asked.unbind(dim=1)]
        return torch.stack(each).amax(dim=0)

    def codes(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the codes (N, D) of the autoencoder."""
        whole = torch.cat([resized(one, self.coarse) for one in levels], dim=1)
        return self.autoencoder.code(whole)

    def _kinds(self) -> list[str]:
        """Return the names of the errors."""
        teacher = self.teacher
        names = level_names(teacher.sizes)
        skipped = 1 if teacher.channels[0] == teacher.first else 0
        return [*(f"student {name}" for name in names[skipped:]), _AUTOENCODER]

    def _curves(self) -> list[str]:
        return [kind.replace(" ", "_") for kind in self._kinds()]

    def _trivial_values(self) -> Iterator[TrivialValue]:
        """Tell what networks reach that know nothing of the teacher."""
        for name in self._curves():
            yield TrivialValue(name, 1.0, "unrelated directions", stays="above")

    def views(self) -> Sequence[View]:
        """Return where features come from, and how large errors usually are, and where."""
        views = list(super().views())
        return [*views, *self.usual.views(self._kinds())] if views else views


class Student(nn.Module):
    """Foretells the later maps of a teacher from its first."""

    def __init__(
        self, inputs: int, targets: Sequence[int], sizes: Sequence[Size], width: int
    ) -> None:
        """Lay out a stage for each level; `targets` are the channels foretold there, or 0."""
        super().__init__()
        self.sizes = tuple(sizes)
        widths = [width << min(number, _MOST_WIDENINGS) for number in range(len(sizes))]
        strides = [1, *[2] * (len(sizes) - 1)]
        self.stages = nn.ModuleList(
            nn.Sequential(convolution(before, after, stride=stride), convolution(after, after))
            for (before, after), stride in zip(pairwise([inputs, *widths]), strides, strict=True)
        )
        self.heads = nn.ModuleList(
            nn.Conv2d(own, target, 1) if target else nn.Identity()
            for own, target in zip(widths, targets, strict=True)
        )
        self.told = tuple(bool(target) for target in targets)
        self.to(memory_format=torch.channels_last)

    def forward(self, first: Tensor) -> list[Tensor]:
        """Return what is foretold, (N, C_l, H_l, W_l), of the first map (N, C_0, H, W)."""
        maps = first.contiguous(memory_format=torch.channels_last)
        said = []
        for stage, head, size, told in zip(
            self.stages, self.heads, self.sizes, self.told, strict=True
        ):
            maps = resized(stage(maps), size)
            if told:
                said.append(head(maps))
        return said


class FeatureAutoencoder(nn.Module):
    """Rebuilds coarse maps of features from one code of the whole image."""

    def __init__(self, channels: int, size: Size, width: int, code: int) -> None:
        super().__init__()
        sizes = [size]
        while max(sizes[-1]) > _SMALLEST:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        self.sizes = tuple(reversed(sizes))  # the smallest first
        self.encoder = nn.Sequential(
            convolution(channels, width, side=1),
            *(convolution(width, width, stride=2) for _ in sizes[1:]),
            nn.Flatten(),
        )
        inside = width * self.sizes[0][0] * self.sizes[0][1]
        self.inwards = nn.Linear(inside, code)
        self.outwards = nn.Linear(code, inside)
        self.decoder = nn.ModuleList(convolution(width, width) for _ in self.sizes)
        self.last = nn.Conv2d(width, channels, 1)
        self.width = width
        self.to(memory_format=torch.channels_last)

    def code(self, maps: Tensor) -> Tensor:
        """Return codes (N, D) of maps (N, C, H, W)."""
        code: Tensor = self.inwards(
            self.encoder(maps.contiguous(memory_format=torch.channels_last))
        )
        return code

    def forward(self, maps: Tensor) -> Tensor:
        """Return the rebuilt maps (N, C, H, W)."""
        code = self.code(maps)
        drawn = F.relu(self.outwards(code)).view(len(code), self.width, *self.sizes[0])
        for layer, size in zip(self.decoder, self.sizes, strict=True):
            drawn = layer(resized(drawn, size))
        rebuilt: Tensor = self.last(drawn)
        return rebuilt


def hardest(errors: Tensor, share: float) -> Tensor:
    """Return the mean of that share of the largest errors of any shape, of one at least."""
    flat = errors.flatten()
    return flat.topk(max(1, round(share * len(flat)))).values.mean()


@hookimpl
def register_methods() -> list[type[StudentTeacher]]:
    """Offer the student and its teacher."""
    return [StudentTeacher]

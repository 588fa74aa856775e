"""What methods share in which networks learn to say what a frozen network, the teacher, says.

Only normal images are used: where the pupils say something else than the teacher, an image differs
from what they have learned. A method writes `build`, `learn` and `unusual`.

The maps of the teacher are brought to at most one place for every `spacing` pixels, standardised
channel by channel over the training images, so that no channel drowns the others, and maps of one
size are put together as one level. A tenth of the images is not learned from: it tells what errors
are usual.

Shapes: N images, C channels, S rows and columns, C_l H_l W_l of a level, L levels.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, Images, SomeRows, even_rows, held_out
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Note
from desktop_app.sdk.method import State
from desktop_app.sdk.params import TrainingParams, param
from desktop_app.sdk.views import Curve, HeatMap, View
from desktop_app.toolbox.features import (
    ChoosesFeatures,
    FeatureParams,
    Features,
    restored_features,
)
from desktop_app.toolbox.inference import evaluating, inference, require_shape
from desktop_app.toolbox.patches import enlarged, resized, worst_patches
from desktop_app.toolbox.states import part, united
from desktop_app.toolbox.torch_method import TorchMethod
from desktop_app.toolbox.training import to_device

Size = tuple[int, int]
"""Rows and columns."""

_LEAST_SIDE = 16
"""Places along a side of small images, where the maps are fine enough."""
_STANDARDS = 64
"""Images that mean and spread of the channels are measured on."""
_LEAST_SPREAD = 0.1
"""Share of the mean spread of a level that each channel counts as having: some hardly vary."""
_MOST_VALUES = 500_000_000
"""Numbers that are remembered: 1 GB. At 224 pixels MobileNetV2 gives 63,000 an image."""
_MOST_HELD = 64
"""Images that are held out at most."""
_SHARES = (*(number / 20 for number in range(19)), 0.95, 0.975, 0.99, 0.995, 1.0)
"""Of the places, whose quantiles of the error are known."""
_LOW, _HIGH = _SHARES.index(0.9), _SHARES.index(0.995)
"""Where the quantiles stand that become 0 and 1, as in EfficientAD."""
_LEAST_RANGE = 1e-6
"""Between the two quantiles, where all errors are equal."""


class TaughtParams(FeatureParams, TrainingParams):
    """Who teaches, how fine its maps are, and how long the pupils learn."""

    spacing: int = param(
        8,
        low=2,
        high=32,
        unit="pixels",
        help="Pixels from place to place in the finest maps: less finds smaller defects and takes "
        "longer.",
        advanced=True,
    )
    held_out: float = param(
        0.1,
        low=0.0,
        high=0.5,
        help="Share of the images that is not learned from and tells which errors are usual.",
        advanced=True,
    )
    epochs: int = param(4, low=1, high=100_000, scale="log", help="Passes over the images.")
    least_steps: int = param(
        400,
        low=0,
        high=1_000_000,
        scale="log",
        unit="steps",
        help="Small folders are passed over more often, until this many optimiser steps.",
        advanced=True,
    )
    batch_size: int = param(
        8, low=2, high=1024, scale="log", unit="images", help="Images per optimiser step."
    )
    learning_rate: float = param(
        2e-3, low=1e-8, high=1.0, scale="log", help="Step size of the optimiser."
    )


@dataclass(frozen=True)
class Teacher:
    """A frozen network whose maps are standardised and ordered by size."""

    features: Features
    sizes: tuple[Size, ...]
    """Of the levels, the finest first."""
    members: tuple[tuple[int, ...], ...]
    """Numbers of the maps of the network that make up each level."""
    centres: tuple[Tensor, ...]
    """(1, C_l, 1, 1): means over the training images."""
    spreads: tuple[Tensor, ...]
    """(1, C_l, 1, 1): standard deviations."""

    first: int
    """Channels of the first map, which begin the first level."""

    @property
    def channels(self) -> tuple[int, ...]:
        """C_l of every level."""
        return tuple(centre.shape[1] for centre in self.centres)

    def levels(self, images: Tensor) -> list[Tensor]:
        """Return levels (N, C_l, H_l, W_l), the finest first, of images (N, C, S, S) in [0, 1]."""
        return [
            (raw - centre) / spread
            for raw, centre, spread in zip(
                _levels(self.features, images, self.sizes, self.members),
                self.centres,
                self.spreads,
                strict=True,
            )
        ]

    def state(self) -> State:
        """Return everything `restored_teacher` needs."""
        state = self.features.state()
        standards = {
            f"{name}.{number}": tensor.flatten().cpu().numpy().copy()
            for name, tensors in (("centre", self.centres), ("spread", self.spreads))
            for number, tensor in enumerate(tensors)
        }
        values = {"sizes": [list(size) for size in self.sizes], "members": list(self.members)}
        values["first"] = self.first
        return united(State(standards, values), features=state)


def chosen_teacher(features: Features, data: Dataset, spacing: int, device: str) -> Teacher:
    """Return the teacher of these features, standardised on an even sample of the images."""
    with torch.inference_mode():
        maps = features.maps(torch.zeros(1, *data.sample_shape, device=device))
    sizes = [_limited(one, data.sample_shape, spacing) for one in maps]
    kinds = sorted(set(sizes), reverse=True)
    members = tuple(
        tuple(number for number, own in enumerate(sizes) if own == size) for size in kinds
    )
    moments: list[NDArray[np.float64]] = []
    rows = even_rows(len(data), _STANDARDS)
    for row in rows:
        image = to_device(data.pixels(slice(int(row), int(row) + 1)), device)
        with torch.inference_mode():
            levels = _levels(features, image, kinds, members)
        found = [
            torch.stack([one.double().mean((0, 2, 3)), one.double().square().mean((0, 2, 3))])
            for one in levels
        ]
        moments.append(torch.cat(found, dim=1).cpu().numpy())
    mean, square = np.mean(moments, axis=0)  # each (C_1 + ... + C_L,)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    ends = np.cumsum([one.shape[1] for one in levels])[:-1]
    centres, spreads = (
        [torch.tensor(one, dtype=torch.float32, device=device) for one in np.split(values, ends)]
        for values in (mean, spread)
    )
    return Teacher(
        features,
        tuple(kinds),
        members,
        tuple(_by_channel(one) for one in centres),
        tuple(_by_channel(_floored(one)) for one in spreads),
        maps[0].shape[1],
    )


def restored_teacher(state: State, device: str) -> Teacher:
    """Return the teacher of a state. Raises InvalidInput when it is incomplete."""
    features = part(state, "features")
    if features is None:
        raise InvalidInput("The saved state of the teacher lacks its network.")
    values = state.values
    count = len(values["sizes"])
    centres, spreads = (
        tuple(
            _by_channel(torch.tensor(state.arrays[f"{name}.{number}"], device=device))
            for number in range(count)
        )
        for name in ("centre", "spread")
    )
    sizes = tuple((rows, columns) for rows, columns in values["sizes"])
    members = tuple(tuple(own) for own in values["members"])
    network = restored_features(features, device)
    return Teacher(network, sizes, members, centres, spreads, values["first"])


class Lessons:
    """What a teacher says of the images of a data set; it is asked once and remembered.

    Answers are kept as float16 while they fit, and rounded to it in any case; every image is looked
    at alone. So they are the same bits however the images are asked for.
    """

    def __init__(self, teacher: Teacher, data: Dataset, device: str) -> None:
        self.data = data
        self._teacher = teacher
        self._device = device
        self._known: dict[int, Tensor] = {}
        self._shapes = [
            (channels, *size)
            for channels, size in zip(teacher.channels, teacher.sizes, strict=True)
        ]
        ends = accumulate((int(np.prod(shape)) for shape in self._shapes), initial=0)
        self._parts = [slice(start, end) for start, end in pairwise(ends)]
        self._most = _MOST_VALUES // max(1, self._parts[-1].stop)

    def of(self, rows: NDArray[np.int64]) -> list[Tensor]:
        """Return the levels (n, C_l, H_l, W_l) of these rows."""
        told = torch.stack([self._one(int(row)) for row in rows]).to(self._device).float()
        return [
            told[:, own].reshape(-1, *shape)
            for own, shape in zip(self._parts, self._shapes, strict=True)
        ]

    def batches(self, size: int) -> Iterator[list[Tensor]]:
        """Yield the levels of all images, `size` images at a time."""
        for start in range(0, len(self.data), size):
            yield self.of(np.arange(start, min(start + size, len(self.data)), dtype=np.int64))

    def _one(self, row: int) -> Tensor:
        """Return all levels of an image in one row of numbers, as float16."""
        if row in self._known:
            return self._known[row]
        image = to_device(self.data.pixels(slice(row, row + 1)), self._device)
        with torch.no_grad():
            levels = self._teacher.levels(image)
        told = torch.cat([one.flatten() for one in levels]).half().cpu()
        if len(self._known) < self._most:
            self._known[row] = told
        return told


class UsualErrors(nn.Module):
    """Brings errors of several kinds to one scale, that of images that were not learned from.

    0 is the error that a tenth of the places of normal images exceed, 1 that of one in 200.
    """

    quantiles: Tensor
    places: Tensor

    def __init__(self, kinds: int, size: Size) -> None:
        super().__init__()
        self.size = size
        shares = torch.tensor(_SHARES, dtype=torch.float32)
        self.register_buffer("quantiles", shares.repeat(kinds, 1))  # (kinds, shares)
        self.register_buffer("places", torch.zeros(kinds, *size))  # mean error at each place

    @torch.no_grad()
    def measure(self, errors: Sequence[Tensor]) -> None:
        """Take errors of normal images, (N, H_l, W_l) for every kind."""
        for number, one in enumerate(errors):
            values = np.quantile(one.double().cpu().numpy(), _SHARES)
            self.quantiles[number] = torch.from_numpy(values)
            self.places[number] = resized(one.unsqueeze(1), self.size).mean((0, 1))

    def forward(self, errors: Sequence[Tensor]) -> list[Tensor]:
        """Return errors in units of what is usual."""
        low, high = self.quantiles[:, _LOW], self.quantiles[:, _HIGH]
        ranges = (high - low).clamp_min(_LEAST_RANGE)
        return [(one - zero) / unit for one, zero, unit in zip(errors, low, ranges, strict=True)]

    def views(self, kinds: Sequence[str]) -> list[View]:
        """Return how errors of each kind are spread over normal images, and where they are."""
        shares = np.asarray(_SHARES, np.float32)
        lines = {
            kind: (shares, values)
            for kind, values in zip(kinds, self.quantiles.cpu().numpy().copy(), strict=True)
        }
        views: list[View] = [
            Curve(
                "Errors of images that were not learned from",
                lines,
                x_label="share of the places with less",
                y_label="error",
            )
        ]
        for kind, places in zip(kinds, self.places.cpu().numpy().copy(), strict=True):
            views.append(HeatMap(f"Usual error at each place, {kind}", places, "row", "column"))
        return views


class Residual(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.first = convolution(before, after, stride=stride)
        self.second = nn.Sequential(
            nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)
        )
        self.past: nn.Module = nn.Identity()
        if before != after or stride != 1:
            self.past = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, after, H / stride, W / stride) of maps (N, before, H, W)."""
        return F.relu(self.second(self.first(maps)) + self.past(maps))


def convolution(before: int, after: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution with batch normalisation and a rectifier."""
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride=stride, padding=side // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


P = TypeVar("P", bound=TaughtParams)


class TaughtMethod(ChoosesFeatures[P], TorchMethod[P]):
    """A method of networks that learn from a teacher. Gives Scores, Localizes and Inspects."""

    _teacher: Teacher | None = None

    @property
    def teacher(self) -> Teacher:
        """The frozen network. Raises InvalidInput before the training."""
        if self._teacher is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: train it, or open a run.")
        return self._teacher

    usual: UsualErrors
    """Of each kind of error; made by `build`."""

    @abstractmethod
    def errors(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return errors (N, H_k, W_k) of K kinds on the teacher's levels (N, C_l, H_l, W_l)."""

    @abstractmethod
    def codes(self, levels: Sequence[Tensor]) -> Tensor:
        """Return the codes (N, D) of what the teacher says, (N, C_l, H_l, W_l)."""

    def unusual(self, images: Tensor) -> Tensor:
        """Return how unusual (N, K, H, W) every place of images (N, C, S, S) is, in K ways.

        Each is in units of what is usual.
        """
        errors = self.usual(self.errors(self.teacher.levels(images)))
        return together(errors, self.teacher.sizes[0])

    @torch.no_grad()
    def measure(self, held: Lessons) -> float:
        """Learn which errors are usual; return their sum on the images that were held out."""
        with evaluating(self):
            found = [self.errors(levels) for levels in held.batches(self.params.batch_size)]
        errors = [torch.cat(parts) for parts in zip(*found, strict=True)]
        self.usual.measure(errors)
        return float(sum(one.mean() for one in errors))

    @inference
    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (N, D) of images (N, C, S, S)."""
        require_shape(images, self.sample_shape or ())
        return self.codes(self.teacher.levels(images))

    def mixed(self, unusual: Tensor) -> Tensor:
        """Return one map (N, H, W) of the ways (N, K, H, W) in which places are unusual."""
        return unusual.mean(dim=1)

    def scores(self, unusual: Tensor) -> Tensor:
        """Return scores (N,) of images whose places are unusual in these ways (N, K, H, W)."""
        return worst_patches(self.mixed(unusual), region=self.region)

    def fit(self, data: Dataset) -> Events:
        """Find the teacher and learn; where it comes from is told once the networks are built."""
        untold = self._teacher is None
        if len(data) and untold:
            self._teacher = chosen_teacher(
                self.features(data), data, self.params.spacing, self.device
            )
        for event in super().fit(data):
            if untold:
                yield Note(f"Features: {self.teacher.features.report.sentence()}")
                untold = False
            yield event

    def lessons(self, data: Dataset) -> tuple[Lessons, Lessons]:
        """Return what the teacher says of images to learn from, and of those held out.

        Of very few images none is held out: then both are the same images.
        """
        learned, held = held_out(data, self.params.held_out, _MOST_HELD, self.seed)
        if not len(held):
            held = SomeRows(data, even_rows(len(data), _MOST_HELD))
        return Lessons(self.teacher, learned, self.device), Lessons(self.teacher, held, self.device)

    def score(self, images: Images) -> Array:
        """Return `scores` (N,) of images (N, C, S, S)."""
        return self._scores(self._unusual(images))

    def localize(self, images: Images) -> Array:
        """Return maps (N, S, S) of images (N, C, S, S), enlarged and smoothed."""
        return self._maps(self._unusual(images), images.shape[-1])

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, S, S) of images (N, C, S, S), computed once."""
        unusual = self._unusual(images)
        return self._scores(unusual), self._maps(unusual, images.shape[-1])

    def views(self) -> Sequence[View]:
        """Return where the features come from, and filters that were learned."""
        if self._teacher is None or self.sample_shape is None:
            return ()
        return self._teacher.features.views(self.sample_shape[0])

    def state(self) -> State:
        """Return the teacher beside what is trained."""
        own = super().state()
        if self.sample_shape is None:
            return own
        return united(own, teacher=self.teacher.state())

    def restore(self, state: State) -> None:
        """Take back what `state` returned."""
        teacher = part(state, "teacher")
        if teacher is not None:
            self._teacher = restored_teacher(teacher, self.device)
        super().restore(state)

    @inference
    def _unusual(self, images: Tensor) -> Tensor:
        require_shape(images, self.sample_shape or ())
        return self.unusual(images)

    def _scores(self, unusual: Array) -> Array:
        scores: Array = self.scores(torch.from_numpy(unusual)).numpy()
        return scores

    def _maps(self, unusual: Array, size: int) -> Array:
        maps: Array = enlarged(self.mixed(torch.from_numpy(unusual)), size).numpy()
        return maps


def level_names(sizes: Sequence[Size]) -> list[str]:
    """Return what levels of these sizes are called."""
    return [f"{rows}x{columns}" for rows, columns in sizes]


def together(errors: Sequence[Tensor], size: Size) -> Tensor:
    """Return errors (N, H_l, W_l) of K kinds, enlarged to one size, as (N, K, H, W)."""
    return torch.cat([resized(one.unsqueeze(1), size) for one in errors], dim=1)


def _levels(
    features: Features,
    images: Tensor,
    sizes: Sequence[Size],
    members: Sequence[Sequence[int]],
) -> list[Tensor]:
    maps = features.maps(images)
    return [
        torch.cat([resized(maps[number], size) for number in own], dim=1)
        for size, own in zip(sizes, members, strict=True)
    ]


def _limited(one: Tensor, sample_shape: tuple[int, int, int], spacing: int) -> Size:
    """Return the size that a map is brought to."""
    rows, columns = (
        min(have, max(side // spacing, _LEAST_SIDE))
        for have, side in zip(one.shape[-2:], sample_shape[1:], strict=True)
    )
    return rows, columns


def _by_channel(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)


def _floored(spread: Tensor) -> Tensor:
    return spread.clamp_min(max(_LEAST_SPREAD * float(spread.mean()), _LEAST_RANGE))

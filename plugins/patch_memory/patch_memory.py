"""Patch memory: what normal images look like, place by place, and how far a new place is from it.

Roth et al., Towards total recall in industrial anomaly detection (PatchCore), 2022,
https://arxiv.org/abs/2106.08265

    P(x)  = locally aware patch features of an image x, out of several layers of a network
    M     = coreset of the patches of all normal images                             (their alg. 1)
    d(p)  = min_{m in M} |p - m|                                                    (their eq. 6)
    s(x)  = mean of the largest d(p), optionally weighted by how crowded M is there (their eq. 7)

Differences: every layer is scaled to length 1 before it is stacked, the place counts a little, and
the mean of the worst hundredth of the patches is steadier than the worst one.

Shapes: N images, C channels, S rows and columns, G patches per image, D dimensions, M memory.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Events, Metrics, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.coreset import Coreset
from desktop_app.toolbox.features import FeatureParams, chosen_features, encoder_of
from desktop_app.toolbox.filters import FilterBank
from desktop_app.toolbox.neighbours import Neighbours
from desktop_app.toolbox.patches import PatchFeatures, prepared_patches, restored_patches
from desktop_app.toolbox.portable import PortableNetwork
from desktop_app.toolbox.reconstruction import smoothed
from desktop_app.toolbox.training import to_device

_MOST_CANDIDATES = 300_000
"""Patches that the memory is chosen from; of larger folders each image gives an equal share."""
_GATHERING = 0.7
"""Share of the time that goes into features, the rest into the choice of the memory."""
_PROVISIONAL = 2048
"""Patches that stand for the memory before it is chosen."""
_SMOOTHING = 56
"""Maps are smoothed by a Gaussian of S / 56 pixels: 4 pixels at 224, as in the paper."""
_FILTER_POSITION = 0.5
"""Filters repeat across an image more than layers of a network do: their place counts less."""
_WHITENING = {"none": 0.0, "half": 0.5, "full": 1.0}
_CROWD = 9
"""Memories b around the nearest one that the weight of a score looks at, as in anomalib."""
_PATCHES, _CORESET, _CANDIDATES, _MEMORY = "patches/", "coreset/", "candidates", "memory"
"""Names in the state."""


class PatchMemoryParams(FeatureParams):
    """Features, size of the memory, and how distances become scores."""

    coreset_share: float = param(
        0.1, low=0.001, high=1.0, scale="log", help="Share of all patches that is remembered."
    )
    coreset_least: int = param(
        10_000,
        low=1,
        high=1_000_000,
        scale="log",
        unit="patches",
        help="Patches that are remembered even where the share is less: small folders.",
        advanced=True,
    )
    coreset_limit: int = param(
        20_000,
        low=10,
        high=1_000_000,
        scale="log",
        unit="patches",
        help="Patches that are remembered at most: scoring takes time in proportion.",
    )
    neighbours: int = param(
        1,
        low=1,
        high=50,
        help="Nearest remembered patches whose distances are averaged.",
    )
    reweight: bool = param(
        False, help="Lower the score where the memory is crowded (equation 7 of the paper)."
    )
    neighbourhood: int = param(
        3,
        low=1,
        high=15,
        unit="map pixels",
        help="Side of the square averaged into a patch.",
        advanced=True,
    )
    position: float = param(
        1.0,
        low=0.0,
        high=10.0,
        help="Weight of the place of a patch: 0 lets a patch resemble one from anywhere.",
        advanced=True,
    )
    whitening: Literal["auto", "none", "half", "full"] = param(
        "auto",
        help="How much faint differences between patches count; auto: half for learned filters.",
        advanced=True,
    )
    top_share: float = param(
        0.01,
        low=0.0,
        high=1.0,
        help="Share of the most unusual patches whose mean is the score; 0 takes the worst alone.",
        advanced=True,
    )
    dimensions: int = param(
        256,
        low=8,
        high=8192,
        scale="log",
        help="Patches with more dimensions are projected at random onto this many.",
        advanced=True,
    )
    batch_size: int = param(
        16, low=1, high=1024, scale="log", unit="images", help="Images per pass.", advanced=True
    )


class PatchMemory(Method[PatchMemoryParams]):
    """Remembers patches of normal images; what resembles none of them is unusual."""

    card = Card(
        id="patch_memory",
        title="Patch memory",
        family="Anomaly detection",
        paper="2106.08265",
        summary="Remembers how normal images look at every place and shows what it never saw.",
        needs="Normal images; best with imported network weights.",
        image_size=224,
        translations={
            "zh_CN": {
                "title": "图像块记忆",
                "family": "异常检测",
                "summary": "记住正常图像各处的样子，并指出从未见过的部分。",
                "needs": "正常图像；导入网络权重时效果最佳。",
            }
        },
    )

    toy_params: ClassVar[dict[str, int]] = {"filters": 24, "dimensions": 32}
    """What the conformance kit trains with on its small images."""

    def __init__(
        self, params: PatchMemoryParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self._encoder: PortableNetwork | None = None
        self._encoder_title = ""
        self._patches: PatchFeatures | None = None
        self._step = 0
        self._images = 0
        """Images whose patches are gathered."""
        self._filled = 0
        """Candidates that are there."""
        self._candidates = torch.empty(0, 0, dtype=torch.float16)
        """(G, D) as many as were gathered, until the memory is chosen."""
        self._coreset: Coreset | None = None
        self._curve: list[tuple[int, float]] = []
        """Size of the memory and covering radius after each round."""
        self._memory: Neighbours | None = None

    def attach_run(self, parameter: str, method: Method[Any]) -> None:
        """Copy the encoder of a trained method."""
        if parameter != "encoder":
            raise MissingCapability(f"'{self.card.title}' takes a run as 'encoder' alone.")
        self._encoder = encoder_of(method)
        self._encoder_title = method.card.title

    # ---------------------------------------------------------------------------------- learning

    def fit(self, data: Dataset) -> Events:
        """Gather patches of all images, then choose the memory among them."""
        if len(data) == 0:
            raise InvalidInput(f"'{data.name}' holds no usable image to learn from.")
        patches = self._patches
        if patches is None:
            patches = self._patches = self._prepared(data)
            yield Note(f"Features: {patches.features.report.sentence()}")
        if data.sample_shape != patches.sample_shape:
            raise InvalidInput(
                f"The training began with images of shape {patches.sample_shape}, '{data.name}' "
                f"has {data.sample_shape}: start a new run for that size."
            )
        if self._memory is None:
            yield from self._gather(data, patches)
            yield from self._choose(len(data) * patches.places)

    def _prepared(self, data: Dataset) -> PatchFeatures:
        features = chosen_features(
            self.params,
            data,
            encoder=self._encoder,
            encoder_title=self._encoder_title,
            seed=self.seed,
            device=self.device,
        )
        filters = isinstance(features.network, FilterBank)
        wish = self.params.whitening
        return prepared_patches(
            features,
            data,
            neighbourhood=self.params.neighbourhood,
            position=self.params.position * (_FILTER_POSITION if filters else 1.0),
            whitening=_WHITENING[wish] if wish != "auto" else 0.5 * filters,
            most_dimensions=self.params.dimensions,
            seed=self.seed,
            device=self.device,
        )

    def _gather(self, data: Dataset, patches: PatchFeatures) -> Iterator[Metrics]:
        """Put the patches of all images, or an equal share of each, among the candidates."""
        rows = _evenly(len(data), _MOST_CANDIDATES)
        per_image = min(patches.places, max(1, _MOST_CANDIDATES // len(rows)))
        self._reserve(len(rows) * per_image, patches.dimensions)
        while self._images < len(rows):
            some = rows[self._images : self._images + self.params.batch_size]
            with torch.inference_mode():
                found = patches.of(to_device(data.pixels(some), self.device)).flatten(1, 2)
            for row, own in zip(some, found, strict=True):
                chosen = _places(patches.places, per_image, [self.seed, int(row)]).to(self.device)
                self._candidates[self._filled : self._filled + per_image] = own[chosen].half()
                self._filled += per_image
            self._images += len(some)
            self._step += 1
            yield Metrics(
                step=self._step,
                progress=_GATHERING * self._images / len(rows),
                values={"patches": self._filled},
                epoch=self._images / len(rows),
                images=len(some),
            )

    def _reserve(self, count: int, dimensions: int) -> None:
        """Make room for all candidates, keeping those that are gathered."""
        if len(self._candidates) < count:
            room = torch.empty(count, dimensions, dtype=torch.float16, device=self.device)
            if self._filled:
                room[: self._filled] = self._candidates[: self._filled]
            self._candidates = room

    def _choose(self, places: int) -> Iterator[Metrics]:
        """Choose the memory from the candidates, round by round."""
        share = max(self.params.coreset_least, round(self.params.coreset_share * places))
        size = min(share, self.params.coreset_limit, len(self._candidates))
        coreset = self._coreset = self._coreset or Coreset(self._candidates)
        for count in coreset.grow(size):
            if count < size:
                progress = _GATHERING + (1 - _GATHERING) * count / size
                yield self._round(coreset, progress)
        chosen = torch.from_numpy(coreset.centres).to(self.device)
        last = self._round(coreset, 1.0)
        self._memory = Neighbours(self._candidates[chosen])
        self._coreset = None
        self._candidates = torch.empty(0, 0, dtype=torch.float16)
        yield last

    def _round(self, coreset: Coreset, progress: float) -> Metrics:
        count, radius = len(coreset.centres), coreset.radius()
        self._curve.append((count, radius))
        self._step += 1
        values = {"memory": count, "covering_radius": radius}
        return Metrics(step=self._step, progress=progress, values=values, epoch=1.0)

    # ------------------------------------------------------------------------------ capabilities

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, S, S): the neighbours are looked for once."""
        size = images.shape[-1]

        def both(patches: Tensor) -> tuple[Tensor, ...]:
            distances, rows = self._distances(patches)
            return self._scores(patches, distances, rows), _maps(distances, size)

        scores, maps = self._in_batches(images, both)
        return scores, maps

    def score(self, images: Images) -> Array:
        """Return the mean distance (N,) of the most unusual patches of images (N, C, S, S)."""

        def scores(patches: Tensor) -> tuple[Tensor, ...]:
            return (self._scores(patches, *self._distances(patches)),)

        return self._in_batches(images, scores)[0]

    def localize(self, images: Images) -> Array:
        """Return maps (N, S, S): distances of the patches, enlarged and smoothed."""
        size = images.shape[-1]
        return self._in_batches(images, lambda own: (_maps(self._distances(own)[0], size),))[0]

    def encode(self, images: Images) -> Array:
        """Return the mean patch (N, D) of images (N, C, S, S)."""
        return self._in_batches(images, lambda patches: (patches.mean(dim=(1, 2)),))[0]

    def views(self) -> Sequence[View]:
        """Return the match report, the covering radius over the size of the memory, filters."""
        if self._patches is None:
            return ()
        features = self._patches.features
        views: list[View] = [features.report.table()]
        if self._curve:
            sizes, radii = np.asarray(self._curve, dtype=np.float32).T
            views.append(
                Curve(
                    "How far the memory reaches",
                    {"covering radius": (sizes, radii)},
                    x_label="patches in memory",
                    y_label="distance of the farthest patch",
                )
            )
        if isinstance(features.network, FilterBank):
            pictures = features.network.pictures(self._patches.sample_shape[0]).cpu().numpy()
            views.append(ImageGrid("Filters learned from the images", pictures, signed=True))
        return views

    def _in_batches(
        self, images: Images, answer: Callable[[Tensor], tuple[Tensor, ...]]
    ) -> tuple[Array, ...]:
        patches = self._patches
        if patches is None:
            raise InvalidInput("Nothing is remembered yet: train this method first.")
        size = self.params.batch_size
        parts: list[list[Array]] = []
        with torch.inference_mode():
            for start in range(0, max(len(images), 1), size):
                some = np.require(images[start : start + size], np.float32, ["C", "W"])
                answers = answer(patches.of(torch.from_numpy(some).to(self.device)).float())
                parts.append([part.cpu().numpy() for part in answers])
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def _distances(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances to and rows of the nearest memories, each (N, H, W, k)."""
        memory = self._memory or self._provisional()
        near, rows = memory.nearest(patches.flatten(0, 2), self.params.neighbours)
        grid = (*patches.shape[:3], near.shape[1])
        return near.view(grid), rows.view(grid)

    def _scores(self, patches: Tensor, distances: Tensor, rows: Tensor) -> Tensor:
        """Return the mean distance (N,) of the farthest of patches (N, H, W, D)."""
        flat = distances.mean(3).flatten(1)
        count = max(1, round(self.params.top_share * flat.shape[1]))
        farthest, places = flat.topk(count, dim=1)  # (N, count)
        scores = farthest.mean(1)
        if not self.params.reweight:
            return scores
        image, place = torch.arange(len(patches), device=patches.device), places[:, 0]
        return scores * self._weights(
            patches.flatten(1, 2)[image, place], rows.flatten(1, 2)[image, place, 0]
        )

    def _weights(self, patches: Tensor, rows: Tensor) -> Tensor:
        """Return the weights (N,) of patches (N, D) whose nearest memories are `rows` (N,).

        1 - exp|p - m*| / sum over the b memories m nearest to m* of exp|p - m|  (equation 7)
        """
        memory = self._memory or self._provisional()
        _, around = memory.nearest(memory.points[rows], _CROWD)  # (N, b), m* itself the first
        distances = torch.linalg.vector_norm(memory.points[around] - patches[:, None], dim=2)
        weights: Tensor = 1 - distances.softmax(dim=1)[:, 0]
        return weights

    def _provisional(self) -> Neighbours:
        """Return what is remembered so far, while the memory is being chosen."""
        if self._coreset is not None:
            rows = torch.from_numpy(self._coreset.centres)
        else:
            rows = torch.from_numpy(_evenly(self._filled, _PROVISIONAL))
        return Neighbours(self._candidates[rows.to(self.device)])

    # ------------------------------------------------------------------------------------- state

    def state(self) -> State:
        """Return features, candidates while they are gathered, and the memory once it is chosen."""
        if self._patches is None:
            return State({}, {"step": 0})
        patches = self._patches.state()
        arrays = {_PATCHES + name: array for name, array in patches.arrays.items()}
        if self._memory is not None:
            arrays[_MEMORY] = self._memory.points.half().cpu().numpy().copy()
        else:
            arrays[_CANDIDATES] = self._candidates[: self._filled].cpu().numpy().copy()
        if self._coreset is not None:
            selection = self._coreset.state()
            arrays |= {_CORESET + name: array.copy() for name, array in selection.items()}
        values = {
            "patches": dict(patches.values),
            "step": self._step,
            "images": self._images,
            "curve": [list(point) for point in self._curve],
        }
        return State(arrays, values)

    def restore(self, state: State) -> None:
        """Take back what `state` returned."""
        if "patches" not in state.values:
            return
        arrays, values = state.arrays, state.values
        own = {
            name.removeprefix(_PATCHES): array
            for name, array in arrays.items()
            if name.startswith(_PATCHES)
        }
        self._patches = restored_patches(State(own, values["patches"]), self.device)
        self._step, self._images = values["step"], values["images"]
        self._curve = [(size, radius) for size, radius in values["curve"]]
        self._memory, self._coreset = None, None
        if _MEMORY in arrays:
            self._memory = Neighbours(torch.tensor(arrays[_MEMORY], device=self.device))
            return
        self._candidates = torch.tensor(arrays[_CANDIDATES], device=self.device)
        self._filled = len(self._candidates)
        selection = {
            name.removeprefix(_CORESET): array
            for name, array in arrays.items()
            if name.startswith(_CORESET)
        }
        if selection:
            self._coreset = Coreset(self._candidates)
            self._coreset.restore(selection)


def _maps(distances: Tensor, size: int) -> Tensor:
    """Return distances (N, H, W, k) as maps (N, S, S), enlarged and smoothed."""
    coarse = distances.mean(3).unsqueeze(1)
    large = F.interpolate(coarse, size=(size, size), mode="bilinear")
    return smoothed(large.squeeze(1), sigma=max(1.0, size / _SMOOTHING))


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of `count` rows, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _places(count: int, wanted: int, seed: list[int]) -> Tensor:
    """Return `wanted` of `count` places in ascending order, chosen at random by the seed."""
    chosen = np.random.default_rng(seed).permutation(count)[:wanted]
    return torch.from_numpy(np.sort(chosen))


@hookimpl
def register_methods() -> list[type[PatchMemory]]:
    """Offer the patch memory."""
    return [PatchMemory]

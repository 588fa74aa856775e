"""Patch memory: what normal images look like, place by place, and how far a new place is from it.

Roth et al., Towards total recall in industrial anomaly detection (PatchCore), 2022,
https://arxiv.org/abs/2106.08265

    P(x)  = locally aware patch features of an image x, out of several layers of a network
    M     = coreset of the patches of all normal images                             (their alg. 1)
    d(p)  = min_{m in M} |p - m|                                                    (their eq. 6)
    s(x)  = mean of the largest d(p), optionally weighted by how crowded M is there (their eq. 7)

Differences: every layer is scaled to length 1 before it is stacked, the place counts a little, and
the mean of the worst hundredth of the patches is steadier than the worst one. An image of the
training is recognised and compared with the patches of the others alone: otherwise every one of
them would be usual, and a folder that holds anomalies of its own could not be ranked.

Shapes: N images, C channels, S rows and columns, G patches per image, D dimensions, M memory.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from desktop_app.sdk.data import (
    Array,
    Dataset,
    Images,
    InParts,
    Pixels,
    as_images,
    as_pixels,
    even_rows,
)
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Events, Metrics, Note
from desktop_app.sdk.explanation import Box, Explanation
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.coreset import Coreset
from desktop_app.toolbox.featured import FeaturedMethod, PatchParams
from desktop_app.toolbox.filters import FilterBank
from desktop_app.toolbox.neighbours import Neighbours
from desktop_app.toolbox.patches import PatchFeatures, enlarged, prepared_patches
from desktop_app.toolbox.recognition import NOBODY, Marks, Recognition, marks_of
from desktop_app.toolbox.regions import counted_places, inside
from desktop_app.toolbox.states import part, united
from desktop_app.toolbox.weights import read_weights

_MOST_CANDIDATES = 300_000
"""Patches that the memory is chosen from; of larger folders each image gives an equal share."""
_GATHERING = 0.7
"""Share of the time that goes into features, the rest into the choice of the memory."""
_PROVISIONAL = 2048
"""Patches that stand for the memory before it is chosen."""
_FILTER_POSITION = 0.5
"""Filters repeat across an image more than layers of a network do: their place counts less."""
_WHITENING = {"none": 0.0, "half": 0.5, "full": 1.0}
_CROWD = 9
"""Memories b around the nearest one that the weight of a score looks at, as in anomalib."""
_CONTEXT = 4
"""Steps of the grid that a picture of a patch shows along each side: what its features saw most."""
_PICTURE = 16
"""Pixels along a side of the picture of a patch at most: 15 MB for 20,000 in colour."""
_SHOWN = 64
"""Pictures in the view of the memory."""


class PatchMemoryParams(PatchParams):
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
    leave_one_out: bool = param(
        True,
        help="Compare an image of the training with the patches of the other images alone.",
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
    start: str = param(
        "",
        kind="run",
        help="Run of this method to begin from: its features are taken over, and the memory is "
        "chosen from what it remembers and from the images of this folder.",
        advanced=True,
    )


class PatchMemory(FeaturedMethod[PatchMemoryParams]):
    """Remembers patches of normal images; what resembles none of them is unusual."""

    card = Card(
        id="patch_memory",
        title="Patch memory",
        family="Anomaly detection",
        paper="2106.08265",
        summary="Remembers how normal images look at every place and shows what it never saw.",
        needs="Normal images; best with imported network weights.",
        image_size=224,
        rank=10,
        translations={
            "zh_CN": {
                "title": "图像块记忆",
                "family": "异常检测",
                "summary": "记住正常图像各处的样子，并指出从未见过的部分。",
                "needs": "正常图像；导入网络权重时效果最佳。",
            }
        },
    )

    presets = (
        Preset(
            "28 px",
            {"filters": 50, "coreset_least": 1000},
            "Digits and symbols, with filters learned from them.",
            image_size=28,
        ),
        Preset("128 px", {}, "Photographs, when time or memory is short.", image_size=128),
        Preset(
            "224 px",
            {},
            "Photographs with imported weights, which were trained at this size.",
            image_size=224,
        ),
    )
    toy_params: ClassVar[dict[str, int]] = {"filters": 24, "dimensions": 32, "coreset_least": 1000}
    """What the conformance kit trains with on its small images."""

    def __init__(
        self, params: PatchMemoryParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self._former: PatchMemory | None = None
        """The trained method to begin from."""
        self._images = 0
        """Images whose patches are gathered."""
        self._seen = 0
        """Patches of all images, also of former runs: the memory is a share of them."""
        self._filled = 0
        """Candidates that are there."""
        self._candidates = torch.empty(0, 0, dtype=torch.float16)
        """(G, D) as many as were gathered, until the memory is chosen."""
        self._coreset: Coreset | None = None
        self._curve: list[tuple[int, float]] = []
        """Size of the memory and covering radius after each round."""
        self._memory: Neighbours | None = None
        self._origins = np.zeros((0, 3), np.int32)
        """(G, 3) or (M, 3): generation, row and place that each candidate or memory comes from."""
        self._pictures: Pixels = np.zeros((0, 1, 1, 1), np.uint8)
        """(M, C, h, w): what each memory looks like."""
        self._marks: Marks = np.zeros((0, 16), np.uint8)
        self._marked = np.zeros((0, 3), np.int32)
        """(n, 16): marks of the images that were looked at; (n, 3): their generation and row, and
        the image that each is a tile of, -1 where it is none."""
        self._recognition: Recognition | None = None
        self._folders: list[str] = []
        """Names of the data sets of this training and of those before it."""

    def attach_run(self, parameter: str, method: Method[Any]) -> None:
        """Copy the encoder of a trained method, or begin from a trained memory."""
        if parameter != "start":
            super().attach_run(parameter, method)
            return
        if not isinstance(method, PatchMemory) or method._memory is None:
            raise MissingCapability(
                f"'{self.card.title}' begins from a finished run of its own kind, got "
                f"'{method.card.title}': name such a run as start, or none."
            )
        self._former = method

    # ---------------------------------------------------------------------------------- learning

    def prepared(self, data: Dataset) -> PatchFeatures:
        """Return the patches to look at: those of the run to begin from, if there is one.

        Raises InvalidInput when it has seen images of another shape, or other weights are named.
        """
        if self._former is not None:
            return self._taken_over(self._former, data)
        features = self.features(data)
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

    def _taken_over(self, former: "PatchMemory", data: Dataset) -> PatchFeatures:
        """Return the patches of a former run, if they suit the images and the parameters."""
        patches = former.patches
        known = patches.features.report
        if data.sample_shape != patches.sample_shape:
            raise InvalidInput(
                f"The run to begin from was trained on images of shape {patches.sample_shape}, "
                f"'{data.name}' has {data.sample_shape}: read the folder at that size."
            )
        if self.params.encoder or (
            self.params.weights
            and read_weights(Path(self.params.weights).expanduser()).sha256 != known.sha256
        ):
            raise InvalidInput(
                f"The run to begin from looks at other features ({known.sentence()}): leave out "
                "weights and encoder, they are taken over."
            )
        return patches

    def learn(self, data: Dataset, patches: PatchFeatures) -> Events:
        """Gather patches of all images, then choose the memory among them."""
        if self._memory is not None:
            return
        self._folders = [data.name, *(self._former._folders if self._former else [])]
        if self._former is not None and self._filled == 0:
            yield Note(f"{self._remember(self._former)} patches of the former run are kept.")
        yield from self._gather(data, patches)
        yield from self._choose(data)

    def _remember(self, former: "PatchMemory") -> int:
        """Put the memory of a former run first among the candidates; return how many they are."""
        memory = former._memory
        count = 0 if memory is None else len(memory)
        if memory is not None:
            self._candidates = memory.points.half()
        self._origins = former._origins + np.array([1, 0, 0], np.int32)
        self._marks = former._marks
        self._marked = former._marked + np.array([1, 0, 0], np.int32)
        self._filled = count
        return count

    def _gather(self, data: Dataset, patches: PatchFeatures) -> Iterator[Metrics]:
        """Put the patches of all images, or an equal share of each, among the candidates."""
        rows = even_rows(len(data), _MOST_CANDIDATES)
        counted = counted_places(self.region, patches.grid)
        per_image = min(len(counted), max(1, _MOST_CANDIDATES // len(rows)))
        former = self._filled - self._images * per_image
        self._reserve(former + len(rows) * per_image, patches.dimensions)
        for some, seen in self.looked_at(data, rows, self._images):
            origins = [self._origins]
            for row, own in zip(some, seen.flatten(1, 2), strict=True):
                chosen = counted[_places(len(counted), per_image, [self.seed, int(row)])]
                target = slice(self._filled, self._filled + per_image)
                self._candidates[target] = own[chosen.to(self.device)].half()
                origins.append(_origins(int(row), chosen.numpy()))
                self._filled += per_image
            self._origins = np.concatenate(origins)
            self._mark(data, some)
            self._images += len(some)
            share = self._images / len(rows)
            told = {"patches": self._filled}
            yield self.metrics(_GATHERING * share, told, epoch=share, images=len(some))

    def _mark(self, data: Dataset, rows: NDArray[np.int64]) -> None:
        """Note what the images of rows (n,) look like, to recognise them."""
        self._marks = np.concatenate([self._marks, marks_of(data.pixels(rows))])
        wholes = data.wholes(rows) if isinstance(data, InParts) else np.full_like(rows, -1)
        own = np.stack([np.zeros_like(rows), rows, wholes], axis=1).astype(np.int32)
        self._marked = np.concatenate([self._marked, own])
        self._recognition = None

    def _reserve(self, count: int, dimensions: int) -> None:
        """Make room for all candidates, keeping those that are gathered."""
        if len(self._candidates) < count:
            room = torch.empty(count, dimensions, dtype=torch.float16, device=self.device)
            if self._filled:
                room[: self._filled] = self._candidates[: self._filled]
            self._candidates = room

    def _choose(self, data: Dataset) -> Iterator[Metrics]:
        """Choose the memory from the candidates, round by round."""
        counted = len(counted_places(self.region, self.patches.grid))
        self._seen = len(data) * counted + (self._former._seen if self._former else 0)
        share = max(self.params.coreset_least, round(self.params.coreset_share * self._seen))
        size = min(share, self.params.coreset_limit, len(self._candidates))
        coreset = self._coreset = self._coreset or Coreset(self._candidates)
        for count in coreset.grow(size):
            if count < size:
                progress = _GATHERING + (1 - _GATHERING) * count / size
                yield self._round(coreset, progress)
        centres = coreset.centres
        last = self._round(coreset, 1.0)
        self._pictures = self._cut(data, centres)
        self._origins = self._origins[centres]
        self._memory = self._neighbours(
            self._candidates[torch.from_numpy(centres).to(self.device)], self._origins
        )
        self._coreset = None
        self._candidates = torch.empty(0, 0, dtype=torch.float16)
        yield last

    def _cut(self, data: Dataset, centres: NDArray[np.int64]) -> Pixels:
        """Return what the chosen candidates look like (M, C, h, w)."""
        boxes = [_box(place, self.patches) for place in range(self.patches.places)]
        top, left, bottom, right = boxes[0]
        shape = (min(_PICTURE, bottom - top), min(_PICTURE, right - left))
        pictures = np.zeros((len(centres), data.sample_shape[0], *shape), np.uint8)
        origins = self._origins[centres]
        if self._former is not None:
            old = np.flatnonzero(origins[:, 0] > 0)
            pictures[old] = self._former._pictures[centres[old]]
        new = np.flatnonzero(origins[:, 0] == 0)
        new = new[np.argsort(origins[new, 1], kind="stable")]  # each image is read once
        for some in np.split(new, np.flatnonzero(np.diff(origins[new, 1])) + 1):
            if len(some):
                row = int(origins[some[0], 1])
                image = data.pixels(slice(row, row + 1))[0]
                crops = [_cropped(image, boxes[place]) for place in origins[some, 2]]
                pictures[some] = _shrunk(np.stack(crops), shape)
        return pictures

    def _round(self, coreset: Coreset, progress: float) -> Metrics:
        count, radius = len(coreset.centres), coreset.radius()
        self._curve.append((count, radius))
        return self.metrics(progress, {"memory": count, "covering_radius": radius}, epoch=1.0)

    # ------------------------------------------------------------------------------ capabilities

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, S, S): the neighbours are looked for once."""
        size = images.shape[-1]

        def both(patches: Tensor, apart: Tensor) -> tuple[Tensor, ...]:
            distances, rows = self._distances(patches, apart)
            return self._scores(patches, distances, rows), enlarged(distances.mean(3), size)

        scores, maps = self.answers(images, both, self._recognised(images))
        return scores, maps

    def score(self, images: Images) -> Array:
        """Return the mean distance (N,) of the most unusual patches of images (N, C, S, S)."""

        def scores(patches: Tensor, apart: Tensor) -> tuple[Tensor, ...]:
            return (self._scores(patches, *self._distances(patches, apart)),)

        return self.answers(images, scores, self._recognised(images))[0]

    def localize(self, images: Images) -> Array:
        """Return maps (N, S, S): distances of the patches, enlarged and smoothed."""
        size = images.shape[-1]

        def maps(patches: Tensor, apart: Tensor) -> tuple[Tensor, ...]:
            return (enlarged(self._distances(patches, apart)[0].mean(3), size),)

        return self.answers(images, maps, self._recognised(images))[0]

    def encode(self, images: Images) -> Array:
        """Return the mean patch (N, D) of images (N, C, S, S)."""
        return self.answers(images, lambda patches: (patches.mean(dim=(1, 2)),))[0]

    def explain(self, images: Images) -> Sequence[Explanation]:
        """Return the worst place of each image beside the most similar remembered one."""
        if self._memory is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: let the training end.")

        def worst(patches: Tensor, apart: Tensor) -> tuple[Tensor, ...]:
            distances, rows = self._distances(patches, apart)
            far, chosen = inside(distances.mean(3), self.region).max(1)
            place = counted_places(self.region, self.patches.grid)[chosen.cpu()].to(chosen.device)
            nearest = rows[..., 0].flatten(1).gather(1, place[:, None])[:, 0]
            return far, place, nearest

        told = self.answers(images, worst, self._recognised(images))
        return [
            self._explanation(float(far), int(place), int(nearest))
            for far, place, nearest in zip(*told, strict=True)
        ]

    def _explanation(self, distance: float, place: int, nearest: int) -> Explanation:
        generation, row, source = self._origins[nearest].tolist()
        return Explanation(
            box=_box(place, self.patches),
            distance=distance,
            picture=as_images(self._pictures[nearest]),
            row=row,
            source_box=_box(source, self.patches),
            folder=self._folders[generation],
            generation=generation,
        )

    def views(self) -> Sequence[View]:
        """Return where features come from, the covering radius over the size, and the memory."""
        views = list(super().views())
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
        if self._memory is not None:
            shown = as_images(self._pictures[:_SHOWN])
            views.append(ImageGrid("What is remembered, the most different first", shown))
        return views

    def _distances(self, patches: Tensor, apart: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances to and rows of the nearest memories, each (N, H, W, k).

        Memories of the images whose numbers are `apart` (N,) are passed over.
        """
        memory = self._memory or self._provisional()
        own = apart.repeat_interleave(patches.shape[1] * patches.shape[2])
        near, rows = memory.nearest(patches.flatten(0, 2), self.params.neighbours, own)
        grid = (*patches.shape[:3], near.shape[1])
        return near.view(grid), rows.view(grid)

    def _recognised(self, images: Images) -> NDArray[np.int64]:
        """Return the numbers (N,) of images of the training, NOBODY of others."""
        if not self.params.leave_one_out:
            return np.full(len(images), NOBODY)
        return self._known().recognised(images)

    def _known(self) -> Recognition:
        if self._recognition is None:
            self._recognition = Recognition(self._marks, self._marked[:, [0, 2]])
        return self._recognition

    def _neighbours(self, points: Tensor, origins: NDArray[np.int32]) -> Neighbours:
        """Return a memory of points (M, D) of these origins (M, 3) that knows their images."""
        numbers = self._known().numbers.tolist()
        number_of = dict(zip(map(tuple, self._marked[:, :2].tolist()), numbers, strict=True))
        owners = [number_of.get((age, row), NOBODY) for age, row, _ in origins.tolist()]
        return Neighbours(points, torch.tensor(owners, dtype=torch.int64))

    def _scores(self, patches: Tensor, distances: Tensor, rows: Tensor) -> Tensor:
        """Return the mean distance (N,) of the farthest of patches (N, H, W, D)."""
        flat = inside(distances.mean(3), self.region)
        count = max(1, round(self.params.top_share * flat.shape[1]))
        farthest, chosen = flat.topk(count, dim=1)  # (N, count)
        scores = farthest.mean(1)
        if not self.params.reweight:
            return scores
        counted = counted_places(self.region, self.patches.grid).to(patches.device)
        image, place = torch.arange(len(patches), device=patches.device), counted[chosen[:, 0]]
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
            rows = self._coreset.centres
        else:
            rows = even_rows(self._filled, _PROVISIONAL)
        points = self._candidates[torch.from_numpy(rows).to(self.device)]
        return self._neighbours(points, self._origins[rows])

    # ------------------------------------------------------------------------------------- state

    def learned(self) -> State:
        """Return candidates while they are gathered, and the memory once it is chosen."""
        selection: State | None = None
        if self._memory is not None:
            points = self._memory.points.half()
            arrays = {"memory": points.cpu().numpy().copy(), "pictures": self._pictures.copy()}
        else:
            arrays = {"candidates": self._candidates[: self._filled].cpu().numpy().copy()}
        if self._coreset is not None:
            selection = State({n: a.copy() for n, a in self._coreset.state().items()}, {})
        arrays |= {
            "origins": self._origins.copy(),
            "marks": self._marks.copy(),
            "marked": self._marked.copy(),
        }
        values = {
            "images": self._images,
            "seen": self._seen,
            "curve": [list(point) for point in self._curve],
            "folders": list(self._folders),
        }
        return united(State(arrays, values), coreset=selection)

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        arrays, values = state.arrays, state.values
        self._images, self._folders = values["images"], list(values["folders"])
        self._seen = values["seen"]
        self._curve = [(size, radius) for size, radius in values["curve"]]
        self._origins = np.array(arrays["origins"])
        if "marks" in arrays:  # runs of former versions recognise no image
            self._marks, self._marked = np.array(arrays["marks"]), np.array(arrays["marked"])
            if self._marked.shape[1] < 3:  # and knew nothing of tiles
                self._marked = np.pad(self._marked, ((0, 0), (0, 1)), constant_values=-1)
        self._recognition, self._memory, self._coreset = None, None, None
        if "memory" in arrays:
            points = torch.tensor(arrays["memory"], device=self.device)
            self._memory = self._neighbours(points, self._origins)
            self._pictures = np.array(arrays["pictures"])
            return
        self._candidates = torch.tensor(arrays["candidates"], device=self.device)
        self._filled = len(self._candidates)
        selection = part(state, "coreset")
        if selection is not None:
            self._coreset = Coreset(self._candidates)
            self._coreset.restore(selection.arrays)


def _places(count: int, wanted: int, seed: list[int]) -> Tensor:
    """Return `wanted` of `count` places in ascending order, chosen at random by the seed."""
    chosen = np.random.default_rng(seed).permutation(count)[:wanted]
    return torch.from_numpy(np.sort(chosen))


def _origins(row: int, places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return generation 0, row and place (n, 3) of patches of one image."""
    columns = [np.zeros_like(places), np.full_like(places, row), places]
    return np.stack(columns, axis=1).astype(np.int32)


def _box(place: int, patches: PatchFeatures) -> Box:
    """Return the pixels around a place of the grid, all boxes of one size and inside the image."""
    row, column = divmod(place, patches.grid[1])
    top, bottom = _around(row, patches.grid[0], patches.sample_shape[1])
    left, right = _around(column, patches.grid[1], patches.sample_shape[2])
    return top, left, bottom, right


def _around(place: int, places: int, pixels: int) -> tuple[int, int]:
    length = min(pixels, max(1, round(_CONTEXT * pixels / places)))
    begin = round((place + 0.5) * pixels / places - length / 2)
    begin = min(max(begin, 0), pixels - length)
    return begin, begin + length


def _cropped(image: Pixels, box: Box) -> Pixels:
    top, left, bottom, right = box
    return image[:, top:bottom, left:right]


def _shrunk(crops: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return crops (n, C, h, w) at a smaller size."""
    if crops.shape[2:] == shape:
        return crops
    smaller = F.interpolate(
        torch.from_numpy(as_images(crops)), size=shape, mode="bilinear", antialias=True
    )
    return as_pixels(smaller.numpy())


@hookimpl
def register_methods() -> list[type[PatchMemory]]:
    """Offer the patch memory."""
    return [PatchMemory]

"""Local outlier factor: how much emptier it is around an image than around its neighbours.

Breunig, Kriegel, Ng & Sander, LOF: identifying density-based local outliers, 2000; and, to choose
instead: Ramaswamy, Rastogi & Shim, Efficient algorithms for mining outliers from large data sets,
2000 (distance to the neighbours), and Liu, Ting & Zhou, Isolation forest, 2008.

    reach(x, o) = max(k-distance(o), |x - o|)                                       (their def. 5)
    lrd(x) = 1 / mean_{o in N_k(x)} reach(x, o)                                     (their def. 6)
    LOF(x) = mean_{o in N_k(x)} lrd(o) / lrd(x)                                     (their def. 7)

Neighbours are sought among images that differ: of copies, which would make the density infinite,
the first one counts. An image that is one of the fitted ones is no neighbour of itself.

Shapes: N images, M different ones, D dimensions, k neighbours.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from torch import Tensor

from desktop_app.sdk.data import Array, Images, Pixels, as_images, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Event, Events, Metrics, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, ImageGrid, Table, View
from desktop_app.toolbox.neighbours import Neighbours
from desktop_app.toolbox.representation import RepresentationParams
from desktop_app.toolbox.represented import RepresentedMethod

_BLOCK = 2048
"""Images that are compared between two events."""
_SAMPLE = 2048
"""Images that tell how far the nearest one usually is."""
_LEAST_DIFFERENT = 3
_TINY = 1e-10
"""Added to mean distances, as in scikit-learn."""
_ROUNDING = 0.01
"""Shares of the usual distance below this may be rounding errors of zero."""
_BINS = 60
_WORST = 32
_EXTREME = 1.0
"""Per cent of the scores that share the last bar of the histogram."""


class OutlierParams(RepresentationParams):
    """What the vectors are, and what makes an image an outlier."""

    components: int = param(
        32,
        low=0,
        high=2048,
        scale="log",
        help="Principal components that pixels, or longer latents, are reduced to; 0 reduces none.",
    )
    estimator: Literal["lof", "knn", "isolation_forest"] = param(
        "lof",
        help="lof compares densities, knn takes the mean distance to the neighbours, "
        "isolation_forest counts how few random cuts set an image apart.",
    )
    n_neighbors: int = param(
        20, low=1, high=500, scale="log", unit="images", help="Neighbours k of lof and knn."
    )
    duplicates: float = param(
        0.05,
        low=0.0,
        high=1.0,
        advanced=True,
        help="Images nearer than this share of the usual distance to the nearest one count once.",
    )
    trees: int = param(
        200, low=10, high=2000, scale="log", advanced=True, help="Trees of the isolation forest."
    )


class OutlierLOF(RepresentedMethod[OutlierParams]):
    """Ranks images by how alone they are among those like them."""

    card = Card(
        id="outlier_lof",
        title="Local outlier factor",
        family="Anomaly detection",
        paper="Breunig et al. 2000",
        summary="Ranks images by how alone they are: finds the odd ones of a mixed folder.",
        translations={
            "zh_CN": {
                "title": "局部离群因子",
                "family": "异常检测",
                "summary": "按图像的孤立程度排序，从混杂的文件夹中找出异类。",
            }
        },
    )

    presets = (
        Preset("28 px", {"components": 32}, "Drawings and digits.", 28),
        Preset("64 px", {"components": 32}, "Photographs.", 64),
        Preset("128 px", {"components": 64}, "Photographs with detail.", 128),
        Preset("Distance", {"estimator": "knn", "n_neighbors": 5}, "Normal images of one kind."),
        Preset("Forest", {"estimator": "isolation_forest"}, "Fast on very many images."),
    )

    toy_params: ClassVar[dict[str, Any]] = {"components": 0}
    """What the conformance kit trains with on its small images."""

    least_images = _LEAST_DIFFERENT

    def __init__(
        self, params: OutlierParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self.different: NDArray[np.int64] = np.zeros(0, np.int64)
        """Rows (M,) of the images that are no copies, so far."""
        self.scores: Array = np.zeros(0, np.float32)
        """Scores (N,) of the fitted images; empty before the training is over."""
        self._compared = 0
        """Images that copies were sought of, so far."""
        self._near: Array = np.zeros((0, 0), np.float32)
        """Distances (m, k) to the neighbours of the different images, so far."""
        self._rows: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        """Which of the different images (m, k) they are."""
        self._usual = 0.0
        """Median distance to the nearest other image."""
        self._worst: Pixels = np.zeros((0, 1, 1, 1), np.uint8)
        """Small pictures of the images of the highest scores, highest first."""
        self._forest: IsolationForest | None = None

    def learn(self) -> Events:
        """Set copies aside, find the neighbours of the others, and score all images."""
        vectors = torch.from_numpy(self.vectors - self.vectors.mean(axis=0))  # fewer digits lost
        if self._compared == 0:
            self._usual = _usual_distance(vectors)
        while self._compared < len(vectors):
            yield self._set_copies_aside(vectors)
        M = len(self.different)
        if M < _LEAST_DIFFERENT:
            raise InvalidInput(
                f"Only {M} of the images differ from each other: nothing can stand out. "
                "Choose another folder."
            )
        if len(vectors) > M and len(self.scores) == 0:
            yield Note(f"{len(vectors) - M} images are copies of others and count once.")
        memory = Neighbours(vectors[self.different])
        while len(self._near) < M and self.params.estimator != "isolation_forest":
            yield self._find_neighbours(memory)
        yield self._finish(vectors)

    def encode(self, images: Images) -> Array:
        """Return the vectors (N, D) that are compared."""
        return self.represent(images)

    def score(self, images: Images) -> Array:
        """Return the outlier factor (N,), mean distance, or isolation of images."""
        vectors = self.represent(images)
        if len(self.scores) == 0:
            raise InvalidInput("The densities are not known yet: let the training go on.")
        return self._scored(torch.from_numpy(vectors - self.vectors.mean(axis=0)))

    def views(self) -> Sequence[View]:
        """Return the histogram of the scores, and the images with the highest."""
        if len(self.scores) == 0:
            return ()
        worst = np.argsort(-self.scores, kind="stable")[:_WORST]
        places, counts = _histogram(self.scores)
        name = {"lof": "local outlier factor", "knn": "mean distance"}
        histogram = Curve(
            "Scores of the images",
            {"images": (places, counts)},
            x_label=name.get(self.params.estimator, "isolation"),
            y_label="images",
            kind="bars",
        )
        captions = [f"{self.scores[row]:.3g}" for row in worst]
        table = Table(
            "Highest scores",
            ["rank", "image number", "score", "share of images above"],
            [
                [rank + 1, int(row) + 1, float(self.scores[row]), rank / len(self.scores)]
                for rank, row in enumerate(worst)
            ],
        )
        return histogram, ImageGrid("Highest scores", as_images(self._worst), 8, captions), table

    def learned(self) -> State:
        """Return copies, neighbours, scores and the pictures of the worst."""
        arrays: dict[str, NDArray[Any]] = {
            "different": self.different,
            "scores": self.scores,
            "near": self._near,
            "rows": self._rows,
            "worst": self._worst,
        }
        return State(arrays, {"compared": self._compared, "usual": self._usual})

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned; a forest grows anew, and the same, when asked."""
        self.different = np.array(state.arrays["different"])
        self.scores = np.array(state.arrays["scores"])
        self._near = np.array(state.arrays["near"])
        self._rows = np.array(state.arrays["rows"])
        self._worst = np.array(state.arrays["worst"])
        self._compared = int(state.values["compared"])
        self._usual = float(state.values["usual"])

    @property
    def _same(self) -> float:
        """Distance up to which two images are one."""
        return max(self.params.duplicates, _ROUNDING) * self._usual

    def _set_copies_aside(self, vectors: Tensor) -> Metrics:
        """Look for copies of earlier images among the next ones."""
        start, stop = self._compared, min(self._compared + _BLOCK, len(vectors))
        block = vectors[start:stop]
        copies = torch.cdist(block, block).tril(-1) <= self._same
        copies &= torch.ones_like(copies).tril(-1)
        is_copy = copies.any(dim=1)
        if start:
            is_copy |= Neighbours(vectors[:start]).nearest(block)[0][:, 0] <= self._same
        kept = start + torch.nonzero(~is_copy)[:, 0].numpy()
        self.different = np.concatenate([self.different, kept])
        self._compared = stop
        share = stop / len(vectors)
        return self.metrics(0.4 * share, {"different": float(len(self.different))}, epoch=share)

    def _find_neighbours(self, memory: Neighbours) -> Metrics:
        """Find the neighbours of the next of the different images."""
        start = len(self._near)
        block = memory.points[start : start + _BLOCK]
        own = torch.arange(start, start + len(block))[:, None]
        near, rows = memory.nearest(block, self._count() + 1)
        others = rows != own
        others[:, -1] &= ~others.all(dim=1)  # where copies of no distance hide the image itself
        near, rows = (part[others].view(len(block), -1) for part in (near, rows))
        if start == 0:
            self._near, self._rows = near.numpy(), rows.numpy()
        else:
            self._near = np.concatenate([self._near, near.numpy()])
            self._rows = np.concatenate([self._rows, rows.numpy()])
        share = len(self._near) / len(memory)
        values = {"different": float(len(memory))}
        return self.metrics(0.4 + 0.5 * share, values, epoch=1 + share, images=len(block))

    def _finish(self, vectors: Tensor) -> Event:
        """Score the fitted images, copies as what they are copies of, and keep the worst."""
        scores = np.zeros(len(vectors), np.float32)
        if self.params.estimator == "isolation_forest":
            scores[:] = self._scored(vectors)
        else:
            scores[self.different] = self._judged(self._near, self._rows)
            copies = np.setdiff1d(np.arange(len(vectors)), self.different)
            scores[copies] = self._scored(vectors[copies])
        self.scores = scores
        worst = np.argsort(-scores, kind="stable")[:_WORST]
        self._worst = self.small_images(worst)
        values = {
            "different": float(len(self.different)),
            "median_score": float(np.median(scores)),
            "highest_score": float(scores.max()),
        }
        return self.metrics(1.0, values, epoch=2.0, images=len(vectors))

    def _scored(self, vectors: Tensor) -> Array:
        """Return the scores (N,) of vectors (N, D)."""
        if self.params.estimator == "isolation_forest":
            odd: Array = -self._grown_forest().score_samples(vectors.numpy())
            return odd.astype(np.float32)
        different = self.vectors[self.different] - self.vectors.mean(axis=0)
        memory = Neighbours(torch.from_numpy(different))
        found, places = memory.nearest(vectors, self._count() + 1)
        near, rows = found.numpy(), places.numpy()
        nearest = (vectors - memory.points[places[:, 0]]).norm(dim=1).numpy()  # to the last digit
        known = nearest[:, None] <= self._same
        near, rows = (np.where(known, part[:, 1:], part[:, :-1]) for part in (near, rows))
        return self._judged(near, rows)

    def _judged(self, near: Array, rows: NDArray[np.int64]) -> Array:
        """Return the scores (N,), given distances and rows of neighbours (N, k)."""
        if self.params.estimator == "knn":
            means: Array = near.mean(axis=1)
            return means
        memory_density = _density(self._near, self._rows, self._near[:, -1])
        density = _density(near, rows, self._near[:, -1])
        factors: Array = (memory_density[rows].mean(axis=1) / density).astype(np.float32)
        return factors

    def _count(self) -> int:
        """Return k: fewer where there are not so many different images."""
        return min(self.params.n_neighbors, len(self.different) - 1)

    def _grown_forest(self) -> IsolationForest:
        if self._forest is None:
            forest = IsolationForest(n_estimators=self.params.trees, random_state=self.seed)
            centred = self.vectors - self.vectors.mean(axis=0)
            self._forest = forest.fit(centred[self.different])
        return self._forest


def _density(near: Array, rows: NDArray[np.int64], reaches: Array) -> NDArray[np.float64]:
    """Return the local reachability density (N,), given the k-distance (M,) of the neighbours."""
    reach = np.maximum(near, reaches[rows]).astype(np.float64)
    density: NDArray[np.float64] = 1 / (reach.mean(axis=1) + _TINY)
    return density


def _usual_distance(vectors: Tensor) -> float:
    """Return the median distance of an even sample to the nearest image that is no exact copy."""
    some = vectors[even_rows(len(vectors), _SAMPLE)]
    near = Neighbours(vectors).nearest(some, 2)[0][:, -1]
    apart = near[near > near.max() * _ROUNDING]
    return float(apart.median()) if len(apart) else 0.0


def _histogram(scores: Array) -> tuple[Array, Array]:
    """Return the middle and height of bars; the highest scores share the last one."""
    low, high = float(scores.min()), float(np.percentile(scores, 100 - _EXTREME))
    spread = (float(scores.max()) - high) / max(high - low, _TINY)
    edges = np.linspace(low, high if spread > 1 else float(scores.max()), _BINS + 1)
    counts, _ = np.histogram(np.minimum(scores, edges[-1]), edges)
    middles = (edges[:-1] + edges[1:]) / 2
    return middles.astype(np.float32), counts.astype(np.float32)


@hookimpl
def register_methods() -> list[type[OutlierLOF]]:
    """Offer the local outlier factor."""
    return [OutlierLOF]

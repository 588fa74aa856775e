"""K-means: K centroids that stand for the images nearest to them.

Lloyd, Least squares quantization in PCM, 1982; starts of Arthur & Vassilvitskii, k-means++: the
advantages of careful seeding, 2007; K by Rousseeuw, Silhouettes, 1987.

    min_{mu} sum_n min_k |x_n - mu_k|^2                                                 (inertia)
    pass:   z_n = argmin_k |x_n - mu_k|,   mu_k = mean of the x_n with z_n = k
    s = mean_n (b_n - a_n) / max(a_n, b_n)                                           (silhouette)

Shapes: N images, D dimensions, K clusters.
"""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from desktop_app.sdk.data import Array, Images, even_rows
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Event, Events, Note, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, View
from desktop_app.toolbox.kmeans import assigned, first_centres, improved, silhouettes
from desktop_app.toolbox.portraits import Portraits
from desktop_app.toolbox.representation import RepresentationParams
from desktop_app.toolbox.represented import RepresentedMethod
from desktop_app.toolbox.states import part, united
from desktop_app.toolbox.sweep import CHOSEN, Sweep, numbers_to_try, seed_of

_SAMPLE = 20_000
"""Images that starts and numbers of clusters are compared on; the last passes see all."""
_SILHOUETTE_SAMPLE = 5_000
_COMPARED_STARTS = 3
"""Starts of each number of clusters that is compared; the chosen one gets all of them."""
_AT_ONCE = 8
"""Passes between two events."""
_COMPARING = 0.6
"""Progress at which the number of clusters is known."""
_SWEEPING = 0.9
"""Progress at which the best start is known."""


class KMeansParams(RepresentationParams):
    """What the vectors are, how many clusters, and how carefully they are sought."""

    clusters: int = param(
        0, low=0, high=1000, scale="log", help="Clusters K; 0 takes the K of the best silhouette."
    )
    most_clusters: int = param(
        20,
        low=0,
        high=200,
        scale="log",
        help="Inertia and silhouette are compared from 2 clusters to so many; 0 compares none.",
    )
    starts: int = param(
        10, low=1, high=100, unit="starts", help="Random starts of each K; the best one is kept."
    )
    passes: int = param(
        300, low=1, high=10_000, scale="log", advanced=True, help="At most so many passes a start."
    )
    tolerance: float = param(
        1e-4,
        low=0.0,
        high=0.1,
        scale="log",
        advanced=True,
        help="A start ends when its centroids move less than this share of the variance.",
    )


class KMeans(RepresentedMethod[KMeansParams]):
    """Sorts images into groups around centroids."""

    card = Card(
        id="kmeans",
        title="K-means",
        family="Clustering",
        paper="Lloyd 1982; Arthur & Vassilvitskii 2007",
        summary="Sorts images into groups around centroids, and says how many groups there are.",
        rank=10,
        translations={
            "zh_CN": {
                "title": "K 均值",
                "family": "聚类",
                "summary": "围绕质心把图像分组，并判断有多少组。",
            }
        },
    )

    presets = (
        Preset("28 px", {"components": 64}, "Drawings and digits.", 28),
        Preset("64 px", {"components": 50}, "Photographs.", 64),
        Preset("128 px", {"components": 100}, "Photographs with detail.", 128),
        Preset(
            "Latents of a contrastive run",
            {"components": 64, "scaling": "length"},
            "Vectors whose direction alone has a meaning: name the run as encoder.",
        ),
    )

    toy_params: ClassVar[dict[str, int]] = {"starts": 2, "most_clusters": 5, "components": 0}
    """What the conformance kit trains with on its small images."""

    def __init__(
        self, params: KMeansParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self.centroids: Array = np.zeros((0, 0), np.float32)
        """(K, D), by falling number of images; (0, 0) before the training is over."""
        self.inertia = 0.0
        self._sweep: Sweep | None = None
        """Starts of one number of clusters, or of all that are compared."""
        self._comparison: Sweep | None = None
        """What was found about all that were compared."""
        self._moving: NDArray[np.float64] = np.zeros((0, 0))
        """Centroids (K, D) of the last passes, which see all images."""
        self._rounds = 0
        """Passes so far."""
        self._last_rounds = 0
        """Passes over all images so far."""
        self._portraits: Portraits | None = None

    def learn(self) -> Events:
        """Compare starts and numbers of clusters on a sample, then move centroids over all."""
        points = torch.from_numpy(self.vectors)
        sample = points[even_rows(len(points), _SAMPLE)]
        variance = float(points.double().var(dim=0, correction=0).sum())
        if self._sweep is None:
            counts = self._counts(sample)
            starts = self.params.starts
            starts = starts if len(counts) == 1 else min(starts, _COMPARED_STARTS)
            self._sweep = Sweep(counts, starts=starts, passes=self.params.passes)
            yield TrivialValue("inertia", variance, "one centroid")
            wanted = max(self.params.clusters, 2)
            if max(counts) < wanted:
                yield Note(
                    f"The images have {max(counts)} different vectors: {wanted} clusters cannot be "
                    "told apart.",
                    "warning",
                )
        smallest_move = self.params.tolerance * variance / points.shape[1]
        while not self._sweep.done:
            yield self._try(self._sweep, sample, smallest_move)
        if len(self._sweep.counts) > 1:
            self._comparison = self._sweep
            best = len(self._sweep.chosen["centroids"])
            self._sweep = Sweep([best], starts=self.params.starts, passes=self.params.passes)
        while not self._sweep.done:
            yield self._try(self._sweep, sample, smallest_move)
        while len(self.centroids) == 0:
            yield self._finish(self._sweep, points, smallest_move)

    def encode(self, images: Images) -> Array:
        """Return the vectors (N, D) that are clustered."""
        return self.represent(images)

    def cluster(self, images: Images) -> NDArray[np.int64]:
        """Return the nearest centroid (N,) of images."""
        return self._assigned(images)[0].numpy()

    def score(self, images: Images) -> Array:
        """Return the distance (N,) of images to their centroid."""
        squares = self._assigned(images)[1]
        return squares.sqrt().float().numpy()

    def views(self) -> Sequence[View]:
        """Return inertia and silhouette by K, and what the clusters look like."""
        if self._portraits is None:
            return ()
        drawable = self.representation.makes_images
        drawn = self.representation.images_of(self.centroids) if drawable else None
        compared = self._comparison
        curves = _curves(compared, len(self.centroids)) if compared is not None else ()
        return (*curves, *self._portraits.views(drawn))

    def learned(self) -> State:
        """Return centroids, the comparison of numbers of clusters, and the portraits."""
        arrays: dict[str, NDArray[np.generic]] = {
            "centroids": self.centroids,
            "moving": self._moving,
        }
        return united(
            State(
                arrays,
                {
                    "inertia": self.inertia,
                    "rounds": self._rounds,
                    "last_rounds": self._last_rounds,
                },
            ),
            sweep=self._sweep.state() if self._sweep is not None else None,
            comparison=self._comparison.state() if self._comparison is not None else None,
            portraits=self._portraits.state() if self._portraits is not None else None,
        )

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self.centroids = np.array(state.arrays["centroids"])
        self._moving = np.array(state.arrays["moving"])
        self.inertia = float(state.values["inertia"])
        self._rounds = int(state.values["rounds"])
        self._last_rounds = int(state.values["last_rounds"])
        sweep, portraits = part(state, "sweep"), part(state, "portraits")
        if sweep is not None:
            self._sweep = Sweep.restored(sweep)
        comparison = part(state, "comparison")
        if comparison is not None:
            self._comparison = Sweep.restored(comparison)
        if portraits is not None:
            self._portraits = Portraits.restored(portraits)

    def _counts(self, sample: Tensor) -> list[int]:
        """Return the numbers of clusters to try: no more than there are different vectors."""
        different = len(torch.unique(sample, dim=0))
        return numbers_to_try(self.params.clusters, self.params.most_clusters, 2, different)

    def _try(self, sweep: Sweep, sample: Tensor, smallest_move: float) -> Event:
        """Make a few passes of the present start, and judge the number of clusters at its end."""
        K, start, seen = sweep.clusters, sweep.start, 0
        if sweep.model:
            centres = torch.from_numpy(sweep.model["centroids"])
        else:
            random = torch.Generator().manual_seed(seed_of(self.seed, K, start))
            centres = first_centres(sample, K, random)
        while sweep.start == start and seen < _AT_ONCE:
            moved, inertia = improved(sample, centres)
            ended = float((moved - centres).square().sum()) <= smallest_move
            sweep.take({"centroids": moved.numpy()}, inertia, converged=ended)
            centres, seen = moved, seen + 1
        if sweep.start == sweep.starts:
            self._judge(sweep, sample)
        self._rounds += seen
        first, last = (0.0, _COMPARING) if len(sweep.counts) > 1 else (0.0, _SWEEPING)
        if self._comparison is not None:
            first = _COMPARING
        return self.metrics(
            first + (last - first) * sweep.progress,
            {"inertia": inertia / len(sample), "clusters": float(K)},
            epoch=self._rounds,
            images=seen * len(sample),
        )

    def _judge(self, sweep: Sweep, sample: Tensor) -> None:
        """Close the present K with the silhouette of its best start."""
        centres = torch.from_numpy(sweep.best["centroids"])
        inertia = float(assigned(sample, centres)[1].mean())
        some = sample[even_rows(len(sample), _SILHOUETTE_SAMPLE)]
        silhouette = silhouettes(some, [assigned(some, centres)[0]])[0]
        wanted = sweep.clusters == min(self.params.clusters, sweep.counts[-1])
        criterion = CHOSEN if wanted else -silhouette
        sweep.judge(criterion, {"inertia": inertia, "silhouette": silhouette})

    def _finish(self, sweep: Sweep, points: Tensor, smallest_move: float) -> Event:
        """Make one pass over all images; after the last one describe the clusters."""
        centres = self._moving if len(self._moving) else sweep.chosen["centroids"]
        moved, _ = improved(points, torch.from_numpy(centres))
        self._moving = moved.numpy()
        self._last_rounds += 1
        self._rounds += 1
        move = float(np.square(self._moving - centres).sum())
        ended = move <= smallest_move or self._last_rounds >= self.params.passes
        if ended:
            self._describe(points)
        squares = assigned(points, moved)[1]
        self.inertia = float(squares.sum())
        share = self._last_rounds / self.params.passes
        return self.metrics(
            1.0 if ended else _SWEEPING + (1 - _SWEEPING) * share,
            {"inertia": self.inertia / len(points), "clusters": float(len(centres))},
            epoch=self._rounds,
            images=len(points),
        )

    def _describe(self, points: Tensor) -> None:
        """Number the clusters by falling size, and keep what they look like."""
        rows, _ = assigned(points, torch.from_numpy(self._moving))
        sizes = np.bincount(rows.numpy(), minlength=len(self._moving))
        order = np.argsort(-sizes, kind="stable")
        self.centroids = self._moving[order].astype(np.float32)
        labels, squares = assigned(points, torch.from_numpy(self.centroids))
        self._portraits = Portraits.of(
            labels.numpy(), squares.numpy(), len(self.centroids), self.small_images
        )

    def _assigned(self, images: Images) -> tuple[Tensor, Tensor]:
        """Return the nearest centroid (N,) and the squared distance (N,) to it."""
        vectors = torch.from_numpy(self.represent(images))
        centres = self.centroids
        if len(centres) == 0:
            sweeps = [sweep for sweep in (self._sweep, self._comparison) if sweep is not None]
            found = [sweep.chosen["centroids"] for sweep in sweeps if sweep.chosen]
            if not found:
                raise InvalidInput("No centroids are found yet: let the training go on.")
            centres = found[0]
        return assigned(vectors, torch.from_numpy(centres))


def _curves(sweep: Sweep, clusters: int) -> tuple[View, ...]:
    """Return inertia and silhouette over the numbers of clusters that were compared."""
    number = np.array(sweep.counts, np.float32)
    chosen = sweep.counts.index(clusters)
    inertia, silhouette = (
        np.array(sweep.figures[name], np.float32) for name in ("inertia", "silhouette")
    )
    return (
        Curve(
            "Inertia by number of clusters",
            {"inertia": (number, inertia)},
            x_label="clusters K",
            y_label="mean squared distance to the centroid",
            marks={f"K = {clusters}": float(inertia[chosen])},
        ),
        Curve(
            "Silhouette by number of clusters",
            {"silhouette": (number, silhouette)},
            x_label="clusters K",
            y_label="mean silhouette",
            marks={f"K = {clusters}": float(silhouette[chosen])},
        ),
    )


@hookimpl
def register_methods() -> list[type[KMeans]]:
    """Offer k-means."""
    return [KMeans]

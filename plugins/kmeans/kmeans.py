"""K-means: K centroids that stand for the images nearest to them.

Lloyd, Least squares quantization in PCM, 1982; starts of Arthur & Vassilvitskii, k-means++: the
advantages of careful seeding, 2007; mini-batches of Sculley, Web-scale k-means clustering, 2010.
K by Tibshirani, Walther & Hastie, the gap statistic, 2001, read at its bend (Satopaa et al.,
Kneedle, 2011), or by Rousseeuw, Silhouettes, 1987.

    min_{mu} sum_n min_k |x_n - mu_k|^2                                                 (inertia)
    pass:   z_n = argmin_k |x_n - mu_k|,   mu_k = mean of the x_n with z_n = k
    batch:  c_k += n_k,   mu_k += sum of the (x_n - mu_k) with z_n = k, over c_k       (Sculley, 1)
    s = mean_n (b_n - a_n) / max(a_n, b_n)                                           (silhouette)
    gap(K) = log inertia of a Gaussian cloud - log inertia                     (Tibshirani, eq. 3)

The cloud has the mean and covariance of the vectors. The gap of photographs rises to the end, as
every region of a continuum can be cut once more: K is where it bends, beyond which another cluster
tells little more than it would of a cloud.

Shapes: N images, D dimensions, K clusters.
"""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

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
from desktop_app.sdk.views import Curve, Table, View
from desktop_app.toolbox.kmeans import (
    assigned,
    bend,
    clustered,
    first_centres,
    improved,
    moved_by,
    silhouettes,
    structureless,
)
from desktop_app.toolbox.portraits import Portraits
from desktop_app.toolbox.representation import RepresentationParams
from desktop_app.toolbox.represented import RepresentedMethod
from desktop_app.toolbox.states import part, united
from desktop_app.toolbox.sweep import CHOSEN, Sweep, numbers_to_try, seed_of

_SAMPLE = 20_000
"""Images that starts and numbers of clusters are compared on; the last passes see all."""
_SILHOUETTE_SAMPLE = 5_000
_CLOUD = 4_000_000
"""Numbers in the structureless cloud: at most 5,000 points, of 4,000 dimensions 1,000."""
_CLOUD_PASSES = 30
_TOLD_APART = 0.25
"""Silhouette below which there is no substantial structure (Kaufman & Rousseeuw, 1990)."""
_LEAST_MASS = 1e-12
"""Inertia, as a share of the variance, that counts as none."""
_MINI_PASSES = 10
"""Passes in mini-batches at most: each moves the centroids less than the one before."""
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
        0, low=0, high=1000, scale="log", help="Clusters K; 0 takes the K that is suggested."
    )
    criterion: Literal["gap", "silhouette"] = param(
        "gap",
        help="Suggests K. gap: where more clusters hardly tell more than they would of a cloud "
        "without structure; silhouette: where clusters are farthest apart, of photographs often 2.",
    )
    most_clusters: int = param(
        20,
        low=0,
        high=200,
        scale="log",
        help="Numbers of clusters from 2 to so many are compared; 0 compares none.",
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
    batch: int = param(
        4096,
        low=0,
        high=1_000_000,
        scale="log",
        unit="images",
        advanced=True,
        help="Of more than 20,000 images, so many at a time move the centroids found on a sample; "
        "0 looks at all of them before each move.",
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
        self._seen: NDArray[np.float64] = np.zeros(0)
        """Images that each moving centroid has seen (K,), where they move by mini-batches."""
        self._cloud: Tensor | None = None
        """Points without structure, drawn once."""
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
            best = self._chosen(self._comparison)
            yield from self._doubts(self._comparison, best)
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
        """Return what speaks for which K, and what the clusters look like."""
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
            "seen": self._seen,
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
        self._seen = np.array(state.arrays.get("seen", np.zeros(0)))
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
        """Close the present K with silhouette and gap of its best start."""
        centres = torch.from_numpy(sweep.best["centroids"])
        inertia = float(assigned(sample, centres)[1].mean())
        some = sample[even_rows(len(sample), _SILHOUETTE_SAMPLE)]
        silhouette = silhouettes(some, [assigned(some, centres)[0]])[0]
        wanted = sweep.clusters == min(self.params.clusters, sweep.counts[-1])
        criterion = CHOSEN if wanted else -silhouette
        figures = {"inertia": inertia, "silhouette": silhouette}
        if len(sweep.counts) > 1:
            figures["gap"] = self._gap(sample, sweep.clusters, inertia)
        sweep.judge(criterion, figures)

    def _gap(self, sample: Tensor, clusters: int, inertia: float) -> float:
        """Return how much less is left of the sample than of a cloud, by as many clusters; nats."""
        if self._cloud is None:
            random = torch.Generator().manual_seed(seed_of(self.seed, 0, 0))
            count = min(len(sample), 5_000, max(1_000, _CLOUD // sample.shape[1]))
            self._cloud = structureless(sample, count, random)
        random = torch.Generator().manual_seed(seed_of(self.seed, clusters, self.params.starts))
        centres, _ = clustered(self._cloud, clusters, random, passes=_CLOUD_PASSES)
        left = float(assigned(self._cloud, centres)[1].mean())
        variance = float(sample.double().var(dim=0, correction=0).sum())
        least = max(variance * _LEAST_MASS, 1e-300)
        return float(np.log(max(left, least)) - np.log(max(inertia, least)))

    def _chosen(self, comparison: Sweep) -> int:
        """Return the K that is wanted, or else the one that the criterion suggests."""
        if self.params.clusters > 0:
            return min(self.params.clusters, comparison.counts[-1])
        return suggested(comparison)[self.params.criterion]

    def _doubts(self, comparison: Sweep, clusters: int) -> Iterator[Note]:
        """Say so where no number of clusters tells groups apart."""
        best = max(comparison.figures["silhouette"])
        if self.params.clusters == 0 and best < _TOLD_APART:
            yield Note(
                f"These images form no groups that lie apart (silhouette at most {best:.2f}): "
                f"{clusters} clusters cut a continuum. Compare the curves, and set another number "
                "if you like."
            )

    def _finish(self, sweep: Sweep, points: Tensor, smallest_move: float) -> Event:
        """Make one pass over all images; after the last one describe the clusters."""
        centres = self._moving if len(self._moving) else sweep.chosen["centroids"]
        small = self.params.batch > 0 and len(points) > _SAMPLE
        passes = min(self.params.passes, _MINI_PASSES) if small else self.params.passes
        if small:
            moved = self._moved_by_batches(points, torch.from_numpy(centres))
        else:
            moved, _ = improved(points, torch.from_numpy(centres))
        self._moving = moved.numpy()
        self._last_rounds += 1
        self._rounds += 1
        move = float(np.square(self._moving - centres).sum())
        ended = move <= smallest_move or self._last_rounds >= passes
        if ended:
            self._describe(points)
        squares = assigned(points, moved)[1]
        self.inertia = float(squares.sum())
        share = self._last_rounds / passes
        return self.metrics(
            1.0 if ended else _SWEEPING + (1 - _SWEEPING) * share,
            {"inertia": self.inertia / len(points), "clusters": float(len(centres))},
            epoch=self._rounds,
            images=len(points),
        )

    def _moved_by_batches(self, points: Tensor, centres: Tensor) -> Tensor:
        """Return the centroids (K, D) after all points, in a random order, a batch at a time."""
        if len(self._seen) == 0:
            rows, _ = assigned(points[even_rows(len(points), _SAMPLE)], centres)
            self._seen = np.bincount(rows.numpy(), minlength=len(centres)).astype(np.float64)
        random = torch.Generator().manual_seed(seed_of(self.seed, 1, self._last_rounds))
        seen = torch.from_numpy(self._seen)
        order = torch.randperm(len(points), generator=random)
        for start in range(0, len(order), self.params.batch):
            rows = order[start : start + self.params.batch]
            centres, seen = moved_by(points[rows], centres, seen)
        self._seen = seen.numpy()
        return centres

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


def suggested(comparison: Sweep) -> dict[str, int]:
    """Return criterion -> the K that it suggests, of the numbers from 2 on that were compared.

    "silhouette from 3" is its highest peak beyond 2: of images that form no groups, two halves have
    the widest silhouette.
    """
    counts = _consecutive(comparison.counts)
    gap, silhouette, inertia = (
        np.array(comparison.figures[name][: len(counts)])
        for name in ("gap", "silhouette", "inertia")
    )
    found = {
        "gap": max(2, [1, *counts][bend([1, *counts], [0.0, *gap])]),
        "silhouette": counts[int(silhouette.argmax())],
        "inertia": counts[bend(counts, -np.log(np.maximum(inertia, 1e-300)))],
    }
    inner = [
        at
        for at in range(1, len(counts) - 1)
        if silhouette[at] == silhouette[at - 1 : at + 2].max()
    ]
    if inner:
        found["silhouette from 3"] = counts[max(inner, key=lambda at: silhouette[at])]
    return found


def _consecutive(counts: Sequence[int]) -> list[int]:
    """Return the numbers without a gap between them: the one that is wanted may lie far beyond."""
    return [count for at, count in enumerate(counts) if count == counts[0] + at]


_WORDS = {
    "gap": "bend of the gap",
    "silhouette": "best silhouette",
    "silhouette from 3": "best silhouette peak above 2",
    "inertia": "bend of the inertia",
}


def _curves(comparison: Sweep, clusters: int) -> tuple[View, ...]:
    """Return what was found about the numbers of clusters, and which of them it speaks for."""
    number = np.array(comparison.counts, np.float32)
    labels = {"inertia": "inertia per image", "silhouette": "mean silhouette", "gap": "gap in nats"}
    titles = {
        "gap": "Gap to a cloud by number of clusters",
        "silhouette": "Silhouette by number of clusters",
        "inertia": "Inertia by number of clusters",
    }
    curves = [
        Curve(
            title,
            {name: (number, np.array(comparison.figures[name], np.float32))},
            x_label="clusters K",
            y_label=labels[name],
            places={f"K = {clusters}": float(clusters)},
        )
        for name, title in titles.items()
    ]
    rows = [(_WORDS[name], count) for name, count in suggested(comparison).items()]
    return (*curves, Table("How many clusters", ("criterion", "clusters K"), rows))


@hookimpl
def register_methods() -> list[type[KMeans]]:
    """Offer k-means."""
    return [KMeans]

"""HDBSCAN: clusters are what stays together while the density is raised; the rest is noise.

Campello, Moulavi & Sander, Density-based clustering based on hierarchical density estimates, 2013;
Campello et al., Hierarchical density estimates for data clustering, visualization, and outlier
detection, 2015.

    core_n = distance of x_n to its m-th nearest vector, itself counted           (m: min_samples)
    d_mutual(i, j) = max(core_i, core_j, |x_i - x_j|)
    stability(C) = sum_{n in C} (lambda_n - lambda_birth(C)),   lambda = 1 / d_mutual

The minimum spanning tree of d_mutual gives the hierarchy; splits that leave fewer than
min_cluster_size images on one side are images that fall out; of the tree of clusters that is left,
`eom` takes those of the largest total stability and `leaf` those that never part.

Shapes: N images, D dimensions, K clusters.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from desktop_app.sdk.data import Array, Images
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, Table, View
from desktop_app.toolbox.neighbours import Neighbours
from desktop_app.toolbox.portraits import Portraits
from desktop_app.toolbox.representation import RepresentationParams
from desktop_app.toolbox.represented import RepresentedMethod
from desktop_app.toolbox.states import part, united
from plugins.hdbscan.hierarchy import Clustering, SpanningTree, stable_clusters

_EDGES = 50
"""Parts in which the spanning tree grows."""
_GROWN = 0.95
"""Progress when it has."""
_SAME = 1e-3
"""An image nearer to a fitted one than this share of the usual core distance is that one."""
_LINES = 12
"""Clusters in the plot of the hierarchy."""
_LINE_POINTS = 200
_TINY = 1e-12


class HDBSCANParams(RepresentationParams):
    """What the vectors are, and what counts as a cluster."""

    components: int = param(
        10,
        low=0,
        high=2048,
        scale="log",
        help="Principal components that pixels, or longer latents, are reduced to; 0 reduces none. "
        "Density means little in many dimensions: 5 to 15.",
    )
    min_cluster_size: int = param(
        0,
        low=0,
        high=100_000,
        scale="log",
        unit="images",
        help="Fewer images are no cluster; 0 takes N / 500, at least 10.",
    )
    min_samples: int = param(
        5,
        low=1,
        high=1000,
        scale="log",
        unit="images",
        help="Images that make a neighbourhood dense: more of them call more images noise.",
    )
    selection: Literal["eom", "leaf"] = param(
        "eom",
        help="eom takes the most stable clusters, leaf the smallest: many and even, where eom "
        "finds one giant.",
    )


class HDBSCAN(RepresentedMethod[HDBSCANParams]):
    """Finds dense groups of any shape, and says which images belong to none."""

    card = Card(
        id="hdbscan",
        title="HDBSCAN",
        family="Clustering",
        paper="Campello et al. 2013",
        summary="Finds dense groups of any shape and number, and leaves the rest out as noise.",
        rank=20,
        translations={
            "zh_CN": {
                "title": "HDBSCAN 密度聚类",
                "family": "聚类",
                "summary": "找出任意形状和数量的密集分组，其余视为噪声。",
            }
        },
    )

    presets = (
        Preset("28 px", {"components": 10}, "Drawings and digits.", 28),
        Preset("64 px", {"components": 10}, "Photographs.", 64),
        Preset("128 px", {"components": 15}, "Photographs with detail.", 128),
        Preset("Many small groups", {"selection": "leaf", "min_samples": 3}, "Near duplicates."),
    )

    toy_params: ClassVar[dict[str, int]] = {"components": 0}
    """What the conformance kit trains with on its small images."""

    def __init__(
        self, params: HDBSCANParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self.core: Array = np.zeros(0, np.float32)
        """Core distance (N,) of every fitted image."""
        self.clustering: Clustering | None = None
        """What was found; None before the training is over."""
        self._tree: SpanningTree | None = None
        self._portraits: Portraits | None = None

    def learn(self) -> Events:
        """Measure densities, connect all images, and take the stable clusters."""
        count, least = len(self.vectors), self._least_size()
        if self._tree is None:
            self._measure()
            self._tree = SpanningTree(self.vectors, self.core)
        tree = self._tree
        while not tree.done:
            tree.grow(max(1, count // _EDGES))
            share = tree.edges / max(1, count - 1)
            yield self.metrics(_GROWN * share, {"connected": float(tree.edges + 1)}, epoch=share)
        found = stable_clusters(tree, least, leaves=self.params.selection == "leaf")
        yield from _advice(found, self.params.selection)
        self.clustering = found
        oddity = 1 / np.maximum(found.densities, _TINY)
        self._portraits = Portraits.of(found.labels, oddity, len(found.births), self.small_images)
        noise = float((found.labels < 0).mean())
        values = {"clusters": float(len(found.births)), "noise": noise}
        yield self.metrics(1.0, values, epoch=1.0, images=count)

    def encode(self, images: Images) -> Array:
        """Return the vectors (N, D) that are clustered."""
        return self.represent(images)

    def cluster(self, images: Images) -> NDArray[np.int64]:
        """Return the cluster (N,) of images, -1 for noise.

        A fitted image has the cluster that was found. A new one takes the vote of its min_samples
        nearest fitted images, unless they are farther than those of any member of that cluster.
        """
        vectors = torch.from_numpy(self.represent(images))
        found = self._require_found()
        memory = Neighbours(torch.from_numpy(self.vectors))
        near, rows = memory.nearest(vectors, self._samples())
        distances, labels = near.numpy(), found.labels[rows.numpy()]  # (N, m)
        K = len(found.births)
        votes = (labels[:, :, None] == np.arange(-1, K)).sum(axis=1)  # (N, 1 + K)
        winner = votes.argmax(axis=1) - 1
        reach = np.append(self._reach(found), -1.0)  # the last one for noise
        far = distances[:, -1] > reach[winner]
        nearest = (vectors - memory.points[rows[:, 0]]).norm(dim=1).numpy()  # to the last digit
        known = nearest <= _SAME * float(np.median(self.core))
        answer: NDArray[np.int64] = np.where(known, labels[:, 0], np.where(far, -1, winner))
        return answer

    def score(self, images: Images) -> Array:
        """Return how far (N,) images are from the clusters, in units of what is usual there.

        That is the distance to the min_samples-th nearest image of any cluster, divided by the
        median of the same distance over the members of the cluster of the nearest one.
        """
        vectors = torch.from_numpy(self.represent(images))
        found = self._require_found()
        inside = found.labels >= 0
        if not inside.any():
            inside = np.ones_like(inside)
        members, labels = (
            torch.from_numpy(self.vectors[inside]),
            np.maximum(found.labels[inside], 0),
        )
        memory = Neighbours(members)
        usual = memory.nearest(members, self._samples())[0][:, -1].numpy()
        K = max(1, len(found.births))
        medians = np.array([np.median(usual[labels == cluster]) for cluster in range(K)])
        distances, rows = memory.nearest(vectors, self._samples())
        scale = np.maximum(medians, _TINY)[labels[rows[:, 0].numpy()]]
        relative: Array = (distances[:, -1].numpy() / scale).astype(np.float32)
        return relative

    def views(self) -> Sequence[View]:
        """Return sizes and members, stability, and how members fall out as density rises."""
        found = self.clustering
        if found is None or self._portraits is None:
            return ()
        noise = int((found.labels < 0).sum())
        share = noise / len(found.labels)
        table = Table(
            "Noise",
            ["", "images", "share"],
            [["in clusters", len(found.labels) - noise, 1 - share], ["noise", noise, share]],
        )
        if len(found.births) == 0:
            return (table,)
        number = np.arange(len(found.births), dtype=np.float32)
        stability = Curve(
            "Stability of each cluster",
            {"stability": (number, found.stabilities.astype(np.float32))},
            x_label="cluster",
            y_label="stability",
            kind="bars",
        )
        hierarchy = Curve(
            "Members left as the density rises",
            {f"{c}": _members_left(found, c) for c in range(min(_LINES, len(found.births)))},
            x_label="density (1 / distance)",
            y_label="images",
        )
        return (*self._portraits.views(None), table, stability, hierarchy)

    def learned(self) -> State:
        """Return densities, the tree while it grows, and the clusters once they are found."""
        arrays: dict[str, NDArray[Any]] = {"core": self.core}
        tree = self._tree
        growing = tree is not None and self.clustering is None
        if self.clustering is not None:
            arrays |= {f"found_{name}": array for name, array in vars(self.clustering).items()}
        return united(
            State(arrays, {}),
            tree=State(tree.state(), {}) if tree is not None and growing else None,
            portraits=self._portraits.state() if self._portraits is not None else None,
        )

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self.core = np.array(state.arrays["core"])
        tree, portraits = part(state, "tree"), part(state, "portraits")
        if tree is not None:
            self._tree = SpanningTree(self.vectors, self.core)
            self._tree.restore(dict(tree.arrays))
        if portraits is not None:
            self._portraits = Portraits.restored(portraits)
            names = ("labels", "densities", "births", "stabilities")
            self.clustering = Clustering(
                *(np.array(state.arrays[f"found_{name}"]) for name in names)
            )

    def _measure(self) -> None:
        vectors = torch.from_numpy(self.vectors - self.vectors.mean(axis=0)).to(self.device)
        self.core = Neighbours(vectors).nearest(vectors, self._samples())[0][:, -1].cpu().numpy()

    def _samples(self) -> int:
        return min(self.params.min_samples, len(self.vectors))

    def _least_size(self) -> int:
        """Return how many images make a cluster."""
        return max(2, self.params.min_cluster_size or max(10, len(self.vectors) // 500))

    def _require_found(self) -> Clustering:
        if self.clustering is None:
            raise InvalidInput("The clusters are not found yet: let the training go on.")
        return self.clustering

    def _reach(self, found: Clustering) -> NDArray[np.float64]:
        """Return the largest distance (K,) at which a member belongs to each cluster."""
        inside = found.labels >= 0
        least = np.full(len(found.births), np.inf)
        np.minimum.at(least, found.labels[inside], found.densities[inside])
        reach: NDArray[np.float64] = 1 / np.maximum(least, _TINY)
        return reach


def _advice(found: Clustering, selection: str) -> Events:
    """Yield a note where nothing, or nearly nothing but one cluster, was found."""
    if len(found.births) == 0:
        yield Note(
            "No cluster was found, all images are noise: try fewer components, the latents of an "
            "encoder, or a smaller min_cluster_size.",
            "warning",
        )
    elif selection == "eom" and np.bincount(found.labels[found.labels >= 0])[0] > 0.8 * len(
        found.labels
    ):
        yield Note("One cluster holds most images: try selection = leaf.", "warning")


def _members_left(found: Clustering, cluster: int) -> tuple[Array, Array]:
    """Return densities, and how many members belong to the cluster up to each of them."""
    ends = np.sort(found.densities[found.labels == cluster])
    density = np.concatenate([[found.births[cluster]], ends])
    left = np.concatenate([[len(ends)], np.arange(len(ends) - 1, -1, -1)])
    some = np.unique(np.linspace(0, len(density) - 1, _LINE_POINTS).astype(np.int64))
    return density[some].astype(np.float32), left[some].astype(np.float32)


@hookimpl
def register_methods() -> list[type[HDBSCAN]]:
    """Offer HDBSCAN."""
    return [HDBSCAN]

"""Gaussian mixture: clusters as ellipsoids, with the share that every image has in each of them.

Dempster, Laird & Rubin, Maximum likelihood from incomplete data via the EM algorithm, 1977; number
of components by Schwarz, Estimating the dimension of a model, 1978.

    p(x) = sum_k pi_k N(x; mu_k, Sigma_k)
    E:  r_nk = pi_k N(x_n; mu_k, Sigma_k) / p(x_n)
    M:  N_k = sum_n r_nk,  pi_k = N_k / N,  mu_k = sum_n r_nk x_n / N_k,
        Sigma_k = sum_n r_nk (x_n - mu_k)(x_n - mu_k)' / N_k + floor I
    BIC = P ln N - 2 sum_n ln p(x_n),   AIC = 2 P - 2 sum_n ln p(x_n)          (P free parameters)

Sigma_k is full, one for all (tied), a diagonal, or a number (spherical). Starts begin with the
clusters of k-means, on the vectors as they are and evened out to unit variance in turn.

Shapes: N images, D dimensions, K components.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp

from desktop_app.sdk.data import Array, Images, Pixels, as_images, even_rows
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Event, Events, Note, TrivialValue
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Curve, ImageGrid, Table, View
from desktop_app.toolbox.kmeans import clustered
from desktop_app.toolbox.portraits import Portraits
from desktop_app.toolbox.representation import RepresentationParams
from desktop_app.toolbox.represented import RepresentedMethod
from desktop_app.toolbox.states import part, united
from desktop_app.toolbox.sweep import CHOSEN, Model, Sweep, numbers_to_try, seed_of

Covariance = Literal["full", "tied", "diag", "spherical"]
Vector = NDArray[np.float64]

_SAMPLE = 50_000
"""Images that the densities are fitted to; more of them do not change them."""
_FIRST_PASSES = 30
"""Passes of k-means that give the first clusters."""
_UNSURE = 24
"""Images in the view of those between two components."""
_LEAST_VARIANCE = 1e-4
"""Directions of less than this share of the largest variance stay short when all are evened out."""
_TINY = 1e-300


class MixtureParams(RepresentationParams):
    """What the vectors are, how many Gaussians, and of which shape."""

    components: int = param(
        16,
        low=0,
        high=2048,
        scale="log",
        help="Principal components that pixels, or longer latents, are reduced to; 0 reduces none. "
        "Full covariances need many images per dimension.",
    )
    clusters: int = param(
        0, low=0, high=500, scale="log", help="Gaussians K; 0 takes the K of the lowest BIC."
    )
    most_clusters: int = param(
        12,
        low=0,
        high=100,
        scale="log",
        help="BIC and AIC are compared from 1 Gaussian to so many; 0 compares none.",
    )
    covariance: Covariance = param(
        "full",
        help="Shape of the Gaussians: any ellipsoid, one ellipsoid for all, along the axes, or "
        "balls.",
    )
    starts: int = param(2, low=1, high=50, unit="starts", help="Starts of each K.")
    passes: int = param(
        200, low=1, high=10_000, scale="log", advanced=True, help="At most so many passes a start."
    )
    tolerance: float = param(
        1e-3,
        low=0.0,
        high=1.0,
        scale="log",
        unit="nats",
        advanced=True,
        help="A start ends when the mean log-likelihood gains less than this.",
    )
    floor: float = param(
        1e-3,
        low=1e-9,
        high=1.0,
        scale="log",
        advanced=True,
        help="Added to all variances, as a share of the mean variance: no Gaussian shrinks to a "
        "point.",
    )


class GaussianMixture(RepresentedMethod[MixtureParams]):
    """Describes the images by a few Gaussians, each a cluster with soft borders."""

    card = Card(
        id="gaussian_mixture",
        title="Gaussian mixture",
        family="Clustering",
        paper="Dempster, Laird & Rubin 1977",
        summary="Finds overlapping elliptic groups, scores images by density, draws new ones.",
        rank=30,
        translations={
            "zh_CN": {
                "title": "高斯混合模型",
                "family": "聚类",
                "summary": "找出相互重叠的椭圆形分组，按密度给图像打分，并能生成新图像。",
            }
        },
    )

    presets = (
        Preset("28 px", {"components": 20}, "Drawings and digits.", 28),
        Preset("64 px", {"components": 16}, "Photographs.", 64),
        Preset("128 px", {"components": 24}, "Photographs with detail.", 128),
        Preset(
            "Few images",
            {"components": 8, "covariance": "diag"},
            "Less than a few hundred images.",
        ),
    )

    toy_params: ClassVar[dict[str, Any]] = {
        "starts": 1,
        "most_clusters": 4,
        "passes": 20,
        "covariance": "tied",
    }
    """What the conformance kit trains with on its small images."""

    def __init__(
        self, params: MixtureParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self.mixture: Model = {}
        """weights (K,), means (K, D), covariances; empty before the training is over."""
        self._sweep: Sweep | None = None
        self._rounds = 0
        """Passes so far."""
        self._portraits: Portraits | None = None
        self._shares: Array = np.zeros((0, 0), np.float32)
        """Mean share (K, K) that the images of each cluster have in all components."""
        self._between: dict[str, NDArray[Any]] = {}
        """Pictures, two components and their shares for the images that are least sure."""

    def learn(self) -> Events:
        """Raise the likelihood from several starts of each number of Gaussians."""
        rows = even_rows(len(self.vectors), _SAMPLE)
        sample = self.vectors[rows].astype(np.float64)  # (N, D)
        floor = max(float(sample.var(axis=0).mean()) * self.params.floor, _TINY)
        if self._sweep is None:
            counts = self._counts(len(np.unique(sample, axis=0)))
            self._sweep = Sweep(counts, starts=self.params.starts, passes=self.params.passes)
            one = maximised(sample, np.ones((len(sample), 1)), self.params.covariance, floor)
            alone = float(log_density(sample, one, self.params.covariance).mean())
            yield TrivialValue("log_likelihood", alone, "one Gaussian", stays=None)
            free = _free_parameters(max(counts), sample.shape[1], self.params.covariance)
            if free > sample.size:
                yield Note(
                    f"{max(counts)} Gaussians have {free:,} free parameters for {sample.size:,} "
                    "values: take fewer components, or covariance = diag.",
                    "warning",
                )
        sweep = self._sweep
        while not sweep.done:
            yield self._try(sweep, sample, floor)

    def encode(self, images: Images) -> Array:
        """Return the vectors (N, D) that are clustered."""
        return self.represent(images)

    def cluster(self, images: Images) -> NDArray[np.int64]:
        """Return the Gaussian (N,) of the largest share in each image."""
        vectors = self.represent(images).astype(np.float64)
        joint = log_joint(vectors, self._require_mixture(), self.params.covariance)
        numbers: NDArray[np.int64] = joint.argmax(axis=1).astype(np.int64)
        return numbers

    def score(self, images: Images) -> Array:
        """Return -ln p(x) (N,) in nats."""
        vectors = self.represent(images).astype(np.float64)
        density = log_density(vectors, self._require_mixture(), self.params.covariance)
        return (-density).astype(np.float32)

    def generate(self, count: int, seed: int) -> Images:
        """Return images (count, C, H, W) of vectors drawn from the mixture."""
        mixture = self._require_mixture()
        if not self.representation.makes_images:
            raise MissingCapability(
                "Vectors of this run cannot be drawn as images: cluster pixels, or the latents of "
                "a method that decodes, without scaling to unit length."
            )
        random = np.random.default_rng(seed)
        D = mixture["means"].shape[1]
        chosen = random.choice(len(mixture["weights"]), count, p=mixture["weights"])
        normal = random.standard_normal((count, D))
        drawn = np.stack(
            [
                mixture["means"][k] + _root(mixture, self.params.covariance, k) @ z
                for k, z in zip(chosen, normal, strict=True)
            ]
        )
        images: Images = self.representation.images_of(drawn)
        return images

    def views(self) -> Sequence[View]:
        """Return BIC and AIC by K, sizes and members, and how sure the assignment is."""
        if self._sweep is None or self._portraits is None:
            return ()
        drawable = self.representation.makes_images
        means = self.representation.images_of(self.mixture["means"]) if drawable else None
        return (
            *_comparison(self._sweep),
            *self._portraits.views(means),
            _soft_table(self._shares, self._portraits.sizes, self.mixture["weights"]),
            *self._unsure(),
        )

    def learned(self) -> State:
        """Return the mixture, the comparison of numbers of Gaussians, and what it looks like."""
        arrays: dict[str, NDArray[Any]] = {"shares": self._shares}
        arrays |= {f"mixture_{name}": array for name, array in self.mixture.items()}
        arrays |= {f"between_{name}": array for name, array in self._between.items()}
        return united(
            State(arrays, {"rounds": self._rounds}),
            sweep=self._sweep.state() if self._sweep is not None else None,
            portraits=self._portraits.state() if self._portraits is not None else None,
        )

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self._rounds = int(state.values["rounds"])
        self._shares = np.array(state.arrays["shares"])
        for name, array in state.arrays.items():
            for prefix, kept in (("mixture_", self.mixture), ("between_", self._between)):
                if name.startswith(prefix):
                    kept[name.removeprefix(prefix)] = np.array(array)
        sweep, portraits = part(state, "sweep"), part(state, "portraits")
        if sweep is not None:
            self._sweep = Sweep.restored(sweep)
        if portraits is not None:
            self._portraits = Portraits.restored(portraits)

    def _counts(self, different: int) -> list[int]:
        """Return the numbers of Gaussians to try: no more than there are different vectors."""
        return numbers_to_try(self.params.clusters, self.params.most_clusters, 1, different)

    def _try(self, sweep: Sweep, sample: Vector, floor: float) -> Event:
        """Make one pass of the present start, and judge the number of Gaussians after its last."""
        K, shape = sweep.clusters, self.params.covariance
        model = sweep.model or self._begun(sample, K, sweep.start, floor)
        joint = log_joint(sample, model, shape)  # (N, K)
        density = logsumexp(joint, axis=1)
        likelihood = float(density.mean())
        ended = sweep.loss is not None and abs(likelihood + sweep.loss) < self.params.tolerance
        if not ended:
            model = maximised(sample, np.exp(joint - density[:, None]), shape, floor)
        if sweep.take(model, -likelihood, converged=ended):
            self._judge(sweep, sample, K)
        self._rounds += 1
        if sweep.done:
            self._describe(sweep)
        return self.metrics(
            sweep.progress,
            {"log_likelihood": likelihood, "clusters": float(K)},
            epoch=self._rounds,
            images=len(sample),
        )

    def _begun(self, sample: Vector, clusters: int, start: int, floor: float) -> Model:
        """Return the mixture of the clusters that k-means finds.

        Every other start looks at vectors of unit variance in all directions, where long clusters
        side by side are not cut across.
        """
        random = torch.Generator().manual_seed(seed_of(self.seed, clusters, start))
        points = torch.from_numpy(_whitened(sample) if start % 2 else sample)
        _, labels = clustered(points, clusters, random, passes=_FIRST_PASSES)
        belongs = np.eye(clusters)[labels.numpy()]
        return maximised(sample, belongs, self.params.covariance, floor)

    def _judge(self, sweep: Sweep, sample: Vector, clusters: int) -> None:
        """Close the present K with the BIC of its best start."""
        total = float(log_density(sample, sweep.best, self.params.covariance).sum())
        free = _free_parameters(clusters, sample.shape[1], self.params.covariance)
        bic, aic = free * math.log(len(sample)) - 2 * total, 2 * free - 2 * total
        wanted = clusters == min(self.params.clusters, max(sweep.counts))
        figures = {"bic": bic / len(sample), "aic": aic / len(sample)}
        sweep.judge(CHOSEN if wanted else bic, figures)

    def _describe(self, sweep: Sweep) -> None:
        """Number the Gaussians by falling size, and keep what their images look like."""
        vectors = self.vectors.astype(np.float64)
        shape = self.params.covariance
        labels = log_joint(vectors, sweep.chosen, shape).argmax(axis=1)
        order = np.argsort(-np.bincount(labels, minlength=_size(sweep.chosen)), kind="stable")
        self.mixture = _reordered(sweep.chosen, order, shape)
        joint = log_joint(vectors, self.mixture, shape)
        shares = np.exp(joint - logsumexp(joint, axis=1)[:, None])  # (N, K)
        labels, K = joint.argmax(axis=1).astype(np.int64), len(order)
        own = joint[np.arange(len(joint)), labels]
        self._portraits = Portraits.of(labels, -own, K, self.small_images)
        counts = np.maximum(np.bincount(labels, minlength=K), 1)[:, None]
        self._shares = (np.eye(K)[labels].T @ shares / counts).astype(np.float32)
        if K > 1:
            unsure = np.argsort(shares.max(axis=1), kind="stable")[:_UNSURE]
            first = np.argsort(-shares[unsure], axis=1)[:, :2]  # (n, 2)
            self._between = {
                "pictures": self.small_images(unsure),
                "clusters": first,
                "shares": np.take_along_axis(shares[unsure], first, axis=1),
            }

    def _unsure(self) -> tuple[View, ...]:
        if not self._between:
            return ()
        pictures: Pixels = self._between["pictures"]
        captions = [
            " · ".join(f"{k}: {share:.0%}" for k, share in zip(clusters, shares, strict=True))
            for clusters, shares in zip(
                self._between["clusters"], self._between["shares"], strict=True
            )
        ]
        return (ImageGrid("Images between two clusters", as_images(pictures), 8, captions),)

    def _require_mixture(self) -> Model:
        if self.mixture:
            return self.mixture
        if self._sweep is None or not self._sweep.chosen:
            raise InvalidInput("No Gaussians are fitted yet: let the training go on.")
        return self._sweep.chosen


def log_joint(vectors: Vector, mixture: Model, shape: Covariance) -> Vector:
    """Return ln pi_k + ln N(x; mu_k, Sigma_k) (N, K) of vectors (N, D)."""
    D = vectors.shape[1]
    columns = []
    for k, mean in enumerate(mixture["means"]):
        root = _root(mixture, shape, k)  # (D, D), lower
        z = solve_triangular(root, (vectors - mean).T, lower=True)  # (D, N)
        log_volume = np.log(np.diagonal(root)).sum()
        columns.append(-0.5 * (D * math.log(2 * math.pi) + np.square(z).sum(axis=0)) - log_volume)
    joint: Vector = np.stack(columns, axis=1) + np.log(np.maximum(mixture["weights"], _TINY))
    return joint


def log_density(vectors: Vector, mixture: Model, shape: Covariance) -> Vector:
    """Return ln p(x) (N,) of vectors (N, D)."""
    density: Vector = logsumexp(log_joint(vectors, mixture, shape), axis=1)
    return density


def maximised(vectors: Vector, shares: Vector, shape: Covariance, floor: float) -> Model:
    """Return the mixture of the largest likelihood, given the shares r (N, K): the M step."""
    counts = shares.sum(axis=0) + 10 * np.finfo(np.float64).eps  # (K,)
    means = shares.T @ vectors / counts[:, None]
    D = vectors.shape[1]
    covariances: Vector
    if shape == "full":
        covariances = np.stack(
            [
                (share[:, None] * (vectors - mean)).T @ (vectors - mean) / count
                for share, mean, count in zip(shares.T, means, counts, strict=True)
            ]
        ) + floor * np.eye(D)
    elif shape == "tied":
        scatter = vectors.T @ vectors - (counts[:, None] * means).T @ means
        covariances = scatter / counts.sum() + floor * np.eye(D)
    else:
        squares = shares.T @ np.square(vectors) / counts[:, None] - np.square(means)
        covariances = np.maximum(squares, 0) + floor  # (K, D)
        if shape == "spherical":
            covariances = covariances.mean(axis=1)
    return {"weights": counts / counts.sum(), "means": means, "covariances": covariances}


def _root(mixture: Model, shape: Covariance, k: int) -> Vector:
    """Return the lower Cholesky factor (D, D) of Sigma_k."""
    covariances, D = mixture["covariances"], mixture["means"].shape[1]
    if shape == "full":
        root: Vector = cholesky(covariances[k], lower=True)
    elif shape == "tied":
        root = cholesky(covariances, lower=True)
    elif shape == "diag":
        root = np.diag(np.sqrt(covariances[k]))
    else:
        root = np.sqrt(covariances[k]) * np.eye(D)
    return root


def _free_parameters(clusters: int, dimensions: int, shape: Covariance) -> int:
    """Return P: weights less one, means, and what is free in the covariances."""
    D = dimensions
    free = {
        "full": clusters * D * (D + 1) // 2,
        "tied": D * (D + 1) // 2,
        "diag": clusters * D,
        "spherical": clusters,
    }
    return clusters - 1 + clusters * D + free[shape]


def _whitened(vectors: Vector) -> Vector:
    """Return vectors (N, D) turned and scaled to unit variance in every direction."""
    centred = vectors - vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(vectors))
    least = max(float(variances[-1]) * _LEAST_VARIANCE, _TINY)
    white: Vector = centred @ axes / np.sqrt(np.maximum(variances, least))
    return white


def _reordered(mixture: Model, order: NDArray[np.int64], shape: Covariance) -> Model:
    return {
        name: array if name == "covariances" and shape == "tied" else array[order]
        for name, array in mixture.items()
    }


def _size(mixture: Model) -> int:
    return len(mixture["weights"])


def _comparison(sweep: Sweep) -> tuple[View, ...]:
    """Return BIC and AIC over the numbers of Gaussians that were compared."""
    if len(sweep.counts) < 2:
        return ()
    number = np.array(sweep.counts, np.float32)
    lines = {
        name.upper(): (number, np.array(sweep.figures[name], np.float32)) for name in ("bic", "aic")
    }
    return (
        Curve(
            "BIC and AIC by number of Gaussians: lower is better",
            lines,
            x_label="Gaussians K",
            y_label="nats per image, doubled",
            marks={f"K = {_size(sweep.chosen)}": float(lines["BIC"][1][_place(sweep)])},
        ),
    )


def _place(sweep: Sweep) -> int:
    return sweep.counts.index(_size(sweep.chosen))


def _soft_table(shares: Array, sizes: NDArray[np.int64], weights: Vector) -> Table:
    """Return how sure the images of each cluster are of it, and which other they lean to."""
    rows: list[list[str | float | int]] = []
    for k, row in enumerate(shares):
        others = np.where(np.arange(len(row)) == k, -1, row)
        next_one = int(others.argmax())
        lean: list[str | float | int] = (
            [next_one, float(row[next_one])] if len(row) > 1 else ["", ""]
        )
        rows.append([k, float(weights[k]), int(sizes[k]), float(row[k]), *lean])
    columns = ["cluster", "weight", "images", "mean share", "next cluster", "share of the next"]
    return Table("Soft assignment", columns, rows)


@hookimpl
def register_methods() -> list[type[GaussianMixture]]:
    """Offer Gaussian mixtures."""
    return [GaussianMixture]

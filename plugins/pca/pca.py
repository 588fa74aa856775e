"""Principal component analysis, exact or randomised, reading the images batch by batch.

Pearson, On lines and planes of closest fit to systems of points in space, 1901; for large images
Halko, Martinsson & Tropp, Finding structure with randomness, 2011, https://arxiv.org/abs/0909.4061
(algorithm 4.4, subspace iteration, and a Rayleigh-Ritz step in every pass).

    min ||X - X V V'||_F^2   with   V' V = I                    (rows of X: images less their mean)
    pass:   P = X Q,   T = P'P / (n - 1) = W diag(variances) W',   V = Q W,   Q <- basis of X'P

Up to 1,100 values per image Q is the identity, T is the covariance, and one pass is exact.

Memory: a batch of images (16 MB a copy) and four float32 matrices F x L, whatever the number of
images: 32 MB for colour images of 64 pixels, 390 MB for those of 224 pixels, at 128 components.

Shapes: N images, C channels, H rows, W columns, F = C*H*W values, D components, L columns of Q.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Metrics, Note
from desktop_app.sdk.hookspecs import hookimpl
from desktop_app.sdk.method import Card, Method, Preset, State
from desktop_app.sdk.params import Params, param
from desktop_app.sdk.views import Curve, ImageGrid, View
from desktop_app.toolbox.exporting import LinearEncoder
from desktop_app.toolbox.inference import require_shape
from desktop_app.toolbox.reconstruction import PULL, error_map, worst_spot

Vector = NDArray[np.float64]

_EXACT_VALUES = 1_100
"""Values per image up to which the whole covariance matrix is made."""
_BATCH_VALUES = 4_000_000
"""Values per batch: 16 MB of float32."""
_CONVERGED = 1e-3
"""Iteration ends when a pass lowers the residual by less than this share of it."""
_SHOWN = 64
"""Eigen-images in the view."""


class PCAParams(Params):
    """How many components, and how carefully they are found."""

    components: int = param(
        128, low=1, high=1024, scale="log", help="Directions D kept, those of largest variance."
    )
    whiten: bool = param(
        False, help="Give every latent dimension unit variance; reconstructions stay the same."
    )
    passes: int = param(
        8,
        low=2,
        high=100,
        unit="passes",
        advanced=True,
        help="At most this many passes over large images; fewer when the residual stands still.",
    )


@dataclass
class _Work:
    """All that a fit has gathered; every field is saved with the state."""

    count: int
    """Images of the data set."""
    basis: Array
    """Q (F, L); (F, 0) stands for the identity."""
    products: Array
    """X'P (F, L) of the pass so far."""
    moments: Vector
    """P'P (L, L) of the pass so far."""
    total: Vector
    """Sum of all images (F,) so far, in 0..255; complete after the first pass."""
    squares: Vector
    """Sum of their squares (F,)."""
    spread: float = 0.0
    """Sum of the squares of the centred values of the present pass."""
    residual: float = math.inf
    """Mean squared error per value after the last complete pass."""
    round: int = 0
    """Complete passes; the first finds the mean."""
    batch: int = 0
    """Complete batches of the present pass."""
    step: int = 0
    done: bool = False


class PCA(Method[PCAParams]):
    """Describes images by their directions of largest variance."""

    card = Card(
        id="pca",
        title="Principal components",
        family="Dimension reduction",
        paper="0909.4061",
        summary="Finds the directions in which images differ most; the baseline for all others.",
        rank=10,
        translations={
            "zh_CN": {
                "title": "主成分分析",
                "family": "降维",
                "summary": "找出图像差异最大的方向；是其他一切方法的基准。",
            }
        },
    )

    presets = (
        Preset("28 px", {"components": 32}, "Digits and symbols.", image_size=28),
        Preset("64 px", {"components": 128}, "Photographs.", image_size=64),
        Preset("128 px", {"components": 256}, "Photographs with fine detail.", image_size=128),
    )

    def __init__(
        self, params: PCAParams | None = None, *, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(params, seed=seed, device=device)
        self.sample_shape: tuple[int, int, int] | None = None
        self.mean: Array = np.zeros(0, np.float32)
        """The mean image, flat (F,)."""
        self.axes: Array = np.zeros((0, 0), np.float32)
        """Orthonormal directions (D, F), by falling variance; random until the first are found."""
        self.variances: Vector = np.zeros(0)
        """Variance (D,) along each direction, in units of squared pixel values in [0, 1]."""
        self.usual: Array = np.ones((0, 0), np.float32)
        """Mean squared error (H, W) of the training images, as `deviation` measures it."""
        self.total_variance = 0.0
        """Sum of the variances of all F values."""
        self._work: _Work | None = None

    def fit(self, data: Dataset) -> Events:
        """Find the mean in one pass, then the directions in one pass or a few."""
        if self._work is None:
            self._begin(data)
            if len(self.axes) < self.params.components:
                yield Note(
                    f"{len(data)} images of {self.mean.size} values span at most {len(self.axes)} "
                    "directions: that many components are kept."
                )
        work = self._require_same(data)
        rows_per_batch = max(1, _BATCH_VALUES // self.mean.size)
        per_round = math.ceil(len(data) / rows_per_batch)
        rounds = 2 if work.basis.shape[1] == 0 else 1 + self.params.passes
        while not work.done:
            rows = slice(work.batch * rows_per_batch, (work.batch + 1) * rows_per_batch)
            pixels = data.pixels(rows).reshape(-1, self.mean.size)  # (n, F)
            (self._gather_mean if work.round == 0 else self._gather_moments)(work, pixels)
            work.step, work.batch = work.step + 1, work.batch + 1
            explained, residual = self._achieved(work, min(rows.stop, work.count))
            if work.batch == per_round:
                self._finish_round(work, residual, last=work.round + 1 == rounds)
            yield Metrics(
                step=work.step,
                progress=1.0 if work.done else work.step / (rounds * per_round),
                values={"explained_variance": explained, "residual": residual},
                epoch=work.step / per_round,
                images=len(pixels),
            )

    def encode(self, images: Images) -> Array:
        """Return the coordinates (N, D) of images along the directions."""
        axes: Array = self.axes.T * self._scale(-0.5)  # (F, D)
        latents: Array = np.concatenate([(part - self.mean) @ axes for part in self._flat(images)])
        return latents

    def encoder_module(self) -> LinearEncoder:
        """Return the way to the coordinates as a torch module."""
        self._known_shape()
        return LinearEncoder(self.mean, self.axes.T * self._scale(-0.5))

    def decode(self, latents: Array) -> Images:
        """Return the images (N, C, H, W) of coordinates (N, D), clipped to [0, 1]."""
        channels, height, width = self._known_shape()
        coordinates = np.asarray(latents, np.float32) * self._scale(0.5)
        flat: Array = np.clip(coordinates @ self.axes + self.mean, 0, 1, dtype=np.float32)
        return flat.reshape(-1, channels, height, width)

    def generate(self, count: int, seed: int) -> Images:
        """Return images of Gaussian coordinates with the variances that were found."""
        normal = np.random.default_rng(seed).standard_normal((count, len(self.axes)))
        spread = 1.0 if self.params.whiten else np.sqrt(self.variances)
        return self.decode((normal * spread).astype(np.float32))

    def score(self, images: Images) -> Array:
        """Return the peak (N,) of each map of `localize`."""
        return np.concatenate(
            [worst_spot(maps, self.region).numpy() for maps in self._maps(images)]
        )

    def localize(self, images: Images) -> Array:
        """Return residuals (N, H, W) in units of the usual residual, smoothed."""
        return np.concatenate([maps.numpy() for maps in self._maps(images)])

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, H, W), rebuilding the images once."""
        maps = self.localize(images)
        return worst_spot(torch.from_numpy(maps), self.region).numpy(), maps

    def views(self) -> Sequence[View]:
        """Return scree, cumulative variance, error by number of components, eigen-images."""
        if self.sample_shape is None or self.total_variance <= 0:
            return ()
        number = np.arange(len(self.axes) + 1, dtype=np.float32)
        shares = (self.variances / self.total_variance).astype(np.float32)
        cumulative = np.concatenate([[0.0], np.cumsum(shares)]).astype(np.float32)
        errors = np.maximum(1 - cumulative, 0) * np.float32(self.total_variance / self.mean.size)
        captions = [f"{n}: {share:.1%}" for n, share in enumerate(shares[:_SHOWN], start=1)]
        return (
            Curve(
                "Variance per component",
                {"share of variance": (number[1:], shares)},
                x_label="component",
                y_label="share of variance",
                kind="bars",
            ),
            Curve(
                "Cumulative variance",
                {"explained": (number, cumulative)},
                x_label="components",
                y_label="share of variance",
                marks={"all": 1.0},
            ),
            Curve(
                "Reconstruction error by number of components",
                {"training images": (number, errors.astype(np.float32))},
                x_label="components",
                y_label="mean squared error per value",
                marks={"mean image": float(errors[0])},
            ),
            ImageGrid(
                "Eigen-images",
                self.axes[:_SHOWN].reshape(-1, *self.sample_shape).copy(),
                captions=captions,
                signed=True,
            ),
            ImageGrid("Mean image", self.mean.reshape(1, *self.sample_shape).copy(), columns=1),
        )

    def state(self) -> State:
        """Return directions, mean and all that an unfinished fit has gathered."""
        if self._work is None:
            return State({}, {})
        arrays: dict[str, NDArray[Any]] = {
            "mean": self.mean.copy(),
            "axes": self.axes.copy(),
            "variances": self.variances.copy(),
            "usual": self.usual.copy(),
        }
        values: dict[str, Any] = {
            "sample_shape": list(self._known_shape()),
            "total_variance": self.total_variance,
        }
        for name in (entry.name for entry in fields(_Work)):
            value = getattr(self._work, name)
            if isinstance(value, np.ndarray):
                arrays[f"work/{name}"] = value.copy()
            else:
                values[f"work/{name}"] = value if value != math.inf else None
        return State(arrays, values)

    def restore(self, state: State) -> None:
        """Take back what `state` returned."""
        if "sample_shape" not in state.values:
            return
        channels, height, width = state.values["sample_shape"]
        axes = np.asarray(state.arrays["axes"])
        F = channels * height * width
        if axes.shape != (self._directions(F, int(state.values["work/count"])), F):
            raise InvalidInput(
                f"The saved state has {len(axes)} directions of {axes.shape[1]} values, which does "
                f"not fit {self.params.components} components: restore it with its own parameters."
            )
        self.sample_shape = (channels, height, width)
        self.mean, self.axes = np.array(state.arrays["mean"]), np.array(axes)
        self.variances = np.array(state.arrays["variances"])
        self.usual = np.array(state.arrays["usual"])
        self.total_variance = float(state.values["total_variance"])
        saved: dict[str, Any] = {**state.arrays, **state.values}
        gathered = {entry.name: saved[f"work/{entry.name}"] for entry in fields(_Work)}
        for name, value in gathered.items():
            if isinstance(value, np.ndarray):
                gathered[name] = np.array(value)
        if gathered["residual"] is None:  # JSON has no infinity
            gathered["residual"] = math.inf
        self._work = _Work(**gathered)

    def _directions(self, values: int, images: int) -> int:
        """Return D, the directions that are kept of so many images of so many values."""
        return max(1, min(self.params.components, values, images - 1))

    def _begin(self, data: Dataset) -> None:
        if len(data) == 0:
            raise InvalidInput(f"'{data.name}' holds no usable image to train on.")
        F, n = math.prod(data.sample_shape), len(data)
        D = self._directions(F, n)
        L = min(F, n, D + max(16, D // 4))
        exact = F <= _EXACT_VALUES
        start = np.random.default_rng(self.seed).standard_normal((F, L)).astype(np.float32)
        Q = np.linalg.qr(start)[0]  # (F, L)
        width = F if exact else L
        self.sample_shape = data.sample_shape
        self.mean = np.zeros(F, np.float32)
        self.axes = np.ascontiguousarray(Q[:, :D].T)
        self.variances = np.zeros(D)
        self.usual = np.ones(data.sample_shape[1:], np.float32)
        self._work = _Work(
            count=n,
            basis=Q[:, :0] if exact else Q,
            products=np.zeros((F, 0 if exact else L), np.float32),
            moments=np.zeros((width, width)),
            total=np.zeros(F),
            squares=np.zeros(F),
        )

    def _require_same(self, data: Dataset) -> _Work:
        shape, work = self._known_shape(), self._work
        if (
            work is None
            or data.sample_shape != shape
            or (not work.done and len(data) != work.count)
        ):
            raise InvalidInput(
                f"The training began with {work.count if work else 0} images of shape {shape}, "
                f"'{data.name}' has {len(data)} of shape {data.sample_shape}: start a new run."
            )
        return work

    def _gather_mean(self, work: _Work, pixels: NDArray[np.uint8]) -> None:
        values = pixels.astype(np.float64)
        work.total += values.sum(axis=0)
        work.squares += np.square(values).sum(axis=0)
        seen = work.batch * max(1, _BATCH_VALUES // self.mean.size) + len(pixels)
        self.mean = (work.total / (255 * seen)).astype(np.float32)

    def _gather_moments(self, work: _Work, pixels: NDArray[np.uint8]) -> None:
        X = pixels.astype(np.float32) / np.float32(255) - self.mean  # (n, F), centred
        work.spread += float(np.vdot(X, X))
        if work.basis.shape[1] == 0:
            work.moments += X.T @ X
            return
        P = X @ work.basis  # (n, L)
        work.moments += P.T @ P
        work.products += X.T @ P

    def _achieved(self, work: _Work, seen: int) -> tuple[float, float]:
        """Return the share of variance explained and the squared error per value, so far."""
        if work.round == 0:
            mean = work.total / seen
            spread = float(work.squares.sum()) / seen - float(np.vdot(mean, mean))
            return 0.0, max(spread, 0.0) / (255**2 * self.mean.size)
        kept = float(np.linalg.eigvalsh(work.moments)[-len(self.axes) :].sum())
        share = min(1.0, kept / work.spread) if work.spread > 0 else 1.0
        return share, max(work.spread - kept, 0.0) / (seen * self.mean.size)

    def _finish_round(self, work: _Work, residual: float, *, last: bool) -> None:
        if work.round > 0:
            self._take_directions(work)
            still = work.residual - residual <= _CONVERGED * residual and work.round > 1
            work.done = last or still
            work.residual = residual
        work.round, work.batch, work.spread = work.round + 1, 0, 0.0
        work.moments[:] = 0
        if work.done:
            _forget(work)
        elif work.round > 1:
            work.basis = np.linalg.qr(work.products)[0]
            work.products[:] = 0

    def _take_directions(self, work: _Work) -> None:
        freedom = max(1, work.count - 1)
        variances, W = np.linalg.eigh(work.moments / freedom)  # rising
        D = len(self.axes)
        W = W[:, ::-1][:, :D].astype(np.float32)  # (L, D)
        axes = (W if work.basis.shape[1] == 0 else work.basis @ W).T
        largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)  # (D, 1)
        self.axes = np.ascontiguousarray(axes * np.where(largest < 0, -1, 1).astype(np.float32))
        self.variances = np.maximum(variances[::-1][:D], 0.0)
        self.total_variance = work.spread / freedom
        self.usual = self._usual_error(work)

    def _usual_error(self, work: _Work) -> Array:
        """Return the mean of the squared deviation (H, W) of all training images.

        Coordinates along the directions are uncorrelated: the means of their squares add up.
        """
        n = work.count
        spread = work.squares / n - np.square(work.total / n)  # (F,)
        kept = (self.variances * (n - 1) / n) @ np.square(self.axes)  # (F,)
        error: Vector = np.maximum(spread / 255**2 - (1 - PULL**2) * kept, 0)
        usual: Array = error.reshape(self._known_shape()).mean(axis=0).astype(np.float32)
        return usual

    def _scale(self, power: float) -> Array:
        """Return the variances (D,) to a power where the latent space is whitened, else ones."""
        scale = np.ones(len(self.axes))
        if self.params.whiten:
            some = self.variances > 1e-10 * max(float(self.variances.max(initial=0.0)), 1e-30)
            scale = np.where(some, np.where(some, self.variances, 1.0) ** power, 0.0)
        return scale.astype(np.float32)

    def _maps(self, images: Images) -> Iterator[torch.Tensor]:
        """Yield the maps (n, H, W) of a few images at a time."""
        for part in self._flat(images):
            X = part - self.mean  # (n, F), centred
            error = X - (1 - PULL) * ((X @ self.axes.T) @ self.axes)
            yield error_map(
                torch.from_numpy(error.reshape(-1, *self._known_shape())),
                torch.from_numpy(self.usual),
            )

    def _flat(self, images: Images) -> Iterator[Array]:
        """Yield the images as rows (n, F), a few at a time."""
        require_shape(images, self._known_shape())
        flat = np.asarray(images, np.float32).reshape(len(images), self.mean.size)
        size = max(1, _BATCH_VALUES // self.mean.size)
        for start in range(0, max(len(flat), 1), size):
            yield flat[start : start + size]

    def _known_shape(self) -> tuple[int, int, int]:
        if self.sample_shape is None:
            raise InvalidInput("These principal components are not fitted yet: train them first.")
        return self.sample_shape


def _forget(work: _Work) -> None:
    """Drop what only an unfinished fit needs."""
    work.basis, work.products = work.basis[:0], work.products[:0]
    work.moments = work.moments[:0, :0]
    work.total, work.squares = work.total[:0], work.squares[:0]


@hookimpl
def register_methods() -> list[type[PCA]]:
    """Offer principal component analysis."""
    return [PCA]

"""The base of methods that lay images out on a map: t-SNE, UMAP, multidimensional scaling.

A method writes `optimise`, which moves `positions`, and `place`, which finds the place of a new
image. Here are what they share: the start from principal components or from a former map, the
turning of the map that keeps snapshots alike, its quality, and the events that show it live.

Schoenemann, A generalized solution of the orthogonal Procrustes problem, 1966:

    min_R ||(Y - mean Y) R - A||_F   with R'R = I:   R = U V',  (Y - mean Y)' A = U S V'

Shapes: N images, M new images, D dimensions of the vectors, d of the map, k neighbours.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.capabilities import Embeds
from desktop_app.sdk.data import Array, Images
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Event, Events, Latents, Metrics, Note, TrivialValue
from desktop_app.sdk.method import Method, Preset, State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import Table, View
from desktop_app.toolbox.mapquality import MapQuality, Quality
from desktop_app.toolbox.neighbourhoods import BLOCK, Neighbourhoods
from desktop_app.toolbox.representation import RepresentationParams
from desktop_app.toolbox.represented import RepresentedMethod

Positions = NDArray[Any]
"""Floating (N, d), in the precision that suits a method."""

SIZES = (
    Preset("28 px", {}, "Digits and symbols.", image_size=28),
    Preset("128 px", {"components": 100}, "Photographs.", image_size=128),
)
"""Presets that every map has."""
SEARCH = 0.15
"""Share of the progress that the search of neighbours takes."""
_TOLD_EVERY = 10
_TOLD_IMAGES = 100_000
"""Metrics come after so many iterations, or sooner after so many moves of images."""
_SNAPSHOTS = 40
_LEAST_BETWEEN = 10
"""Iterations between two snapshots of the map."""
_SHOWN_IMAGES = 20_000
_JUDGEMENTS = 4
"""Times that the quality is found on the way."""
_SAME = 1e-4
"""An image is one that was fitted when it lies nearer than this share of the vectors' spread."""


class MapParams(RepresentationParams):
    """What the images are, and the dimensions and start of their map."""

    dimensions: int = param(2, low=2, high=3, help="Dimensions d of the map.")
    start: str = param(
        "",
        kind="run",
        help="Run folder of a map of the same images to start from, so that the two maps look "
        "alike; empty: the first principal components.",
    )


P = TypeVar("P", bound=MapParams)


class MapMethod(RepresentedMethod[P]):
    """A method that gives every image a place on a map, and tells how well."""

    least_images = 5

    def __init__(self, params: P | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(params, seed=seed, device=device)
        self.positions: Positions = np.zeros((0, self.params.dimensions))
        """(N, d) of the fitted images, as the optimiser holds them; (0, d) before it begins."""
        self.anchor: Array = np.zeros((0, self.params.dimensions), np.float32)
        """(N, d): where the map began, after which it is turned."""
        self.kept: dict[str, NDArray[Any]] = {}
        """What else the method needs to go on, by name."""
        self.iteration = 0
        self.quality: dict[str, Quality] = {}
        """Of "map" and of "PCA"."""
        self.starts_from_former = False
        """Whether the anchor is a former map."""
        self.losses: dict[str, float] = {}
        """What was told last."""
        self._former: Method[Any] | None = None
        self._search: Neighbourhoods | None = None
        self._judge: MapQuality | None = None

    @property
    @abstractmethod
    def iterations(self) -> int:
        """How many iterations there are in all; 0 where nothing is iterated."""

    @abstractmethod
    def optimise(self) -> Events:
        """Set `positions` from `anchor` at the beginning, then move them, telling by `tell`.

        Goes on from `positions`, `kept` and `iteration`, wherever these are; a complete map that is
        worked on for longer has iterations behind it, and nothing but `let_go` left in `kept`.
        """

    @abstractmethod
    def place(self, vectors: Array) -> Positions:
        """Return positions (M, d), each on its own, of new images by their vectors (M, D)."""

    def attach_run(self, parameter: str, method: Method[Any]) -> None:
        """Take the run whose latents are looked at, or that whose map is the start."""
        if parameter != "start":
            super().attach_run(parameter, method)
        elif isinstance(method, Embeds):
            self._former = method
        else:
            raise MissingCapability(
                f"'{method.card.title}' lays out no map: name the run of a method that does, such "
                "as t-SNE, or leave the start empty."
            )

    def learn(self) -> Events:
        """Begin where the former map or the principal components are, and optimise."""
        if len(self.anchor) == 0:
            yield from self._begin()
        if self.iteration < self.iterations:
            self.quality.pop("map", None)  # of a complete map that is to be worked on for longer
        if "map" not in self.quality:
            yield from self.optimise()

    def embed(self) -> Array:
        """Return the positions (N, d) of the fitted images, turned like the start."""
        if len(self.positions) == 0:
            raise InvalidInput(f"{self.card.title} has no map yet: train it, or open a run.")
        return self._turned(self.positions)

    def encode(self, images: Images) -> Array:
        """Return positions (M, d): its own of an image that was fitted, a fitting one of others."""
        vectors = self.represent(images)
        own = self.embed()
        near, distances = self.search.of(vectors, 1)
        found: Array = own[near[:, 0]]
        new = distances[:, 0] > _SAME * self.search.spread
        if new.any():
            found[new] = self._turned(self.place(vectors[new]))
        return found

    def views(self) -> Sequence[View]:
        """Return how well the map keeps neighbours, beside the principal components."""
        if "map" not in self.quality:
            return ()
        own, pca = self.quality["map"], self.quality["PCA"]
        rows: tuple[tuple[str, float, float | str], ...] = (
            ("trustworthiness", own.trustworthiness, round(pca.trustworthiness, 4)),
            ("nearest neighbours kept", own.recall, round(pca.recall, 4)),
            *((name, value, "") for name, value in self.measures().items()),
        )
        return (
            Table(
                "Quality of the map",
                ("measure", "this map", f"PCA in {self.params.dimensions} dimensions"),
                tuple((name, round(value, 4), other) for name, value, other in rows),
            ),
        )

    def measures(self) -> Mapping[str, float]:
        """Return what else is said of a complete map: what it was told last."""
        return self.losses

    def learned(self) -> State:
        """Return the map and all that an unfinished one needs."""
        if len(self.anchor) == 0:
            return State({}, {})
        arrays = {"positions": self.positions.copy(), "anchor": self.anchor}
        arrays |= {f"kept/{name}": array.copy() for name, array in self.kept.items()}
        quality = {
            name: [found.trustworthiness, found.recall] for name, found in self.quality.items()
        }
        values = {
            "iteration": self.iteration,
            "quality": quality,
            "losses": self.losses,
            "starts_from_former": self.starts_from_former,
        }
        return State(arrays, values)

    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned."""
        self._search = self._judge = None
        if "iteration" not in state.values:
            return
        arrays = {name: np.array(array) for name, array in state.arrays.items()}
        if arrays["positions"].shape[1] != self.params.dimensions:
            raise InvalidInput(
                f"The saved map has {arrays['positions'].shape[1]} dimensions, not "
                f"{self.params.dimensions}: restore it with its own parameters."
            )
        self.positions, self.anchor = arrays.pop("positions"), arrays.pop("anchor")
        self.kept = {name.removeprefix("kept/"): array for name, array in arrays.items()}
        self.iteration = int(state.values["iteration"])
        self.losses = dict(state.values["losses"])
        self.starts_from_former = bool(state.values["starts_from_former"])
        self.quality = {name: Quality(*pair) for name, pair in state.values["quality"].items()}

    @property
    def search(self) -> Neighbourhoods:
        """The fitted vectors, ready to be searched."""
        if self._search is None:
            self._search = Neighbourhoods(self.vectors, self.device)
        return self._search

    @property
    def told_every(self) -> int:
        """Iterations from one Metrics to the next: a pause or stop waits no longer."""
        return max(1, min(_TOLD_EVERY, _TOLD_IMAGES // len(self.vectors)))

    def find_neighbours(self, count: int) -> Iterator[Metrics]:
        """Keep rows and distances, both (N, k), of the nearest others as neighbours, distances."""
        N = len(self.vectors)
        for start in range(len(self.kept.get("neighbours", ())), N, BLOCK):
            stop = min(start + BLOCK, N)
            near, distances = self.search.of_rows(slice(start, stop), count)
            for name, part in (("neighbours", near.astype(np.int32)), ("distances", distances)):
                before = [self.kept[name]] if start else []
                self.kept[name] = np.concatenate([*before, part])
            yield self.metrics(SEARCH * stop / N, {})

    def tell(self, values: Mapping[str, float]) -> Events:
        """Yield Metrics of this iteration, now and then with the quality, and the map.

        With the last iteration the map is complete, and what only its training needs is let go.
        """
        last = self.iteration >= self.iterations
        told = self.losses = dict(values)
        if last or self._passes(max(1, self.iterations // _JUDGEMENTS)):
            own = self._judged(self.positions)
            told = told | {"trustworthiness": own.trustworthiness, "neighbours kept": own.recall}
            if last:
                self.quality["map"] = own
                self.let_go()
        share = 1.0 if last else SEARCH + (1 - SEARCH) * self.iteration / self.iterations
        yield self.metrics(
            share, told, epoch=float(self.iteration), images=self.told_every * len(self.vectors)
        )
        if last or self._passes(max(_LEAST_BETWEEN, self.iterations // _SNAPSHOTS)):
            yield self._snapshot(self.embed())

    def let_go(self) -> None:
        """Forget what only the training needs."""
        self.kept = {}

    def _snapshot(self, positions: Array) -> Latents:
        """Return the map of this moment; evenly spaced images where there are very many."""
        N = len(positions)
        rows = np.unique(np.linspace(0, N - 1, min(N, _SHOWN_IMAGES)).astype(np.int64))
        return Latents(positions[rows], rows)

    def _passes(self, interval: int) -> bool:
        """Tell whether a multiple of an interval lies within the iterations just told."""
        return self.iteration // interval > (self.iteration - self.told_every) // interval

    def _begin(self) -> Iterator[Event]:
        """Set the anchor, and draw the lines that principal components reach."""
        pca = principal_positions(self.vectors, self.params.dimensions)
        found = self._judged(pca)
        self.quality = {"PCA": found}
        yield TrivialValue("trustworthiness", found.trustworthiness, "PCA", stays=None)
        yield TrivialValue("neighbours kept", found.recall, "PCA", stays=None)
        self.anchor = pca
        if self._former is not None:
            former = np.asarray(self._former.embed(), np.float32)  # type: ignore[attr-defined]
            if len(former) == len(pca) and former.shape[1] >= pca.shape[1]:
                former = former[:, : pca.shape[1]]
                self.anchor = former - former.mean(axis=0)
                self.starts_from_former = True
            else:
                yield Note(
                    f"The map to start from has {len(former)} images in {former.shape[1]} "
                    f"dimensions, this one {len(pca)} in {pca.shape[1]}: it starts from the "
                    "principal components.",
                    level="warning",
                )
        yield self._snapshot(self.anchor)

    def _judged(self, positions: Positions) -> Quality:
        if self._judge is None:
            self._judge = MapQuality(self.vectors)
        return self._judge.of(positions)

    def _turned(self, positions: Positions) -> Array:
        """Return positions (M, d) as the map is turned to look most like its anchor."""
        centre = self.positions.mean(axis=0)
        turned: Array = ((positions - centre) @ rotation(self.positions, self.anchor)).astype(
            np.float32
        )
        return turned


def principal_positions(vectors: Array, dimensions: int) -> Array:
    """Return the first principal components (N, d) of vectors (N, D), zero where D < d.

    The sign of each axis makes its largest component positive.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    if centred.shape[1] <= len(centred):
        axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :dimensions]  # (D, d)
    else:
        axes = np.linalg.svd(centred, full_matrices=False)[2][:dimensions].T
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    positions = np.zeros((len(vectors), dimensions), np.float32)
    positions[:, : axes.shape[1]] = centred @ (axes * np.where(largest < 0, -1, 1))
    return positions


def rotation(positions: Positions, anchor: Positions) -> NDArray[np.float64]:
    """Return R (d, d), which turns or mirrors positions (N, d) to be most like an anchor."""
    centred = positions.astype(np.float64) - positions.mean(axis=0, dtype=np.float64)
    U, _, V = np.linalg.svd(centred.T @ (anchor - anchor.mean(axis=0, dtype=np.float64)))
    turn: NDArray[np.float64] = U @ V
    return turn

"""A walk over numbers of clusters, with several starts of each, that goes on after any pass.

A method improves a model pass by pass. The best of several starts stands for its K, a criterion
says how good that is, and the best K is kept.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.method import State

Model = dict[str, NDArray[Any]]
"""The arrays of a model: centres, covariances."""
_VALUES = (
    *("counts", "starts", "passes", "place", "start", "round"),
    *("loss", "best_loss", "criterion"),
)
CHOSEN = -1e300
"""The criterion of a number of clusters that the analyst wants, however good it is."""


def numbers_to_try(wanted: int, most: int, least: int, different: int) -> list[int]:
    """Return the numbers of clusters from `least` to `most` and the one that is wanted.

    Where none is wanted (0), `least` is tried in any case. No number is larger than the number of
    different vectors.
    """
    compared = range(least, max(most, 0 if wanted else least) + 1)
    return sorted({min(count, different) for count in {*compared, wanted} if count > 0})


def seed_of(seed: int, clusters: int, start: int) -> int:
    """Return the seed of a start, which no other start of any number of clusters has."""
    return (seed * 1_000_003 + clusters) * 1_009 + start


class Sweep:
    """Where the walk is, the best models so far, and what was found about each K."""

    def __init__(self, counts: Iterable[int], *, starts: int, passes: int) -> None:
        """Try each number of clusters from `starts` starts of at most `passes` passes."""
        self.counts = list(counts)
        self.starts = starts
        self.passes = passes
        self.place = 0
        """How many of the counts are done."""
        self.start = 0
        self.round = 0
        """Passes of the present start."""
        self.loss: float | None = None
        """Of the present start after its last pass; lower is better."""
        self.best_loss: float | None = None
        """Of all starts of the present K."""
        self.criterion: float | None = None
        """Of the chosen K; lower is better."""
        self.model: Model = {}
        self.best: Model = {}
        self.chosen: Model = {}
        self.figures: dict[str, list[float]] = {}
        """What was found about each K that is done, by name."""

    @property
    def done(self) -> bool:
        """Tell whether every K was tried."""
        return self.place == len(self.counts)

    @property
    def clusters(self) -> int:
        """The number of clusters K that is tried now."""
        return self.counts[self.place]

    @property
    def progress(self) -> float:
        """The share of all passes that is done, in [0, 1]."""
        within = (self.start + self.round / self.passes) / self.starts
        return min(1.0, (self.place + within) / len(self.counts))

    def take(self, model: Model, loss: float, *, converged: bool) -> bool:
        """Take a model after one more pass; tell whether that was the last of this K."""
        self.model, self.loss = model, loss
        self.round += 1
        if converged or self.round >= self.passes:
            if self.best_loss is None or loss < self.best_loss:
                self.best, self.best_loss = model, loss
            self.model, self.loss, self.round = {}, None, 0
            self.start += 1
        return self.start >= self.starts

    def judge(self, criterion: float, figures: Mapping[str, float]) -> None:
        """Close the present K with its criterion, lower is better, and what else was found."""
        if self.criterion is None or criterion < self.criterion:
            self.chosen, self.criterion = self.best, criterion
        for name, value in figures.items():
            self.figures.setdefault(name, []).append(value)
        self.best, self.best_loss, self.start = {}, None, 0
        self.place += 1

    def state(self) -> State:
        """Return what `restored` takes."""
        arrays = {
            f"{kind}/{name}": array
            for kind in ("model", "best", "chosen")
            for name, array in getattr(self, kind).items()
        }
        arrays |= {f"figures/{name}": np.array(values) for name, values in self.figures.items()}
        return State(arrays, {name: getattr(self, name) for name in _VALUES})

    @classmethod
    def restored(cls, state: State) -> "Sweep":
        """Return the walk of a state."""
        self = cls([], starts=1, passes=1)
        for name in _VALUES:
            setattr(self, name, state.values[name])
        for path, array in state.arrays.items():
            kind, _, name = path.partition("/")
            if kind == "figures":
                self.figures[name] = array.tolist()
            else:
                getattr(self, kind)[name] = np.array(array)
        return self

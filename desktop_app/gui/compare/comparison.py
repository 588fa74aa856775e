"""What is computed behind the window to compare scored runs.

Shapes: N rows of the table.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.agreement import agreement, correlation_interval
from desktop_app.core.columns import score_column
from desktop_app.core.ensembles import is_ensemble
from desktop_app.core.runs import Run
from desktop_app.core.scoring import Interval
from desktop_app.core.table import ImageTable
from desktop_app.gui.wording import moment
from desktop_app.sdk.errors import InvalidInput, LoupeError

Scores = NDArray[np.float32]
Shares = NDArray[np.float64]
Rows = NDArray[np.int64]
Way = Literal["both", "other", "open"]
"""Which disagreements: all, those that the other run ranks higher, those that the open one does."""


@dataclass(frozen=True)
class Agreed:
    """How far a run agrees with the open one."""

    correlation: float
    interval: Interval
    count: int
    """Images that both have scored."""


@dataclass(frozen=True)
class Candidate:
    """A run that the open one can be compared with."""

    run: Run
    title: str
    """With the moment of its training where another run is called the same."""
    scores: Scores | None
    """(N,); None where it has not looked at the folder yet."""
    agreed: Agreed | None = None
    """None where too few images were scored by both."""
    is_ensemble: bool = False


@dataclass(frozen=True)
class Pair:
    """Two runs, image by image."""

    across: Shares
    """(N,): share of the images that the open run ranks lower; not a number where missing."""
    up: Shares
    """(N,): the same of the other run."""
    orders: dict[Way, Rows]
    """Rows that both have scored, the largest disagreement of each way first."""

    @property
    def differences(self) -> Shares:
        """(N,): how much higher the other run ranks an image."""
        return self.up - self.across


def candidates(
    runs: Sequence[Run], opened: Run, scores: Scores, folder_key: str, table: ImageTable
) -> list[Candidate]:
    """Return all other trained runs, those that have scored the folder first, newest first."""
    found = []
    names = Counter(
        filter(None, map(title_of, {run.path: run for run in [opened, *runs]}.values()))
    )
    for run in runs:
        if run.path == opened.path:
            continue
        try:
            spec, title = run.spec(), title_of(run)
            column = score_column(run.result(folder_key), table)
            together = is_ensemble(run)
        except LoupeError:
            continue  # the list of runs says what is wrong with it
        if column is None and not (together or run.is_trained):
            continue
        agreed = None if column is None else _agreed(scores, column)
        title += f" · {moment(spec.created)}" if names[title] > 1 else ""
        found.append(Candidate(run, title, column, agreed, together))
    return sorted(found, key=lambda one: one.scores is None)


def title_of(run: Run) -> str:
    """Return what a run is called; "" where it cannot be read."""
    try:
        return run.spec().title or run.path.name
    except LoupeError:
        return ""


def paired(across: Scores, up: Scores) -> Pair | None:
    """Return two runs' shares and what they disagree on most; None without common images."""
    try:
        shares = agreement([across, up]).shares
    except InvalidInput:
        return None
    difference = shares[1] - shares[0]
    known = np.flatnonzero(np.isfinite(difference)).astype(np.int64)
    keys: dict[Way, Shares] = {
        "both": -np.abs(difference[known]),
        "other": -difference[known],
        "open": difference[known],
    }
    orders = {way: known[np.argsort(values, kind="stable")] for way, values in keys.items()}
    return Pair(shares[0], shares[1], orders)


def _agreed(first: Scores, second: Scores) -> Agreed | None:
    try:
        found = agreement([first, second])
    except InvalidInput:
        return None
    correlation = float(found.correlation[0, 1])
    return Agreed(correlation, correlation_interval(correlation, found.count), found.count)

"""How far several runs agree on which images are unusual, and what they say together.

Scores of different methods have different scales, so everything here is in ranks.

Shapes: R runs, N images.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.scoring import Interval
from desktop_app.sdk.errors import InvalidInput

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """What R runs say of the images that all of them have scored."""

    shares: Floats
    """(R, N): share of the images with a lower score, ties half; not a number where one is missing.
    """
    correlation: Floats
    """(R, R): Spearman's rank correlation of each pair of runs; 1 on the diagonal."""
    together: Floats
    """(N,): mean share, the ensemble by rank; not a number where one is missing."""
    disagreement: Floats
    """(N,): largest difference of shares between two runs; not a number where one is missing."""

    @property
    def count(self) -> int:
        """Images that all runs have scored."""
        return int(np.isfinite(self.together).sum())


def agreement(scores: Sequence[NDArray[np.floating[Any]]]) -> Agreement:
    """Compare the scores (N,) of at least two runs; images that one has not scored are left out.

    Raises InvalidInput with fewer than two runs, or fewer than two images that all have scored.
    """
    if len(scores) < 2 or len({len(one) for one in scores}) != 1:
        raise InvalidInput(
            f"Expected the scores of two or more runs on the same images, got {len(scores)} of "
            f"lengths {[len(one) for one in scores]}."
        )
    table = np.stack([np.asarray(one, np.float64) for one in scores])
    known = np.isfinite(table).all(axis=0)
    if known.sum() < 2:
        raise InvalidInput(
            f"Expected at least two images that all runs have scored, got {int(known.sum())}: "
            "score this folder with each of them."
        )
    shares = np.full(table.shape, np.nan)
    shares[:, known] = np.stack([shares_below(row[known], row[known]) for row in table])
    together = shares.mean(axis=0)
    spread = np.full(len(together), np.nan)
    spread[known] = np.ptp(shares[:, known], axis=0)
    return Agreement(shares, _correlation(shares[:, known]), together, spread)


def shares_below(scores: Floats, reference: Floats) -> Floats:
    """Return the share (N,) of reference scores (M,) below each score, ties counted half."""
    ascending = np.sort(reference)
    below = np.searchsorted(ascending, scores, side="left")
    up_to = np.searchsorted(ascending, scores, side="right")
    shares: Floats = (below + up_to) / (2 * len(reference))
    return np.where(np.isfinite(scores), shares, np.nan)


def correlation_interval(correlation: float, count: int, confidence: float = 0.95) -> Interval:
    """Return the interval of a rank correlation of `count` images; without end for four or fewer.

    Bonett & Wright, Sample size requirements for estimating Pearson, Kendall and Spearman
    correlations, Psychometrika 65, 2000: atanh(r) +- z sqrt((1 + r^2 / 2) / (n - 3)).
    """
    if count <= 4:
        return Interval(-1.0, 1.0)
    quantile = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = quantile * math.sqrt((1 + correlation**2 / 2) / (count - 3))
    middle = math.atanh(min(max(correlation, -1 + 1e-12), 1 - 1e-12))
    return Interval(math.tanh(middle - spread), math.tanh(middle + spread))


def _correlation(shares: Floats) -> Floats:
    """Return the correlation (R, R) of rows (R, N); 0 where a row does not vary."""
    centred = shares - shares.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1)
    unit = centred / np.where(lengths > 0, lengths, 1)[:, None]
    correlation: Floats = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(correlation, 1)
    return correlation

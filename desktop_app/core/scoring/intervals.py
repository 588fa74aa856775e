"""How sure a measure is: exact intervals of shares, resampled intervals of anything."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from desktop_app.core.scoring.checks import (
    Booleans,
    Floats,
    finite_scores,
    require_length,
    require_share,
)
from desktop_app.sdk.errors import InvalidInput


@dataclass(frozen=True)
class Interval:
    """A confidence interval, both ends included."""

    low: float
    high: float


def binomial_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return the exact interval of a share (Clopper and Pearson, 1934)."""
    from scipy.special import betaincinv

    if not 0 <= successes <= trials or trials == 0:
        raise InvalidInput(
            f"An interval needs 0 <= successes <= trials and a trial; came {successes} of {trials}."
        )
    require_share("confidence", confidence)
    tail = (1 - confidence) / 2
    failures = trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures else 1.0
    return Interval(low, high)


def bootstrap_interval(
    measure: Callable[[Floats, Booleans], float],
    scores: ArrayLike,
    positive: ArrayLike,
    confidence: float = 0.95,
    repeats: int = 1000,
    seed: int = 0,
) -> Interval:
    """Return the percentile interval of a measure over resampled images.

    Normal and anomalous images are drawn separately, so both kinds are in every resample. The
    same seed gives the same interval.
    """
    values = finite_scores(scores)
    truth = np.asarray(positive, dtype=np.bool_)
    require_length("truth values", len(truth), len(values))
    require_share("confidence", confidence)
    random = np.random.default_rng(seed)
    kinds = [rows for rows in (np.flatnonzero(truth), np.flatnonzero(~truth)) if len(rows)]
    measured = np.empty(repeats)
    for repeat in range(repeats):
        rows = np.concatenate([random.choice(kind, len(kind)) for kind in kinds])
        measured[repeat] = measure(values[rows], truth[rows])
    low, high = np.quantile(measured, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))

"""Thresholds from the scores of normal images alone, where no defect is known.

A threshold found here is one of the scores itself or lies just above the highest; those of a fitted
tail may lie anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from desktop_app.core.scoring.checks import (
    Floats,
    require_share,
    some_scores,
)
from desktop_app.core.scoring.intervals import Interval, binomial_interval
from desktop_app.sdk.errors import InvalidInput

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution times this is its standard deviation."""

LEAST_EXCESSES = 10
"""Scores that a tail is fitted to at least."""


@dataclass(frozen=True)
class FalseAlarmThreshold:
    """A threshold, the false-alarm rate it gave on normal images, and how sure that rate is."""

    threshold: float
    rate: float
    interval: Interval
    """Clopper-Pearson interval of the rate."""


def quantile_threshold(scores: ArrayLike, quantile: float = 0.99) -> float:
    """Return the lowest threshold that flags at most the share 1 - quantile of scores (N,)."""
    values = some_scores(scores)
    require_share("quantile", quantile)
    return _threshold_flagging_at_most(values, _whole_part((1 - quantile) * len(values)))


def mad_threshold(scores: ArrayLike, deviations: float = 3.0) -> float:
    """Return median + deviations robust standard deviations of scores (N,).

    The robust deviation is the median absolute deviation times 1.4826, the standard deviation
    where scores are normally distributed.
    """
    values = some_scores(scores)
    median = float(np.median(values))
    return median + deviations * MAD_TO_SIGMA * float(np.median(np.abs(values - median)))


def false_alarm_threshold(
    normal_scores: ArrayLike, rate: float = 0.01, confidence: float = 0.95
) -> FalseAlarmThreshold:
    """Return the lowest threshold that flags at most the share `rate` of normal scores (N,)."""
    values = some_scores(normal_scores)
    require_share("false-alarm rate", rate)
    threshold = _threshold_flagging_at_most(values, _whole_part(rate * len(values)))
    alarms = int(np.sum(values >= threshold))
    interval = binomial_interval(alarms, len(values), confidence)
    return FalseAlarmThreshold(threshold, alarms / len(values), interval)


def tail_thresholds(
    normal_scores: ArrayLike, rates: Sequence[float], tail: float = 0.1
) -> list[float]:
    """Return the thresholds that shares of normal images are expected to exceed, from one fit.

    Beyond what was seen it is extrapolated: a generalised Pareto distribution is fitted to the
    excesses over the highest share `tail` of scores (N,) (peaks over threshold; Siffer et al.,
    Anomaly Detection in Streams with Extreme Value Theory, 2017, equation 1).

    Raises InvalidInput with fewer than ten excesses, or a rate that is not below `tail`.
    """
    from scipy.stats import genpareto

    values = some_scores(normal_scores)
    require_share("tail", tail)
    base = float(np.quantile(values, 1 - tail))
    excesses = values[values > base] - base
    for rate in rates:
        require_share("false-alarm rate", rate)
        if len(excesses) < LEAST_EXCESSES or not 0 < rate < tail:
            raise InvalidInput(
                f"A tail needs at least {LEAST_EXCESSES} scores above its start and a rate between "
                f"0 and {tail:g}; came {len(excesses)} scores and a rate of {rate:g}. "
                "Use a quantile, or more normal images."
            )
    shape, _, scale = (float(number) for number in genpareto.fit(excesses, floc=0))
    ratios = [rate * len(values) / len(excesses) for rate in rates]
    if abs(shape) < 1e-6:
        return [base - scale * float(np.log(ratio)) for ratio in ratios]
    return [base + scale / shape * (float(ratio**-shape) - 1) for ratio in ratios]


def _threshold_flagging_at_most(scores: Floats, flagged: int) -> float:
    """Return the lowest score with at most that many scores >= it, else a value above them all."""
    ascending = np.sort(scores)
    too_low = ascending[len(ascending) - flagged - 1] if flagged < len(ascending) else -np.inf
    higher = ascending[np.searchsorted(ascending, too_low, side="right") :]
    return float(higher[0]) if len(higher) else _just_above(float(ascending[-1]))


def _just_above(score: float) -> float:
    """Return a number above a score, also when both are rounded to float32."""
    with np.errstate(over="ignore"):
        above = float(np.nextafter(np.float32(score), np.float32(np.inf)))
    return above if np.isfinite(above) else float(np.nextafter(score, np.inf))


def _whole_part(count: float) -> int:
    """Return the whole images in a share; 0.29 * 100 is 29, not 28.999999999999996."""
    return int(np.floor(count + 1e-9))

"""Exponential smoothing of raw values, without the pull towards zero at the start.

    s_t = a s_(t-1) + (1 - a) x_t,   y_t = s_t / (1 - a^t),   a = 1 - 1 / window

A window of 1 leaves the values as they are.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NEGLIGIBLE = 1e-12  # weight below which an older value no longer counts


class Smoother:
    """Smooths a growing series piece by piece, as if it came at once."""

    def __init__(self, window: float) -> None:
        """`window` is the mean age of what counts, in values; at least 1."""
        self._weight = 1 - 1 / max(1.0, window)
        self._sum = 0.0
        self._count = 0

    def more(self, values: Floats) -> Floats:
        """Return the smoothed values (n,) of the next finite values (n,)."""
        if self._weight == 0 or not len(values):
            return values.copy()
        smooth = _decayed_sums((1 - self._weight) * values, self._weight)
        last = float(smooth[-1])
        # the past and the pull to zero fade: beyond their reach the sums are exact
        reach = min(len(values), _reach(self._weight))
        fading = self._weight ** np.arange(1, reach + 1, dtype=np.float64)
        smooth[:reach] += self._sum * fading
        self._sum = last if reach < len(values) else float(smooth[-1])
        smooth[:reach] /= 1 - self._weight**self._count * fading
        self._count += len(values)
        return smooth


def _decayed_sums(terms: Floats, weight: float) -> Floats:
    """Return sum_k weight^k terms_(i-k) in passes that double their reach: whole arrays only."""
    sums = terms.copy()
    reach = 1
    last = min(len(sums), _reach(weight))
    while reach < last:
        sums[reach:] += weight**reach * sums[:-reach]
        reach *= 2
    return sums


def _reach(weight: float) -> int:
    """Return how many values back one still counts."""
    return math.ceil(math.log(_NEGLIGIBLE) / math.log(weight))

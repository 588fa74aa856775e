"""What numbers must be before they are measured: a clear sentence where they are not."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from desktop_app.sdk.errors import InvalidInput

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def finite_scores(scores: ArrayLike) -> Floats:
    """Return scores as an array (N,); raise InvalidInput where one is not a finite number."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise InvalidInput(f"Scores must be one number per image; came shape {values.shape}.")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise InvalidInput(
            f"Scores must be finite numbers; image {wrong[0]} has {values[wrong[0]]}"
            f"{f' and {len(wrong) - 1} more images are like it' if len(wrong) > 1 else ''}. "
            "Training may have diverged: try a smaller learning rate."
        )
    return values


def some_scores(scores: ArrayLike) -> Floats:
    """Return scores as an array (N,); raise InvalidInput where there are none."""
    values = finite_scores(scores)
    if not len(values):
        raise InvalidInput("A threshold needs at least one score; came none.")
    return values


def require_length(what: str, came: int, expected: int) -> None:
    """Raise InvalidInput where there are not as many of something as images."""
    if came != expected:
        raise InvalidInput(f"Expected {expected} {what}, one per image; came {came}.")


def require_share(what: str, value: float) -> None:
    """Raise InvalidInput where a share does not lie between 0 and 1."""
    if not 0 <= value <= 1:
        raise InvalidInput(f"The {what} must lie between 0 and 1; came {value}.")

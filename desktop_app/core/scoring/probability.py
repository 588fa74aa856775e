"""Probabilities from scores, and how well they agree with what was."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from desktop_app.core.scoring.checks import (
    Booleans,
    Counts,
    Floats,
    finite_scores,
    require_length,
    some_scores,
)
from desktop_app.core.scoring.thresholds import MAD_TO_SIGMA
from desktop_app.sdk.errors import InvalidInput

LEAST_CALIBRATED = 5
"""Images of each kind that probabilities are learned on at least."""


@dataclass(frozen=True)
class Calibration:
    """Predicted against observed share of anomalous images; one row per bin that is not empty."""

    predicted: Floats
    """Mean probability of the images in the bin."""
    observed: Floats
    """Share of the images in the bin that are anomalous."""
    counts: Counts
    """Images in the bin."""

    @property
    def expected_error(self) -> float:
        """Mean distance between predicted and observed, weighted by count (Naeini et al., 2015)."""
        gaps = np.abs(self.predicted - self.observed)
        return float(np.sum(gaps * self.counts) / np.sum(self.counts))


def cross_fitted_probabilities(
    scores: ArrayLike, positive: ArrayLike, seed: int = 0
) -> Floats | None:
    """Return the probability (N,) that each image is anomalous, learned on the other images.

    A logistic curve over the robustly scaled scores (Platt, 1999), in five stratified folds. None
    with fewer than five images of a kind.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    values = finite_scores(scores)
    truth = np.asarray(positive, dtype=np.bool_)
    require_length("truth values", len(truth), len(values))
    if min(int(truth.sum()), int((~truth).sum())) < LEAST_CALIBRATED:
        return None
    median = float(np.median(values))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(values - median)))
    scaled = (values - median) / (spread or float(values.std()) or 1.0)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    curve = LogisticRegression(max_iter=1000)
    found: Floats = cross_val_predict(
        curve, scaled[:, None], truth, cv=folds, method="predict_proba"
    )[:, 1]
    return found


def log_loss(probabilities: ArrayLike, positive: ArrayLike) -> float:
    """Return the mean negative log-likelihood of probabilities (N,) in nats, clipped to finite."""
    predicted, truth = _checked(probabilities, positive)
    smallest = float(np.finfo(np.float64).eps)
    predicted = np.clip(predicted, smallest, 1 - smallest)
    return float(-np.mean(np.where(truth, np.log(predicted), np.log1p(-predicted))))


def calibration(probabilities: ArrayLike, positive: ArrayLike, bins: int = 10) -> Calibration:
    """Compare probabilities (N,) with outcomes in equally wide bins, closed on the right."""
    predicted, truth = _checked(probabilities, positive)
    if bins < 1:
        raise InvalidInput(f"Calibration needs at least one bin; came {bins}.")
    edges = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    chosen = np.searchsorted(edges, predicted)
    counts = np.bincount(chosen, minlength=bins)
    filled = counts > 0
    predicted_sum = np.bincount(chosen, weights=predicted, minlength=bins)[filled]
    observed_sum = np.bincount(chosen, weights=truth, minlength=bins)[filled]
    counts = counts[filled]
    return Calibration(predicted_sum / counts, observed_sum / counts, counts.astype(np.int64))


def _checked(probabilities: ArrayLike, positive: ArrayLike) -> tuple[Floats, Booleans]:
    values = some_scores(probabilities)
    truth = np.asarray(positive, dtype=np.bool_)
    require_length("truth values", len(truth), len(values))
    if values.min() < 0 or values.max() > 1:
        raise InvalidInput(
            f"Probabilities must lie between 0 and 1; came {values.min():g} to {values.max():g}."
        )
    return values, truth

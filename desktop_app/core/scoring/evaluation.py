"""Everything that is measured of a scored folder, in one answer."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from desktop_app.core.scoring.checks import (
    Booleans,
    Floats,
    finite_scores,
    require_length,
)
from desktop_app.core.scoring.intervals import bootstrap_interval
from desktop_app.core.scoring.labels import truth_from_labels
from desktop_app.core.scoring.pixels import Masks, pixel_measures
from desktop_app.core.scoring.probability import calibration, cross_fitted_probabilities, log_loss
from desktop_app.core.scoring.ranking import ThresholdTable, aupr, auroc, f1_max, per_defect

MOST_RESAMPLED = 500_000
"""Scores drawn for a confidence interval in all: a large folder must not take minutes."""


@dataclass(frozen=True)
class Evaluation:
    """Everything `loupe evaluate` prints; `None` where labels or masks are missing."""

    n_images: int
    """Images scored, labelled or not."""
    n_anomalous: int | None
    image_auroc: float | None
    image_aupr: float | None
    f1_max: float | None
    threshold_f1: float | None
    """Threshold at which `f1_max` is reached."""
    pixel_auroc: float | None
    aupro: float | None
    per_defect: dict[str, float] | None
    """AUROC of the images of each defect against all normal images."""
    intervals: dict[str, list[float]] | None = None
    """95 % bootstrap intervals over images of image_auroc, image_aupr and f1_max."""
    log_loss: float | None = None
    """Nats per image of probabilities from the scores, each learned on the other images."""
    calibration_error: float | None = None
    """Expected calibration error of those probabilities."""
    floor: dict[str, float] | None = None
    """Image AUROC of baselines that learn next to nothing, by name."""

    def as_json(self, *, full: bool = True) -> dict[str, Any]:
        """Return the fields as plain values under the same names; how sure they are if `full`."""
        fields = asdict(self)
        return fields if full else {name: fields[name] for name in fields if name not in _FULL}


_FULL = ("intervals", "log_loss", "calibration_error", "floor")


def evaluate(
    scores: ArrayLike,
    labels: Sequence[str],
    maps: NDArray[np.floating[Any]] | None = None,
    masks: Masks | None = None,
) -> Evaluation:
    """Measure scores (N,) and, where given, maps (N, H, W) against labels and masks.

    Images labelled "" are left out of every measure. In the pixel measures a normal image counts
    as an empty mask, and an anomalous image whose mask is missing or empty is left out; pixels of
    a map that are not a number, as outside of a region of interest, are left out as well.

    Raises InvalidInput where lengths or shapes differ or a score is not finite.
    """
    values = finite_scores(scores)
    require_length("labels", len(labels), len(values))
    truth = truth_from_labels(labels)
    pixel_area, overlap_area = pixel_measures(labels, maps, masks, len(values))
    unknown = Evaluation(len(values), None, None, None, None, None, pixel_area, overlap_area, None)
    if truth is None:
        return unknown
    known = replace(
        unknown,
        n_anomalous=int(truth.anomalous.sum()),
        per_defect=per_defect(values, labels),
    )
    if not truth.anomalous.any():
        return known
    table = ThresholdTable.build(values[truth.labelled], truth.anomalous[truth.labelled])
    f1, threshold = table.best_f1()
    measured, anomalous = values[truth.labelled], truth.anomalous[truth.labelled]
    probabilities = cross_fitted_probabilities(measured, anomalous)
    return replace(
        known,
        image_auroc=table.auroc(),
        image_aupr=table.average_precision(),
        f1_max=f1,
        threshold_f1=threshold,
        intervals=_intervals(measured, anomalous),
        log_loss=None if probabilities is None else log_loss(probabilities, anomalous),
        calibration_error=None
        if probabilities is None
        else calibration(probabilities, anomalous).expected_error,
    )


def _intervals(scores: Floats, anomalous: Booleans) -> dict[str, list[float]]:
    """Return the bootstrap intervals of the measures of images; fewer resamples of many scores."""
    repeats = int(np.clip(MOST_RESAMPLED // len(scores), 50, 1000))
    measures: dict[str, Callable[[Floats, Booleans], float]] = {
        "image_auroc": auroc,
        "image_aupr": aupr,
        "f1_max": lambda own, truth: f1_max(own, truth)[0],
    }
    found = {
        name: bootstrap_interval(measure, scores, anomalous, repeats=repeats)
        for name, measure in measures.items()
    }
    return {name: [interval.low, interval.high] for name, interval in found.items()}

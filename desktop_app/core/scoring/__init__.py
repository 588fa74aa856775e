"""Measures of how well scores separate unusual images from usual ones, on plain arrays.

One convention throughout: a higher score is more unusual, and an image counts as anomalous when
its score is greater than or equal to the threshold.
"""

from desktop_app.core.scoring.checks import some_scores
from desktop_app.core.scoring.evaluation import Evaluation, evaluate
from desktop_app.core.scoring.intervals import Interval, binomial_interval, bootstrap_interval
from desktop_app.core.scoring.labels import Truth, is_normal, truth_codes, truth_from_labels
from desktop_app.core.scoring.pixels import AUPRO_LIMIT, Masks, aupro, pixel_auroc
from desktop_app.core.scoring.probability import (
    Calibration,
    calibration,
    cross_fitted_probabilities,
    log_loss,
)
from desktop_app.core.scoring.ranking import (
    Confusion,
    PrecisionRecallCurve,
    RocCurve,
    ThresholdTable,
    aupr,
    auroc,
    confusion,
    f1_max,
    per_defect,
    precision_recall_curve,
    roc_curve,
)
from desktop_app.core.scoring.thresholds import (
    LEAST_EXCESSES,
    FalseAlarmThreshold,
    false_alarm_threshold,
    mad_threshold,
    quantile_threshold,
    tail_thresholds,
)

__all__ = [
    "AUPRO_LIMIT",
    "LEAST_EXCESSES",
    "Calibration",
    "Confusion",
    "Evaluation",
    "FalseAlarmThreshold",
    "Interval",
    "Masks",
    "PrecisionRecallCurve",
    "RocCurve",
    "ThresholdTable",
    "Truth",
    "aupr",
    "aupro",
    "auroc",
    "binomial_interval",
    "bootstrap_interval",
    "calibration",
    "confusion",
    "cross_fitted_probabilities",
    "evaluate",
    "f1_max",
    "false_alarm_threshold",
    "is_normal",
    "log_loss",
    "mad_threshold",
    "per_defect",
    "pixel_auroc",
    "precision_recall_curve",
    "quantile_threshold",
    "roc_curve",
    "some_scores",
    "tail_thresholds",
    "truth_codes",
    "truth_from_labels",
]

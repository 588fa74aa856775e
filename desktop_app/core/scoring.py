"""Measures of how well scores separate unusual images from usual ones, on plain arrays.

One convention throughout: a higher score is more unusual, and an image counts as anomalous when
its score is greater than or equal to the threshold. A threshold found here is one of the scores
itself (or lies just above the highest), so applying it to the same scores gives the same counts.

All areas are exact: ties are handled by counting, no curve is sampled. A pixel measure holds the
scores of the defect pixels and one block of normal pixels, never all maps at once.

Letters: N images, H rows, W columns, P defect pixels, T distinct thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from desktop_app.core.layout import NORMAL_NAMES
from desktop_app.sdk.errors import InvalidInput

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Booleans = NDArray[np.bool_]

AUPRO_LIMIT = 0.3
"""False-positive rate up to which region overlap is integrated (Bergmann et al., 2021)."""

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation of a normal distribution times this is its standard deviation."""

MOST_RESAMPLED = 500_000
"""Scores drawn for a confidence interval in all: a large folder must not take minutes."""

LEAST_CALIBRATED = 5
"""Images of each kind that probabilities are learned on at least."""

LEAST_EXCESSES = 10
"""Scores that a tail is fitted to at least."""

PIXELS_PER_BLOCK = 1 << 24
"""Normal pixels sorted at once; 64 MB of float32."""


class Masks(Protocol):
    """One boolean mask of shape (H, W) per image, `None` where the truth is unknown."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Any: ...


# ---------------------------------------------------------------------------------------- summary


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
    values = _finite_scores(scores)
    _require_length("labels", len(labels), len(values))
    truth = truth_from_labels(labels)
    pixel_area, overlap_area = _pixel_measures(labels, maps, masks, len(values))
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


def _pixel_measures(
    labels: Sequence[str],
    maps: NDArray[np.floating[Any]] | None,
    masks: Masks | None,
    count: int,
) -> tuple[float | None, float | None]:
    """Return pixel AUROC and AUPRO, `None` where no defect pixel is known."""
    if maps is None or masks is None:
        return None, None
    _require_length("maps", len(maps), count)
    _require_length("masks", len(masks), count)
    ranks = _rank_defect_pixels(maps, _CountedMasks(labels, masks, maps.shape[1:]))
    if not ranks.measurable:
        return None, None
    return ranks.auroc(), ranks.overlap_area(AUPRO_LIMIT)


# ----------------------------------------------------------------------------------------- labels


@dataclass(frozen=True)
class Truth:
    """What the labels say about N images; both arrays of shape (N,)."""

    labelled: Booleans
    """Images that carry a label and so take part in measures."""
    anomalous: Booleans
    """Labelled images whose label is no normal name."""


def is_normal(label: str) -> bool:
    """Tell whether a label names normal images: good, normal or ok, in any case."""
    return label.casefold() in NORMAL_NAMES


def truth_from_labels(labels: Sequence[str]) -> Truth | None:
    """Return which images are anomalous, or `None` when no image has a normal label."""
    labelled = np.array([label != "" for label in labels], dtype=np.bool_)
    normal = np.array([is_normal(label) for label in labels], dtype=np.bool_)
    if not normal.any():
        return None
    return Truth(labelled, labelled & ~normal)


def per_defect(scores: ArrayLike, labels: Sequence[str]) -> dict[str, float]:
    """Return, for each anomalous label in alphabetical order, its AUROC against all normal images.

    Raises InvalidInput when no image has a normal label.
    """
    values = _finite_scores(scores)
    _require_length("labels", len(labels), len(values))
    truth = truth_from_labels(labels)
    if truth is None:
        raise InvalidInput(
            "The AUROC per defect needs images labelled good, normal or ok; none has such a label."
        )
    names = np.array(labels, dtype=np.str_)
    normal = truth.labelled & ~truth.anomalous
    defects = sorted(set(names[truth.anomalous].tolist()))
    return {
        defect: auroc(values[chosen], (names == defect)[chosen])
        for defect in defects
        for chosen in [normal | (names == defect)]
    }


# ------------------------------------------------------------------------------------- thresholds


@dataclass(frozen=True)
class Confusion:
    """Counts of flagged and unflagged images at one threshold; a ratio of nothing is `None`."""

    tp: int
    """Anomalous and flagged."""
    fp: int
    """Normal but flagged: a false alarm."""
    fn: int
    """Anomalous but not flagged: missed."""
    tn: int
    """Normal and not flagged."""

    @property
    def precision(self) -> float | None:
        """Share of flagged images that are anomalous."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Share of anomalous images that are flagged."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float | None:
        """Share of all images that are judged rightly."""
        return _ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def false_positive_rate(self) -> float | None:
        """Share of normal images that are flagged."""
        return _ratio(self.fp, self.fp + self.tn)


@dataclass(frozen=True)
class ThresholdTable:
    """Sorted scores with cumulative counts, so that any threshold is answered in O(log N)."""

    scores: Floats
    """All scores, ascending, shape (N,)."""
    positives_from: Counts
    """Anomalous images among `scores[i:]`, shape (N + 1,)."""

    @classmethod
    def build(cls, scores: ArrayLike, positive: ArrayLike) -> ThresholdTable:
        """Sort scores (N,) beside their truth (N,), once.

        Raises InvalidInput where the lengths differ or a score is not finite.
        """
        values = _finite_scores(scores)
        truth = np.asarray(positive, dtype=np.bool_)
        _require_length("truth values", len(truth), len(values))
        order = np.argsort(values, kind="stable")
        positives_from = np.zeros(len(values) + 1, dtype=np.int64)
        positives_from[:-1] = truth[order][::-1].cumsum()[::-1]
        return cls(values[order], positives_from)

    @property
    def positives(self) -> int:
        """Anomalous images in all."""
        return int(self.positives_from[0])

    @property
    def negatives(self) -> int:
        """Normal images in all."""
        return len(self.scores) - self.positives

    def at(self, threshold: float) -> Confusion:
        """Return the counts when every score >= threshold is flagged."""
        first = int(np.searchsorted(self.scores, threshold, side="left"))
        tp = int(self.positives_from[first])
        fp = len(self.scores) - first - tp
        return Confusion(tp=tp, fp=fp, fn=self.positives - tp, tn=self.negatives - fp)

    def steps(self) -> tuple[Floats, Counts, Counts]:
        """Return the distinct scores from high to low with true and false positives, each (T,)."""
        is_first = np.ones(len(self.scores), dtype=np.bool_)
        is_first[1:] = self.scores[1:] != self.scores[:-1]
        first = np.flatnonzero(is_first)[::-1]
        true_positives = self.positives_from[first]
        return self.scores[first], true_positives, len(self.scores) - first - true_positives

    def auroc(self) -> float:
        """Return the probability that an anomalous image outscores a normal one, ties one half."""
        self._require_both_kinds("AUROC")
        _, tp, fp = self.steps()
        tp, fp = np.append(0, tp), np.append(0, fp)
        twice_the_wins = int(np.sum(np.diff(fp) * (tp[1:] + tp[:-1])))  # exact: whole numbers
        return twice_the_wins / (2 * self.positives * self.negatives)

    def average_precision(self) -> float:
        """Return the precision averaged over the steps of recall, without interpolation."""
        self._require_positives("Average precision")
        _, tp, fp = self.steps()
        gained = np.diff(tp, prepend=0)
        return float(np.sum(gained * (tp / (tp + fp))) / self.positives)

    def best_f1(self) -> tuple[float, float]:
        """Return the largest F1 and the highest threshold that reaches it."""
        self._require_positives("F1")
        thresholds, tp, fp = self.steps()
        f1 = 2 * tp / (tp + fp + self.positives)
        best = int(np.argmax(f1))  # the first: fewest flagged
        return float(f1[best]), float(thresholds[best])

    def _require_positives(self, measure: str) -> None:
        if not self.positives:
            raise InvalidInput(
                f"{measure} needs at least one anomalous image; "
                f"all {len(self.scores)} images are normal."
            )

    def _require_both_kinds(self, measure: str) -> None:
        if not self.positives or not self.negatives:
            raise InvalidInput(
                f"{measure} needs at least one normal and one anomalous image; "
                f"came {self.negatives} normal and {self.positives} anomalous."
            )


def confusion(scores: ArrayLike, positive: ArrayLike, threshold: float) -> Confusion:
    """Count flagged and unflagged images of scores (N,) at one threshold."""
    return ThresholdTable.build(scores, positive).at(threshold)


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the ROC curve of scores (N,); a tie counts one half (Mann-Whitney)."""
    return ThresholdTable.build(scores, positive).auroc()


def aupr(scores: ArrayLike, positive: ArrayLike) -> float:
    """Return the average precision of scores (N,): the area under the precision-recall steps."""
    return ThresholdTable.build(scores, positive).average_precision()


def f1_max(scores: ArrayLike, positive: ArrayLike) -> tuple[float, float]:
    """Return the largest F1 of scores (N,) and the highest score that reaches it as threshold."""
    return ThresholdTable.build(scores, positive).best_f1()


# ----------------------------------------------------------------------------------------- curves


@dataclass(frozen=True)
class RocCurve:
    """One point per distinct threshold from high to low, after the point (0, 0); each (T + 1,)."""

    false_positive_rate: Floats
    true_positive_rate: Floats
    thresholds: Floats
    """The first is infinite: nothing is flagged."""


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """One point per distinct threshold from high to low, after recall 0; each (T + 1,)."""

    recall: Floats
    precision: Floats
    thresholds: Floats
    """The first is infinite: nothing is flagged, and precision is 1 by convention."""


def roc_curve(scores: ArrayLike, positive: ArrayLike) -> RocCurve:
    """Return the receiver operating characteristic of scores (N,)."""
    table = ThresholdTable.build(scores, positive)
    table._require_both_kinds("The ROC curve")
    thresholds, tp, fp = table.steps()
    return RocCurve(
        false_positive_rate=np.append(0.0, fp / table.negatives),
        true_positive_rate=np.append(0.0, tp / table.positives),
        thresholds=np.append(np.inf, thresholds),
    )


def precision_recall_curve(scores: ArrayLike, positive: ArrayLike) -> PrecisionRecallCurve:
    """Return precision over recall of scores (N,)."""
    table = ThresholdTable.build(scores, positive)
    table._require_positives("The precision-recall curve")
    thresholds, tp, fp = table.steps()
    return PrecisionRecallCurve(
        recall=np.append(0.0, tp / table.positives),
        precision=np.append(1.0, tp / (tp + fp)),
        thresholds=np.append(np.inf, thresholds),
    )


# ---------------------------------------------------------------------------------- probabilities


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

    values = _finite_scores(scores)
    truth = np.asarray(positive, dtype=np.bool_)
    _require_length("truth values", len(truth), len(values))
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
    predicted, truth = _probabilities(probabilities, positive)
    smallest = float(np.finfo(np.float64).eps)
    predicted = np.clip(predicted, smallest, 1 - smallest)
    return float(-np.mean(np.where(truth, np.log(predicted), np.log1p(-predicted))))


def calibration(probabilities: ArrayLike, positive: ArrayLike, bins: int = 10) -> Calibration:
    """Compare probabilities (N,) with outcomes in equally wide bins, closed on the right."""
    predicted, truth = _probabilities(probabilities, positive)
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


# ------------------------------------------------------------------------ thresholds without labels


@dataclass(frozen=True)
class Interval:
    """A confidence interval, both ends included."""

    low: float
    high: float


@dataclass(frozen=True)
class FalseAlarmThreshold:
    """A threshold, the false-alarm rate it gave on normal images, and how sure that rate is."""

    threshold: float
    rate: float
    interval: Interval
    """Clopper-Pearson interval of the rate."""


def quantile_threshold(scores: ArrayLike, quantile: float = 0.99) -> float:
    """Return the lowest threshold that flags at most the share 1 - quantile of scores (N,)."""
    values = _some_scores(scores)
    _require_share("quantile", quantile)
    return _threshold_flagging_at_most(values, _whole_part((1 - quantile) * len(values)))


def mad_threshold(scores: ArrayLike, deviations: float = 3.0) -> float:
    """Return median + deviations robust standard deviations of scores (N,).

    The robust deviation is the median absolute deviation times 1.4826, the standard deviation
    where scores are normally distributed.
    """
    values = _some_scores(scores)
    median = float(np.median(values))
    return median + deviations * MAD_TO_SIGMA * float(np.median(np.abs(values - median)))


def false_alarm_threshold(
    normal_scores: ArrayLike, rate: float = 0.01, confidence: float = 0.95
) -> FalseAlarmThreshold:
    """Return the lowest threshold that flags at most the share `rate` of normal scores (N,)."""
    values = _some_scores(normal_scores)
    _require_share("false-alarm rate", rate)
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

    values = _some_scores(normal_scores)
    _require_share("tail", tail)
    base = float(np.quantile(values, 1 - tail))
    excesses = values[values > base] - base
    for rate in rates:
        _require_share("false-alarm rate", rate)
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


def binomial_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return the exact interval of a share (Clopper and Pearson, 1934)."""
    from scipy.special import betaincinv

    if not 0 <= successes <= trials or trials == 0:
        raise InvalidInput(
            f"An interval needs 0 <= successes <= trials and a trial; came {successes} of {trials}."
        )
    _require_share("confidence", confidence)
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
    values = _finite_scores(scores)
    truth = np.asarray(positive, dtype=np.bool_)
    _require_length("truth values", len(truth), len(values))
    _require_share("confidence", confidence)
    random = np.random.default_rng(seed)
    kinds = [rows for rows in (np.flatnonzero(truth), np.flatnonzero(~truth)) if len(rows)]
    measured = np.empty(repeats)
    for repeat in range(repeats):
        rows = np.concatenate([random.choice(kind, len(kind)) for kind in kinds])
        measured[repeat] = measure(values[rows], truth[rows])
    low, high = np.quantile(measured, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


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


# ----------------------------------------------------------------------------------------- pixels


def pixel_auroc(maps: NDArray[np.floating[Any]], masks: Masks) -> float:
    """Return the AUROC over all pixels of maps (N, H, W) against masks (N, H, W).

    Raises InvalidInput without a pixel inside and a pixel outside the masks.
    """
    return _measurable_ranks(maps, masks, "Pixel AUROC").auroc()


def aupro(maps: NDArray[np.floating[Any]], masks: Masks, limit: float = AUPRO_LIMIT) -> float:
    """Return the area under the per-region overlap of maps (N, H, W), from 0 to 1.

    Overlap is the share of a connected defect region (8 neighbours) that is flagged, averaged over
    the regions; it is integrated over the false-positive rate of all other pixels from 0 to
    `limit` and divided by `limit` (Bergmann et al., The MVTec Anomaly Detection Dataset, 2021,
    https://doi.org/10.1007/s11263-020-01400-4).

    Raises InvalidInput without a pixel inside and a pixel outside the masks.
    """
    if not 0 < limit <= 1:
        raise InvalidInput(f"The limit of AUPRO must be above 0 and at most 1; came {limit}.")
    return _measurable_ranks(maps, masks, "AUPRO").overlap_area(limit)


@dataclass(frozen=True)
class _DefectPixels:
    """Where each defect pixel stands among the normal pixels; arrays of shape (P,)."""

    above: Counts
    """Normal pixels with a higher score."""
    at_least: Counts
    """Normal pixels with an equal or higher score."""
    region: Counts
    """Number of the connected region, from 0."""
    normal: int
    """Normal pixels in all."""

    @property
    def measurable(self) -> bool:
        return len(self.above) > 0 and self.normal > 0

    def auroc(self) -> float:
        lost_twice = int(self.above.sum()) + int(self.at_least.sum())
        return 1 - lost_twice / (2 * self.normal * len(self.above))

    def overlap_area(self, limit: float) -> float:
        """Integrate the overlap curve exactly.

        A region's overlap is the mean over its pixels of "is flagged". As the threshold passes a
        pixel's score the false-positive rate runs from f0 = above / normal to
        f1 = at_least / normal, and by linear interpolation the pixel is flagged by
        (f - f0) / (f1 - f0). Its area up to the limit L is L - (f0 + f1) / 2 when f1 <= L, and
        (L - f0)^2 / (2 (f1 - f0)) when L falls in between. Areas add, so no curve is needed.
        """
        f0, f1 = self.above / self.normal, self.at_least / self.normal
        is_cut = f1 > limit
        width = np.where(is_cut & (f1 > f0), f1 - f0, 1.0)
        cut = np.maximum(limit - f0, 0.0) ** 2 / (2 * width)
        area = np.where(is_cut, cut, limit - (f0 + f1) / 2)
        sizes = np.bincount(self.region)
        per_region = np.bincount(self.region, weights=area / limit) / sizes
        return float(per_region.mean())


def _measurable_ranks(maps: NDArray[np.floating[Any]], masks: Masks, measure: str) -> _DefectPixels:
    _require_length("masks", len(masks), len(maps))
    ranks = _rank_defect_pixels(maps, masks)
    if not ranks.measurable:
        raise InvalidInput(
            f"{measure} needs pixels inside and outside the masks; "
            f"came {len(ranks.above)} inside and {ranks.normal} outside."
        )
    return ranks


def _rank_defect_pixels(maps: NDArray[np.floating[Any]], masks: Masks) -> _DefectPixels:
    """Count, for every defect pixel, the normal pixels of all images that score as high."""
    values, region = _defect_pixels(maps, masks)
    order = np.argsort(values)
    values, region = values[order], region[order]  # sorted keys make the searches fast
    above = np.zeros(len(values), dtype=np.int64)
    at_least = np.zeros(len(values), dtype=np.int64)
    normal = 0
    for block in _normal_pixels(maps, masks):
        block.sort()
        above += len(block) - np.searchsorted(block, values, side="right")
        at_least += len(block) - np.searchsorted(block, values, side="left")
        normal += len(block)
    return _DefectPixels(above, at_least, region, normal)


def _defect_pixels(
    maps: NDArray[np.floating[Any]], masks: Masks
) -> tuple[NDArray[np.floating[Any]], Counts]:
    """Return scores and region numbers of all pixels inside the masks, each (P,)."""
    from scipy.ndimage import label

    touching = np.ones((3, 3), dtype=np.int64)  # 8 neighbours
    values: list[NDArray[np.floating[Any]]] = [np.empty(0, dtype=maps.dtype)]
    regions: list[Counts] = [np.empty(0, dtype=np.int64)]
    count = 0
    for scores, mask in _measured_images(maps, masks):
        mask = mask & np.isfinite(scores)
        numbers, found = label(mask, structure=touching)
        values.append(scores[mask])
        regions.append(numbers[mask].astype(np.int64) + (count - 1))
        count += int(found)
    return np.concatenate(values), np.concatenate(regions)


def _normal_pixels(
    maps: NDArray[np.floating[Any]], masks: Masks
) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield the scores of all pixels outside the masks, in new arrays of bounded size."""
    waiting: list[NDArray[np.floating[Any]]] = []
    for scores, mask in _measured_images(maps, masks):
        waiting.append(scores[~mask & np.isfinite(scores)])
        if sum(map(len, waiting)) >= PIXELS_PER_BLOCK:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _measured_images(
    maps: NDArray[np.floating[Any]], masks: Masks
) -> Iterator[tuple[NDArray[np.floating[Any]], Booleans]]:
    """Yield map and mask, each (H, W), of the images whose truth is known.

    Pixels of a map that are no number do not count; a map of nothing else has diverged.
    """
    for row in range(len(maps)):
        mask = masks[row]
        if mask is None:
            continue
        scores, mask = np.asarray(maps[row]), np.asarray(mask, dtype=np.bool_)
        if mask.shape != scores.shape:
            raise InvalidInput(
                f"Mask and map must have the same size; image {row} has a mask of "
                f"{mask.shape} and a map of {scores.shape}. Resize the mask to the map."
            )
        if np.isinf(scores).any() or np.isnan(scores).all():
            raise InvalidInput(
                f"Maps must hold finite numbers; the map of image {row} does not. "
                "Training may have diverged: try a smaller learning rate."
            )
        yield scores, mask


@dataclass(frozen=True)
class _CountedMasks:
    """Masks as the pixel measures count them: empty where normal, `None` where unknown."""

    labels: Sequence[str]
    masks: Masks
    shape: tuple[int, ...]
    """Rows and columns of a map."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int, /) -> Booleans | None:
        if self.labels[row] == "":
            return None
        if is_normal(self.labels[row]):
            return np.zeros(self.shape, dtype=np.bool_)
        mask = self.masks[row]
        return None if mask is None or not np.any(mask) else np.asarray(mask, dtype=np.bool_)


# ----------------------------------------------------------------------------------------- checks


def _finite_scores(scores: ArrayLike) -> Floats:
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


def _some_scores(scores: ArrayLike) -> Floats:
    values = _finite_scores(scores)
    if not len(values):
        raise InvalidInput("A threshold needs at least one score; came none.")
    return values


def _probabilities(probabilities: ArrayLike, positive: ArrayLike) -> tuple[Floats, Booleans]:
    values = _some_scores(probabilities)
    truth = np.asarray(positive, dtype=np.bool_)
    _require_length("truth values", len(truth), len(values))
    if values.min() < 0 or values.max() > 1:
        raise InvalidInput(
            f"Probabilities must lie between 0 and 1; came {values.min():g} to {values.max():g}."
        )
    return values, truth


def _require_length(what: str, came: int, expected: int) -> None:
    if came != expected:
        raise InvalidInput(f"Expected {expected} {what}, one per image; came {came}.")


def _require_share(what: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InvalidInput(f"The {what} must lie between 0 and 1; came {value}.")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None

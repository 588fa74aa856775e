"""Thresholds that follow from a rule, and on which images each of them rests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.scoring import (
    LEAST_EXCESSES,
    false_alarm_threshold,
    mad_threshold,
    quantile_threshold,
    tail_thresholds,
)
from desktop_app.core.synthetic import FEWEST, MOST, SyntheticScores
from desktop_app.core.zones import Thresholds
from desktop_app.gui.i18n import tr
from desktop_app.gui.inspector.judging import Judgement
from desktop_app.gui.scorescale import Reference
from desktop_app.sdk.errors import InvalidInput

_FEWEST = 5
_QUANTILES = (0.95, 0.99, 0.995)
_REVIEW_QUANTILE, _FAIL_QUANTILE = 0.95, 0.995
_ALARM_RATES = (0.05, 0.01)
_DEVIATIONS = (3.0, 5.0)
TAIL_RATES = (0.01, 0.001, 0.0001)
"""Shares of normal images that the thresholds of the tail are expected to flag."""
_TAIL_IMAGES = 10 * LEAST_EXCESSES  # a tenth of them is what the tail is fitted to


@dataclass(frozen=True)
class Proposal:
    """A threshold that follows from a rule."""

    name: str
    value: float | None
    """None where the rule cannot be followed."""
    detail: str
    """What it means, or why it cannot be followed."""
    short: str = ""
    """Why it cannot be followed, in a few words."""


@dataclass(frozen=True)
class Rules:
    """Proposals that rest on the same images."""

    heading: str
    proposals: list[Proposal]


def rules_by_truth(judgement: Judgement | None) -> Rules:
    """Return the threshold that follows from labels or verdicts."""
    if judgement is None:
        return Rules(tr("Rests on known images"), [_best_f1(None)])
    count = f"{int(judgement.known.sum()):,}"
    heading = tr("Rests on {n} {images}", n=count, images=judgement.name)
    return Rules(heading, [_best_f1(judgement)])


def rules_by_usual(reference: Reference) -> Rules:
    """Return the thresholds that follow from what usual images score, but for the tail."""
    makers = (_quantile, _false_alarms, _deviations)
    settings = (_QUANTILES, _ALARM_RATES, _DEVIATIONS)
    found = [
        make(reference, setting)
        for make, values in zip(makers, settings, strict=True)
        for setting in values
    ]
    return Rules(_rests_on(reference), found)


def review_quantiles(reference: Reference) -> Thresholds | None:
    """Return thresholds by what usual images score; None for too few images.

    The share _REVIEW_QUANTILE of them pass, the share _FAIL_QUANTILE does not fail.
    """
    if len(reference) < _FEWEST:
        return None
    fail = quantile_threshold(reference.scores, _FAIL_QUANTILE)
    return Thresholds(fail, min(fail, quantile_threshold(reference.scores, _REVIEW_QUANTILE)))


def rule_of_both() -> str:
    """Return the name of the rule that sets both thresholds."""
    return tr(
        "Review from the {low} % quantile, fail from the {high} % quantile",
        low=f"{100 * _REVIEW_QUANTILE:g}",
        high=f"{100 * _FAIL_QUANTILE:g}",
    )


def tail_of(scores: NDArray[np.float64]) -> list[float] | None:
    """Return the thresholds of the tail of usual scores (n,), one per rate.

    None where there are too few scores, or too many equal ones. This takes its time.
    """
    try:
        return tail_thresholds(scores, TAIL_RATES)
    except InvalidInput:
        return None


def rules_by_tail(reference: Reference, values: Sequence[float] | None, *, pending: bool) -> Rules:
    """Return the thresholds beyond what was seen, given those of the tail once they are found."""
    if values is None:
        enough = len(reference) >= _TAIL_IMAGES
        reason = tr(
            "Needs {n} scored images with different scores; there are {count}.",
            n=_TAIL_IMAGES,
            count=f"{len(reference):,}",
        )
        short = tr("scores too alike") if enough else tr("needs {n} images", n=_TAIL_IMAGES)
        detail, short = ("", "…") if pending and enough else (reason, short)
        found = [Proposal(_tail_name(rate), None, detail, short) for rate in TAIL_RATES]
    else:
        detail = tr(
            "Beyond the scores that were seen, from the shape of the highest tenth of them "
            "(generalised Pareto distribution)."
        )
        found = [
            Proposal(_tail_name(rate), value, detail)
            for rate, value in zip(TAIL_RATES, values, strict=True)
        ]
    return Rules(tr("Extreme values, from the same images"), found)


def rules_by_synthetic(found: SyntheticScores | None, reference: Reference) -> Rules:
    """Return the threshold that tells made defects best, once they are made and scored."""
    name = tr("Best F1 on synthetic defects")
    caution = tr("Real defects may look different, and be harder to see.")
    if found is None:
        count = min(len(reference), MOST)
        heading = tr("Without known defects: some are made in {n} {images}")
        heading = heading.format(n=f"{count:,}", images=reference.name)
        if len(reference) < FEWEST:
            return Rules(heading, [_too_few(name)])
        return Rules(heading, [Proposal(name, None, caution, tr("make and score them"))])
    f1, threshold = found.best()
    heading = tr("Rests on {n} {images} and {m} synthetic defects in them (seed {seed})").format(
        n=f"{len(found.normal):,}",
        images=found.images,
        m=f"{len(found.made):,}",
        seed=found.seed,
    )
    return Rules(heading, [Proposal(name, threshold, f"F1 {f1:.3f}. {caution}")])


def _best_f1(judgement: Judgement | None) -> Proposal:
    name = tr("Best F1")
    if judgement is None or not judgement.is_complete:
        reason = tr("Needs images known to be normal and anomalous: labels, or your verdicts.")
        return Proposal(name, None, reason, tr("needs both kinds"))
    f1, threshold = judgement.table.best_f1()
    count = int(judgement.known.sum())
    detail = tr("F1 {f1} on {n} {images}", f1=f"{f1:.3f}", n=f"{count:,}", images=judgement.name)
    return Proposal(name, threshold, detail)


def _quantile(reference: Reference, quantile: float) -> Proposal:
    name = tr("{share} % quantile", share=f"{100 * quantile:g}")
    if len(reference) < _FEWEST:
        return _too_few(name)
    return Proposal(name, quantile_threshold(reference.scores, quantile), _count(reference))


def _false_alarms(reference: Reference, rate: float) -> Proposal:
    name = tr("At most {share} % false alarms", share=f"{100 * rate:g}")
    if len(reference) < _FEWEST:
        return _too_few(name)
    found = false_alarm_threshold(reference.scores, rate)
    low, high = f"{100 * found.interval.low:.1f}", f"{100 * found.interval.high:.1f}"
    name = tr("{rule} (true rate {low}-{high} %)", rule=name, low=low, high=high)
    seen = f"{100 * found.rate:.1f} %"
    text = tr("{share} of {count} are flagged; the interval of the true rate is one of 95 %.")
    detail = text.format(share=seen, count=_count(reference))
    return Proposal(name, found.threshold, detail)


def _deviations(reference: Reference, deviations: float) -> Proposal:
    name = tr("Median + {k} robust deviations", k=f"{deviations:g}")
    if len(reference) < _FEWEST:
        return _too_few(name)
    value = mad_threshold(reference.scores, deviations)
    flagged = int(np.count_nonzero(reference.scores >= value))
    detail = tr("Flags {n} of {count}.", n=f"{flagged:,}", count=_count(reference))
    return Proposal(name, value, detail)


def _too_few(name: str) -> Proposal:
    reason = tr("Needs at least {n} scored images.", n=_FEWEST)
    return Proposal(name, None, reason, tr("needs {n} images", n=_FEWEST))


def _count(reference: Reference) -> str:
    return f"{len(reference):,} {reference.name}"


def _rests_on(reference: Reference) -> str:
    text = tr("Rests on {n} {images}", n=f"{len(reference):,}", images=reference.name)
    return f"{text}: {reference.caution}" if reference.caution else text


def _tail_name(rate: float) -> str:
    return tr("Expected to flag {share} % of normal images", share=f"{100 * rate:g}")

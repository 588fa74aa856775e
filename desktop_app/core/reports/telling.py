"""What a report tells of scores: which blocks, in which order, with which words."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from desktop_app.core.reports import charts
from desktop_app.core.reports.charts import Kind
from desktop_app.core.reports.content import (
    Bar,
    Beside,
    Block,
    Card,
    Cards,
    Command,
    Count,
    Counts,
    Drawing,
    Figure,
    Gallery,
    Key,
    Note,
    Picture,
    Report,
    RunSummary,
    Section,
    Table,
)
from desktop_app.core.scoring import (
    Confusion,
    Evaluation,
    ThresholdTable,
    is_normal,
    precision_recall_curve,
    roc_curve,
    some_scores,
    truth_codes,
    truth_from_labels,
)
from desktop_app.core.zones import Thresholds, first_thresholds, zone_counts

FLOORS = {"mean_image": "mean image", "principal_components": "principal components"}
"""How the baselines of an evaluation are called."""

MOST_LISTED = 100
"""Images in the table of the most unusual ones: a report of 10,000 images stays readable."""

_MOST_DEFECTS = 60
_VERDICTS = {"fail": "flagged", "review": "for review", "pass": "passed", None: "not scored"}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Findings:
    """Scores (N,) of images, what is known of these images, and how well it agrees."""

    scores: ArrayLike
    labels: Sequence[str]
    evaluation: Evaluation
    paths: Sequence[str] = ()
    """Their names; without them the images are not listed."""
    thresholds: Thresholds | None = None
    """None: the one of the best F1, or, without labels, the one that flags the most unusual
    hundredth."""
    usual: NDArray[np.floating[Any]] | None = None
    """Scores (M,) of normal images that were not trained on, ascending; None: there are none."""
    basis: str = ""
    """What the threshold rests on, where that is not plain to see."""


def report_of(summary: RunSummary, findings: Findings, galleries: Sequence[Gallery] = ()) -> Report:
    """Return what is told of scores. Raises InvalidInput where one is not finite or none is."""
    values = some_scores(findings.scores)
    labels, evaluation = findings.labels, findings.evaluation
    thresholds = findings.thresholds or first_thresholds(values, truth_codes(labels))
    truth = truth_from_labels(labels)
    spread: list[Block] = [_histogram(values, labels, thresholds)]
    if findings.basis:
        spread.append(Note(f"The threshold {thresholds.fail:.4g} rests on {findings.basis}"))
    if truth is not None and truth.anomalous.any():
        known = truth.labelled
        table = ThresholdTable.build(values[known], truth.anomalous[known])
        counts = table.at(thresholds.fail)
        figures = list(_labelled_figures(values[known], truth.anomalous[known], evaluation))
        sections = [
            Section("Scores", spread),
            Section("At this threshold", [_confusion(counts)]),
            *_judged_zones(table, thresholds),
            Section("Separation", _curves(values[known], truth.anomalous[known], counts)),
            Section("Defects", _defects(values, labels, evaluation, thresholds.fail)),
        ]
    else:
        figures = list(_plain_figures(values, thresholds))
        sections = [Section("Scores", spread)]
    sections += [Section(gallery.title, [_cards(gallery, thresholds)]) for gallery in galleries]
    if findings.paths:
        sections.append(Section("Ranking", _ranking(values, findings, thresholds)))
    if summary.curves:
        sections.append(Section("Training", _training(summary)))
    sections += [
        Section("Settings", [_pairs("setting", "value", summary.settings)]),
        Section("Software and hashes", _origins(summary)),
        Section("Do it again", [Command(summary.command)]),
    ]
    return Report(summary.title, _facts(summary), summary.remarks, figures, sections)


def _facts(summary: RunSummary) -> list[tuple[str, str]]:
    finished = time.strftime("%d %B %Y, %H:%M", time.localtime(summary.finished)).lstrip("0")
    return [
        ("Method", summary.method),
        ("Folder", summary.folder),
        ("Trained on", f"{summary.trained_images:,} images in {_duration(summary.seconds)}"),
        ("Finished", finished),
        ("Run", summary.run),
    ]


# ------------------------------------------------------------------------------- key figures


def _labelled_figures(
    scores: Floats, anomalous: NDArray[np.bool_], evaluation: Evaluation
) -> Iterator[Figure]:
    sure = {
        name: f"{low:.3f} to {high:.3f}"
        for name, (low, high) in (evaluation.intervals or {}).items()
    }
    yield Figure("Images", f"{evaluation.n_images:,}", f"{int(anomalous.sum()):,} anomalous")
    yield Figure("Image AUROC", _share(evaluation.image_auroc), sure.get("image_auroc", ""))
    chance = f"chance {anomalous.sum() / len(scores):.3f}"
    own = sure.get("image_aupr")
    yield Figure("Image AUPR", _share(evaluation.image_aupr), f"{own}, {chance}" if own else chance)
    spread = f"{sure['f1_max']}, " if "f1_max" in sure else ""
    yield Figure("Best F1", _share(evaluation.f1_max), f"{spread}at {evaluation.threshold_f1:.4g}")
    if evaluation.pixel_auroc is not None:
        yield Figure("Pixel AUROC", _share(evaluation.pixel_auroc), "chance 0.500")
    if evaluation.aupro is not None:
        yield Figure("AUPRO", _share(evaluation.aupro), "up to 30 % false alarms")
    if evaluation.log_loss is not None:
        yield Figure(
            "Log loss",
            _share(evaluation.log_loss),
            f"nats; calibration error {_share(evaluation.calibration_error)}",
        )
    for name, area in (evaluation.floor or {}).items():
        yield Figure(
            f"Floor: {FLOORS.get(name, name)}", _share(area), "image AUROC without learning"
        )


def _plain_figures(scores: Floats, thresholds: Thresholds) -> Iterator[Figure]:
    flagged = int(thresholds.within(scores, "fail").sum())
    yield Figure("Images", f"{len(scores):,}", "no labels to compare with")
    yield Figure("Flagged", f"{flagged:,}", f"score of {thresholds.fail:.4g} or more")
    if thresholds.review is not None:
        doubtful = int(thresholds.within(scores, "review").sum())
        yield Figure("For review", f"{doubtful:,}", f"score of {thresholds.review:.4g} or more")
    yield Figure("Median score", f"{np.median(scores):.4g}", "half lie below")
    yield Figure("Highest score", f"{scores.max():.4g}", f"lowest {scores.min():.4g}")


# ------------------------------------------------------------------------------- scores


def _histogram(scores: Floats, labels: Sequence[str], thresholds: Thresholds) -> Drawing:
    is_comparable = any(is_normal(label) for label in labels)
    kinds = np.array([_kind(label) if is_comparable else "unlabelled" for label in labels])
    known: tuple[Kind, ...] = ("normal", "anomalous", "unlabelled")
    present = [name for name in known if name in kinds]
    lines = {"threshold": thresholds.fail}
    if thresholds.review is not None:
        lines = {"review from": thresholds.review, "fail from": thresholds.fail}
    chart = charts.histogram(
        [(name, scores[kinds == name]) for name in present], lines, "Histogram of scores"
    )
    keys = [Key(name, f"{name} ({int(np.sum(kinds == name)):,})") for name in present]
    return Drawing(chart, keys=keys)


def _kind(label: str) -> Kind:
    if label == "":
        return "unlabelled"
    return "normal" if is_normal(label) else "anomalous"


def _confusion(counts: Confusion) -> Beside:
    ratios = [
        ("Precision", counts.precision),
        ("Recall", counts.recall),
        ("F1", counts.f1),
        ("Accuracy", counts.accuracy),
        ("False alarm rate", counts.false_positive_rate),
    ]
    found = Counts(
        ("", "flagged", "not flagged"),
        [
            (
                "anomalous",
                [Count(counts.tp, "found", "right"), Count(counts.fn, "missed", "wrong")],
            ),
            (
                "normal",
                [
                    Count(counts.fp, "false alarms", "wrong"),
                    Count(counts.tn, "rightly passed", "right"),
                ],
            ),
        ],
    )
    return Beside([found, Table((), [(name, _share(value)) for name, value in ratios])])


def _judged_zones(table: ThresholdTable, thresholds: Thresholds) -> list[Section]:
    """Return the section that counts the images of each zone; none without a review zone."""
    if thresholds.review is None:
        return []
    zones = zone_counts(table, thresholds).values()
    rows = [
        (kind, [Count(number, f"{100 * number / max(1, total):.1f} %") for number in numbers])
        for kind, total, numbers in (
            ("anomalous", table.positives, [zone.anomalous for zone in zones]),
            ("normal", table.negatives, [zone.normal for zone in zones]),
        )
    ]
    note = Note(f"Review from {thresholds.review:.4g}, fail from {thresholds.fail:.4g}.")
    return [Section("Zones", [Counts(("", *zone_counts(table, thresholds)), rows), note])]


def _curves(scores: Floats, anomalous: NDArray[np.bool_], counts: Confusion) -> list[Block]:
    roc = roc_curve(scores, anomalous)
    recalled = precision_recall_curve(scores, anomalous)
    recall = counts.recall or 0.0
    base = float(anomalous.mean())
    left = charts.curve(
        roc.false_positive_rate,
        roc.true_positive_rate,
        "false alarm rate",
        "share found (recall)",
        "Receiver operating characteristic",
        marker=(counts.false_positive_rate or 0.0, recall),
        chance=((0.0, 0.0), (1.0, 1.0)),
    )
    right = charts.curve(
        recalled.recall,
        recalled.precision,
        "share found (recall)",
        "precision",
        "Precision over recall",
        marker=None if counts.precision is None else (recall, counts.precision),
        chance=((0.0, base), (1.0, base)),
    )
    return [
        Beside([Drawing(left, left.name), Drawing(right, right.name)]),
        Note("The dot is the threshold above, dashes are chance."),
    ]


def _defects(
    scores: Floats, labels: Sequence[str], evaluation: Evaluation, threshold: float
) -> list[Block]:
    names = np.array(labels)
    areas = sorted((evaluation.per_defect or {}).items(), key=lambda item: item[1])
    rows = []
    for defect, area in areas[:_MOST_DEFECTS]:
        own = scores[names == defect]
        found = int(np.sum(own >= threshold))
        rows.append((defect, f"{len(own):,}", f"{found:,}", Bar(area, _share(area))))
    table = Table(("defect", "images", "found", "AUROC against normal images"), rows)
    more = len(areas) - len(rows)
    return [table, Note(f"{more:,} more kinds of defects are told better.")] if more else [table]


# ------------------------------------------------------------------------------- images


def _cards(gallery: Gallery, thresholds: Thresholds) -> Cards:
    return Cards(
        [_card(rank, picture, thresholds) for rank, picture in enumerate(gallery.pictures, 1)]
    )


def _card(rank: int, picture: Picture, thresholds: Thresholds) -> Card:
    views = (
        ("image", picture.image),
        ("heat map", picture.overlay),
        ("marked truth", picture.mask),
    )
    label = f"{picture.label} · " if picture.label else ""
    verdict = _VERDICTS[thresholds.zone(picture.score)]
    return Card(
        number=rank,
        path=picture.path,
        views=[(name, data) for name, data in views if data is not None],
        kind=_kind(picture.label) if picture.label else None,
        caption=f"{label}score {picture.score:#.4g} · {verdict}",
    )


def _ranking(scores: Floats, findings: Findings, thresholds: Thresholds) -> list[Block]:
    """Return the table of the most unusual images and how many more there are."""
    order = np.argsort(-scores, kind="stable")[:MOST_LISTED]
    usual = findings.usual
    below = None if usual is None else np.searchsorted(usual, scores[order], side="left")
    rows = []
    for place, row in enumerate(order.tolist()):
        named = [findings.paths[row], findings.labels[row], f"{scores[row]:#.4g}"]
        if below is not None and usual is not None:
            named.append(f"{100 * below[place] / len(usual):.1f} %")
        rows.append([*named, _VERDICTS[thresholds.zone(float(scores[row]))]])
    head = ["image", "label", "score", *(["above"] if below is not None else []), "verdict"]
    notes = []
    if below is not None and usual is not None:
        notes.append(
            f"Above: share of {len(usual):,} normal images, not trained on, that score lower."
        )
    if len(scores) > len(order):
        notes.append(f"{len(scores) - len(order):,} more images score lower and are not listed.")
    return [Table(head, rows), *([Note(" ".join(notes))] if notes else [])]


# ------------------------------------------------------------------------------- the run


def _training(summary: RunSummary) -> list[Block]:
    drawings = [
        Drawing(charts.history(curve.steps, curve.values, curve.name, curve.trivial))
        for curve in summary.curves
    ]
    pairs = [drawings[start : start + 2] for start in range(0, len(drawings), 2)]
    blocks: list[Block] = [Beside(pair) for pair in pairs]
    if any(curve.trivial is not None for curve in summary.curves):
        blocks.append(Note("Dashes: the value that is reached without learning."))
    return blocks


def _origins(summary: RunSummary) -> list[Block]:
    blocks: list[Block] = [_pairs("software", "version", summary.versions)]
    if summary.hashes:
        blocks.append(_pairs("what", "hash", summary.hashes))
    return blocks


def _pairs(first: str, second: str, values: Mapping[str, Any]) -> Table:
    rows = [(name, str(value)) for name, value in values.items()]
    return Table((first, second), rows, numeric=False)


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"

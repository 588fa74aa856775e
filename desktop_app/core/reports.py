"""A report of one run on one folder: a single HTML file that needs nothing beside it.

It opens in any browser, follows its light or dark scheme, prints on paper, and holds the command
that makes the run again.
"""

from __future__ import annotations

import io
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from desktop_app.core import charts
from desktop_app.core.files import replaced
from desktop_app.core.heatmaps import OUTSIDE
from desktop_app.core.scoring import (
    Confusion,
    Evaluation,
    ThresholdTable,
    is_normal,
    precision_recall_curve,
    quantile_threshold,
    roc_curve,
    truth_from_labels,
)
from desktop_app.core.zones import Thresholds, zone_counts

HEAT = np.array(
    [(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], dtype=np.float32
)
"""Colours of a heat map from usual to unusual: five stops of matplotlib's inferno (CC0)."""

FLOORS = {"mean_image": "mean image", "principal_components": "principal components"}
"""How the baselines of an evaluation are called."""

HEAT_OPACITY = 0.75
"""Of the most unusual pixel; the least unusual one is transparent."""


@dataclass(frozen=True)
class RunSummary:
    """What was done, for the head of the report and for doing it again."""

    title: str
    method: str
    folder: str
    run: str
    """Where the run lies."""
    command: str
    """The command line that makes the run again."""
    trained_images: int
    seconds: float
    """Time of training, without pauses."""
    finished: float
    """When training ended, in seconds since 1970."""
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    remarks: Sequence[str] = ()
    """Sentences worth knowing, such as how many files could not be read."""


@dataclass(frozen=True)
class Picture:
    """One image in a gallery of the report; pictures are PNG bytes."""

    path: str
    label: str
    score: float
    image: bytes
    overlay: bytes | None = None
    """The image under its heat map."""
    mask: bytes | None = None
    """The image with the true outline of its defect."""


@dataclass(frozen=True)
class Gallery:
    """Pictures under a heading, in the order given."""

    title: str
    pictures: Sequence[Picture]


def write_report(
    path: Path,
    summary: RunSummary,
    scores: ArrayLike,
    labels: Sequence[str],
    evaluation: Evaluation,
    galleries: Sequence[Gallery] = (),
    thresholds: Thresholds | None = None,
) -> Path:
    """Write the report of scores (N,) with their labels as one HTML file and return its path.

    Without thresholds the one of the best F1 is marked, or, without labels, the one that flags
    the most unusual hundredth.

    Raises InvalidInput where a score is not finite or there is none.
    """
    values = np.asarray(scores, dtype=np.float64)
    if thresholds is None:
        best = evaluation.threshold_f1
        thresholds = Thresholds(quantile_threshold(values, 0.99) if best is None else best)
    threshold = thresholds.fail
    truth = truth_from_labels(labels)
    body = [_head(summary)]
    if truth is not None and truth.anomalous.any():
        known = truth.labelled
        table = ThresholdTable.build(values[known], truth.anomalous[known])
        counts = table.at(threshold)
        body += [
            _key_figures(_labelled_figures(values[known], truth.anomalous[known], evaluation)),
            _section("Scores", _histogram(values, labels, thresholds)),
            _section("At this threshold", _confusion(counts)),
            *_judged_zones(table, thresholds),
            _section("Separation", _curves(values[known], truth.anomalous[known], counts)),
            _section("Defects", _defects(values, labels, evaluation, threshold)),
        ]
    else:
        body += [
            _key_figures(_plain_figures(values, thresholds)),
            _section("Scores", _histogram(values, labels, thresholds)),
        ]
    body += [_section(gallery.title, _gallery(gallery, thresholds)) for gallery in galleries]
    body += [_section("Settings", _settings(summary)), _section("Do it again", _again(summary))]
    with replaced(path) as temporary:
        temporary.write_text(_page(summary.title, body), encoding="utf-8")
    return path


# --------------------------------------------------------------------------------------- pictures


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image (H, W), (H, W, 1) or (H, W, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(_colour(pixels)).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def overlaid(
    pixels: NDArray[np.uint8], heat: NDArray[np.floating[Any]], usual: float, unusual: float
) -> NDArray[np.uint8]:
    """Lay a heat map (h, w) over an image (H, W, C) and return it as (H, W, 3).

    `usual` and `unusual` are the values at the two ends of the colours; take them from all images
    of a folder, so that the same colour means the same everywhere. What is not a number, because it
    lies outside of the region of interest, is grey.
    """
    image = _colour(pixels)
    height, width = image.shape[:2]
    counts = np.isfinite(heat)
    heat = np.where(counts, heat, usual)
    share = np.clip((heat - usual) / max(unusual - usual, 1e-30), 0, 1).astype(np.float32)
    resized = Image.fromarray(share).resize((width, height), Image.Resampling.BILINEAR)
    share = np.asarray(resized, dtype=np.float32)
    stops = np.linspace(0, 1, len(HEAT))
    colour = np.stack([np.interp(share, stops, HEAT[:, i]) for i in range(3)], axis=-1)
    opacity = (HEAT_OPACITY * np.sqrt(share))[..., None]
    mixed: NDArray[np.float64] = image + opacity * (colour - image)
    if not counts.all():
        outside = ~np.asarray(Image.fromarray(counts).resize((width, height)), np.bool_)
        mixed[outside] = image[outside] + HEAT_OPACITY * (OUTSIDE - image[outside])
    return (mixed + 0.5).astype(np.uint8)


def outlined(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Draw the outline of a mask (h, w) into an image (H, W, C) and return it as (H, W, 3)."""
    image = _colour(pixels).copy()
    height, width = image.shape[:2]
    sized = Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST)
    inside = np.pad(np.asarray(sized, dtype=np.bool_), 1)
    near = inside[:-2, 1:-1] | inside[2:, 1:-1] | inside[1:-1, :-2] | inside[1:-1, 2:]
    image[near & ~inside[1:-1, 1:-1]] = (0, 230, 118)
    return image


def _colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image (H, W), (H, W, 1) or (H, W, 3) as (H, W, 3)."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


# --------------------------------------------------------------------------------------- sections


def _head(summary: RunSummary) -> str:
    finished = time.strftime("%d %B %Y, %H:%M", time.localtime(summary.finished)).lstrip("0")
    facts = [
        ("Method", summary.method),
        ("Folder", summary.folder),
        ("Trained on", f"{summary.trained_images:,} images in {_duration(summary.seconds)}"),
        ("Finished", finished),
        ("Run", summary.run),
    ]
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in summary.remarks)
    listed = f'<ul class="remarks">{remarks}</ul>' if remarks else ""
    return (
        f'<header><p class="brand">Loupe</p><h1>{escape(summary.title)}</h1>'
        f'<dl class="facts">{"".join(_fact(*fact) for fact in facts)}</dl>'
        f"{listed}</header>"
    )


def _fact(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


Figure = tuple[str, str, str]
"""Name, value and a remark, of a key figure."""


def _labelled_figures(
    scores: NDArray[np.float64], anomalous: NDArray[np.bool_], evaluation: Evaluation
) -> Iterator[Figure]:
    sure = {
        name: f"{low:.3f} to {high:.3f}"
        for name, (low, high) in (evaluation.intervals or {}).items()
    }
    yield "Images", f"{evaluation.n_images:,}", f"{int(anomalous.sum()):,} anomalous"
    yield "Image AUROC", _share(evaluation.image_auroc), sure.get("image_auroc", "")
    chance = f"chance {anomalous.sum() / len(scores):.3f}"
    own = sure.get("image_aupr")
    yield "Image AUPR", _share(evaluation.image_aupr), f"{own}, {chance}" if own else chance
    yield "Best F1", _share(evaluation.f1_max), f"at {evaluation.threshold_f1:.4g}"
    if evaluation.pixel_auroc is not None:
        yield "Pixel AUROC", _share(evaluation.pixel_auroc), "chance 0.500"
    if evaluation.aupro is not None:
        yield "AUPRO", _share(evaluation.aupro), "up to 30 % false alarms"
    if evaluation.log_loss is not None:
        yield (
            "Log loss",
            _share(evaluation.log_loss),
            f"nats; calibration error {_share(evaluation.calibration_error)}",
        )
    for name, area in (evaluation.floor or {}).items():
        yield f"Floor: {FLOORS.get(name, name)}", _share(area), "image AUROC without learning"


def _plain_figures(scores: NDArray[np.float64], thresholds: Thresholds) -> Iterator[Figure]:
    flagged = int(thresholds.within(scores, "fail").sum())
    yield "Images", f"{len(scores):,}", "no labels to compare with"
    yield "Flagged", f"{flagged:,}", f"score of {thresholds.fail:.4g} or more"
    if thresholds.review is not None:
        doubtful = int(thresholds.within(scores, "review").sum())
        yield "For review", f"{doubtful:,}", f"score of {thresholds.review:.4g} or more"
    yield "Median score", f"{np.median(scores):.4g}", "half lie below"
    yield "Highest score", f"{scores.max():.4g}", f"lowest {scores.min():.4g}"


def _key_figures(figures: Iterator[Figure]) -> str:
    cards = "".join(
        f'<div class="card"><dt>{escape(name)}</dt><dd>{escape(value)}</dd>'
        f"<p>{escape(remark)}</p></div>"
        for name, value, remark in figures
    )
    return f'<dl class="cards">{cards}</dl>'


def _histogram(scores: NDArray[np.float64], labels: Sequence[str], thresholds: Thresholds) -> str:
    is_comparable = any(is_normal(label) for label in labels)
    kinds = np.array([_kind(label) if is_comparable else "unlabelled" for label in labels])
    present = [name for name in ("normal", "anomalous", "unlabelled") if name in kinds]
    lines = {"threshold": thresholds.fail}
    if thresholds.review is not None:
        lines = {"review from": thresholds.review, "fail from": thresholds.fail}
    chart = charts.histogram(
        [(name, scores[kinds == name]) for name in present], lines, "Histogram of scores"
    )
    keys = "".join(
        f'<span><i class="{name}"></i>{name} ({int(np.sum(kinds == name)):,})</span>'
        for name in present
    )
    return f'<figure>{chart}<figcaption class="keys">{keys}</figcaption></figure>'


def _kind(label: str) -> str:
    if label == "":
        return "unlabelled"
    return "normal" if is_normal(label) else "anomalous"


def _confusion(counts: Confusion) -> str:
    ratios = [
        ("Precision", counts.precision),
        ("Recall", counts.recall),
        ("F1", counts.f1),
        ("Accuracy", counts.accuracy),
        ("False alarm rate", counts.false_positive_rate),
    ]
    rows = "".join(f"<tr><th>{name}</th><td>{_share(value)}</td></tr>" for name, value in ratios)
    return (
        '<div class="side"><table class="confusion"><thead><tr><th></th><th>flagged</th>'
        "<th>not flagged</th></tr></thead><tbody>"
        f'<tr><th>anomalous</th><td class="right">{counts.tp:,}<small>found</small></td>'
        f'<td class="wrong">{counts.fn:,}<small>missed</small></td></tr>'
        f'<tr><th>normal</th><td class="wrong">{counts.fp:,}<small>false alarms</small></td>'
        f'<td class="right">{counts.tn:,}<small>rightly passed</small></td></tr>'
        f"</tbody></table><table>{rows}</table></div>"
    )


def _judged_zones(table: ThresholdTable, thresholds: Thresholds) -> list[str]:
    """Return the section that counts the images of each zone; none without a review zone."""
    if thresholds.review is None:
        return []
    counts = zone_counts(table, thresholds)
    heads = "".join(f"<th>{zone}</th>" for zone in counts)
    kinds = {"anomalous": table.positives, "normal": table.negatives}
    rows = "".join(
        f"<tr><th>{kind}</th>"
        + "".join(
            f"<td>{getattr(count, kind):,}<small>"
            f"{100 * getattr(count, kind) / max(1, total):.1f} %</small></td>"
            for count in counts.values()
        )
        + "</tr>"
        for kind, total in kinds.items()
    )
    shown = (
        f'<table class="confusion"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
        f"<p class=note>Review from {thresholds.review:.4g}, fail from {thresholds.fail:.4g}.</p>"
    )
    return [_section("Zones", shown)]


def _curves(scores: NDArray[np.float64], anomalous: NDArray[np.bool_], counts: Confusion) -> str:
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
    return (
        f'<div class="side"><figure>{left}<figcaption>Receiver operating characteristic'
        f"</figcaption></figure><figure>{right}<figcaption>Precision over recall</figcaption>"
        "</figure></div><p class=note>The dot is the threshold above, dashes are chance.</p>"
    )


def _defects(
    scores: NDArray[np.float64],
    labels: Sequence[str],
    evaluation: Evaluation,
    threshold: float,
) -> str:
    names = np.array(labels)
    rows = []
    for defect, area in (evaluation.per_defect or {}).items():
        own = scores[names == defect]
        rows.append(
            f"<tr><th>{escape(defect)}</th><td>{len(own):,}</td>"
            f"<td>{int(np.sum(own >= threshold)):,}</td>"
            f'<td class="bar"><span><b style="width:{100 * area:.1f}%"></b></span>'
            f"{_share(area)}</td></tr>"
        )
    return (
        "<table><thead><tr><th>defect</th><th>images</th><th>found</th>"
        f"<th>AUROC against normal images</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _gallery(gallery: Gallery, thresholds: Thresholds) -> str:
    cards = []
    for rank, picture in enumerate(gallery.pictures, start=1):
        views = [
            (picture.image, "image"),
            (picture.overlay, "heat map"),
            (picture.mask, "marked truth"),
        ]
        shown = "".join(
            f'<img src="data:image/png;base64,{b64encode(data).decode()}" '
            f'alt="{escape(picture.path)}, {view}">'
            for data, view in views
            if data is not None
        )
        kind = _kind(picture.label)
        words = {"fail": "flagged", "review": "for review", "pass": "passed"}
        zone = thresholds.zone(picture.score)
        verdict = words[zone] if zone is not None else "not scored"
        label = f'<i class="{kind}"></i>{escape(picture.label)} · ' if picture.label else ""
        cards.append(
            f'<figure class="picture"><div class="views">{shown}</div><figcaption>'
            f'<b>{rank}</b> <span class="path">{escape(picture.path)}</span><br>'
            f"{label}score {picture.score:.4g} · {verdict}</figcaption></figure>"
        )
    return f'<div class="gallery">{"".join(cards)}</div>'


def _settings(summary: RunSummary) -> str:
    return (
        f'<div class="side">{_table("setting", "value", summary.settings)}'
        f"{_table('software', 'version', summary.versions)}</div>"
    )


def _table(first: str, second: str, rows: Mapping[str, Any]) -> str:
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    head = f"<thead><tr><th>{first}</th><th>{second}</th></tr></thead>"
    return f'<table class="plain">{head}<tbody>{cells}</tbody></table>'


def _again(summary: RunSummary) -> str:
    return f"<pre>{escape(summary.command)}</pre>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _page(title: str, body: Sequence[str]) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Loupe</title><style>{STYLE}</style></head>\n"
        f"<body><main>{chr(10).join(body)}</main></body></html>\n"
    )


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --paper: #ffffff; --ink: #1b1f27;
  --soft: #646c7a; --rule: #dfe3e8; --accent: #2f5fd0; --normal: #4f81d8; --anomalous: #d9552c;
  --unlabelled: #8a93a3; --right: #e5f3ea; --wrong: #fbe9e2; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #14171c; --paper: #1c2027;
  --ink: #e6e9ee;
  --soft: #98a1b0; --rule: #323842; --accent: #7ea6ff; --normal: #6f9cf0; --anomalous: #f0784e;
  --unlabelled: #8a93a3; --right: #1f3529; --wrong: #40281f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1040px; margin: 32px auto; padding: 0 24px 24px; }
header, section { background: var(--paper); border: 1px solid var(--rule); border-radius: 12px;
  padding: 24px 28px; margin-bottom: 18px; }
.brand { margin: 0; color: var(--accent); font-weight: 700; letter-spacing: .14em; font-size: 12px;
  text-transform: uppercase; }
h1 { margin: 2px 0 16px; font-size: 27px; line-height: 1.25; letter-spacing: -.01em; }
h2 { margin: 0 0 16px; font-size: 17px; }
dl, dd, figure { margin: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr));
  gap: 12px 28px; }
dt { color: var(--soft); font-size: 12.5px; }
.facts dd { overflow-wrap: anywhere; }
.remarks { margin: 18px 0 0; padding: 10px 14px 10px 30px; border-left: 3px solid var(--accent);
  background: var(--page); border-radius: 0 8px 8px 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(148px, 1fr)); gap: 14px;
  margin-bottom: 18px; }
.card { background: var(--paper); border: 1px solid var(--rule); border-radius: 12px;
  padding: 14px 16px; }
.card dd { font-size: 27px; font-weight: 650; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.card p { margin: 2px 0 0; color: var(--soft); font-size: 12.5px; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr));
  gap: 18px 36px; align-items: start; }
svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: 13px; text-align: center; }
.keys { display: flex; gap: 20px; justify-content: center; margin-top: 6px; }
i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
i.normal { background: var(--normal); } i.anomalous { background: var(--anomalous); }
i.unlabelled { background: var(--unlabelled); }
rect.normal { fill: var(--normal); } rect.anomalous { fill: var(--anomalous); }
rect.unlabelled { fill: var(--unlabelled); }
svg line.axis { stroke: var(--soft); } svg line.grid { stroke: var(--rule); }
svg line.chance { stroke: var(--soft); stroke-dasharray: 4 4; }
svg line.threshold { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 3; }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2.25; stroke-linejoin: round; }
svg .marker { fill: var(--paper); stroke: var(--accent); stroke-width: 2.5; }
svg text { font-family: inherit; fill: var(--soft); font-size: 12px; }
svg text.name { fill: var(--ink); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 7px 10px; border-bottom: 1px solid var(--rule);
  overflow-wrap: anywhere; }
th { font-weight: 500; } thead th { color: var(--soft); font-size: 12.5px; font-weight: 400; }
tbody tr:last-child th, tbody tr:last-child td { border-bottom: 0; }
.confusion td { font-size: 21px; font-weight: 600; border: 3px solid var(--paper);
  border-radius: 8px; }
.confusion th { border: 0; }
.confusion small { display: block; font-size: 12.5px; font-weight: 400; color: var(--soft); }
.confusion .right { background: var(--right); } .confusion .wrong { background: var(--wrong); }
.bar { display: flex; align-items: center; gap: 12px; }
.bar span { flex: 1; height: 8px; border-radius: 4px; background: var(--rule); overflow: hidden; }
.bar b { display: block; height: 100%; background: var(--accent); }
.note { color: var(--soft); font-size: 13px; margin: 12px 0 0; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(400px, 1fr));
  gap: 20px; }
.picture { break-inside: avoid; }
.views { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 3px;
  border-radius: 8px; overflow: hidden; }
.views img { display: block; width: 100%; height: auto; }
.picture figcaption { text-align: left; margin-top: 6px; }
.picture b { color: var(--ink); } .path { color: var(--ink); overflow-wrap: anywhere; }
pre { margin: 0; padding: 14px 16px; background: var(--page); border-radius: 8px;
  font: 13px/1.55 ui-monospace, "Cascadia Mono", Menlo, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { :root { --page: #fff; --rule: #ccc; } body { font-size: 11pt; }
  main { margin: 0; padding: 0; max-width: none; }
  header, section { border: 0; padding: 0 0 8px; break-inside: avoid; }
  h2 { break-after: avoid; } .cards { grid-template-columns: repeat(6, 1fr); gap: 8px; }
  .card { padding: 8px 10px; break-inside: avoid; } .card dd { font-size: 20px; }
  .gallery { grid-template-columns: 1fr 1fr; gap: 14px; } .side { grid-template-columns: 1fr 1fr; }
  section:has(.gallery) { break-inside: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

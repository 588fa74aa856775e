"""`loupe compare`: how far several runs agree on which images of a folder are unusual."""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.cli.use import applied, array_of, require_file
from desktop_app.core.agreement import Agreement, agreement, correlation_interval
from desktop_app.core.columns import score_column
from desktop_app.core.ensembles import write_ensemble
from desktop_app.core.files import replaced
from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.runs import Run
from desktop_app.core.scoring import auroc, truth_from_labels
from desktop_app.sdk.capabilities import Scores
from desktop_app.sdk.errors import InvalidInput

_SHOWN = 5
"""Images on which the runs disagree most that are printed."""


def compare(options: argparse.Namespace) -> int:
    """Score a folder with every run, and print how far they agree and what they say together."""
    if len(options.runs) < 2:
        raise InvalidInput(f"Name two or more runs to compare, got '{options.runs[0]}' alone.")
    if options.out is not None:
        require_file(options.out)
    folder = ImageFolder(options.folder)
    table = folder.list_files()
    scores: list[NDArray[Any]] = []
    for run in options.runs:
        single = argparse.Namespace(**vars(options), run=run)
        with applied(single, {"scores"}, Scores, "score images") as (used, result):
            array_of(result, "scores")
            scores.append(np.asarray(score_column(result, table)))
            table, scores = _same_images(table, used, scores)
    found = agreement(scores)
    names = [run.name for run in options.runs]
    if options.out is not None:
        _write(options.out, table.paths, table.labels, names, found)
    if options.keep is not None:
        runs = [Run.open(run) for run in options.runs]
        write_ensemble(options.keep, folder, table, runs, scores, " + ".join(names))
    report = _report(names, scores, table.labels, found, table.paths)
    print(json.dumps(report) if options.json else _text(report))
    return 0


def _same_images(
    table: ImageTable, used: ImageTable, scores: list[NDArray[Any]]
) -> tuple[ImageTable, list[NDArray[Any]]]:
    """Return the rows of a table that were used, and the scores (n,) of these."""
    rows = np.flatnonzero(np.isin(table.ids, used.ids))
    return table.where(rows), [column[rows] for column in scores]


def _report(
    names: list[str],
    scores: list[NDArray[Any]],
    labels: list[str],
    found: Agreement,
    paths: list[str],
) -> dict[str, Any]:
    order = np.argsort(-found.disagreement, kind="stable")[:_SHOWN]
    return {
        "n_images": len(paths),
        "runs": names,
        "rank_correlation": found.correlation.round(4).tolist(),
        "rank_correlation_interval": [
            [_interval(value, found.count) for value in row] for row in found.correlation.tolist()
        ],
        "image_auroc": _areas([*scores, found.together], labels, [*names, "together"]),
        "disagreement": {paths[row]: round(float(found.disagreement[row]), 4) for row in order},
    }


def _interval(correlation: float, count: int) -> list[float]:
    interval = correlation_interval(correlation, count)
    return [round(interval.low, 4), round(interval.high, 4)]


def _areas(
    scores: list[NDArray[Any]], labels: list[str], names: list[str]
) -> dict[str, float] | None:
    """Return the image AUROC of each run and of all together; None where labels do not tell."""
    truth = truth_from_labels(labels)
    if truth is None or not truth.anomalous.any():
        return None
    known = truth.labelled
    return {
        name: auroc(one[known], truth.anomalous[known])
        for name, one in zip(names, scores, strict=True)
    }


def _text(report: dict[str, Any]) -> str:
    names = report["runs"]
    width = max(map(len, [*names, "together"])) + 2
    lines = [f"{report['n_images']} images", "", "rank correlation"]
    for name, row in zip(names, report["rank_correlation"], strict=True):
        lines.append(f"  {name:{width}}" + "".join(f"{value:8.3f}" for value in row))
    if len(names) == 2:
        low, high = report["rank_correlation_interval"][0][1]
        lines.append(f"  {'95 % interval':{width}}{low:8.3f} to {high:.3f}")
    if report["image_auroc"] is not None:
        lines += ["", "image AUROC"]
        lines += [f"  {name:{width}}{area:8.4f}" for name, area in report["image_auroc"].items()]
    lines += ["", "largest disagreement"]
    lines += [f"  {share:.3f}  {path}" for path, share in report["disagreement"].items()]
    return "\n".join(lines)


def _write(
    out: Path, paths: list[str], labels: list[str], names: list[str], found: Agreement
) -> None:
    """Write a CSV: the share of images with a lower score by each run, together, disagreement."""
    with (
        replaced(out) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["path", "label", *names, "together", "disagreement"])
        columns = [*found.shares, found.together, found.disagreement]
        for row, path in enumerate(paths):
            values = [f"{column[row]:.6f}" for column in columns]
            writer.writerow([path, labels[row], *values])

"""`loupe compare`: how far several runs agree on which images of a folder are unusual."""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.cli.use import applied, array_of, require_file
from desktop_app.core.agreement import Agreement, agreement
from desktop_app.core.files import replaced
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
    scores: list[NDArray[Any]] = []
    paths, labels = [], []
    for run in options.runs:
        single = argparse.Namespace(**vars(options), run=run)
        with applied(single, {"scores"}, Scores, "score images") as (table, result):
            paths, labels = table.paths, table.labels
            scores.append(np.array(array_of(result, "scores")))
    found = agreement(scores)
    names = [run.name for run in options.runs]
    if options.out is not None:
        _write(options.out, paths, labels, names, found)
    report = _report(names, scores, labels, found, paths)
    print(json.dumps(report) if options.json else _text(report))
    return 0


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
        "image_auroc": _areas([*scores, found.together], labels, [*names, "together"]),
        "disagreement": {paths[row]: round(float(found.disagreement[row]), 4) for row in order},
    }


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

"""`loupe score`, `embed`, `cluster`, `export`, `evaluate`: use a trained run on a folder."""

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from desktop_app.cli.parser import SYNTHETIC
from desktop_app.cli.progress import Progress
from desktop_app.core.clusters import NONE, cluster_folder, write_clusters
from desktop_app.core.copies import lies_within, sort_into_folders
from desktop_app.core.ensembles import is_ensemble
from desktop_app.core.features import Features, require_format, write_features
from desktop_app.core.files import replaced
from desktop_app.core.floor import floor_of, with_floor
from desktop_app.core.heatmaps import heat_picture
from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.masks import MaskColumn
from desktop_app.core.refusals import made_folder
from desktop_app.core.runs import JobFolder, Result, Run
from desktop_app.core.scoring import Evaluation, truth_from_labels
from desktop_app.core.scoring import evaluate as evaluated
from desktop_app.core.zones import Thresholds
from desktop_app.sdk.capabilities import Clusters, Encodes, Scores
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.applying import apply_run
from desktop_app.worker.devices import use_threads
from desktop_app.worker.exporting import export_encoder, sentence
from desktop_app.worker.loading import require_capability, trained_method
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.synthetic import score_synthetic_of_run


def score(options: argparse.Namespace) -> int:
    """Write `path,label,score` of every image, and heat maps when they are wanted.

    With a threshold the zone of each image follows: fail, review or pass.
    """
    require_file(options.out)
    thresholds, _basis = chosen_thresholds(options)
    wanted = {"scores", "maps"} if options.maps else {"scores"}
    with applied(options, wanted, Scores, "score images") as (table, result):
        scores = array_of(result, "scores")
        write_scores(options.out, table.paths, table.labels, scores, thresholds)
        if options.maps:
            _write_maps(options.maps, table, array_of(result, "maps"))
        _report(options, {"n_images": len(table), "out": str(options.out)})
    return 0


def write_scores(
    out: Path,
    paths: Sequence[str],
    labels: Sequence[str],
    scores: NDArray[Any],
    thresholds: Thresholds | None = None,
) -> None:
    """Write a CSV with the columns path, label and score, which keeps every digit.

    With thresholds the column zone follows.
    """
    columns: dict[str, Iterable[str]] = {
        "path": paths,
        "label": labels,
        "score": map(_exact, scores),
    }
    if thresholds is not None:
        columns["zone"] = (thresholds.zone(float(score)) or "" for score in scores)
    with replaced(out) as temporary, _text(temporary) as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def chosen_thresholds(options: argparse.Namespace) -> tuple[Thresholds | None, str]:
    """Return the thresholds that are asked for, if any, and what they rest on.

    One by synthetic defects is found now, and its basis is told; "" is that of a number. Raises
    InvalidInput for a lone --review.
    """
    if options.threshold is None:
        if options.review is not None:
            raise InvalidInput("--review needs --threshold: name the score from which images fail.")
        return None, ""
    fail, basis = options.threshold, ""
    if fail == SYNTHETIC:
        fail, basis = _synthetic_threshold(options)
    return Thresholds(fail, options.review), basis


def _synthetic_threshold(options: argparse.Namespace) -> tuple[float, str]:
    run = Run.open(options.run)
    use_threads(options.threads)
    require_capability(run, Scores, "score images")
    if is_ensemble(run):
        raise InvalidInput("An ensemble scores images of folders alone: name a score instead.")
    with Progress(as_json=False) as show:

        def told(done: int, total: int) -> None:
            what = "Scoring synthetic defects"
            show({"type": "progress", "what": what, "done": done, "total": total})

        found = score_synthetic_of_run(run, trained_method(run.path, options.device), told)
    threshold = found.best()[1]
    print(f"Threshold {threshold:.6g}: {found.basis()}", file=sys.stderr)
    return threshold, found.basis()


def embed(options: argparse.Namespace) -> int:
    """Write paths, labels, splits and latents as npz, CSV or Parquet, by the suffix."""
    require_file(options.out)
    require_format(options.out)
    with applied(options, {"latents"}, Encodes, "encode images") as (table, result):
        latents = array_of(result, "latents")
        features = Features(table.paths, table.labels, table.splits, latents)
        for _ in write_features(features, options.out):
            pass
        size = {"n_images": len(table), "dimensions": latents.shape[1], "out": str(options.out)}
        _report(options, size)
    return 0


def cluster(options: argparse.Namespace) -> int:
    """Write `path,label,cluster` of every image; copy the images into folders when wanted."""
    require_file(options.out)
    folder, target = options.folder, options.copy_to
    if target is not None and lies_within(target, folder):
        raise InvalidInput(
            f"--copy-to '{target}' lies in the folder of the images, to which nothing is ever "
            "written: name a folder elsewhere."
        )
    with applied(options, {"clusters"}, Clusters, "find clusters") as (table, result):
        clusters = array_of(result, "clusters").tolist()
        for _ in write_clusters(options.out, table.paths, table.labels, clusters):
            pass
        if target is not None:
            groups = [cluster_folder(number) for number in clusters]
            for _ in sort_into_folders(folder, table.paths, groups, target):
                pass
        found = len(set(clusters) - {NONE})
        _report(options, {"n_images": len(table), "clusters": found, "out": str(options.out)})
    return 0


def export(options: argparse.Namespace) -> int:
    """Write the encoder of a run as a module of its own, checked against the run."""
    run = Run.open(options.run)
    folder = options.folder or Path(run.spec().folder)
    use_threads(options.threads)
    with (
        tempfile.TemporaryDirectory(prefix="loupe-") as name,
        Progress(as_json=False) as show,
        Narrator(JobFolder(Path(name)), show) as narrator,
    ):
        made = export_encoder(run, options.out, folder, narrator)
    if options.json:
        print(json.dumps({**asdict(made), "path": str(made.path)}))
    else:
        print(sentence(made), file=sys.stderr)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Print how well scores and maps agree with labels and masks, and what each zone holds."""
    thresholds, _basis = chosen_thresholds(options)
    with applied(options, {"scores", "maps"}, Scores, "score images") as (table, result):
        maps = result.array("maps", mapped=True)
        folder = ImageFolder(options.folder)
        masks = None if maps is None else MaskColumn(folder, table.masks, maps.shape[-1])
        scores = array_of(result, "scores")
        measures = evaluated(scores, table.labels, maps, masks)
        if options.full:
            floor = floor_of(Run.open(options.run), folder, table, np.arange(len(table)))
            measures = with_floor(measures, floor, table.labels)
        zones = {} if thresholds is None else {"zones": _zones(scores, table.labels, thresholds)}
    print_measures(measures, as_json=options.json, full=options.full, more=zones)
    return 0


def _zones(
    scores: NDArray[Any], labels: Sequence[str], thresholds: Thresholds
) -> dict[str, dict[str, int]]:
    """Count the images of each zone: all, and anomalous and normal ones where that is known."""
    truth = truth_from_labels(labels)
    found: dict[str, dict[str, int]] = {}
    for zone in thresholds.zones:
        inside = thresholds.within(scores, zone)
        found[zone] = {"images": int(inside.sum())}
        if truth is not None:
            found[zone]["anomalous"] = int((inside & truth.anomalous).sum())
            found[zone]["normal"] = int((inside & truth.labelled & ~truth.anomalous).sum())
    return found


def print_measures(
    measures: Evaluation,
    *,
    as_json: bool,
    full: bool = True,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print measures as one line of JSON, or a line each; with how sure they are if `full`."""
    fields = measures.as_json(full=full) | dict(more or {})
    if as_json:
        print(json.dumps(fields))
        return
    for name, value in fields.items():
        print(f"{name:18} {_readable(value)}")


def require_file(path: Path) -> None:
    """Raise InvalidInput when a file cannot be written there, before anything is computed."""
    made_folder(path.absolute().parent)
    if path.is_dir():
        raise InvalidInput(f"Expected the name of a file for --out, but '{path}' is a folder.")


@contextmanager
def applied(
    options: argparse.Namespace, wanted: Collection[str], capability: type[Any], wish: str
) -> Iterator[tuple[ImageTable, Result]]:
    """Look at the images of a folder with a trained run; give images and arrays."""
    run = Run.open(options.run)
    folder = ImageFolder(options.folder)
    use_threads(options.threads)
    require_capability(run, capability, wish)

    def chosen(table: ImageTable) -> NDArray[np.bool_]:
        return _chosen(table, options)

    with tempfile.TemporaryDirectory(prefix="loupe-") as name, Progress(as_json=False) as show:
        result = Result(Path(name))
        with Narrator(result, show) as narrator:
            table = apply_run(
                run,
                folder,
                result,
                narrator,
                options.device,
                wanted=wanted,
                choose=chosen,
                most_map_bytes=float("inf"),
                foretell=True,
            )
        yield table, result


def _chosen(table: ImageTable, options: argparse.Namespace) -> NDArray[np.bool_]:
    """Return which images are used: a split, the test images when evaluating, or all."""
    splits = np.array(table.splits, dtype=np.str_)
    if options.split:
        rows: NDArray[np.bool_] = splits == options.split
        if not rows.any():
            known = ", ".join(sorted(set(table.splits) - {""})) or "none"
            raise InvalidInput(
                f"'{options.folder}' holds no image of split '{options.split}'. Known: {known}."
            )
        return rows
    tests: NDArray[np.bool_] = splits == "test"
    is_evaluation = options.command[1] in ("evaluate", "compare")
    return tests if is_evaluation and tests.any() else np.ones(len(table), np.bool_)


def array_of(result: Result, name: str) -> NDArray[Any]:
    """Return an array of a result. Raises InvalidInput when the method makes none."""
    array = result.array(name, mapped=True)
    if array is None:
        raise InvalidInput(f"This method makes no {name}: choose another run.")
    return array


def _write_maps(folder: Path, table: ImageTable, maps: NDArray[Any]) -> None:
    """Write each map as exact .npy and as a picture on one scale, in the images' sub-folders."""
    low, high = np.nanpercentile(maps[:: max(1, len(maps) // 200)], (1, 99.9))
    for row, path in enumerate(table.paths):
        target = folder / f"{path}.npy"
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, maps[row])
        Image.fromarray(heat_picture(maps[row], float(low), float(high))).save(
            folder / f"{path}.png"
        )


def _text(path: Path) -> Any:
    return path.open("w", newline="", encoding="utf-8", errors="surrogateescape")


def _exact(score: Any) -> str:
    return repr(float(score))


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(part)}" for name, part in value.items()) or "-"
    if isinstance(value, list):
        return " to ".join(map(_readable, value))
    if isinstance(value, float):
        return f"{value:.4f}"
    return "-" if value is None else str(value)


def _report(options: argparse.Namespace, facts: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(facts))
    else:
        print(f"{facts['n_images']} images: {facts['out']}", file=sys.stderr)

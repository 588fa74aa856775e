"""The report of a run on a folder, put together from what lies on disk.

for done, total in report_steps(ReportRequest(...), path): ...
"""

import hashlib
import math
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.columns import ResultColumns
from desktop_app.core.ensembles import ENSEMBLE
from desktop_app.core.floor import floor_of, with_floor
from desktop_app.core.images import ImageFolder, decode, decode_mask
from desktop_app.core.masks import MaskColumn
from desktop_app.core.reports.content import Gallery, Picture, RunSummary
from desktop_app.core.reports.files import report_format, write_report
from desktop_app.core.reports.pictures import encoded, outlined, overlaid
from desktop_app.core.reports.telling import Findings, report_of
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.core.runstory import training_curves, training_sentences
from desktop_app.core.scoring import Evaluation, evaluate, is_normal, truth_from_labels
from desktop_app.core.states import state_hash
from desktop_app.core.table import ImageTable
from desktop_app.core.zones import Thresholds
from desktop_app.sdk.errors import InvalidInput, UnreadableImage

Rows = NDArray[np.int64]

MOST_PICTURES = 24
"""The most unusual images that a report shows."""
_MOST_MISTAKES = 12
_FEWEST_USUAL = 20
"""Normal images that make it worth telling which share of them a score lies above."""
_SIDE = 320
"""Longest side of a picture in pixels: a report is one file that is sent around."""
_MOST_MAP_BYTES = 512 << 20
_CHANNELS = {1: "grey", 3: "rgb"}
_SOFTWARE = ("loupe-workbench", "torch", "torchvision", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class ReportRequest:
    """What a report is about."""

    folder: ImageFolder
    table: ImageTable
    result: ResultColumns
    method: str
    """The name of the method, for the analyst."""
    thresholds: Thresholds | None = None
    """None: the one of the best F1, or the one that flags the most unusual hundredth."""
    basis: str = ""
    """What the threshold rests on; "": nobody said, or it is that of `result.synthetic`."""


def report_steps(request: ReportRequest, path: Path) -> Iterator[tuple[int, int]]:
    """Write the report as one HTML or PDF file, by the suffix; yield (done, total) pieces of work.

    Measures are taken on the test images where the folder names some, else on all scored images.
    Raises InvalidInput where no image has a score, or the suffix names no form.
    """
    report_format(path)
    rows = measured_rows(request)
    scores = request.result.scores
    if scores is None or not len(rows):
        raise InvalidInput("A report needs scored images, but the run gave none a score.")
    labels = [request.table.labels[row] for row in rows.tolist()]
    evaluation = evaluation_of(request)
    chosen = request.thresholds
    threshold = chosen.fail if chosen is not None else evaluation.threshold_f1
    plan = _planned(scores, labels, rows, threshold)
    total = 1 + sum(len(shown) for _title, shown in plan)
    done = 1
    yield done, total
    galleries = []
    for title, shown in plan:
        pictures = []
        for row in shown.tolist():
            picture = _picture(request, row)
            pictures += [picture] if picture is not None else []
            done += 1
            yield done, total
        galleries.append(Gallery(title, pictures))
    findings = Findings(
        scores[rows],
        labels,
        evaluation,
        paths=[request.table.paths[row] for row in rows.tolist()],
        thresholds=request.thresholds,
        usual=_usual_scores(request),
        basis=_basis(request),
    )
    write_report(path, report_of(_summary(request), findings, galleries))


def _basis(request: ReportRequest) -> str:
    """Return what the threshold rests on, "" where nobody said."""
    made, chosen = request.result.synthetic, request.thresholds
    if request.basis or made is None or chosen is None:
        return request.basis
    return made.basis() if math.isclose(made.best()[1], chosen.fail, rel_tol=1e-4) else ""


def measured_rows(request: ReportRequest) -> Rows:
    """Return the rows that measures are taken on: test images where there are some, else all."""
    if request.result.scores is None:
        return np.zeros(0, np.int64)
    scored = np.isfinite(request.result.scores)
    tests = scored & np.array([split == "test" for split in request.table.splits], dtype=np.bool_)
    return np.flatnonzero(tests if tests.any() else scored).astype(np.int64)


def evaluation_of(request: ReportRequest) -> Evaluation:
    """Return the measures of a result; those of pixels where masks and maps are there."""
    rows, result = measured_rows(request), request.result
    labels = [request.table.labels[row] for row in rows.tolist()]
    scores = np.asarray(result.scores)[rows]
    floor = floor_of(result.run, request.folder, request.table, rows)
    maps = result.maps
    paths = [request.table.masks[row] for row in rows.tolist()]
    if maps is None or not any(paths) or maps[0].nbytes * len(rows) > _MOST_MAP_BYTES:
        return with_floor(evaluate(scores, labels), floor, labels)
    masks = MaskColumn(request.folder, paths, maps.shape[-1])
    measures = evaluate(scores, labels, np.asarray(maps[result.index[rows]]), masks)
    return with_floor(measures, floor, labels)


def _usual_scores(request: ReportRequest) -> NDArray[np.float32] | None:
    """Return the scores (M,), ascending, of normal images that were not trained on.

    None where there are too few to say where a score stands.
    """
    table, result = request.table, request.result
    scores, data = np.asarray(result.scores), result.run.data() or {}
    labels = [is_normal(label) for label in table.labels]
    normal, scored = np.array(labels, dtype=np.bool_), np.isfinite(scores)
    is_own = data.get("folder_key") == request.folder.key
    trained_on = frozenset(data["paths"]) if is_own else frozenset()
    fresh = np.array([path not in trained_on for path in table.paths], dtype=np.bool_)
    unseen = np.zeros(len(table), np.bool_) if result.unseen is None else result.unseen
    anomalous = np.array([label != "" for label in table.labels], dtype=np.bool_) & ~normal
    for chosen in (unseen & ~anomalous, normal & fresh):
        usual = scores[chosen & scored]
        if len(usual) >= _FEWEST_USUAL:
            return np.sort(usual)
    return None


def _planned(
    scores: NDArray[np.float32], labels: list[str], rows: Rows, threshold: float | None
) -> list[tuple[str, Rows]]:
    """Return titles and rows of the galleries: the most unusual images, then the mistakes."""
    order = rows[np.argsort(-scores[rows], kind="stable")]
    plan = [("Most unusual images", order[:MOST_PICTURES])]
    truth = truth_from_labels(labels)
    if truth is None or threshold is None or not truth.anomalous.any():
        return plan
    flagged = scores[rows] >= threshold
    missed = rows[truth.anomalous & ~flagged]
    alarms = rows[truth.labelled & ~truth.anomalous & flagged]
    plan.append(("Missed", missed[np.argsort(scores[missed], kind="stable")][:_MOST_MISTAKES]))
    plan.append(
        ("False alarms", alarms[np.argsort(-scores[alarms], kind="stable")][:_MOST_MISTAKES])
    )
    return [(title, chosen) for title, chosen in plan if len(chosen)]


def _picture(request: ReportRequest, row: int) -> Picture | None:
    """Return the picture of a row, or None where its file cannot be read any more."""
    folder, table, result = request.folder, request.table, request.result
    try:
        pixels = _small(decode(folder.absolute(table.paths[row])))
    except (UnreadableImage, OSError):
        return None
    heat = result.map(row)
    mask = table.masks[row]
    return Picture(
        path=table.paths[row],
        label=table.labels[row],
        score=float(np.asarray(result.scores)[row]),
        image=encoded(pixels),
        overlay=encoded(overlaid(pixels, heat, *result.map_range)) if heat is not None else None,
        mask=encoded(outlined(pixels, decode_mask(folder.absolute(mask)))) if mask else None,
    )


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image)


def _summary(request: ReportRequest) -> RunSummary:
    run = request.result.run
    spec, data = run.spec(), run.data()
    events = run.events()
    states = [event for event in events if event["type"] == "state"]
    none: dict[str, Any] = {"time": spec.created, "elapsed": 0.0, "state": ""}
    last = states[-1] if states else none
    return RunSummary(
        title=f"{request.method}: {request.folder.name}",
        method=request.method,
        folder=str(request.folder.root),
        run=str(run.path),
        command=training_command(spec, run.path),
        trained_images=len(data["paths"]) if data else 0,
        seconds=float(last["elapsed"]),
        finished=float(last["time"]),
        settings=_settings(spec, run),
        versions=_versions(),
        remarks=[*_remarks(request, run, str(last["state"])), *training_sentences(events)],
        hashes=_hashes(request, run, data or {}),
        curves=training_curves(events),
    )


def training_command(spec: JobSpec, out: Path) -> str:
    """Return the command line that makes a run again."""
    if spec.method == ENSEMBLE:
        runs = spec.params["runs"]
        return shlex.join(["loupe", "compare", spec.folder, *runs, "--keep", f"{out}-again"])
    parts = ["loupe", "train", spec.folder, "--method", spec.method]
    for name, value in spec.params.items():
        parts += ["--set", f"{name}={value}"]
    parts += ["--image-size", str(spec.image_size), "--seed", str(spec.seed)]
    parts += ["--tile", str(spec.tile), "--overlap", str(spec.overlap)] if spec.tile else []
    parts += ["--split", spec.split] if spec.split else []
    parts += ["--channels", _CHANNELS[spec.channels]] if spec.channels else []
    parts += ["--hold-out", str(spec.hold_out)] if spec.hold_out else []
    parts += ["--folds", str(spec.folds)] if spec.folds else []
    parts += ["--region", str(Run(out).region_path)] if spec.region else []
    return shlex.join([*parts, "--out", f"{out}-again"])


def _settings(spec: JobSpec, run: Run) -> dict[str, Any]:
    chosen = {"image size": f"{spec.image_size} px", "seed": spec.seed, "device": spec.device}
    if spec.tile:
        chosen["tiles"] = f"{spec.tile} px, overlap {spec.overlap} px"
    if spec.region:
        chosen["region of interest"] = _region_words(run)
    return {**chosen, **spec.params}


def _hashes(request: ReportRequest, run: Run, data: Mapping[str, Any]) -> dict[str, str]:
    """Return what tells the trained method and the images from all others."""
    found = {}
    trained = run.method_path if run.method_path.exists() else run.latest_checkpoint()
    if trained is not None:
        found["trained method, SHA-256 of its numbers"] = state_hash(trained)
    folder, table = request.folder, request.table
    contents = folder.content_hashes(len(table))
    measured = [table.paths[row] for row in measured_rows(request).tolist()]
    found["images measured, names and contents"] = _joint_hash(measured, contents)
    if data.get("folder_key") == folder.key:
        found["images trained on, names and contents"] = _joint_hash(data["paths"], contents)
    region = run.region()
    if region is not None:
        found["region of interest"] = region.hash
    return found


def _joint_hash(paths: Sequence[str], contents: Mapping[str, bytes]) -> str:
    """Return a hash of images by their sorted names and the hashes of their contents."""
    mark = hashlib.blake2b(digest_size=16)
    for path in sorted(paths):
        mark.update(path.encode("utf-8", "surrogateescape") + b"\0" + contents.get(path, b""))
    return f"{mark.hexdigest()} ({len(paths):,} images)"


def _region_words(run: Run) -> str:
    """Return how much of the images counts, and the hash that tells it from others."""
    region = run.region()
    return "" if region is None else f"{region.share:.1%} of the image, {region.hash}"


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _remarks(request: ReportRequest, run: Run, state: str) -> list[str]:
    remarks = []
    if state and state != JobState.FINISHED:
        remarks.append(f"The training did not finish: it is {state}.")
    broken = sum(map(bool, request.table.problems))
    if broken:
        remarks.append(f"{broken:,} files could not be used and were left out.")
    maps = request.result.maps
    if maps is None and any(request.table.masks):
        remarks.append("The run keeps no heat maps for this folder: pixel measures are missing.")
    if not run.method_path.exists():
        remarks.append("The last checkpoint of the training was used.")
    return remarks

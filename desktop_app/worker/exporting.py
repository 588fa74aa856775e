"""A trained encoder as a file that runs without Loupe, checked against the method it came from.

Beside the file lies a JSON of its name: which method and parameters it comes from, what it takes
and gives, and how far its latents were from the method's own. A file that gives other latents than
the method is not kept.

Shapes: N images, C channels, H rows, W columns, D latent dimensions.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from desktop_app import __version__
from desktop_app.core.files import write_json
from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache
from desktop_app.core.refusals import made_folder, refusal
from desktop_app.core.runs import JobFolder, JobState, Run
from desktop_app.sdk.data import Images, even_rows
from desktop_app.sdk.errors import InvalidInput, LoupeError
from desktop_app.toolbox.exporting import (
    TOLERANCE,
    encoder_module,
    largest_difference,
    require_file_type,
    run_module,
    write_module,
)
from desktop_app.worker.commands import Commands
from desktop_app.worker.devices import use_threads
from desktop_app.worker.failures import told_failures
from desktop_app.worker.loading import channels_of, trained_method
from desktop_app.worker.narrator import Narrator, Observer, silent
from desktop_app.worker.ownership import owned

_CHECKED = 16
"""Images that the exported encoder is checked with."""


@dataclass(frozen=True)
class Exported:
    """An encoder's file and how near its latents are to those of the method."""

    path: Path
    sample_shape: tuple[int, int, int]
    """(C, H, W) of the images that it takes."""
    dimensions: int
    difference: float
    """Largest difference from the method's latents, as a share of the largest of them."""
    checked_on: str
    """"16 images of 'folder'", or "16 random images"."""


def export(
    job: JobFolder, run: Run, commands: Commands | None = None, observe: Observer = silent
) -> JobState:
    """Export a run's encoder as the spec of a job says; return how it ended."""
    spec = job.spec()
    with owned(job, commands or Commands()), Narrator(job, observe, size=0) as narrator:
        narrator.start_clock()
        with told_failures(narrator) as outcome:
            narrator.state(JobState.RUNNING)
            use_threads(spec.threads)
            made = export_encoder(run, Path(spec.out), Path(spec.folder), narrator)
            narrator.tell("note", level="info", text=sentence(made))
            outcome.state = JobState.FINISHED
        narrator.state(outcome.state, outcome.detail)
        return outcome.state


def export_encoder(run: Run, path: Path, folder: Path | None, narrator: Narrator) -> Exported:
    """Write a run's encoder to a file and its description beside it; return what was made.

    It is checked on images of `folder`, on random ones where that cannot be read. Raises
    InvalidInput when the latents differ by more than the tolerance, MissingCapability when the
    method has no encoder that can be written.
    """
    require_file_type(path)
    made_folder(path.absolute().parent)
    narrator.progress("Writing the encoder", 0, 3)
    method: Any = trained_method(run.path, "cpu")
    module = encoder_module(method)
    images, checked_on = _probes(run, folder, method)
    expected = method.encode(images)
    shape = (images.shape[1], images.shape[2], images.shape[3])
    try:
        place = tempfile.TemporaryDirectory(prefix=".loupe-", dir=path.absolute().parent)
    except OSError as problem:
        raise refusal(path, problem) from problem
    with place as name:
        unfinished = Path(name) / path.name
        write_module(module, unfinished, shape)
        narrator.progress("Writing the encoder", 1, 3)
        difference = largest_difference(run_module(unfinished, images), expected)
        narrator.progress("Writing the encoder", 2, 3)
        made = Exported(path, shape, expected.shape[1], difference, checked_on)
        _require_alike(made)
        write_json(path.with_name(f"{path.name}.json"), _description(run, made))
        shutil.move(unfinished, path)
    narrator.progress("Writing the encoder", 3, 3)
    return made


def sentence(made: Exported) -> str:
    """Return what was made, for the log."""
    channels, height, width = made.sample_shape
    return (
        f"'{made.path}' takes float32 images (N, {channels}, {height}, {width}) in [0, 1] and "
        f"returns latents (N, {made.dimensions}); largest difference from the trained method "
        f"{made.difference:.1e} on {made.checked_on}."
    )


def _probes(run: Run, folder: Path | None, method: Any) -> tuple[Images, str]:
    """Return images (N, C, S, S) to check with, and what they are."""
    spec, channels = run.spec(), channels_of(run)
    try:
        if folder is None:
            raise InvalidInput("No folder was named.")
        return _images_of(ImageFolder(folder), spec.image_size, channels)
    except LoupeError:
        shape = getattr(method, "sample_shape", None) or (
            channels,
            spec.image_size,
            spec.image_size,
        )
        random = np.random.default_rng(0).random((_CHECKED, *shape), dtype=np.float32)
        return random, f"{_CHECKED} random images"


def _images_of(folder: ImageFolder, size: int, channels: int) -> tuple[Images, str]:
    table = folder.list_files().usable()
    table = table.where(even_rows(len(table), _CHECKED))
    cache = PixelCache(folder, size, channels)
    for _ in cache.fill(table):
        pass
    problems = dict(folder.problems())
    table = table.where(np.array([path not in problems for path in table.paths], np.bool_))
    if not len(table):
        raise InvalidInput(f"The folder '{folder.root}' holds no images that can be read.")
    images = cache.dataset(table).images(slice(0, len(table)))
    return images, f"{len(table)} images of '{folder.name}'"


def _require_alike(made: Exported) -> None:
    if not made.difference <= TOLERANCE:
        raise InvalidInput(
            f"The exported encoder gives other latents than the trained method: they differ by "
            f"{made.difference:.1e} of the largest on {made.checked_on}, at most {TOLERANCE:.0e} "
            "was expected. Nothing was kept; try another form (.pt2, .ts, .onnx)."
        )


def _description(run: Run, made: Exported) -> dict[str, Any]:
    spec = run.spec()
    return {
        "method": spec.method,
        "title": spec.title,
        "params": spec.params,
        "seed": spec.seed,
        "input": {
            "name": "images",
            "type": "float32",
            "shape": ["N", *made.sample_shape],
            "range": [0.0, 1.0],
        },
        "output": {"name": "latents", "type": "float32", "shape": ["N", made.dimensions]},
        "parity": {
            "largest_relative_difference": made.difference,
            "tolerance": TOLERANCE,
            "checked_on": made.checked_on,
        },
        "loupe": __version__,
        "torch": torch.__version__,
    }

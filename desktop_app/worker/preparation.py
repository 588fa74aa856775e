"""The images of a job: listed, decoded once, and the same ones each time it is resumed."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from desktop_app.core.holdout import held_out
from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.pixels import PixelCache, natural_channels
from desktop_app.core.regions import mean_colour
from desktop_app.core.runs import Run
from desktop_app.core.sight import seen_by
from desktop_app.sdk.data import Dataset
from desktop_app.sdk.errors import InvalidInput
from desktop_app.worker.commands import Commands
from desktop_app.worker.narrator import Narrator


def training_images(run: Run, narrator: Narrator, commands: Commands) -> tuple[ImageTable, Dataset]:
    """Return the images that a run is trained on and their pixels; unreadable ones are left out.

    The first start notes which they are; every later one takes the same.
    Raises InvalidInput when there is none, or when one of an interrupted run is gone, and
    Stopped when told to stop.
    """
    spec, known = run.spec(), run.data()
    folder = ImageFolder(Path(spec.folder))
    narrator.progress("Listing images", 0, 1)
    table = folder.list_files()
    if known is not None:
        table = _same_images(table, known["paths"], folder)
        channels = int(known["channels"])
        table, data = decoded(folder, table, spec.image_size, channels, narrator, commands)
        return table, seen_by(run, data)
    if not spec.channels:
        _follow("Looking into images", folder.probe(), narrator, commands)
        table = folder.table()
    rows = folder.training_rows(table, spec.split)
    tell_left_out(sum(map(bool, table.problems)), len(table), narrator)
    before = table.where(rows)
    table = _without(before, spec.leave_out)
    left_out = sorted(set(before.paths) - set(table.paths))
    if left_out:
        text = f"{len(left_out)} of {len(before)} training images are left out, as was asked for."
        narrator.tell("note", level="info", text=text)
    kept_back = held_out(table.paths, spec.hold_out, spec.seed)
    channels = spec.channels or natural_channels(table)
    held_paths = table.where(kept_back).paths
    table = table.where(~kept_back)
    table, data = decoded(folder, table, spec.image_size, channels, narrator, commands)
    run.write_data(
        {
            "folder_key": folder.key,
            "channels": channels,
            "paths": table.paths,
            "held_out": held_paths,
            "left_out": left_out,
            **_fill(run, data),
        }
    )
    return table, seen_by(run, data)


def _fill(run: Run, data: Dataset) -> dict[str, Any]:
    """Return what stands where images do not count: the mean colour of all that does."""
    region = run.region()
    if region is None:
        return {}
    return {"fill": mean_colour(data, region.at(*data.sample_shape[1:])).tolist()}


def _without(table: ImageTable, paths: list[str]) -> ImageTable:
    """Return a table without some images. Raises InvalidInput when none is left."""
    left_out = set(paths)
    kept = np.array([path not in left_out for path in table.paths], dtype=np.bool_)
    if not kept.any():
        raise InvalidInput(
            f"All {len(table)} training images are left out: take some of them back."
        )
    return table.where(kept)


def decoded(
    folder: ImageFolder,
    table: ImageTable,
    size: int,
    channels: int,
    narrator: Narrator,
    commands: Commands,
) -> tuple[ImageTable, Dataset]:
    """Return the readable images of a table and their pixels at side `size`.

    Raises InvalidInput when none can be read, and Stopped when told to stop.
    """
    cache = PixelCache(folder, size, channels)
    _follow("Decoding images", cache.fill(table), narrator, commands)
    problems = dict(folder.problems())
    readable = np.array([path not in problems for path in table.paths], dtype=np.bool_)
    if not readable.any():
        raise InvalidInput(
            f"None of the {len(table)} images in '{folder.root}' can be read; the first: "
            f"{table.paths[0]}: {problems[table.paths[0]]}"
            if len(table)
            else f"The folder '{folder.root}' holds no images that can be read."
        )
    tell_left_out(int((~readable).sum()), len(table), narrator)
    table = table.where(readable)
    return table, cache.dataset(table)


def tell_left_out(count: int, total: int, narrator: Narrator) -> None:
    """Warn that images cannot be read, when there are any."""
    if count:
        text = f"{count} of {total} images cannot be read and are left out."
        narrator.tell("note", level="warning", text=text)


def _follow(
    what: str,
    steps: Generator[tuple[int, int], None, None],
    narrator: Narrator,
    commands: Commands,
) -> None:
    """Tell how far a piece of work is, and leave off when told to; it keeps what is done."""
    with closing(steps):
        for done, total in steps:
            narrator.progress(what, done, total)
            commands.require_no_stop()


def _same_images(table: ImageTable, paths: list[str], folder: ImageFolder) -> ImageTable:
    row_of = {path: row for row, path in enumerate(table.paths)}
    missing = [path for path in paths if path not in row_of]
    if missing:
        raise InvalidInput(
            f"{len(missing)} of {len(paths)} images of this run are no longer in "
            f"'{folder.root}' (first: '{missing[0]}'): put them back, or start a new run."
        )
    return table.where(np.array([row_of[path] for path in paths], dtype=np.int64))

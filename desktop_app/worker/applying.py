"""What a trained method says of every image of a folder: latents, scores, maps, clusters.

Arrays are written as they are computed, so that no folder is too large for the memory.
Shapes: N images, D latent dimensions, H rows, W columns.
"""

import tempfile
from collections.abc import Callable, Collection
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.columns import score_column
from desktop_app.core.ensembles import (
    is_ensemble,
    joined_scores,
    member_maps,
    members,
    write_ensemble_result,
)
from desktop_app.core.files import ArrayWriter, write_array
from desktop_app.core.heatmaps import MOST_MAP_BYTES
from desktop_app.core.images import ImageFolder, ImageTable
from desktop_app.core.latentmap import Axes, projected
from desktop_app.core.pixels import PixelCache
from desktop_app.core.regions import Region
from desktop_app.core.runs import JobFolder, JobSpec, JobState, Result, Run
from desktop_app.core.sight import counted, seen_by
from desktop_app.core.synthetic import forget_synthetic
from desktop_app.core.tiles import grid_of
from desktop_app.sdk.capabilities import (
    Clusters,
    Embeds,
    Encodes,
    Inspects,
    Localizes,
    Represents,
    Scores,
)
from desktop_app.sdk.data import Dataset, Images, batch_size
from desktop_app.sdk.errors import MissingCapability
from desktop_app.sdk.method import Method
from desktop_app.worker.commands import Commands, Stopped
from desktop_app.worker.devices import chosen_device, use_threads
from desktop_app.worker.failures import told_failures
from desktop_app.worker.forecast import forecast
from desktop_app.worker.listeners import with_listeners
from desktop_app.worker.loading import channels_of, trained_method
from desktop_app.worker.narrator import Narrator, Observer, silent
from desktop_app.worker.ownership import owned
from desktop_app.worker.preparation import decoded, tell_left_out

_BATCH = 32
_UNKEPT = {
    "maps": "The maps of {count} images are not kept; each is made when it is looked at.",
    "vectors": "The vectors of {count} images are too large to be kept beside their positions.",
}
"""What is said of arrays that are left out where they are too large."""


@dataclass(frozen=True)
class _Output:
    """One array that a capability fills."""

    name: str
    capability: type[Any]
    compute: Callable[[Any, Images], NDArray[Any]]


_OUTPUTS = (
    _Output("latents", Encodes, lambda method, images: method.encode(images)),
    _Output("scores", Scores, lambda method, images: method.score(images)),
    _Output("maps", Localizes, lambda method, images: method.localize(images)),
    _Output("clusters", Clusters, lambda method, images: method.cluster(images)),
    _Output("vectors", Represents, lambda method, images: method.represent(images)),
)

OUTPUTS = frozenset(output.name for output in _OUTPUTS)


def apply(
    result: Result, run: Run, commands: Commands | None = None, observe: Observer = silent
) -> JobState:
    """Use a trained run on the folder that the result's spec names; return how it ended."""
    commands = commands or Commands()
    spec = result.spec()
    observe = with_listeners(result.path, observe)
    with owned(result, commands), Narrator(result, observe, size=0) as narrator:
        narrator.start_clock()
        with told_failures(narrator) as outcome:
            narrator.state(JobState.RUNNING)
            use_threads(spec.threads)
            device, folder = chosen_device(spec.device), ImageFolder(Path(spec.folder))
            try:
                apply_run(run, folder, result, narrator, device, commands=commands, foretell=True)
                outcome.state = JobState.FINISHED
            except Stopped:
                outcome.state = JobState.STOPPED
        narrator.state(outcome.state, outcome.detail)
        return outcome.state


def apply_run(
    run: Run,
    folder: ImageFolder,
    result: Result,
    narrator: Narrator,
    device: str,
    *,
    wanted: Collection[str] = OUTPUTS,
    commands: Commands | None = None,
    choose: Callable[[ImageTable], NDArray[np.bool_]] | None = None,
    most_map_bytes: float = MOST_MAP_BYTES,
    foretell: bool = False,
) -> ImageTable:
    """Write what a run, or all runs of an ensemble together, say of a folder's images.

    As `apply_method`; an ensemble has scores, and maps where all of its runs have them.
    """
    if not is_ensemble(run):
        method = trained_method(run.path, device)
        return apply_method(
            method,
            run,
            folder,
            result,
            narrator,
            wanted=wanted,
            commands=commands,
            choose=choose,
            most_map_bytes=most_map_bytes,
            foretell=foretell,
        )
    columns, maps, table = [], [], folder.list_files()
    needed = {"scores", *({"maps"} & set(wanted))}
    with ExitStack() as kept:
        for member in members(run):
            name = kept.enter_context(tempfile.TemporaryDirectory(prefix="loupe-"))
            part, method = Result(Path(name)), trained_method(member.path, device)
            apply_method(
                method,
                member,
                folder,
                part,
                narrator,
                wanted=needed,
                commands=commands,
                choose=choose,
                most_map_bytes=most_map_bytes,
                foretell=foretell,
            )
            columns.append(score_column(part, table))
            maps.append(member_maps(part, table))
        if any(column is None for column in columns):
            raise MissingCapability("A run of this ensemble gives no scores: keep it anew.")
        joined = joined_scores(run, [column for column in columns if column is not None])
        write_ensemble_result(run, result, folder, table, joined, maps, most_map_bytes)
        maps.clear()  # their files can go once nobody reads them
    return table.where(np.isfinite(joined))


def apply_method(
    method: Method[Any],
    run: Run,
    folder: ImageFolder,
    result: Result,
    narrator: Narrator,
    *,
    wanted: Collection[str] = OUTPUTS,
    commands: Commands | None = None,
    choose: Callable[[ImageTable], NDArray[np.bool_]] | None = None,
    most_map_bytes: float = MOST_MAP_BYTES,
    foretell: bool = False,
) -> ImageTable:
    """Write what a method says of a folder's images into a result; return the images.

    `wanted` names the arrays, `choose` picks images. Maps, and vectors behind embedded positions,
    that need more than `most_map_bytes` on the disk are left out. With `foretell`, what it will
    cost is told first. Raises Stopped when told to.
    """
    spec, commands = run.spec(), commands or Commands()
    listed = folder.list_files()
    table = listed.usable()
    tell_left_out(len(listed) - len(table), len(listed), narrator)
    if choose is not None:
        table = table.where(choose(table))
    channels = channels_of(run)
    outputs = _made_by(method, wanted)
    if foretell:
        cache = PixelCache(folder, spec.image_size, channels)
        grid = grid_of(spec, run.region())
        expected = forecast(
            cache,
            folder,
            table,
            lambda images: _computed(method, images, outputs),
            tiles=1 if grid is None else len(grid),
        )
        if expected is not None:
            narrator.tell("note", level="info", text=expected.sentence())
    table, data = decoded(folder, table, spec.image_size, channels, narrator, commands)
    result.path.mkdir(parents=True, exist_ok=True)
    for name in ("rows.json", "watched.npy"):
        (result.path / name).unlink(missing_ok=True)
    forget_synthetic(result)
    seen = seen_by(run, data)
    _write_arrays(method, run.region(), seen, result, narrator, outputs, commands, most_map_bytes)
    about = _write_positions(result)
    if "latents" in wanted and isinstance(method, Embeds) and not isinstance(method, Encodes):
        _write_embedded(method.embed(), run, folder, table, result)
    write_array(result.path / "ids.npy", table.ids)
    result.write_rows(
        {
            "folder": str(folder.root),
            "method": method.card.id,
            "paths": table.paths,
            "labels": table.labels,
            "splits": table.splits,
            "masks": table.masks,
            **about,
        }
    )
    return table


def _made_by(method: Method[Any], wanted: Collection[str]) -> list[_Output]:
    """Return the arrays that are wanted and that a method can make."""
    outputs = [
        output
        for output in _OUTPUTS
        if output.name in wanted and isinstance(method, output.capability)
    ]
    if not isinstance(method, Embeds):  # else encode tells the vectors themselves
        outputs = [output for output in outputs if output.name != "vectors"]
    return outputs


def _write_arrays(
    method: Method[Any],
    region: Region | None,
    data: Dataset,
    result: Result,
    narrator: Narrator,
    outputs: list[_Output],
    commands: Commands,
    most_map_bytes: float,
) -> None:
    outputs = list(outputs)
    for output in _OUTPUTS:
        (result.path / f"{output.name}.npy").unlink(missing_ok=True)
    with ExitStack() as opened:
        files: dict[str, ArrayWriter] = {}
        size = batch_size(data.sample_shape, _BATCH)
        for start in range(0, len(data), size):
            commands.require_no_stop()
            rows = slice(start, min(start + size, len(data)))
            found = _computed(method, data.images(rows), outputs)
            if "maps" in found:
                found["maps"] = counted(region, found["maps"])
            for name, values in found.items():
                if _is_too_large(name, values[0].nbytes * len(data), most_map_bytes):
                    outputs = [output for output in outputs if output.name != name]
                    told = _UNKEPT[name].format(count=len(data))
                    narrator.tell("note", level="info", text=told)
                    continue
                if name not in files:
                    file = ArrayWriter(result.path / f"{name}.npy", len(data), values)
                    files[name] = opened.enter_context(closing(file))
                files[name].write(values)
            narrator.progress("Looking at images", rows.stop, len(data))


def _computed(
    method: Method[Any], images: Images, outputs: list[_Output]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of some images; scores and maps from one pass, of a method that can."""
    names = {output.name for output in outputs}
    found: dict[str, NDArray[Any]] = {}
    if isinstance(method, Inspects) and {"scores", "maps"} <= names:
        found["scores"], found["maps"] = map(np.asarray, method.inspect(images))
    for output in outputs:
        if output.name not in found:
            found[output.name] = np.asarray(output.compute(method, images))
    return found


def _is_too_large(name: str, size: float, most_map_bytes: float) -> bool:
    return name in _UNKEPT and size > most_map_bytes


def _write_positions(result: Result) -> dict[str, Any]:
    """Write the map that is seen first: the latents themselves where they are two numbers, else
    the plane of largest variance through them.
    """
    for name in ("positions", "basis"):
        (result.path / f"{name}.npy").unlink(missing_ok=True)
    latents = result.array("latents", mapped=True)
    if latents is None or latents.ndim != 2 or len(latents) < 2:
        return {}
    shown = projected(latents, Axes("own" if latents.shape[1] == 2 else "plane"))
    write_array(result.path / "positions.npy", shown.coordinates)
    write_array(result.path / "basis.npy", np.vstack([shown.mean, shown.axes]))
    return {} if shown.explained is None else {"explained": shown.explained}


def _write_embedded(
    embedded: NDArray[Any], run: Run, folder: ImageFolder, table: ImageTable, result: Result
) -> None:
    """Write the positions of the fitted images as the method laid them; others have none."""
    fitted = run.data()
    if embedded.ndim != 2 or embedded.shape[1] not in (2, 3) or fitted is None:
        return
    if fitted["folder_key"] != folder.key or len(fitted["paths"]) != len(embedded):
        return
    positions = np.full((len(table), embedded.shape[1]), np.nan, np.float32)
    row_of = {path: row for row, path in enumerate(table.paths)}
    known = [place for place, path in enumerate(fitted["paths"]) if path in row_of]
    positions[[row_of[fitted["paths"][place]] for place in known]] = embedded[known]
    write_array(result.path / "positions.npy", positions)


def applies_to(job: JobFolder) -> Run:
    """Return the run whose method a job uses: results and exports lie inside their run."""
    return Run.open(job.path.parent.parent)


def apply_spec(run: Run, folder: str, device: str, threads: int) -> JobSpec:
    """Return the spec of a job that uses a run on a folder."""
    spec = run.spec()
    return spec.model_copy(
        update={"action": "apply", "folder": folder, "device": device, "threads": threads}
    )

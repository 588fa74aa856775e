"""`loupe train`: write the spec of a run and train it in this process."""

import argparse
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from desktop_app.cli.progress import Progress
from desktop_app.core.catalog import described_presets
from desktop_app.core.experiments import chosen_by_name
from desktop_app.core.images import ImageFolder
from desktop_app.core.plugins import find_method
from desktop_app.core.regions import Region, joined, read_region
from desktop_app.core.runs import JobSpec, JobState, Run
from desktop_app.core.states import read_state
from desktop_app.core.tiles import usual_overlap
from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.sdk.method import Method
from desktop_app.sdk.params import Params
from desktop_app.worker.commands import Commands
from desktop_app.worker.interrupts import stopped_by_interrupt
from desktop_app.worker.loading import named_runs, new_method, require_tiles
from desktop_app.worker.training import train as train_run

_CHANNELS = {"auto": 0, "grey": 1, "rgb": 3}
_FIXED = frozenset({"seed", "channels", "hold_out", "tile", "overlap"})
"""Options that a resumed run keeps."""
_FREE = frozenset({"device", "threads", "checkpoint_seconds", "folds"})
"""Options that may be given anew when a run is resumed."""
_CODES = {JobState.FINISHED: 0, JobState.STOPPED: 130}


def train(options: argparse.Namespace) -> int:
    """Train, or resume, and return the exit code."""
    run = _run(options)
    commands = Commands()
    with Progress(as_json=options.json) as show, stopped_by_interrupt(commands):
        last: dict[str, Any] = {}

        def observe(line: dict[str, Any]) -> None:
            if line["type"] == "state":
                last.update(line)
            show(line)

        state = train_run(run, commands, observe)
    if options.json:
        print(json.dumps({"type": "result", "state": str(state), "run": str(run.path)}))
    if state is JobState.FINISHED:
        print(f"Trained {run.spec().method}: {run.path}", file=sys.stderr)
    elif state is JobState.STOPPED:
        print(f"loupe: stopped; `--resume` continues '{run.path}'.", file=sys.stderr)
    else:
        print(f"loupe: {last.get('detail') or state}", file=sys.stderr)
    return _CODES.get(state, 1)


def assigned(assignments: list[str]) -> dict[str, str]:
    """Return NAME=VALUE words as a dictionary. Raises InvalidParameter for any other word."""
    values = {}
    for word in assignments:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise InvalidParameter(f"Expected --set NAME=VALUE, got '{word}'.")
        values[name.strip()] = value.strip()
    return values


def _run(options: argparse.Namespace) -> Run:
    """Return the run to train: a new one, or the one to resume with what was changed."""
    path = options.out.absolute()
    if options.resume and (path / "spec.json").exists():
        return _resumed(Run.open(path), options, assigned(options.assignments))
    if not options.method:
        raise InvalidParameter("Name a method with --method; `loupe methods` lists them.")
    return Run.create(path, new_spec(options), chosen_region(options))


def chosen_region(options: argparse.Namespace) -> Region | None:
    """Return what counts of every image, None for all of it. Raises InvalidInput."""
    counted, ignored = (
        read_region(path) if path is not None else None for path in (options.region, options.ignore)
    )
    return joined(counted, ignored)


def new_spec(options: argparse.Namespace) -> JobSpec:
    """Return the spec of a new run: preset, then values that were set, then those of options.

    Without an image size it is that of the preset, that of a run which a parameter names, or the
    one that suits the method; with tiles it must be named. Raises InvalidParameter, or
    MissingCapability where the method cannot be shown tiles.
    """
    kind, _ = find_method(options.method)
    folder = ImageFolder(options.folder)
    chosen = (
        chosen_by_name("preset", options.preset, described_presets(kind)) if options.preset else {}
    )
    values = {**chosen.get("values", {}), **assigned(options.assignments)}
    params = kind.params_type.parse(values)
    size = (
        options.image_size
        or _size_of_named_run(kind, params)
        or chosen.get("image_size")
        or kind.card.image_size
    )
    title = f"{kind.card.title} · {chosen['name']}" if chosen else kind.card.title
    tiles = _tiles(options)
    spec = JobSpec(
        folder=str(folder.root),
        split=options.split,
        method=options.method,
        params=params.model_dump(),
        image_size=_size(size, is_cut=bool(tiles)),
        apply_after=options.apply or bool(options.folds),
        leave_out=_left_out(options.leave_out, folder) if options.leave_out else [],
        title=title,
        **_given(options, _FIXED | _FREE) | tiles,
    )
    require_tiles(spec)
    return spec


def _tiles(options: argparse.Namespace) -> dict[str, int]:
    """Return how images are cut into tiles, nothing where they are looked at whole."""
    tile, overlap = options.tile, options.overlap
    if not tile:
        if overlap:
            raise InvalidParameter(f"--overlap {overlap} needs --tile: name the side of a tile.")
        return {}
    if not options.image_size:
        raise InvalidParameter(
            "--tile needs --image-size: the size at which images are read before they are cut."
        )
    return {"tile": tile, "overlap": usual_overlap(tile) if overlap is None else overlap}


def _size_of_named_run(kind: type[Method[Any]], params: Params) -> int | None:
    """Return the image size of a run that a parameter names: it sees images of that size alone."""
    sizes = [Run.open(path).spec().image_size for path in named_runs(kind, params).values()]
    return sizes[0] if sizes else None


def _left_out(file: Path, folder: ImageFolder) -> list[str]:
    """Return the paths in a file, one on each line.

    Raises InvalidInput when it cannot be read, or when one of them is no image of the folder.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as problem:
        raise InvalidInput(f"The list '{file}' cannot be read: {problem}.") from None
    paths = [line.strip() for line in lines if line.strip()]
    unknown = sorted(set(paths) - set(folder.list_files().paths))
    if unknown:
        raise InvalidInput(
            f"{len(unknown)} of {len(paths)} lines of '{file}' name no image of '{folder.root}' "
            f"(first: '{unknown[0]}'): write paths below that folder, with '/'."
        )
    return paths


def _resumed(run: Run, options: argparse.Namespace, changes: dict[str, str]) -> Run:
    """Return the run with the options that may change; refuse those that may not."""
    spec = run.spec()
    folder = options.folder.resolve()
    if Path(spec.folder) != folder:
        raise InvalidInput(
            f"'{run.path}' was trained on '{spec.folder}', not on '{folder}': "
            "name that folder, or start a new run."
        )
    if options.preset:
        raise InvalidInput(
            f"'{run.path}' has its parameters already: leave --preset out, or start a new run."
        )
    region = chosen_region(options)
    if region is not None and region.hash != spec.region:
        raise InvalidInput(
            f"'{run.path}' was begun with another region of interest: leave --region and --ignore "
            "out, or name a new folder with --out."
        )
    wanted = {"method": options.method, "image_size": options.image_size, "split": options.split}
    for name, value in (wanted | _given(options, _FIXED)).items():
        if value is not None and value != getattr(spec, name):
            raise InvalidInput(
                f"'{run.path}' has the {name.replace('_', ' ')} {getattr(spec, name)!r}, not "
                f"{value!r}: leave that option out, or name a new folder with --out."
            )
    kind, _ = find_method(spec.method)
    params = kind.params_type.parse(spec.params | changes).model_dump()
    changed = spec.model_copy(update={"params": params, **_given(options, _FREE)})
    if changes:
        _require_continuable(run, changed)
    run.write_spec(changed)
    return run


def _require_continuable(run: Run, spec: JobSpec) -> None:
    """Raise InvalidInput when the run cannot go on with other parameters."""
    checkpoint = run.latest_checkpoint()
    if checkpoint is not None:
        new_method(spec, "cpu").restore(read_state(checkpoint))


def _given(options: argparse.Namespace, names: Collection[str]) -> dict[str, Any]:
    """Return the options that were given, under their names in a spec."""
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if "channels" in given:
        given["channels"] = _CHANNELS[given["channels"]]
    return given


def _size(side: int, *, is_cut: bool) -> int:
    most = 4096 if is_cut else 2048
    if not 8 <= side <= most:
        raise InvalidParameter(f"--image-size must be 8 to {most} pixels, got {side}.")
    return side

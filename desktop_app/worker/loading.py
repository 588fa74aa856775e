"""From a run folder to a method that can be used, or trained further.

A run whose method builds upon another run keeps a copy of it, so that it needs nothing outside its
folder: `attached/<parameter>/`, a run folder with no more than what the trained method is.
"""

import shutil
from pathlib import Path
from typing import Any

from desktop_app.core.ensembles import is_ensemble
from desktop_app.core.files import replaced
from desktop_app.core.plugins import find_method
from desktop_app.core.regions import Region
from desktop_app.core.runs import JobSpec, Run
from desktop_app.core.states import write_state
from desktop_app.core.tiles import grid_of
from desktop_app.sdk.capabilities import Scores
from desktop_app.sdk.errors import MissingCapability, UnreadableRun
from desktop_app.sdk.method import Method
from desktop_app.sdk.params import Params, parameter_schema
from desktop_app.worker.devices import chosen_device
from desktop_app.worker.tiling import attach, in_tiles, kind_in_tiles


def new_method(
    spec: JobSpec, device: str, attached: Path | None = None, region: Region | None = None
) -> Method[Any]:
    """Return an untrained method with the parameters of a spec, for a region of interest.

    Trained runs that a parameter names are attached: the copy of each in the folder `attached`
    where there is one. Raises UnknownMethod, InvalidParameter, MissingCapability where the method
    cannot be shown tiles, or UnreadableRun when a named run cannot be used.
    """
    kind, _ = find_method(spec.method)
    params = kind.params_type.parse(spec.params)
    method: Method[Any] = kind(params, seed=spec.seed, device=device)
    grid = grid_of(spec, region)
    if grid is not None:
        method = in_tiles(method, grid)
    elif region is not None:
        method.region = region.at(spec.image_size, spec.image_size)
    for name, named in named_runs(kind, params).items():
        copy = attached / name if attached is not None else named
        attach(method, name, trained_method(copy if copy.is_dir() else named, device))
    return method


def require_tiles(spec: JobSpec, region: Region | None = None) -> None:
    """Raise InvalidParameter or MissingCapability where images cannot be cut as a spec asks."""
    if grid_of(spec, region) is not None:
        kind_in_tiles(find_method(spec.method)[0])


def keep_attached(run: Run) -> None:
    """Copy the trained runs that a run's parameters name into its folder, once.

    Raises UnreadableRun when one cannot be used.
    """
    spec = run.spec()
    kind, _ = find_method(spec.method)
    for name, named in named_runs(kind, kind.params_type.parse(spec.params)).items():
        if not (run.attached_path / name).is_dir():
            _copy_trained(Run.open(named), run.attached_path / name)


def named_runs(kind: type[Method[Any]], params: Params) -> dict[str, Path]:
    """Return the run folders that parameters name."""
    names = [
        field["name"] for field in parameter_schema(kind.params_type) if field["kind"] == "run"
    ]
    return {name: Path(getattr(params, name)) for name in names if getattr(params, name)}


def _copy_trained(run: Run, target: Path) -> None:
    """Copy what a trained method is: its spec, state and the runs that it is attached to."""
    state = run.trained_state()
    with replaced(target) as temporary:
        temporary.mkdir(parents=True)
        copy = Run(temporary)
        copy.write_spec(run.spec())
        if run.region_path.is_file():
            shutil.copyfile(run.region_path, copy.region_path)
        if (data := run.data()) is not None:
            copy.write_data(data | {"paths": [], "left_out": []})
        write_state(copy.method_path, state, step=0)
        if run.attached_path.is_dir():
            shutil.copytree(run.attached_path, copy.attached_path)


def trained_method(path: Path, device: str = "auto") -> Method[Any]:
    """Return the trained method of a run folder; it needs nothing outside that folder.

    Raises UnreadableRun when there is none, and MissingCapability for an ensemble.
    """
    run = Run.open(path)
    spec = run.spec()
    if is_ensemble(run):
        raise MissingCapability(
            f"'{path.name}' is an ensemble, which has scores alone: use one of its runs."
        )
    state = run.trained_state()
    method = new_method(spec, chosen_device(device), run.attached_path, run.region())
    method.restore(state)
    return method


def channels_of(run: Run) -> int:
    """Return the channels C that a run was trained with. Raises UnreadableRun when unknown."""
    data = run.data()
    if data is None:
        raise UnreadableRun(f"'{run.path}' has not read its images yet: start its training.")
    return int(data["channels"])


def require_capability(run: Run, capability: type[Any], wish: str) -> None:
    """Raise MissingCapability unless the method of a run, or an ensemble, has a capability."""
    if not is_ensemble(run):
        kind, _ = find_method(run.spec().method)
        offered = kind_in_tiles(kind) if run.spec().tile else kind
        if not issubclass(offered, capability):
            raise MissingCapability(f"'{kind.card.title}' cannot {wish}: choose another method.")
    elif capability is not Scores:
        raise MissingCapability(
            f"An ensemble has scores and heat maps alone, it cannot {wish}: choose a run."
        )


def require(method: Method[Any], capability: type[Any], wish: str) -> None:
    """Raise MissingCapability unless the method has a capability."""
    if not isinstance(method, capability):
        raise MissingCapability(f"'{method.card.title}' cannot {wish}: choose another method.")

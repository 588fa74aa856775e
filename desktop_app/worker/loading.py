"""From a run folder to a method that can be used, or trained further."""

from pathlib import Path
from typing import Any

from desktop_app.core.plugins import find_method
from desktop_app.core.runs import JobSpec, Run
from desktop_app.sdk.errors import MissingCapability, UnreadableRun
from desktop_app.sdk.method import Method
from desktop_app.sdk.params import parameter_schema
from desktop_app.worker.devices import chosen_device


def new_method(spec: JobSpec, device: str) -> Method[Any]:
    """Return an untrained method with the parameters of a spec.

    Trained runs that a parameter names are attached. Raises UnknownMethod, InvalidParameter, or
    UnreadableRun when a named run cannot be used.
    """
    kind, _ = find_method(spec.method)
    params = kind.params_type.parse(spec.params)
    method = kind(params, seed=spec.seed, device=device)
    for parameter in parameter_schema(kind.params_type):
        named = getattr(params, parameter["name"])
        if parameter["kind"] == "run" and named:
            method.attach_run(parameter["name"], trained_method(Path(named), device))
    return method


def trained_method(path: Path, device: str = "auto") -> Method[Any]:
    """Return the trained method of a run folder; it needs nothing outside that folder.

    Raises UnreadableRun when there is none.
    """
    run = Run.open(path)
    spec = run.spec()
    kind, _ = find_method(spec.method)
    params = kind.params_type.parse(spec.params)
    method = kind(params, seed=spec.seed, device=chosen_device(device))
    method.restore(run.trained_state())
    return method


def channels_of(run: Run) -> int:
    """Return the channels C that a run was trained with. Raises UnreadableRun when unknown."""
    data = run.data()
    if data is None:
        raise UnreadableRun(f"'{run.path}' has not read its images yet: start its training.")
    return int(data["channels"])


def require(method: Method[Any], capability: type[Any], wish: str) -> None:
    """Raise MissingCapability unless the method has a capability."""
    if not isinstance(method, capability):
        raise MissingCapability(f"'{method.card.title}' cannot {wish}: choose another method.")

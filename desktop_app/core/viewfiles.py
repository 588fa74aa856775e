"""Views of a method on disk: arrays in safetensors, everything else in JSON."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.states import read_state, write_state
from desktop_app.sdk.errors import UnreadableRun
from desktop_app.sdk.method import State
from desktop_app.sdk.views import View

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(View)}
_REFERENCE = "__array__"


def write_views(folder: Path, views: Sequence[View]) -> None:
    """Write views as a folder that is whole or absent."""
    arrays: dict[str, NDArray[Any]] = {}
    plain = [
        {"view": type(view).__name__}
        | {
            field.name: _plain(getattr(view, field.name), f"{number}/{field.name}", arrays)
            for field in fields(view)
        }
        for number, view in enumerate(views)
    ]
    write_state(folder, State(arrays, {"views": plain}))


def read_views(folder: Path) -> list[View]:
    """Return the views in a folder; none when there is no such folder, or it is of no use."""
    if not folder.exists():
        return []
    try:
        state = read_state(folder)
        return [_view(dict(plain), state) for plain in state.values["views"]]
    except (KeyError, TypeError) as problem:
        raise UnreadableRun(f"The pictures in '{folder}' cannot be read: {problem}.") from None


def _view(plain: dict[str, Any], state: State) -> View:
    kind = _KINDS[plain.pop("view")]
    view: View = kind(**{name: _restored(value, state) for name, value in plain.items()})
    return view


def _plain(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {_REFERENCE: path}
    if isinstance(value, dict):
        return {key: _plain(item, f"{path}/{key}", arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}/{number}", arrays) for number, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _restored(value: Any, state: State) -> Any:
    if isinstance(value, dict):
        if _REFERENCE in value:
            return state.arrays[value[_REFERENCE]]
        return {key: _restored(item, state) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, state) for item in value]
    return value

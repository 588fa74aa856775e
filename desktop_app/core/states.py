"""States of methods on disk: safetensors for arrays, JSON for everything else, never pickle."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from desktop_app.core.files import read_json, replaced, write_json
from desktop_app.sdk.errors import InvalidInput, UnreadableRun
from desktop_app.sdk.method import State

_ARRAYS = "state.safetensors"
_VALUES = "state.json"


def write_state(folder: Path, state: State, **about: Any) -> None:
    """Write a state as a folder that is whole or absent; `about` is kept beside it."""
    with replaced(folder) as temporary:
        temporary.mkdir(parents=True)
        arrays = {name: _contiguous(array) for name, array in state.arrays.items()}
        save_file(arrays, temporary / _ARRAYS)
        write_json(temporary / _VALUES, {"values": dict(state.values), "about": about})


def read_state(folder: Path) -> State:
    """Return the state in a folder. Raises UnreadableRun when it is missing or damaged."""
    try:
        arrays = load_file(folder / _ARRAYS)
        values = read_json(folder / _VALUES)["values"]
    except (OSError, SafetensorError, InvalidInput, KeyError, TypeError) as problem:
        raise UnreadableRun(f"No readable trained method in '{folder}': {problem}.") from None
    return State(arrays, values)


def read_about(folder: Path) -> dict[str, Any]:
    """Return what was kept beside a state."""
    about: dict[str, Any] = read_json(folder / _VALUES)["about"]
    return about


def state_hash(folder: Path) -> str:
    """Return the SHA-256 of the arrays in a folder, as `sha256sum` prints it."""
    with (folder / _ARRAYS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _contiguous(array: NDArray[Any]) -> NDArray[Any]:
    # ascontiguousarray would turn a single number into an array of one.
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)

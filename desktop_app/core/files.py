"""Files that are whole or absent: written beside their place and renamed into it."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.errors import InvalidInput


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield temporary
        _sync(temporary)
        _put(temporary, path)
    except BaseException:
        _discard(temporary)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write plain values as JSON, whole or not at all."""
    with replaced(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds. Raises InvalidInput when it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(f"Expected a file '{path}', found none.") from None
    except (OSError, ValueError) as problem:
        raise InvalidInput(f"'{path}' cannot be read as JSON: {problem}.") from None


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy, whole or not at all."""
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


class ArrayWriter:
    """Writes a .npy file row after row, without holding it in memory."""

    def __init__(self, path: Path, rows: int, first: NDArray[Any]) -> None:
        """`first` (n, ...) says what the type and shape of all `rows` are; it is not written."""
        self._file = path.open("wb")
        header = {
            "descr": np.lib.format.dtype_to_descr(first.dtype),
            "fortran_order": False,
            "shape": (rows, *first.shape[1:]),
        }
        np.lib.format.write_array_header_2_0(self._file, header)

    def write(self, rows: NDArray[Any]) -> None:
        """Append rows (n, ...)."""
        self._file.write(np.ascontiguousarray(rows).tobytes())

    def close(self) -> None:
        """Close the file; it is good once all rows are written."""
        self._file.close()


def _sync(path: Path) -> None:
    files = [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]
    for part in files:
        with part.open("rb+") as file:
            os.fsync(file.fileno())


def _put(temporary: Path, path: Path) -> None:
    if temporary.is_dir() and path.exists():
        shutil.rmtree(path)
    temporary.replace(path)


def _discard(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

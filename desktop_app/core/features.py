"""Latent vectors of images as a file for other programs: npz, CSV or Parquet, by the suffix.

A name without a suffix is npz.

    npz      paths (N,), labels (N,), splits (N,), latents (N, D) as float32
    csv      path, label, split and the columns z1 ... zD, with every digit of float32
    parquet  the same columns; D of float32, in row groups

Shapes: N images, D latent dimensions.
"""

import csv
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.files import replaced
from desktop_app.core.refusals import shown
from desktop_app.sdk.errors import InvalidInput

_PIECE = 1000  # rows between two words about progress

Steps = Iterator[tuple[int, int]]


@dataclass(frozen=True)
class Features:
    """What is written: a row per image."""

    paths: list[str]
    labels: list[str]
    splits: list[str]
    latents: NDArray[Any]
    """(N, D); may be mapped from the disk."""

    def __post_init__(self) -> None:
        if self.latents.ndim != 2 or len(self.latents) != len(self.paths):
            raise InvalidInput(
                f"Expected a latent vector for each of {len(self.paths)} images, got an array of "
                f"shape {self.latents.shape}."
            )

    @property
    def columns(self) -> list[str]:
        """The names of the latent dimensions: z1 ... zD."""
        return [f"z{number}" for number in range(1, self.latents.shape[1] + 1)]


def write_features(features: Features, path: Path) -> Steps:
    """Write a file whose suffix says how, whole or not at all; yield (done, total).

    Raises InvalidInput as `require_format` does.
    """
    require_format(path)
    with replaced(path) as temporary:
        yield from _WRITERS[_suffix(path)](features, temporary)


def require_format(path: Path) -> None:
    """Raise InvalidInput for a suffix that is not known, or that needs a package which is absent.

    Called before anything is computed.
    """
    suffix = _suffix(path)
    if suffix not in _WRITERS:
        raise InvalidInput(
            f"Expected a file ending in {', '.join(_WRITERS)}, got '{shown(path.name)}': "
            "the suffix says how features are written."
        )
    if suffix == ".parquet":
        _arrow("pyarrow.parquet")


def _write_npz(features: Features, path: Path) -> Steps:
    with path.open("wb") as file:
        np.savez(
            file,
            paths=np.array(features.paths, dtype=np.str_),
            labels=np.array(features.labels, dtype=np.str_),
            splits=np.array(features.splits, dtype=np.str_),
            latents=features.latents,
        )
    yield len(features.paths), len(features.paths)


def _write_csv(features: Features, path: Path) -> Steps:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split", *features.columns])
        for start, stop in _pieces(features):
            latents = np.asarray(features.latents[start:stop], np.float32)
            texts = (
                column[start:stop] for column in (features.paths, features.labels, features.splits)
            )
            for name, label, split, row in zip(*texts, latents, strict=True):
                writer.writerow([name, label, split, *map(str, row)])
            yield stop, len(features.paths)


def _write_parquet(features: Features, path: Path) -> Steps:
    arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
    texts = {"path": features.paths, "label": features.labels, "split": features.splits}
    schema = arrow.schema(
        [(name, arrow.string()) for name in texts]
        + [(name, arrow.float32()) for name in features.columns]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for start, stop in _pieces(features):
            latents = np.asarray(features.latents[start:stop], np.float32)
            columns = [arrow.array(map(shown, column[start:stop])) for column in texts.values()]
            columns += [arrow.array(np.ascontiguousarray(column)) for column in latents.T]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
            yield stop, len(features.paths)


_WRITERS: dict[str, Callable[[Features, Path], Steps]] = {
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}

SUFFIXES = tuple(_WRITERS)


def _suffix(path: Path) -> str:
    return path.suffix.lower() or ".npz"


def _pieces(features: Features) -> Iterator[tuple[int, int]]:
    total = len(features.paths)
    for start in range(0, total, _PIECE):
        yield start, min(start + _PIECE, total)


def _arrow(module: str) -> Any:
    """Return a module of the optional package that writes Parquet."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InvalidInput(
            "Parquet files need the package pyarrow, which is not installed: "
            "`pip install loupe-workbench[export]`, or write a .csv or .npz file."
        ) from None

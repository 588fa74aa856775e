"""The sample as a folder in MVTec layout, the same on every machine for the same seed.

    train/good                     160 tiles without defects
    test/good                       40 more
    test/<defect>                   12 of each defect, from hardly visible to obvious
    ground_truth/<defect>           their masks, <name>_mask.png
    sample.json                     version, seed and the size of every file

The folder appears at once: pictures are written beside it and renamed into place when all are
there. What is half-written or of an older version is made again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.sample.defects import DEFECTS
from desktop_app.core.sample.design import painted_pigments
from desktop_app.core.sample.noise import Field, Noise
from desktop_app.core.sample.photograph import halved, photograph, tile_surface
from desktop_app.sdk.errors import InvalidInput

VERSION = 1
"""Raise when the pictures change, so that samples made before are made again."""
MANIFEST = "sample.json"
DEFECT_NAMES = tuple(DEFECTS)
TRAINING_TILES = 160
TEST_TILES = 40
TILES_PER_DEFECT = 12
PIGMENT_SIZE = 1536
"""Rows and columns at which the decoration is drawn."""
STALE_AFTER_S = 3600.0
"""Age in seconds at which an unfinished folder of a killed process is removed."""

Progress = Callable[[int, int], None]
"""Receives the number of pictures done and in all."""


@dataclass(frozen=True)
class _Picture:
    """One picture to take."""

    split: str
    label: str
    number: int
    severity: float
    """Of its defect, 0 to 1; without meaning for good tiles."""

    @property
    def path(self) -> str:
        return f"{self.split}/{self.label}/{self.number:03d}.jpg"

    @property
    def mask_path(self) -> str:
        return f"ground_truth/{self.label}/{self.number:03d}_mask.png"


def write_sample(target: Path, seed: int = 0, progress: Progress | None = None) -> Path:
    """Make the sample in a folder, unless it is there already, and return the folder.

    Raises InvalidInput where the folder holds anything that is not of the sample.
    """
    if is_complete(target, seed):
        return target
    _require_replaceable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}.unfinished-"
    _remove_stale(target.parent, prefix)
    workshop = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
    try:
        fresh = workshop / "fresh"
        _write_pictures(fresh, seed, progress or _ignore)
        _write_manifest(fresh, seed)
        _exchange(target, fresh, workshop / "outdated", seed)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return target


def is_complete(target: Path, seed: int = 0) -> bool:
    """Tell whether a folder holds this version of the sample, whole."""
    manifest = _manifest(target)
    if manifest.get("version") != VERSION or manifest.get("seed") != seed:
        return False
    return all(_size_of(target / name) == size for name, size in manifest["files"].items())


# --------------------------------------------------------------------------------------- pictures


def _pictures(seed: int) -> list[_Picture]:
    good = [_Picture("train", "good", number, 0.0) for number in range(TRAINING_TILES)]
    good += [_Picture("test", "good", number, 0.0) for number in range(TEST_TILES)]
    random = np.random.default_rng([seed, 1])
    severities = np.linspace(0.0, 1.0, TILES_PER_DEFECT)
    return good + [
        _Picture("test", label, number, float(severity))
        for label in DEFECT_NAMES
        for number, severity in enumerate(random.permutation(severities))
    ]


def _write_pictures(folder: Path, seed: int, progress: Progress) -> None:
    pictures = _pictures(seed)
    pigments = painted_pigments(PIGMENT_SIZE)
    noise = Noise(seed)
    for done, picture in enumerate(pictures):
        progress(done, len(pictures))
        image, mask = _taken(picture, done, seed, pigments, noise)
        _save(folder / picture.path, Image.fromarray(image), quality=95, subsampling=0)
        if mask is not None:
            _save(folder / picture.mask_path, Image.fromarray(mask.astype(np.uint8) * 255))
    progress(len(pictures), len(pictures))


def _taken(
    picture: _Picture, index: int, seed: int, pigments: tuple[Field, Field], noise: Noise
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Return a picture (H, W, 3) and the mask (H, W) of its defect, if it has one."""
    random = np.random.default_rng([seed, 2, index])
    surface = tile_surface(pigments, noise, random)
    mask = None
    if picture.label in DEFECTS:
        coverage = DEFECTS[picture.label](surface, picture.severity, noise, random)
        mask = halved(coverage) > 0.3
    return photograph(surface, noise, random), mask


def _save(path: Path, image: Image.Image, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


# ----------------------------------------------------------------------------------------- folder


def _write_manifest(folder: Path, seed: int) -> None:
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)}
    content = {"version": VERSION, "seed": seed, "files": dict(sorted(files.items()))}
    (folder / MANIFEST).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _manifest(folder: Path) -> dict[str, Any]:
    """Return what the manifest says, or nothing where there is none that can be read."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("files"), dict) else {}


def _require_replaceable(target: Path) -> None:
    """Refuse to replace a folder that holds anything but files of a sample."""
    if not target.exists():
        return
    if not target.is_dir():
        raise InvalidInput(f"The sample needs a folder; {target} is a file. Choose another place.")
    known = {MANIFEST, *_manifest(target).get("files", {})}
    for path in _files(target):
        name = path.relative_to(target).as_posix()
        if name not in known:
            raise InvalidInput(
                f"The sample needs a new or empty folder; {target} holds {name}. "
                "Choose another folder."
            )


def _exchange(target: Path, fresh: Path, outdated: Path, seed: int) -> None:
    if target.exists():
        target.replace(outdated)
    try:
        fresh.replace(target)
    except OSError:
        if not is_complete(target, seed):  # another process may have been faster
            raise


def _remove_stale(parent: Path, prefix: str) -> None:
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > STALE_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _ignore(done: int, total: int) -> None:
    """Show no progress."""

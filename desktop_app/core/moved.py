"""Finding an image folder again after it was moved, by the content of its files.

What a folder held is known from its index in the cache, under the key of its old place.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from desktop_app.core.decoding import content_hash
from desktop_app.core.index import Index
from desktop_app.core.settings import cache_dir

_SAME_ENOUGH = 0.5  # share of sampled files with equal content that makes two folders one
_SAMPLED_FILES = 32
_SEARCHED_FOLDERS = 20_000  # folders looked into before a search ends


def holds_the_images_of(key: str, root: Path) -> bool:
    """Say whether files of a known folder lie under this root with the same content."""
    return _likeness(root, _known_hashes(key)) >= _SAME_ENOUGH


def found_again(key: str, places: Iterable[Path]) -> Path | None:
    """Return a folder at or below these places that holds the images of a known one."""
    hashes = _known_hashes(key)
    for candidate in islice(_folders_below(places), _SEARCHED_FOLDERS):
        if _likeness(candidate, hashes) >= _SAME_ENOUGH:
            return candidate
    return None


def move_cache(old_key: str, new_key: str) -> None:
    """Give index, thumbnails and pixels of a moved folder to its new key, if that has none."""
    folders = cache_dir() / "folders"
    if (folders / old_key).is_dir() and not (folders / new_key).exists():
        try:
            (folders / old_key).rename(folders / new_key)
        except OSError:  # in use on Windows: it is made again for the new place
            return


def _known_hashes(key: str) -> dict[str, bytes]:
    """Return relative path -> content hash of a sample of the files of a known folder."""
    index = cache_dir() / "folders" / key / "index.sqlite"
    return Index(index).content_hashes(_SAMPLED_FILES) if index.exists() else {}


def _likeness(root: Path, hashes: dict[str, bytes]) -> float:
    """Return the share of these files that lie under a root with the same content, 0 to 1."""
    same = 0
    for relative, expected in hashes.items():
        try:
            same += content_hash(root / relative) == expected
        except OSError:
            continue
    return same / len(hashes) if hashes else 0.0


def _folders_below(places: Iterable[Path]) -> Iterator[Path]:
    """Yield the places and all folders below them that are not hidden."""
    for place in places:
        for folder, below, _ in os.walk(place):
            below[:] = sorted(name for name in below if not name.startswith("."))
            yield Path(folder)

"""All image files under a folder, without opening any of them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from desktop_app.core.decoding import is_image_name
from desktop_app.core.refusals import shown
from desktop_app.sdk.errors import InvalidInput


@dataclass(frozen=True)
class FoundFile:
    """An image file as the folder lists it."""

    name: str
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change in nanoseconds."""


@dataclass(frozen=True)
class FoundFolder:
    """A folder with the image files directly in it, or the reason why it could not be listed."""

    path: str
    """POSIX path relative to the root, "" for the root itself."""
    files: list[FoundFile]
    problem: str = ""


def walked(root: Path, without: str = "") -> Iterator[FoundFolder]:
    """Yield every folder under a root that is not hidden, each one once, links followed.

    `without` is the relative path of a folder that is left out. Raises InvalidInput when the root
    itself cannot be listed.
    """
    seen = {_identity(str(root))}
    inside = os.path.realpath(root) + os.sep
    pending = [(str(root), "")]
    while pending:
        folder, relative = pending.pop()
        found, below = _listed(folder, relative)
        if found.problem and not relative:
            raise InvalidInput(f"The folder '{shown(root)}' cannot be listed. {found.problem}")
        yield found
        for path, name, is_link in below:
            child = f"{relative}/{name}" if relative else name
            if child == without or (is_link and os.path.realpath(path).startswith(inside)):
                continue  # what a link shows inside the root is met without the link, too
            identity = _identity(path)
            if identity not in seen:
                seen.add(identity)
                pending.append((path, child))


def _listed(folder: str, relative: str) -> tuple[FoundFolder, list[tuple[str, str, bool]]]:
    files: list[FoundFile] = []
    below: list[tuple[str, str, bool]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    below.append((entry.path, entry.name, entry.is_symlink()))
                elif is_image_name(entry.name):
                    files += _found_file(entry)
    except OSError as error:
        problem = f"This folder cannot be read ({error.strerror or error})."
        return FoundFolder(relative, files, problem), below
    return FoundFolder(relative, files), below


def _found_file(entry: os.DirEntry[str]) -> list[FoundFile]:
    """Return the file of an entry in a list, or nothing for pipes and devices."""
    try:
        if not entry.is_file() and not entry.is_symlink():
            return []
        found = entry.stat()
    except OSError:  # a link to nothing, or no permission: listed, and a problem when opened
        return [FoundFile(entry.name, 0, 0)]
    return [FoundFile(entry.name, found.st_size, found.st_mtime_ns)]


def _identity(folder: str) -> tuple[int, int] | str:
    """Return what two paths to the same folder have in common."""
    try:
        found = os.stat(folder)  # noqa: PTH116 - Path is slower and this runs once per folder
    except OSError:
        return folder
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(folder)

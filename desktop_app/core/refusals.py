"""Sentences for what a disk refuses, and paths that can always be printed."""

import errno
import os
from pathlib import Path

from desktop_app.sdk.errors import InvalidInput

_REFUSALS = {
    errno.ENOSPC: "the disk is full. Free some space and try again",
    errno.EDQUOT: "the disk quota is used up. Free some space and try again",
    errno.EROFS: "the disk is read-only. Choose another place",
    errno.EACCES: "permission is denied. Choose another place or change the permissions",
    errno.EPERM: "permission is denied. Choose another place or change the permissions",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file, not a folder. Choose another place",
    errno.EEXIST: "a file of this name is in the way. Choose another place",
}


def refusal(path: Path, error: OSError) -> InvalidInput:
    """Return the sentence for a place where the operating system refuses to write."""
    reason = _REFUSALS.get(error.errno or 0, f"the system says '{error.strerror or error}'")
    return InvalidInput(f"Cannot write '{shown(path)}': {reason}.")


def shown(path: Path | str) -> str:
    """Return a path that can be printed: bytes that are no UTF-8 become replacement marks."""
    return os.fsencode(path).decode("utf-8", "replace")


def made_folder(path: Path) -> Path:
    """Make a folder with its parents and return it; raises InvalidInput when that is refused."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(path, error) from error
    return path

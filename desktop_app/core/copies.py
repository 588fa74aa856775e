"""Copies of images in folders of their own; the images stay where they are, untouched.

A copy is whole or absent. A file that is there already is left alone, and the copy gets a number.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from desktop_app.core.refusals import made_folder, shown
from desktop_app.sdk.errors import InvalidInput

_FORBIDDEN = frozenset('<>:"/\\|?*')
"""Letters that some system takes in no file name."""
_LONGEST_NAME = 80


def lies_within(path: Path, folder: Path) -> bool:
    """Tell whether a path is a folder, or lies in it."""
    resolved, whole = path.expanduser().resolve(), folder.resolve()
    return resolved == whole or whole in resolved.parents


def copied(source: Path, place: Path) -> Path:
    """Copy a file to a place, or to a numbered one beside it; return where it is."""
    place = _free_place(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(f".{place.name}.part")
    try:
        shutil.copy2(source, unfinished)
        unfinished.replace(place)
    finally:
        unfinished.unlink(missing_ok=True)
    return place


def sort_into_folders(
    root: Path, paths: Sequence[str], groups: Sequence[str], target: Path
) -> Iterator[tuple[int, int]]:
    """Copy images (N,) below `root` into `target`/<name of the group>; yield (done, total).

    Raises InvalidInput where `target` lies in the folder of the images.
    """
    if lies_within(target, root):
        raise InvalidInput(
            f"'{shown(target)}' lies in the folder of the images, to which nothing is ever "
            "written: choose a folder elsewhere."
        )
    folders = folder_names(groups)
    made_folder(target)
    for done, (path, group) in enumerate(zip(paths, groups, strict=True), start=1):
        copied(root / path, target / folders[group] / Path(path).name)
        yield done, len(paths)


def folder_names(groups: Sequence[str]) -> dict[str, str]:
    """Return group -> name of a folder that every system takes, a different one for each."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for group in dict.fromkeys(groups):
        plain = "".join("_" if _is_odd(letter) else letter for letter in group)
        plain = plain.strip(" .")[:_LONGEST_NAME] or "group"
        name, number = plain, 2
        while name.casefold() in taken:
            name, number = f"{plain}-{number}", number + 1
        taken.add(name.casefold())
        names[group] = name
    return names


def _is_odd(letter: str) -> bool:
    return letter in _FORBIDDEN or ord(letter) < 32


def _free_place(path: Path) -> Path:
    """Return the path, or the first numbered one beside it that is not taken."""
    if not path.exists():
        return path
    numbered = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, 10**6))
    return next(place for place in numbered if not place.exists())

"""What the folders above an image say about it: label, split and mask.

Four layouts are recognised. `mvtec`: `train/good`, `test/<defect>`, masks in `ground_truth`.
`splits`: `train`, `validation`, `test` above the classes. `classes`: one folder per class.
`flat`: images without classes. Names are compared without regard to case.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from desktop_app.core.decoding import is_image_name

LayoutName = Literal["mvtec", "splits", "classes", "flat"]

NORMAL_NAMES = frozenset({"good", "normal", "ok"})
"""Labels of images without a defect."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Folder names and the split that each stands for."""

_MASKS = frozenset({"ground_truth", "ground-truth", "groundtruth"})
"""Names of the folder of masks, at the top."""

_CONTAINERS = frozenset({"image", "images", "img", "imgs"})
"""Folders that hold images without saying anything about them."""


@dataclass(frozen=True)
class Layout:
    """How the folders under a root are read."""

    name: LayoutName
    masks_folder: str = ""
    """Relative path of the folder of masks, or ""; nothing in it is an image."""
    masks: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`label/stem` -> relative path of the mask."""

    def label_and_split(self, folder: str) -> tuple[str, str]:
        """Return what the relative path of a folder says about the images in it."""
        parts = folder.split("/") if folder else []
        split = ""
        if parts and self.name in {"mvtec", "splits"}:
            split = SPLIT_NAMES.get(parts[0].casefold(), "")
            parts = parts[1:] if split else parts
        if parts and parts[0].casefold() in _CONTAINERS:
            parts = parts[1:]
        return "/".join(parts), split

    def mask(self, label: str, split: str, name: str) -> str:
        """Return the relative path of the mask of an image of this file name, or ""."""
        if not self.masks or split == "train":
            return ""
        stem = name.rpartition(".")[0]
        return self.masks.get(f"{label}/{stem}", "")


def recognised_layout(root: Path) -> Layout:
    """Return the layout of a folder, from its sub-folders; unreadable ones count as empty."""
    folders = {name: path for name, path in _sub_folders(root) if _holds_images(path)}
    masks = next((name for name in folders if name.casefold() in _MASKS), "")
    others = {name.casefold(): path for name, path in folders.items() if name != masks}
    if masks and not others and not _images_directly_in(root):
        masks = ""  # the folder of masks itself was opened
        others = {name.casefold(): path for name, path in folders.items()}
    name = next(name for name, fits in _RULES.items() if fits(others))
    return Layout(name, masks, _masks_by_image(root, masks) if masks else {})


def _is_mvtec(folders: dict[str, Path]) -> bool:
    if "train" not in folders or "test" not in folders or _images_directly_in(folders["train"]):
        return False
    labels = [name for name, path in _sub_folders(folders["train"]) if _holds_images(path)]
    return bool(labels) and all(label.casefold() in NORMAL_NAMES for label in labels)


def _is_split(folders: dict[str, Path]) -> bool:
    """Say whether all folders are splits, or several: a class may well be called `train`."""
    splits = [SPLIT_NAMES[name] for name in folders if name in SPLIT_NAMES]
    return bool(splits) and (len(splits) == len(folders) or len(set(splits)) > 1)


def _is_classes(folders: dict[str, Path]) -> bool:
    inside = [path for name, path in folders.items() if name in _CONTAINERS]
    return len(inside) < len(folders) or any(
        _holds_images(below) for path in inside for _, below in _sub_folders(path)
    )


_RULES: dict[LayoutName, Callable[[dict[str, Path]], bool]] = {
    "mvtec": _is_mvtec,
    "splits": _is_split,
    "classes": _is_classes,
    "flat": lambda _: True,
}
"""Layouts in the order in which they are tried on the top folders that hold images."""


def _masks_by_image(root: Path, masks_folder: str) -> dict[str, str]:
    """Return `label/stem` -> relative path; `<stem>_mask` goes before `<stem>`."""
    plain: dict[str, str] = {}
    named: dict[str, str] = {}
    start = root / masks_folder
    for folder, _, names in os.walk(start):
        label = "" if Path(folder) == start else Path(folder).relative_to(start).as_posix()
        for name in filter(is_image_name, names):
            stem = name.rpartition(".")[0]
            relative = "/".join(filter(None, (masks_folder, label, name)))
            plain[f"{label}/{stem}"] = relative
            if stem.casefold().endswith("_mask"):
                named[f"{label}/{stem[:-5]}"] = relative
    return plain | named


def _sub_folders(folder: Path) -> Iterator[tuple[str, Path]]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."
            )
    except OSError:
        return
    for name in names:
        yield name, folder / name


def _images_directly_in(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(is_image_name(entry.name) and not entry.is_dir() for entry in entries)
    except OSError:
        return False


def _holds_images(folder: Path) -> bool:
    """Say whether there is an image in a folder or below, stopping at the first."""
    for _, below, names in os.walk(folder):
        if any(map(is_image_name, names)):
            return True
        below[:] = [name for name in below if not name.startswith(".")]
    return False

"""Which images a method is trained on and how they are handed to it, as a schema for a form."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from desktop_app.core.table import ImageTable
from desktop_app.core.tiles import why_whole
from desktop_app.gui.i18n import tr

IMAGE_SIZES = (28, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512)
"""Sides in pixels that are offered."""
LARGE_SIZES = (768, 1024, 1536, 2048)
"""Sides that are offered where images can be cut into tiles."""
TILES = (32, 64, 128, 224, 256, 384, 512)
"""Sides of tiles that are offered."""


def data_schema(
    table: ImageTable,
    suggested_size: int,
    also: Iterable[int] = (),
    tiles: Iterable[int] = (),
    whole: str = "",
) -> list[dict[str, Any]]:
    """Return the fields of a job that are not parameters of its method.

    `also` are image sizes that are offered besides the usual ones, `tiles` are such sides of tiles;
    `whole` says why the method looks at whole images alone, "" where it does not.
    """
    large = () if whole else LARGE_SIZES
    sizes = sorted({*IMAGE_SIZES, *large, suggested_size, *also})
    sides = [0] if whole else sorted({0, *TILES, *tiles})
    splits = [split for split in ("train", "validation", "test") if split in set(table.splits)]
    split_texts = {"train": tr("train"), "validation": tr("validation"), "test": tr("test")}
    choice_of_split = {
        "name": "split",
        "label": tr("Images"),
        "kind": "choice",
        "default": "",
        "choices": ["", *splits],
        "choice_texts": {"": tr("As the folder says"), **split_texts},
        "help": tr("Where there is a training split, only its images are learnt from."),
    }
    return [
        *([choice_of_split] if splits else []),
        {
            "name": "image_size",
            "label": tr("Image size"),
            "kind": "choice",
            "default": suggested_size,
            "choices": sizes,
            "choice_texts": {size: tr("{n} × {n} pixels", n=size) for size in sizes},
            "help": tr("Larger images show finer defects and take longer."),
        },
        {
            "name": "tile",
            "label": tr("Tile"),
            "kind": "choice",
            "default": 0,
            "choices": sides,
            "choice_texts": {
                side: tr("{n} × {n} pixels", n=side) if side else tr("whole image")
                for side in sides
            },
            "help": whole
            or tr(
                "Cuts large images into tiles and learns from these, so that small defects stay "
                "large enough to be seen. Scores and heat maps are of whole images."
            ),
        },
        *([] if whole else [_overlap()]),
        {
            "name": "channels",
            "label": tr("Colour"),
            "kind": "choice",
            "default": 0,
            "choices": [0, 1, 3],
            "choice_texts": {0: tr("Auto"), 1: tr("Grey"), 3: "RGB"},
            "help": tr("Auto takes grey when all images are grey."),
        },
        {
            "name": "device",
            "label": tr("Device"),
            "kind": "choice",
            "default": "auto",
            "choices": ["auto", "cpu", "cuda"],
            "choice_texts": {"auto": tr("Auto"), "cpu": "CPU", "cuda": "GPU"},
            "help": tr("Auto takes a GPU where there is one."),
        },
        {
            "name": "seed",
            "label": tr("Seed"),
            "kind": "int",
            "default": 0,
            "low": 0,
            "high": None,
            "help": tr("The same seed gives the same training."),
        },
        {
            "name": "apply_after",
            "label": tr("Score all images"),
            "kind": "bool",
            "default": True,
            "help": tr("Afterwards, look at the whole folder: latent map, ranking, heat maps."),
        },
        {
            "name": "hold_out",
            "label": tr("Hold out"),
            "kind": "float",
            "default": 0.0,
            "low": 0.0,
            "high": 0.5,
            "advanced": True,
            "help": tr(
                "Share of the images that is not learnt from. Their scores tell what is usual for "
                "images that were never seen: thresholds and percentiles refer to them."
            ),
        },
        {
            "name": "folds",
            "label": tr("Folds"),
            "kind": "int",
            "default": 0,
            "low": 0,
            "high": 50,
            "advanced": True,
            "help": tr(
                "For folders that hold anomalies themselves: train again this many times, each "
                "without one part, and score that part. 0 trains once."
            ),
        },
    ]


def _overlap() -> dict[str, Any]:
    return {
        "name": "overlap",
        "label": tr("Overlap"),
        "kind": "int",
        "default": 32,
        "low": 0,
        "high": None,
        "unit": "px",
        "help": tr("Pixels that neighbouring tiles share at least: heat maps are blended there."),
    }


def why_whole_words(capabilities: Collection[str], *, uses_labels: bool) -> str:
    """Return why a method looks at whole images alone, in the language of the window, or ""."""
    reasons = {
        "labels": tr("This method learns from labels, which speak of whole images."),
        "places": tr("This method gives each image a place on a map, and tiles have none."),
        "groups": tr("This method groups whole images."),
        "scores": tr(
            "This method does not say how unusual an image is, which is what tiles are for."
        ),
    }
    reason = why_whole(capabilities, uses_labels=uses_labels)
    return reasons[reason] if reason else ""


def suggested_size(wanted: int, table: ImageTable) -> int:
    """Return the method's favourite side, or less where most images are smaller."""
    sides = np.minimum(table.widths, table.heights)
    sides = sides[sides > 0]
    if not len(sides):
        return wanted
    usual = float(np.median(sides))
    fitting = [size for size in IMAGE_SIZES if size <= usual]
    return min(wanted, fitting[-1] if fitting else IMAGE_SIZES[0])


def run_title(
    method: str,
    changed: Iterable[tuple[str, Any]],
    size: int | None,
    preset: str = "",
    tile: int = 0,
) -> str:
    """Return a title that tells runs apart: method, preset, what else was changed, image size."""
    parts = [method, preset] if preset else [method]
    parts += [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in changed][:2]
    if size is not None:
        parts.append(tr("{n} px", n=size))
    if tile:
        parts.append(tr("tiles of {n} px", n=tile))
    return " · ".join(parts)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]

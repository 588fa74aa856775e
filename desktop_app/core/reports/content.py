"""What a report is made of, whatever its form: facts, sections, and the blocks in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.reports.charts import Chart, Kind

# ------------------------------------------------------------------------------- what comes in


@dataclass(frozen=True)
class TrainingCurve:
    """What was measured while a method was trained."""

    name: str
    steps: NDArray[np.float64]
    """(T,), ascending."""
    values: NDArray[np.float64]
    """(T,)."""
    trivial: float | None = None
    """What is reached without learning, where that is known."""


@dataclass(frozen=True)
class RunSummary:
    """What was done, for the head of the report and for doing it again."""

    title: str
    method: str
    folder: str
    run: str
    """Where the run lies."""
    command: str
    """The command line that makes the run again."""
    trained_images: int
    seconds: float
    """Time of training, without pauses."""
    finished: float
    """When training ended, in seconds since 1970."""
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    remarks: Sequence[str] = ()
    """Sentences worth knowing, such as how many files could not be read."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """What tells this run and these images from all others."""
    curves: Sequence[TrainingCurve] = ()


@dataclass(frozen=True)
class Picture:
    """One image in a gallery of the report; pictures are bytes of PNG or JPEG files."""

    path: str
    label: str
    score: float
    image: bytes
    overlay: bytes | None = None
    """The image under its heat map."""
    mask: bytes | None = None
    """The image with the true outline of its defect."""


@dataclass(frozen=True)
class Gallery:
    """Pictures under a heading, in the order given."""

    title: str
    pictures: Sequence[Picture]


# ------------------------------------------------------------------------------- what is told


@dataclass(frozen=True)
class Figure:
    """A measure that everybody looks at first."""

    name: str
    value: str
    remark: str = ""


@dataclass(frozen=True)
class Key:
    """What a colour of a chart stands for."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Drawing:
    """A chart with what stands below it."""

    chart: Chart
    caption: str = ""
    keys: Sequence[Key] = ()


@dataclass(frozen=True)
class Bar:
    """A share of 0 to 1 in a table, shown as a bar beside its text."""

    share: float
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column names the row."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Bar]]
    numeric: bool = True
    """All columns after the first hold short figures, rather than words."""


Tone = Literal["", "right", "wrong"]


@dataclass(frozen=True)
class Count:
    """A number of images in a table of counts, with what it means."""

    number: int
    word: str
    tone: Tone = ""


@dataclass(frozen=True)
class Counts:
    """Counts of images by two properties."""

    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Count]]]


@dataclass(frozen=True)
class Beside:
    """Blocks that stand side by side where there is room."""

    blocks: Sequence[Block]


@dataclass(frozen=True)
class Note:
    """A sentence in small print."""

    text: str


@dataclass(frozen=True)
class Command:
    """A command line to be typed as it stands."""

    text: str


@dataclass(frozen=True)
class Card:
    """An image with the pictures that belong to it, by what they show, and its caption."""

    number: int
    path: str
    views: Sequence[tuple[str, bytes]]
    """What is seen, and the bytes of a PNG or JPEG file."""
    kind: Kind | None
    """Colour of its label; None without one."""
    caption: str


@dataclass(frozen=True)
class Cards:
    """Images side by side, read row by row."""

    cards: Sequence[Card]


Block = Drawing | Table | Counts | Beside | Note | Command | Cards


@dataclass(frozen=True)
class Section:
    """Blocks under a heading, one below the other."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """All that is told, in the order of reading."""

    title: str
    facts: Sequence[tuple[str, str]]
    remarks: Sequence[str]
    figures: Sequence[Figure]
    sections: Sequence[Section]

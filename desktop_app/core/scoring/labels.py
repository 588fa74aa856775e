"""What labels say about images: which are normal, which are anomalous."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.layout import NORMAL_NAMES
from desktop_app.core.scoring.checks import Booleans


@dataclass(frozen=True)
class Truth:
    """What the labels say about N images; both arrays of shape (N,)."""

    labelled: Booleans
    """Images that carry a label and so take part in measures."""
    anomalous: Booleans
    """Labelled images whose label is no normal name."""


def is_normal(label: str) -> bool:
    """Tell whether a label names normal images: good, normal or ok, in any case."""
    return label.casefold() in NORMAL_NAMES


def truth_from_labels(labels: Sequence[str]) -> Truth | None:
    """Return which images are anomalous, or `None` when no image has a normal label."""
    labelled = np.array([label != "" for label in labels], dtype=np.bool_)
    normal = np.array([is_normal(label) for label in labels], dtype=np.bool_)
    if not normal.any():
        return None
    return Truth(labelled, labelled & ~normal)


def truth_codes(labels: Sequence[str]) -> NDArray[np.int8]:
    """Return (N,): 1 for anomalous, 0 for normal, -1 for unknown images, by their labels."""
    truth = truth_from_labels(labels)
    if truth is None:
        return np.full(len(labels), -1, np.int8)
    return np.where(truth.labelled, truth.anomalous.astype(np.int8), np.int8(-1))

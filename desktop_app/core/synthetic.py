"""A threshold without any known defect: the one that tells made defects from normal images best.

Normal images that were, if possible, not trained on get procedural defects; the trained method
scores both, and the threshold of the highest F1 is offered. Real defects may look different, and be
harder to see: whoever shows the threshold says so.

Shapes: N normal images, M made defects.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.files import read_json, write_json
from desktop_app.core.runs import Result, Run
from desktop_app.core.scoring import ThresholdTable
from desktop_app.sdk.data import even_rows
from desktop_app.sdk.errors import InvalidInput

FEWEST = 5
"""Normal images below which nothing is offered."""
MOST = 100
"""Normal images that get a defect: enough for F1, and done within a minute."""
CAUTION = "Real defects may look different, and be harder to see."

Floats = NDArray[np.float64]

_NAME = "synthetic.json"


@dataclass(frozen=True)
class SyntheticScores:
    """Scores of normal images and of defects that were made from them."""

    normal: Floats
    """(N,)."""
    made: Floats
    """(M,)."""
    images: str
    """What the normal images are: "held-out images"."""
    seed: int
    """Of the defects."""

    def best(self) -> tuple[float, float]:
        """Return the highest F1 and its threshold.

        The threshold lies in the middle between the lowest score that is flagged and the highest
        that is not: among equally good ones it favours neither side. Where several defects were
        made in each image, an image counts as often: F1 depends on how many there are of each.
        """
        times = max(1, round(len(self.made) / len(self.normal)))
        normal = np.repeat(self.normal, times)
        scores = np.concatenate([normal, self.made])
        anomalous = np.arange(len(scores)) >= len(normal)
        f1, threshold = ThresholdTable.build(scores, anomalous).best_f1()
        below = scores[scores < threshold]
        if len(below):
            middle = (threshold + float(below.max())) / 2
            threshold = middle if middle > below.max() else threshold
        return f1, threshold

    def basis(self) -> str:
        """Say what the threshold rests on, for reports and the command line."""
        return (
            f"F1 {self.best()[0]:.3f} on {len(self.normal):,} {self.images} and {len(self.made):,} "
            f"synthetic defects made from them (seed {self.seed}). {CAUTION}"
        )


def sampled(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return at most MOST of the ids (N,) of normal images, evenly spread.

    Raises InvalidInput with fewer than FEWEST.
    """
    if len(ids) < FEWEST:
        raise InvalidInput(
            f"Synthetic defects need at least {FEWEST} normal images to be made from, there are "
            f"{len(ids)}: choose another rule."
        )
    return ids[even_rows(len(ids), MOST)]


def normal_paths(run: Run) -> tuple[Sequence[str], str]:
    """Return images of the run's own folder that stand for what is usual, and what they are."""
    data: dict[str, Any] = run.data() or {}
    held_out = data.get("held_out") or []
    if len(held_out) >= FEWEST:
        return held_out, "held-out images"
    return data.get("paths") or [], "training images (new ones tend to score higher)"


def write_synthetic(result: Result, found: SyntheticScores) -> None:
    """Keep what was scored beside the scores of a folder; it goes when they are made anew."""
    kept = {"normal": found.normal.tolist(), "made": found.made.tolist()}
    write_json(result.path / _NAME, {**kept, "images": found.images, "seed": found.seed})


def read_synthetic(result: Result) -> SyntheticScores | None:
    """Return what was kept, None where nothing is or it cannot be read."""
    path = result.path / _NAME
    if not path.exists():
        return None
    try:
        kept = read_json(path)
        normal, made = (np.array(kept[name], dtype=np.float64) for name in ("normal", "made"))
        return SyntheticScores(normal, made, str(kept["images"]), int(kept["seed"]))
    except (InvalidInput, KeyError, TypeError, ValueError):
        return None


def forget_synthetic(result: Result) -> None:
    """Remove what was kept, before scores are made anew."""
    (result.path / _NAME).unlink(missing_ok=True)

"""Where a score stands among the scores of normal images: "more unusual than 99.7 % of 31"."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.columns import ResultColumns
from desktop_app.gui.categories import splits_of
from desktop_app.gui.i18n import tr
from desktop_app.gui.session import Session

_FEWEST = 5  # images that make a percentile worth telling


@dataclass(frozen=True)
class Reference:
    """The images against which a score is read."""

    scores: NDArray[np.float64]
    """(n,), ascending."""
    name: str
    """What the images are, for the analyst: "training images"."""
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(n,): the rows of the images, in their order."""
    caution: str = ""
    """Why a threshold that rests on them may be off, for the analyst; "" where nothing speaks
    against it."""

    def __len__(self) -> int:
        return len(self.scores)

    def share_below(self, score: float) -> float | None:
        """Return the share of the reference with a lower score; None for too few or no score."""
        if len(self) < _FEWEST or not np.isfinite(score):
            return None
        return float(np.searchsorted(self.scores, score, side="left")) / len(self)

    def shares(self, session: Session) -> NDArray[np.float64] | None:
        """Return (N,) the share below each score of the session; None without scores."""
        result = session.result
        if result is None or result.scores is None or len(self) < _FEWEST:
            return None
        scores = result.scores.astype(np.float64)
        shares = np.searchsorted(self.scores, scores, side="left") / len(self)
        return np.where(np.isfinite(scores), shares, np.nan)

    def sentence(self, score: float) -> str:
        """Say where a score stands, or nothing where that is not known."""
        share = self.share_below(score)
        if share is None:
            return ""
        text = tr("more unusual than {share} of {n} {images}")
        some = float(np.clip(100 * share, 0.1, 99.9))  # neither none of them nor all
        shown = f"{some:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"
        return text.format(share=shown, n=f"{len(self):,}", images=self.name)


def reference_of(session: Session) -> Reference:
    """Return the best reference there is.

    Held-out images, normal training images, normal images, all images.
    """
    result = session.result
    if result is None or result.scores is None:
        return Reference(np.zeros(0), "")
    scored = np.isfinite(result.scores)
    for mask, name, caution in _usual_images(session, result):
        rows = np.flatnonzero(mask & scored)
        if len(rows) >= _FEWEST:
            return Reference(_ascending(result.scores[rows]), name, rows, caution)
    rows, caution = np.flatnonzero(scored), tr("unusual ones may be among them")
    return Reference(_ascending(result.scores[rows]), tr("images"), rows, caution)


def _ascending(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.sort(scores.astype(np.float64))


def usual_rows(session: Session) -> NDArray[np.int64]:
    """Return the rows that the run has looked at and that stand for what is usual; perhaps none.

    Heat maps of training images are fainter than those of new ones: other normal images come
    before them. A threshold must not rest on those, which it is judged by.
    """
    result = session.result
    if result is None:
        return np.zeros(0, np.int64)
    held_out, training, normal = (mask for mask, _name, _caution in _usual_images(session, result))
    for mask in (held_out, normal & ~training, training, normal):
        rows = np.flatnonzero(mask & (result.index >= 0))
        if len(rows) >= _FEWEST:
            return rows
    return np.zeros(0, np.int64)


def _usual_images(
    session: Session, result: ResultColumns
) -> list[tuple[NDArray[np.bool_], str, str]]:
    """Return masks (N,), names and cautions of images that stand for what is usual, best first."""
    training = splits_of(session).mask(frozenset({"train"}))
    unseen = result.unseen if result.unseen is not None else np.zeros(len(result.index), np.bool_)
    caution = tr("new ones tend to score higher")
    return [
        (unseen & (session.truth != 1), tr("held-out images"), ""),
        (training & (session.truth != 1), tr("training images"), caution),
        ((session.truth == 0) | (session.verdicts == 1), tr("normal images"), ""),
    ]

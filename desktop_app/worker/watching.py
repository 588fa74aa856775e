"""Look at the images of a folder as they arrive, with a method that stays loaded."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.decoding import decode
from desktop_app.core.ensembles import is_ensemble, joined_scores, members
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import Result, Run
from desktop_app.core.sight import seen_by
from desktop_app.core.watching import (
    Arrival,
    Stamp,
    Watcher,
    keep_scores,
    scored_files,
    usual_scores,
)
from desktop_app.sdk.capabilities import Scores
from desktop_app.sdk.data import ArrayDataset, Pixels
from desktop_app.sdk.errors import InvalidInput, UnreadableImage
from desktop_app.worker.loading import channels_of, require_capability, trained_method

_BATCH = 16
_LEAST_SECONDS = 5.0  # between two writings of the scores
_WRITING_SHARE = 0.05  # of the time that writing them may take


@dataclass(frozen=True)
class Seen:
    """What came of one file."""

    path: str
    """Relative to the folder."""
    score: float | None
    """None where it cannot be read."""
    share: float | None
    """Share of usual images with a lower score; None where these are not known."""
    is_replaced: bool
    problem: str = ""


class Scorer:
    """A trained run, or all runs of an ensemble, ready to score files."""

    def __init__(self, run: Run, device: str) -> None:
        """Raises MissingCapability when the method does not score images."""
        require_capability(run, Scores, "score images")
        self._run = run
        self._is_ensemble = is_ensemble(run)
        self._runs = members(run) if self._is_ensemble else [run]
        self._members = [
            (trained_method(member.path, device), member.spec().image_size, channels_of(member))
            for member in self._runs
        ]

    def decoded(self, folder: ImageFolder, path: str) -> list[Pixels]:
        """Return an image as each member wants it, (C, S, S). Raises UnreadableImage."""
        made: dict[tuple[int, int], Pixels] = {}
        for _method, size, channels in self._members:
            if (size, channels) not in made:
                pixels = decode(folder.absolute(path), size, channels)
                made[size, channels] = pixels.transpose(2, 0, 1)
        return [made[size, channels] for _method, size, channels in self._members]

    def scores(self, images: list[list[Pixels]]) -> NDArray[np.float64]:
        """Return the score (n,) of n decoded images."""
        columns: list[NDArray[Any]] = []
        for place, (method, _size, _channels) in enumerate(self._members):
            files = ArrayDataset(np.stack([parts[place] for parts in images]))
            batch = seen_by(self._runs[place], files).images(slice(0, len(files)))
            columns.append(np.asarray(method.score(batch), np.float64))  # type: ignore[attr-defined]
        return joined_scores(self._run, columns) if self._is_ensemble else columns[0]


class Watch:
    """A folder, the run that looks at what arrives there, and where its scores are kept."""

    def __init__(
        self,
        run: Run,
        folder: ImageFolder,
        result: Result,
        device: str,
        *,
        settle_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Images that the result speaks of already are not looked at again."""
        self.usual = usual_scores(run)
        """Ascending scores (n,) of usual images; perhaps none."""
        self.scorer = Scorer(run, device)
        self._folder = folder
        self._result = result
        known = scored_files(folder, result)
        self.known = len(known)
        """Images that were scored before."""
        self._watcher = Watcher(folder.root, known, settle_seconds=settle_seconds, clock=clock)
        self._fresh: dict[str, tuple[Stamp, float]] = {}
        self._clock = clock
        self._kept_at = clock()
        self._keeping_seconds = 0.0

    @property
    def waiting(self) -> int:
        """How many files are still being written."""
        return self._watcher.waiting

    @property
    def folders(self) -> frozenset[str]:
        """The folders in which images may arrive, relative to the watched one."""
        return self._watcher.folders

    def look(self) -> Iterator[list[Seen]]:
        """Look at what has arrived; yield what came of it, some images at a time.

        Scores are written now and then. Raises InvalidInput while the folder is away.
        """
        arrivals = self._watcher.poll()
        for start in range(0, len(arrivals), _BATCH):
            try:
                seen = self._seen(arrivals[start : start + _BATCH])
            except InvalidInput:
                self._watcher.forget(arrivals[start:])
                raise
            yield seen
            if self._is_time():
                self.keep()
        if self._fresh and self._is_time():
            self.keep()

    def keep(self) -> None:
        """Write the scores that are not written yet."""
        began = self._clock()
        fresh, self._fresh = self._fresh, {}
        try:
            if fresh:
                keep_scores(self._folder, self._result, fresh)
        except (InvalidInput, OSError):
            self._fresh = fresh | self._fresh  # the folder is away: written with the next ones
            raise
        finally:
            self._kept_at = self._clock()
            self._keeping_seconds = self._kept_at - began

    def _is_time(self) -> bool:
        pause = max(_LEAST_SECONDS, self._keeping_seconds / _WRITING_SHARE)
        return self._clock() - self._kept_at >= pause

    def _seen(self, batch: list[Arrival]) -> list[Seen]:
        problems: dict[str, str] = {}
        readable: list[Arrival] = []
        images: list[list[Pixels]] = []
        for arrival in batch:
            try:
                images.append(self.scorer.decoded(self._folder, arrival.path))
                readable.append(arrival)
            except UnreadableImage as reason:
                self._folder.require_root()
                problems[arrival.path] = str(reason)
        scores: dict[str, float] = {}
        if images:
            values = self.scorer.scores(images).tolist()
            scores = {one.path: value for one, value in zip(readable, values, strict=True)}
            self._fresh |= {one.path: (one.stamp, scores[one.path]) for one in readable}
        return [
            Seen(
                arrival.path,
                scores.get(arrival.path),
                self._share(scores.get(arrival.path)),
                arrival.is_replaced,
                problems.get(arrival.path, ""),
            )
            for arrival in batch
        ]

    def _share(self, score: float | None) -> float | None:
        if score is None or not len(self.usual) or not np.isfinite(score):
            return None
        return float(np.searchsorted(self.usual, score, side="left")) / len(self.usual)

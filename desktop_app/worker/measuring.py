"""What the host measures of latents while a method trains: their health, and what labels say.

Labels never reach the method: it encodes images, and the host compares the latents with them.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.baselines import (
    Accuracies,
    Probed,
    kept_baselines,
    pixel_baselines,
    untrained_baseline,
)
from desktop_app.core.health import Health, health
from desktop_app.core.probe import halves, knn_accuracy, linear_accuracy
from desktop_app.core.runs import JobSpec
from desktop_app.core.table import ImageTable
from desktop_app.sdk.data import Array, Dataset, SomeRows
from desktop_app.sdk.method import Method
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.untrained import has_untrained, untrained_latents

_BASELINES_AFTER = 30.0
"""Seconds of training before baselines are measured, which take a few; unless it ends before."""
_LINEAR_SHARE = 0.03
"""Share of the training's time that may go into linear probes."""


def tell_health(latents: Array, step: int, epoch: float, narrator: Narrator) -> Health | None:
    """Tell how healthy latents (N, D) are; return it, None where it means nothing."""
    found = health(latents)
    if found is not None:
        narrator.tell(
            "health",
            step=step,
            epoch=epoch,
            elapsed=round(narrator.elapsed, 4),
            values={
                "spread": found.spread,
                "effective_rank": found.effective_rank,
                "dead_share": found.dead_share,
            },
            healthy={"spread": found.healthy_spread, "effective_rank": found.dimensions},
        )
    return found


class Probe:
    """Accuracies of the latents of the images that the live map shows."""

    def __init__(
        self, spec: JobSpec, attached: Path, key: str, table: ImageTable, data: Dataset
    ) -> None:
        """`table` and `data` are what is trained on; `key` is that of the folder."""
        self._spec, self._attached, self._key = spec, attached, key
        self._table, self._data = table, data
        self._baselines: dict[str, Accuracies] = {}
        self._began = time.monotonic()
        self._is_complete = False
        self._next_linear = 0.0
        self._probed: Probed | None = None
        self._places: NDArray[np.int64] = np.zeros(0, np.int64)

    def look_at(self, rows: NDArray[np.int64]) -> None:
        """Choose, among these rows of the data set (N,), the images that are compared."""
        found = halves([self._table.labels[row] for row in rows.tolist()])
        if found is not None:
            part = SomeRows(self._data, rows)
            self._places = found.rows
            self._probed = Probed(
                part, found, self._key, self._table.where(rows), self._spec.region
            )
            self._baselines = kept_baselines(self._probed, untrained_key(self._spec))

    def tell(
        self,
        method: Method[Any],
        latents: Array,
        step: int,
        epoch: float,
        narrator: Narrator,
        *,
        last: bool,
    ) -> float:
        """Tell the accuracies of latents (N, D) of the rows that are looked at.

        The linear probe takes longer than the nearest neighbours: it comes with the first and the
        last call, and between them as often as its share of the time allows. Baselines that nobody
        has measured yet come once they are worth their time. Returns the seconds that every call
        takes, without those.
        """
        probed = self._probed
        if probed is None or latents.ndim != 2 or not np.isfinite(latents).all():
            return 0.0
        if not self._is_complete and (last or time.monotonic() - self._began > _BASELINES_AFTER):
            self._baselines = self._measure_baselines(method, probed, narrator)
            self._is_complete = True
        began = time.monotonic()
        features = np.asarray(latents)[self._places]
        count = len(probed.halves.known)
        known, asked = features[:count], features[count:]
        values = {"knn": knn_accuracy(known, asked, probed.halves)}
        seconds = time.monotonic() - began
        if last or narrator.elapsed >= self._next_linear:
            values["linear"] = linear_accuracy(known, asked, probed.halves)
            cost = time.monotonic() - began - seconds
            self._next_linear = narrator.elapsed + cost / _LINEAR_SHARE
        narrator.tell(
            "probe",
            step=step,
            epoch=epoch,
            elapsed=round(narrator.elapsed, 4),
            values=values,
            baselines=self._baselines,
            images=len(self._places),
            classes=len(probed.halves.classes),
        )
        return seconds

    def _measure_baselines(
        self, method: Method[Any], probed: Probed, narrator: Narrator
    ) -> dict[str, Accuracies]:
        found = pixel_baselines(probed)
        if not has_untrained(method):
            return found
        images = probed.data
        try:
            found |= untrained_baseline(
                probed,
                untrained_key(self._spec),
                lambda: untrained_latents(
                    self._spec,
                    self._attached,
                    method.device,
                    self._data,
                    images.images(probed.halves.rows),
                ),
            )
        except Exception as problem:  # a baseline that fails must not end the training
            text = f"The untrained network could not be measured: {problem}"
            narrator.tell("note", level="info", text=text)
        return found


def untrained_key(spec: JobSpec) -> Mapping[str, Any]:
    """Return what the latents of an untrained network depend on."""
    return {
        "method": spec.method,
        "params": spec.params,
        "seed": spec.seed,
        "folder": spec.folder,
        "split": spec.split,
        **({"tile": spec.tile, "overlap": spec.overlap} if spec.tile else {}),
        "loupe": spec.loupe,
    }

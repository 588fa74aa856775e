"""Pictures of the present state of a training, of the same few images each time.

By capability: reconstructions, samples, heat maps, and the positions of up to a thousand images for
the live latent map, whose latents are measured as well. Random numbers and modes of the training
are left as they were.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.files import replaced
from desktop_app.core.health import Health
from desktop_app.core.runs import Run
from desktop_app.core.tiles import grid_of
from desktop_app.sdk.capabilities import Embeds, Encodes, Generates, Localizes, Scores
from desktop_app.sdk.data import (
    Array,
    Dataset,
    SomeRows,
    as_pixels,
    batch_size,
    batches,
    even_rows,
)
from desktop_app.sdk.errors import LoupeError
from desktop_app.sdk.events import Latents, Preview
from desktop_app.sdk.method import Method
from desktop_app.toolbox.represented import shrunk
from desktop_app.worker.measuring import Probe, tell_health
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.tiling import can_rebuild, rebuilt

_PROBES = 8
_MAP_POINTS = 1000
_LEAST_POINTS = 40
"""Images on the live map where each is many tiles, all of which must be encoded."""
_SAMPLES = 16
_PICTURE = 384
"""Longest side in pixels of the pictures: they are kept for every moment."""


class Snapshots:
    """Takes pictures on a clock that slows down: never more than a tenth of the time."""

    def __init__(
        self,
        run: Run,
        data: Dataset,
        ids: NDArray[np.int64],
        seconds: float,
        probe: Probe | None = None,
    ) -> None:
        """`ids` (N,) are the numbers of the images in the index; `probe` compares with labels."""
        self._run = run
        self._probe = probe
        self._seconds = seconds
        self._ids = ids
        grid = grid_of(run.spec(), run.region())
        tiles = 1 if grid is None else len(grid)
        self._map_rows = even_rows(len(data), max(_LEAST_POINTS, _MAP_POINTS // tiles))
        self._probes = data.images(even_rows(len(data), _PROBES))
        self._data = data
        self._next = 0.0
        self._is_told = False
        """Whether the method tells by itself where the images lie."""
        if probe is not None:
            probe.look_at(self._map_rows)

    def is_due(self, elapsed: float) -> bool:
        """Tell whether it is time for the next picture; `elapsed` counts seconds of training."""
        return elapsed >= self._next

    def take(
        self,
        method: Method[Any],
        step: int,
        narrator: Narrator,
        *,
        epoch: float = 0.0,
        last: bool = False,
    ) -> Health | None:
        """Write the pictures of this moment, tell where they are, and measure the latents.

        A method that is not ready for one of them yet is passed over. Returns the health of an
        encoder's latents, None where there is none.
        """
        began = time.monotonic()
        for name, images, columns in _pictures(method, self._probes):
            self.write_preview(Preview(name, shrunk(images, _PICTURE), columns), step, narrator)
        found = None
        latents = self._latents(method)
        if latents is not None:
            if not self._is_told:
                self.write_latents(Latents(latents, self._map_rows), step, narrator)
            if not isinstance(method, Embeds):  # a layout has no dimensions that could be dead
                found = tell_health(latents, step, epoch, narrator)
        cost = time.monotonic() - began
        if latents is not None and self._probe is not None:
            cost += self._probe.tell(method, latents, step, epoch, narrator, last=last)
        self._next = narrator.elapsed + max(self._seconds, 10 * cost, 0.02 * narrator.elapsed)
        return found

    def write_preview(self, preview: Preview, step: int, narrator: Narrator) -> None:
        """Write pictures that the method itself drew, or those of `take`."""
        name = f"{preview.name}-{step:09d}.npz".replace("/", "-").replace(" ", "-")
        self._save("previews", name, images=as_pixels(preview.images))
        narrator.tell(
            "preview",
            name=preview.name,
            step=step,
            file=f"previews/{name}",
            columns=preview.columns,
            caption=preview.caption,
        )

    def told_latents(self, latents: Latents, step: int, narrator: Narrator) -> None:
        """Write positions that the method itself tells; from now on `take` writes none."""
        self._is_told = True
        self.write_latents(latents, step, narrator)

    def write_latents(self, latents: Latents, step: int, narrator: Narrator) -> None:
        """Write the positions of images; `rows` become numbers in the folder's index."""
        name = f"{step:09d}.npz"
        self._save("latents", name, latents=latents.latents, ids=self._ids[latents.rows])
        narrator.tell("latents", step=step, file=f"latents/{name}")

    def _latents(self, method: Method[Any]) -> Array | None:
        """Return where the images of the map lie; None where the method cannot say it yet.

        A method that embeds knows it without being asked for each image.
        """
        try:
            if isinstance(method, Embeds):
                return np.asarray(method.embed()[self._map_rows])
            if isinstance(method, Encodes):
                seen = SomeRows(self._data, self._map_rows)
                size = batch_size(seen.sample_shape, len(seen))
                return np.concatenate([method.encode(images) for _, images in batches(seen, size)])
        except LoupeError:
            return None
        return None

    def _save(self, folder: str, name: str, **arrays: NDArray[Any]) -> None:
        with replaced(self._run.path / folder / name) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]


def _pictures(method: Method[Any], probes: Array) -> list[tuple[str, Array, int]]:
    """Return name, images (N, C, H, W) in [0, 1] and columns of every picture that can be drawn."""
    pictures = []
    for draw in (_reconstructions, _samples, _heat_maps):
        try:
            picture = draw(method, probes)
        except LoupeError:
            continue
        if picture is not None:
            pictures.append(picture)
    return pictures


def _reconstructions(method: Method[Any], probes: Array) -> tuple[str, Array, int] | None:
    if not can_rebuild(method):
        return None
    return "reconstructions", np.concatenate([probes, rebuilt(method, probes)]), len(probes)


def _samples(method: Method[Any], probes: Array) -> tuple[str, Array, int] | None:  # noqa: ARG001
    if not isinstance(method, Generates):
        return None
    return "samples", method.generate(_SAMPLES, seed=0), 8


def _heat_maps(method: Method[Any], probes: Array) -> tuple[str, Array, int] | None:
    if not (isinstance(method, Localizes) and isinstance(method, Scores)):
        return None
    maps = method.localize(probes)
    low, high = float(np.nanmin(maps)), float(np.nanmax(maps))
    grey = np.nan_to_num((maps - low) / max(high - low, 1e-12))
    pictures = np.repeat(grey[:, None], probes.shape[1], axis=1).astype(np.float32)
    return "heat maps", np.concatenate([probes, pictures]), len(probes)

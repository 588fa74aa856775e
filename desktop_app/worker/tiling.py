"""A method that is shown tiles and answers for whole images.

It learns from the tiles of all images, shuffled like images. Asked about an image, it is shown the
tiles of it, some at a time:

    score     the highest of the tiles
    maps      stitched, blended where tiles overlap
    latents   the mean of the tiles
    reason    that of the tile that scores highest
    samples   tiles, as it knows nothing larger

Everything else of the host sees a method of whole images. In a tile that the border of the region
of interest crosses, the method is told where that tile counts, for as long as it is asked about it.

Shapes: N images, K tiles per image, n tiles at a time, C channels, S the side of images, t that of
tiles, D latent dimensions.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from desktop_app.core.tiles import WHOLE, TiledDataset, TileGrid, capabilities_in_tiles, why_whole
from desktop_app.sdk.capabilities import CAPABILITIES, Inspects, capabilities_of
from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Event, Events, Latents, Metrics
from desktop_app.sdk.explanation import Box, Explanation
from desktop_app.sdk.method import Method, State
from desktop_app.sdk.params import Params
from desktop_app.sdk.views import View
from desktop_app.toolbox.exporting import encoder_module

_VALUES = 8_000_000
"""Values of the tiles that a method is shown at a time: 32 MB of float32."""
_MOST = 64
"""Tiles that a method is shown at a time."""

Pairs = NDArray[np.int64]
"""(n, 2): an image and the number of one of its tiles."""
Told = TypeVar("Told")


class InTiles(Method[Params]):
    """Another method, looked at through tiles; `in_tiles` adds what that method can do."""

    def __init__(self, method: Method[Any], grid: TileGrid) -> None:
        """Take an untrained method and where the tiles lie."""
        super().__init__(method.params, seed=method.seed, device=method.device)
        self.method: Any = method
        """What is shown the tiles."""
        self.grid = grid
        self.region = grid.region

    @property
    def sample_shape(self) -> tuple[int, int, int] | None:
        """The shape (C, S, S) of images, None where the method does not tell that of its tiles."""
        shape = getattr(self.method, "sample_shape", None)
        return None if shape is None else (shape[0], self.grid.side, self.grid.side)

    def attach_run(self, parameter: str, method: Method[Any]) -> None:
        """Hand on a trained method; one that is shown tiles itself without them."""
        inside = method.method if isinstance(method, InTiles) else method
        self.method.attach_run(parameter, inside)

    def fit(self, data: Dataset) -> Events:
        """Learn from the tiles of images (C, S, S); rows and counts that are told are of images."""
        self._require_side(data.sample_shape)
        seen = told = 0
        for event in self.method.fit(TiledDataset(data, self.grid)):
            if isinstance(event, Metrics):
                seen += event.images
                whole = seen // len(self.grid)
                yield replace(event, images=whole - told)
                told = whole
            else:
                yield self._of_images(event)

    def state(self) -> State:
        """Return the state of the method: tiles add nothing to it."""
        state: State = self.method.state()
        return state

    def restore(self, state: State) -> None:
        """Restore the method."""
        self.method.restore(state)

    def views(self) -> Sequence[View]:
        """Return the pictures of the method."""
        views: Sequence[View] = self.method.views()
        return views

    def _of_images(self, event: Event) -> Event:
        """Return an event whose rows are those of images: where one lies, its tiles do on average.

        Shapes: of n told tiles those of m images.
        """
        if not isinstance(event, Latents):
            return event
        rows, own = np.unique(event.rows // len(self.grid), return_inverse=True)
        sums = np.zeros((len(rows), *event.latents.shape[1:]))
        np.add.at(sums, own, event.latents)
        counts = np.bincount(own).reshape(-1, *[1] * (event.latents.ndim - 1))
        return Latents((sums / counts).astype(np.float32), rows)

    # ------------------------------------------------------------------------------ asking

    def _require_side(self, shape: tuple[int, ...]) -> None:
        if tuple(shape[-2:]) != (self.grid.side, self.grid.side):
            raise InvalidInput(
                f"Images of {self.grid.side} x {self.grid.side} pixels are cut into tiles here, "
                f"got {shape[-2]} x {shape[-1]}: read the folder at that size."
            )

    def _passes(self, images: Images) -> Iterator[tuple[Pairs, NDArray[np.bool_] | None]]:
        """Yield the tiles of images (N, C, S, S), some at a time, and where these all count.

        Tiles that the border of the region crosses come by themselves, a place at a time.
        """
        self._require_side(images.shape)
        size = int(np.clip(_VALUES // (images.shape[1] * self.grid.tile**2), 1, _MOST))
        counted = [self.grid.counted(number) for number in range(len(self.grid))]
        inside = [number for number, where in enumerate(counted) if where is None]
        crossed = [number for number, where in enumerate(counted) if where is not None]
        for numbers in (inside, *([number] for number in crossed)):
            pairs = np.array([(i, number) for i in range(len(images)) for number in numbers])
            for start in range(0, len(pairs), size):
                yield pairs[start : start + size], counted[numbers[0]]

    def _asked(self, images: Images, ask: Callable[[Images], Told]) -> Iterator[tuple[Pairs, Told]]:
        """Yield what the method says of all tiles of images (N, C, S, S), some at a time."""
        for pairs, where in self._passes(images):
            with self._counting(where):
                told = ask(self.grid.cut(images, pairs))
            yield pairs, told

    @contextmanager
    def _counting(self, where: NDArray[np.bool_] | None) -> Iterator[None]:
        """Tell the method where the tiles (t, t) that it is shown count."""
        self.method.region = where
        try:
            yield
        finally:
            self.method.region = None

    def _scores_of_tiles(self, images: Images) -> Array:
        """Return the scores (N, K) of the tiles of images (N, C, S, S)."""
        scores = np.empty((len(images), len(self.grid)), np.float32)
        for pairs, told in self._asked(images, self.method.score):
            scores[pairs[:, 0], pairs[:, 1]] = told
        return scores


class _Encoding(InTiles):
    def encode(self, images: Images) -> Array:
        """Return the mean latents (N, D) of the tiles of images (N, C, S, S)."""
        total: NDArray[np.float64] | None = None
        for pairs, told in self._asked(images, self.method.encode):
            if total is None:
                total = np.zeros((len(images), *np.shape(told)[1:]))
            np.add.at(total, pairs[:, 0], told)
        if total is None:
            raise InvalidInput("Expected images to encode, got none.")
        return (total / len(self.grid)).astype(np.float32)

    def encoder_module(self) -> nn.Module:
        """Return a module of images (N, C, S, S) that returns what `encode` returns.

        Raises MissingCapability when the method's own latents cannot be written as one.
        """
        return _MeanOfTiles(encoder_module(self.method), self.grid)


class _Rebuilding(_Encoding):
    def rebuild(self, images: Images) -> Images:
        """Return images (N, C, S, S) that are stitched from rebuilt tiles."""
        whole = self.grid.blank(*images.shape[:2])
        decode, encode = self.method.decode, self.method.encode
        for pairs, told in self._asked(images, lambda tiles: decode(encode(tiles))):
            self.grid.add(whole, pairs, told)
        return np.where(np.isfinite(whole), whole, images)


class _Generating(InTiles):
    def generate(self, count: int, seed: int) -> Images:
        """Return `count` new tiles (count, C, t, t)."""
        tiles: Images = self.method.generate(count, seed)
        return tiles


class _Scoring(InTiles):
    def score(self, images: Images) -> Array:
        """Return the highest score (N,) of the tiles of images (N, C, S, S)."""
        scores: Array = self._scores_of_tiles(images).max(axis=1)
        return scores


class _Localizing(InTiles):
    def localize(self, images: Images) -> Array:
        """Return stitched maps (N, S, S), no number where no tile touches the region."""
        whole = self.grid.blank(len(images))
        for pairs, told in self._asked(images, self.method.localize):
            self.grid.add(whole, pairs, told)
        return whole


class _Inspecting(_Scoring, _Localizing):
    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return what `score` and `localize` return, each tile looked at once."""
        whole = self.grid.blank(len(images))
        scores = np.empty((len(images), len(self.grid)), np.float32)
        for pairs, (score, maps) in self._asked(images, self.method.inspect):
            scores[pairs[:, 0], pairs[:, 1]] = score
            self.grid.add(whole, pairs, maps)
        return scores.max(axis=1), whole


class _Explaining(InTiles):
    def explain(self, images: Images) -> Sequence[Explanation]:
        """Return the explanation of the tile of each image (N, C, S, S) that scores highest."""
        found = []
        for place, tile in enumerate(self._scores_of_tiles(images).argmax(axis=1).tolist()):
            pairs = np.array([(place, tile)])
            with self._counting(self.grid.counted(tile)):
                one = self.method.explain(self.grid.cut(images, pairs))[0]
            box = moved(one.box, self.grid.corners[tile])
            found.append(replace(one, box=box) if one.generation else self._of_image(one, box))
        return found

    def _of_image(self, found: Explanation, box: Box) -> Explanation:
        """Return an explanation whose source is an image that this training learned from."""
        row, source = source_in_image(found, self.grid)
        return replace(found, box=box, row=row, source_box=source)


_PARTS: dict[str, type[InTiles]] = {
    "encodes": _Encoding,
    "rebuilds": _Rebuilding,
    "generates": _Generating,
    "scores": _Scoring,
    "localizes": _Localizing,
    "explains": _Explaining,
}


class _MeanOfTiles(nn.Module):
    """The mean latents of the tiles of images."""

    def __init__(self, encoder: nn.Module, grid: TileGrid) -> None:
        super().__init__()
        self.encoder = encoder
        self._tile = grid.tile
        self._corners: list[list[int]] = grid.corners.tolist()

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, D) of images (N, C, S, S)."""
        side = self._tile
        parts = [
            self.encoder(images[:, :, top : top + side, left : left + side])
            for top, left in self._corners
        ]
        return torch.stack(parts).mean(dim=0)


@cache
def kind_in_tiles(kind: type[Method[Any]]) -> type[InTiles]:
    """Return the class of a method that is shown tiles: it offers what makes sense for them.

    Raises MissingCapability where tiles make no sense for the method.
    """
    capabilities = capabilities_of(kind)
    reason = why_whole(capabilities, uses_labels=kind.uses_labels)
    if reason:
        raise MissingCapability(
            f"'{kind.card.title}' looks at whole images alone, not at tiles. {WHOLE[reason]} "
            "Leave tiles out, or choose another method."
        )
    names = set(capabilities_in_tiles(capabilities))
    parts = [part for name, part in _PARTS.items() if name in names]
    if issubclass(kind, Inspects):
        parts.append(_Inspecting)
    own = {part for part in parts if not any(p is not part and issubclass(p, part) for p in parts)}
    bases = tuple(part for part in parts if part in own)
    about = {"card": kind.card, "params_type": kind.params_type, "__doc__": kind.__doc__}
    made: type[InTiles] = type(f"{kind.__name__}InTiles", bases, about)
    return made


def in_tiles(method: Method[Any], grid: TileGrid) -> InTiles:
    """Return a method of whole images that shows their tiles to another one.

    Raises MissingCapability where tiles make no sense for the method.
    """
    return kind_in_tiles(type(method))(method, grid)


def attach(method: Method[Any], parameter: str, trained: Method[Any]) -> None:
    """Let a method take a trained one; one of whole images may take what another shows tiles to.

    Latents of whole images are wanted first, then the network that was trained on tiles. Raises
    MissingCapability when it can use neither.
    """
    try:
        method.attach_run(parameter, trained)
    except MissingCapability:
        if isinstance(method, InTiles) or not isinstance(trained, InTiles):
            raise
        method.attach_run(parameter, trained.method)


def moved(box: Box, corner: NDArray[np.int64]) -> Box:
    """Return a box in a tile as one in the image."""
    down, right = corner.tolist()
    return box[0] + down, box[1] + right, box[2] + down, box[3] + right


def source_in_image(found: Explanation, grid: TileGrid) -> tuple[int, Box]:
    """Return row and box of an image, of an explanation whose source is a tile of it."""
    row, tile = divmod(found.row, len(grid))
    return row, moved(found.source_box, grid.corners[tile])


def can_rebuild(method: Method[Any]) -> bool:
    """Tell whether a method rebuilds the images that it is shown."""
    both = isinstance(method, CAPABILITIES["encodes"]) and isinstance(
        method, CAPABILITIES["decodes"]
    )
    return both or isinstance(method, _Rebuilding)


def rebuilt(method: Method[Any], images: Images) -> Images:
    """Return images (N, C, H, W) as a method rebuilds them; tile by tile where it is shown tiles.

    Raises MissingCapability when it cannot.
    """
    if isinstance(method, _Rebuilding):
        return method.rebuild(images)
    if not can_rebuild(method):
        raise MissingCapability(f"'{method.card.title}' cannot rebuild images: choose another one.")
    whole: Any = method
    found: Images = whole.decode(whole.encode(images))
    return found

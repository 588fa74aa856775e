"""The base of methods that learn from vectors of all images at once: clusters, maps, density.

The vectors are gathered first, batch by batch, and are part of the state until the method lets go
of them; then `learn` sees all of them. A method writes `learn`, and what it learned goes into
`learned` and comes back through `restore_learned`.

Shapes: N images, C channels, H rows, W columns, D dimensions.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from desktop_app.sdk.data import Array, Dataset, Images, Pixels, as_pixels
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.events import Events, Metrics, Note
from desktop_app.sdk.method import Method, State
from desktop_app.toolbox.representation import Representation, RepresentationParams
from desktop_app.toolbox.states import part, united

P = TypeVar("P", bound=RepresentationParams)

GATHERED = 0.3
"""Progress at which the vectors of all images are there."""
SMALL = 48
"""Longest side in pixels of the pictures that views show of fitted images."""
_BATCH_VALUES = 4_000_000
"""Values of the images of a batch: 16 MB of float32."""


class RepresentedMethod(Method[P]):
    """A method of vectors (N, D): latents of another run, or pixels in few dimensions."""

    least_images: ClassVar[int] = 1
    """With fewer images there is nothing to learn."""

    def __init__(self, params: P | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(params, seed=seed, device=device)
        self._encoder: Method[Any] | None = None
        self._representation: Representation | None = None
        self.vectors: Array = np.zeros((0, 0), np.float32)
        """(N, D) of the fitted images; (0, 0) before the training."""
        self.step = 0
        """Steps told so far."""
        self._data: Dataset | None = None

    @property
    def representation(self) -> Representation:
        """What images are to this method. Raises InvalidInput before the training."""
        if self._representation is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: train it, or open a run.")
        return self._representation

    def attach_run(self, parameter: str, method: Method[Any]) -> None:
        """Take the trained method whose latents are looked at."""
        if parameter != "encoder":
            raise MissingCapability(f"'{self.card.title}' takes a run as 'encoder' alone.")
        self._encoder = method

    @abstractmethod
    def learn(self) -> Events:
        """Learn from `self.vectors` (N, D), or go on where `restore_learned` left off.

        Metrics come from `self.metrics`; the last of them has progress 1.
        """

    @abstractmethod
    def learned(self) -> State:
        """Return what `learn` has found so far."""

    @abstractmethod
    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned; `self.vectors` are there."""

    def fit(self, data: Dataset) -> Events:
        """Gather the vectors of all images, then learn from them."""
        if len(data) < self.least_images:
            raise InvalidInput(
                f"'{data.name}' holds {len(data)} usable images; {self.card.title} needs at least "
                f"{self.least_images}: add images, or choose another folder."
                if len(data)
                else f"'{data.name}' holds no usable image to learn from."
            )
        if self._representation is None:
            self._representation = Representation(self.params, self._encoder, self.seed)
            self._representation.learn(data)
            share = self._representation.explained
            if share < 1:
                yield Note(f"The components keep {share:.1%} of the variance of the images.")
        yield from self._gather(data, self._representation)
        self._data = data
        try:
            yield from self.learn()
        finally:
            self._data = None

    def metrics(
        self, progress: float, values: Mapping[str, float], *, epoch: float = 0.0, images: int = 0
    ) -> Metrics:
        """Return the Metrics of the next step; `progress` in [0, 1] counts `learn` alone."""
        self.step += 1
        whole = 1.0 if progress >= 1 else GATHERED + (1 - GATHERED) * progress
        return Metrics(self.step, whole, dict(values), epoch=epoch, images=images)

    def represent(self, images: Images) -> Array:
        """Return the vectors (N, D) of images (N, C, H, W)."""
        return self.representation.of(images)

    def small_images(self, rows: NDArray[np.int64], side: int = SMALL) -> Pixels:
        """Return pictures (n, C, h, w) of fitted images, for views; while `learn` runs."""
        if self._data is None:
            raise InvalidInput("The images are at hand while the training runs alone.")
        return as_pixels(shrunk(self._data.images(np.asarray(rows, np.int64)), side))

    def state(self) -> State:
        """Return representation, vectors and what was learned."""
        if self._representation is None:
            return State({}, {})
        return united(
            State({"vectors": self.vectors}, {"step": self.step}),
            representation=self._representation.state(),
            learned=self.learned(),
        )

    def restore(self, state: State) -> None:
        """Take back what `state` returned."""
        representation, learned = part(state, "representation"), part(state, "learned")
        if representation is None or learned is None:
            return
        self._representation = Representation(self.params, self._encoder, self.seed)
        self._representation.restore(representation)
        self.vectors = np.array(state.arrays["vectors"])
        self.step = int(state.values["step"])
        self.restore_learned(learned)

    def _gather(self, data: Dataset, representation: Representation) -> Iterator[Metrics]:
        size = max(1, _BATCH_VALUES // int(np.prod(data.sample_shape)))
        while len(self.vectors) < len(data):
            rows = slice(len(self.vectors), min(len(self.vectors) + size, len(data)))
            found = representation.of(data.images(rows))
            self.vectors = found if rows.start == 0 else np.concatenate([self.vectors, found])
            self.step += 1
            share = rows.stop / len(data)
            yield Metrics(
                self.step,
                GATHERED * share,
                {},  # how many there are is progress, and no curve
                epoch=share,
                images=len(found),
            )


def shrunk(images: Images, side: int = SMALL) -> Images:
    """Return images (N, C, H, W) with sides of at most so many pixels."""
    longest = max(images.shape[2:])
    if longest <= side or len(images) == 0:
        return images
    size = [max(1, round(length * side / longest)) for length in images.shape[2:]]
    smaller = functional.interpolate(
        torch.tensor(images), size=size, mode="bilinear", antialias=True
    )
    return smaller.clamp(0, 1).numpy()

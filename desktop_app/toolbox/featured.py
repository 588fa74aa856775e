"""The base of methods that look at patch features of a frozen network and learn without gradients.

The network is weights, an encoder trained here, or filters learned from the images. Where it comes
from is told at the start of `fit`, kept in the state and drawn first among the views. A method
writes `prepared`, `learn`, `learned` and `restore_learned`, and answers through `answers`.

Shapes: N images, C channels, S rows and columns, H W of the grid of patches, D dimensions.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Metrics, Note
from desktop_app.sdk.method import State
from desktop_app.sdk.params import param
from desktop_app.sdk.views import View
from desktop_app.toolbox.features import ChoosesFeatures, FeatureParams
from desktop_app.toolbox.patches import (
    PatchFeatures,
    enlarged,
    prepared_patches,
    restored_patches,
    worst_patches,
)
from desktop_app.toolbox.states import part, united
from desktop_app.toolbox.training import to_device

_ALL = 1_000_000
"""More dimensions than any network gives: nothing is projected."""


class FeaturedParams(FeatureParams):
    """Which features, and how they are read."""

    batch_size: int = param(
        16, low=1, high=1024, scale="log", unit="images", help="Images per pass.", advanced=True
    )


class PatchParams(FeaturedParams):
    """How features become patches."""

    neighbourhood: int = param(
        3,
        low=1,
        high=15,
        unit="map pixels",
        help="Side of the square averaged into a patch.",
        advanced=True,
    )


P = TypeVar("P", bound=FeaturedParams)


class FeaturedMethod(ChoosesFeatures[P]):
    """A method of patch vectors (N, H, W, D) of all images, looked at in batches."""

    def __init__(self, params: P | None = None, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(params, seed=seed, device=device)
        self._patches: PatchFeatures | None = None
        self.step = 0
        """Steps told so far."""

    @property
    def patches(self) -> PatchFeatures:
        """What images are to this method. Raises InvalidInput before the training."""
        if self._patches is None:
            raise InvalidInput(f"{self.card.title} is not trained yet: train it, or open a run.")
        return self._patches

    @property
    def neighbourhood(self) -> int:
        """Side of the square averaged into a patch; 1 for methods of whole images."""
        return self.params.neighbourhood if isinstance(self.params, PatchParams) else 1

    def prepared(self, data: Dataset) -> PatchFeatures:
        """Return the patches to look at: all dimensions of the features, without their place."""
        return prepared_patches(
            self.features(data),
            data,
            neighbourhood=self.neighbourhood,
            position=0.0,
            whitening=0.0,
            most_dimensions=_ALL,
            seed=self.seed,
            device=self.device,
        )

    @abstractmethod
    def learn(self, data: Dataset, patches: PatchFeatures) -> Events:
        """Learn from the patches, or go on where `restore_learned` left off."""

    @abstractmethod
    def learned(self) -> State:
        """Return what `learn` has found so far."""

    @abstractmethod
    def restore_learned(self, state: State) -> None:
        """Take back what `learned` returned; `self.patches` are there."""

    def fit(self, data: Dataset) -> Events:
        """Prepare the features, tell where they come from, and learn."""
        if len(data) == 0:
            raise InvalidInput(f"'{data.name}' holds no usable image to learn from.")
        if self._patches is None:
            self._patches = self.prepared(data)
            yield Note(f"Features: {self._patches.features.report.sentence()}")
        if data.sample_shape != self.patches.sample_shape:
            raise InvalidInput(
                f"The training began with images of shape {self.patches.sample_shape}, "
                f"'{data.name}' has {data.sample_shape}: start a new run for that size."
            )
        yield from self.learn(data, self.patches)

    def look(self, images: Tensor) -> Tensor:
        """Return what is looked at of images (n, C, S, S): their patches (n, H, W, D)."""
        return self.patches.of(images)

    def looked_at(
        self, data: Dataset, rows: NDArray[np.int64], first: int = 0
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield rows (n,), from the `first` of them on, and `look` of their images."""
        size = self.params.batch_size
        for start in range(first, len(rows), size):
            some = rows[start : start + size]
            with torch.no_grad():
                seen = self.look(to_device(data.pixels(some), self.device))
            yield some, seen

    def metrics(
        self, progress: float, values: Mapping[str, float], *, epoch: float = 0.0, images: int = 0
    ) -> Metrics:
        """Return the Metrics of the next step."""
        self.step += 1
        return Metrics(self.step, progress, dict(values), epoch=epoch, images=images)

    def answers(
        self, images: Images, answer: Callable[..., tuple[Tensor, ...]], *beside: NDArray[Any]
    ) -> tuple[Array, ...]:
        """Return what `answer` says of `look` of images (N, C, S, S), a batch at a time.

        It is given the part of that batch of the arrays (N, ...) `beside` as well.
        """
        size = self.params.batch_size
        found: list[list[Array]] = []
        with torch.inference_mode():
            for start in range(0, max(len(images), 1), size):
                some = np.require(images[start : start + size], np.float32, ["C", "W"])
                own = [
                    torch.from_numpy(array[start : start + size]).to(self.device)
                    for array in beside
                ]
                told = answer(self.look(torch.from_numpy(some).to(self.device)).float(), *own)
                found.append([one.cpu().numpy() for one in told])
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))

    def views(self) -> Sequence[View]:
        """Return where the features come from, and filters that were learned."""
        if self._patches is None:
            return ()
        return self._patches.features.views(self._patches.sample_shape[0])

    def state(self) -> State:
        """Return features and what was learned."""
        if self._patches is None:
            return State({}, {"step": 0})
        own = State({}, {"step": self.step})
        return united(own, patches=self._patches.state(), learned=self.learned())

    def restore(self, state: State) -> None:
        """Take back what `state` returned."""
        patches, learned = part(state, "patches"), part(state, "learned")
        if patches is None or learned is None:
            return
        self._patches = restored_patches(patches, self.device)
        self.step = int(state.values["step"])
        self.restore_learned(learned)


class InspectedPatches(FeaturedMethod[P]):
    """Gives Scores, Localizes and Inspects to a method that knows how unusual each patch is."""

    @abstractmethod
    def distances(self, patches: Tensor) -> Tensor:
        """Return how unusual (N, H, W) patches (N, H, W, D) are; higher is more unusual."""

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return scores (N,) and maps (N, S, S) of images (N, C, S, S), computed once."""
        size = images.shape[-1]

        def both(patches: Tensor) -> tuple[Tensor, ...]:
            distances = self.distances(patches)
            return worst_patches(distances, region=self.region), enlarged(distances, size)

        scores, maps = self.answers(images, both)
        return scores, maps

    def score(self, images: Images) -> Array:
        """Return the mean (N,) of the most unusual patches of images (N, C, S, S)."""

        def worst(patches: Tensor) -> tuple[Tensor, ...]:
            return (worst_patches(self.distances(patches), region=self.region),)

        return self.answers(images, worst)[0]

    def localize(self, images: Images) -> Array:
        """Return maps (N, S, S): how unusual the patches are, enlarged and smoothed."""
        size = images.shape[-1]
        return self.answers(images, lambda own: (enlarged(self.distances(own), size),))[0]

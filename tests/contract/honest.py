"""A small method of numpy alone that keeps every promise: what the kit is tried on."""

from typing import Any

import numpy as np

from desktop_app.sdk.data import Array, Dataset, Images
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Events, Metrics
from desktop_app.sdk.method import Card, Method, State
from desktop_app.sdk.params import Params, param
from desktop_app.sdk.views import Curve, ImageGrid, View


class HonestParams(Params):
    """Parameters with help and ranges."""

    components: int = param(24, low=1, high=100, help="Directions.")
    rate: float = param(0.5, low=0.0, high=1.0, help="How far the groups move in a step.")


class Honest(Method[HonestParams]):
    """Principal axes, then k-means of three groups on them, one iteration a step."""

    card = Card("honest", "Honest method", "Tests", "Does what it says.")
    steps = 6
    groups = 3

    def __init__(self, params: Any = None, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(params, seed=seed, device=device)
        self.step, self.shape = 0, (0, 0, 0)
        self.mean = self.axes = self.spread = self.centres = self.first = np.zeros(0, np.float32)

    def fit(self, data: Dataset) -> Events:
        if len(data) == 0:
            raise InvalidInput(f"'{data.name}' holds no image: choose another folder.")
        flat = data.images(slice(None)).reshape(len(data), -1)
        if self.step == 0:
            self._begin(flat, data.sample_shape)
        codes = (flat - self.mean) @ self.axes.T
        while self.step < self.steps:
            yield self.metrics(codes)

    def metrics(self, codes: Array) -> Metrics:
        random = np.random.default_rng([self.seed, self.step])
        group = self._nearest(codes)
        for number in range(self.groups):
            target = codes[group == number].mean(axis=0) if (group == number).any() else 0
            self.centres[number] += self.params.rate * (target - self.centres[number])
        self.step += 1
        error = float(np.square(codes - self.centres[self._nearest(codes)]).mean())
        values = {"error": error, "noise": float(random.normal())}
        return Metrics(self.step, self.step / self.steps, values, images=len(codes))

    def encode(self, images: Images) -> Array:
        return (self._flat(images) - self.mean) @ self.axes.T

    def decode(self, latents: Array) -> Images:
        flat = np.clip(latents @ self.axes + self.mean, 0, 1)
        return flat.reshape(-1, *self.shape).astype(np.float32)

    def generate(self, count: int, seed: int) -> Images:
        normal = np.random.default_rng(seed).standard_normal((count, len(self.axes)))
        return self.decode((normal * self.spread).astype(np.float32))

    def score(self, images: Images) -> Array:
        return self.localize(images).max(axis=(1, 2))

    def localize(self, images: Images) -> Array:
        return np.square(images - self.decode(self.encode(images))).mean(axis=1)

    def inspect(self, images: Images) -> tuple[Array, Array]:
        return self.score(images), self.localize(images)

    def cluster(self, images: Images) -> Any:
        return self._nearest(self.encode(images))

    def embed(self) -> Array:
        return self.first

    def complete(self, images: Images, mask: Any) -> Images:
        filled = np.where(mask[:, None], self.mean.reshape(self.shape), images)
        for _ in range(20):
            filled = np.where(mask[:, None], self.decode(self.encode(filled)), images)
        return filled.astype(np.float32)

    def views(self) -> list[View]:
        if not self.step:
            return []
        numbers = np.arange(len(self.spread), dtype=np.float32)
        axes = self.axes.reshape(-1, *self.shape)
        return [ImageGrid("Axes", axes), Curve("Spread", {"spread": (numbers, self.spread)})]

    def state(self) -> State:
        if not self.step:
            return State({}, {"step": 0})
        names = ("mean", "axes", "spread", "centres", "first")
        arrays = {name: getattr(self, name).copy() for name in names}
        return State(arrays, {"step": self.step, "shape": list(self.shape)})

    def restore(self, state: State) -> None:
        self.step = state.values["step"]
        self.shape = tuple(state.values.get("shape", ()))
        for name, array in state.arrays.items():
            setattr(self, name, np.array(array))

    def _begin(self, flat: Array, shape: tuple[int, int, int]) -> None:
        self.shape, self.mean = shape, flat.mean(axis=0)
        _, values, axes = np.linalg.svd(flat - self.mean, full_matrices=False)
        self.axes = axes[: self.params.components]
        self.spread = values[: len(self.axes)] / np.float32(np.sqrt(len(flat)))
        self.first = (flat - self.mean) @ self.axes.T
        self.centres = self.first[: self.groups].copy()
        for number in range(1, self.groups):  # the farthest from those that are chosen
            distances = self._distances(self.first)[:, :number].min(axis=1)
            self.centres[number] = self.first[distances.argmax()]

    def _flat(self, images: Images) -> Array:
        if images.shape[1:] != self.shape:
            raise InvalidInput(f"Expected images of shape {self.shape}, got {images.shape[1:]}.")
        return images.reshape(len(images), -1)

    def _distances(self, codes: Array) -> Array:
        return np.square(codes[:, None] - self.centres).sum(axis=2)

    def _nearest(self, codes: Array) -> Any:
        return self._distances(codes).argmin(axis=1)

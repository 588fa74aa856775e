"""Images as vectors: the latents of a trained method, or their pixels, in few dimensions.

Methods that look at vectors (clusters, maps, density) share the parameters, the choice and the
storage of what their vectors are. Pixels are reduced to principal components, which are found on an
even sample of the images; so are latents, where they have more dimensions than that.

Shapes: N images, C channels, H rows, W columns, F values of an image or latent, D dimensions.
"""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch.nn import functional

from desktop_app.sdk.capabilities import Decodes, Encodes
from desktop_app.sdk.data import Array, Dataset, Images, even_rows
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.method import Method, State
from desktop_app.sdk.params import Params, param

_SAMPLE_VALUES = 50_000_000
"""Numbers in the sample that principal components are found on: 200 MB."""
_LEAST_SAMPLE = 256
_MOST_SAMPLE = 8192
_LEAST_SCALE = 1e-6
_LUMA = np.array([0.299, 0.587, 0.114], np.float32).reshape(1, 3, 1, 1)
"""ITU-R BT.601, as Pillow makes grey images."""


class RepresentationParams(Params):
    """What an image is to the method: latents of a trained run, or pixels, in few dimensions."""

    encoder: str = param(
        "", kind="run", help="Run folder whose latents are looked at; empty: the pixels themselves."
    )
    components: int = param(
        50,
        low=0,
        high=2048,
        scale="log",
        help="Principal components that pixels, or longer latents, are reduced to; 0 reduces none.",
    )
    scaling: Literal["none", "standard", "length"] = param(
        "none",
        help="standard gives every dimension unit variance, length gives every vector unit length "
        "(cosine distances; for contrastive encoders).",
    )


class Representation:
    """Turns images into vectors (N, D), and vectors back into images where it can."""

    def __init__(
        self, params: RepresentationParams, encoder: Method[Any] | None, seed: int
    ) -> None:
        """Use the latents of an encoder, or pixels without one.

        Raises MissingCapability when the encoder gives no latents.
        """
        if encoder is not None and not isinstance(encoder, Encodes):
            raise MissingCapability(
                f"'{encoder.card.title}' gives no latents: name the run of a method that encodes."
            )
        self._params = params
        self._encoder: Any = encoder
        self._seed = seed
        self._sample_shape: tuple[int, int, int] | None = None
        self._arrays: dict[str, Array] = {}
        """centre (F,), axes (D, F) where reduced, shift and scale (D,) where standardised."""
        self.explained = 1.0
        """Share of the variance that the components keep."""

    @property
    def makes_images(self) -> bool:
        """Tell whether vectors can be drawn as images."""
        by_length = self._params.scaling == "length"
        return not by_length and (self._encoder is None or isinstance(self._encoder, Decodes))

    def learn(self, data: Dataset) -> None:
        """Find components and scale on an even sample of the images."""
        self._sample_shape = data.sample_shape
        sample = self._sample(data)
        D = self._params.components
        if 0 < D < sample.shape[1]:
            D = min(D, len(sample))
            solver = "full" if min(sample.shape) < 500 else "randomized"
            pca = PCA(D, svd_solver=solver, random_state=self._seed).fit(sample)
            self.explained = float(min(1.0, pca.explained_variance_ratio_.sum()))
            self._arrays["centre"] = pca.mean_.astype(np.float32)
            self._arrays["axes"] = pca.components_.astype(np.float32)
            sample = self._reduced(sample)
        if self._params.scaling == "standard":
            self._arrays["shift"] = sample.mean(axis=0).astype(np.float32)
            spread = np.maximum(sample.std(axis=0), _LEAST_SCALE)
            self._arrays["scale"] = spread.astype(np.float32)

    def of(self, images: Images) -> Array:
        """Return the vectors (N, D) of images (N, C, H, W).

        Raises InvalidInput for images of another shape than those it was learned on.
        """
        if self._sample_shape is None:
            raise InvalidInput("Nothing is learned yet: train this method first.")
        if tuple(images.shape[1:]) != self._sample_shape:
            raise InvalidInput(
                f"This method was trained on images of shape {self._sample_shape} (channels, rows, "
                f"columns), got {tuple(images.shape[1:])}: read the folder at that size."
            )
        vectors = self._reduced(self._values(images))
        if self._params.scaling == "standard":
            vectors = (vectors - self._arrays["shift"]) / self._arrays["scale"]
        elif self._params.scaling == "length":
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.maximum(length, _LEAST_SCALE)
        return np.ascontiguousarray(vectors, np.float32)

    def images_of(self, vectors: NDArray[Any]) -> Images:
        """Return images (N, C', H', W') in [0, 1] of vectors (N, D).

        Raises MissingCapability when vectors cannot be drawn.
        """
        if self._sample_shape is None or not self.makes_images:
            raise MissingCapability("These vectors cannot be drawn as images.")
        values: NDArray[Any] = np.asarray(vectors, np.float32)
        if self._params.scaling == "standard":
            values = values * self._arrays["scale"] + self._arrays["shift"]
        if "axes" in self._arrays:
            values = values @ self._arrays["axes"] + self._arrays["centre"]
        if self._encoder is not None:
            images: Images = self._encoder.decode(values.astype(np.float32))
            return images
        drawn: Images = np.clip(values, 0, 1).astype(np.float32)
        return drawn.reshape(-1, *self._sample_shape)

    def state(self) -> State:
        """Return what `restore` needs; the encoder is kept by the host."""
        shape = list(self._sample_shape) if self._sample_shape is not None else None
        return State(dict(self._arrays), {"sample_shape": shape, "explained": self.explained})

    def restore(self, state: State) -> None:
        """Take back what `state` returned."""
        shape = state.values["sample_shape"]
        self._sample_shape = (shape[0], shape[1], shape[2]) if shape is not None else None
        self.explained = float(state.values["explained"])
        self._arrays = {name: np.array(array) for name, array in state.arrays.items()}

    def _sample(self, data: Dataset) -> Array:
        """Return the values (n, F) of evenly spread images."""
        first = self._values(data.images(slice(0, 1)))
        most = min(_MOST_SAMPLE, max(_LEAST_SAMPLE, _SAMPLE_VALUES // first.shape[1]))
        rows = even_rows(len(data), most)
        parts = [
            self._values(data.images(some)) for some in np.array_split(rows, -(-len(rows) // 64))
        ]
        return np.concatenate(parts)

    def _values(self, images: Images) -> Array:
        """Return pixels or latents (N, F)."""
        if self._encoder is None:
            return images.reshape(len(images), -1)
        shape = getattr(self._encoder, "sample_shape", None) or images.shape[1:]
        latents: Array = self._encoder.encode(fitted_to(images, shape))
        return latents.reshape(len(images), -1)

    def _reduced(self, values: Array) -> Array:
        if "axes" not in self._arrays:
            return values
        reduced: Array = np.matmul(
            values - self._arrays["centre"], self._arrays["axes"].T, dtype=np.float32
        )
        return reduced


def fitted_to(images: Images, shape: tuple[int, ...]) -> Images:
    """Return images (N, C, H, W) in another (C', H', W'): grey or colour, resized with care."""
    channels, height, width = shape
    if images.shape[1] == 3 and channels == 1:
        images = (images * _LUMA).sum(axis=1, keepdims=True)
    elif images.shape[1] == 1 and channels == 3:
        images = np.repeat(images, 3, axis=1)
    if images.shape[2:] != (height, width):
        resized = functional.interpolate(
            torch.tensor(images), size=(height, width), mode="bilinear", antialias=True
        )
        images = resized.numpy()
    return images

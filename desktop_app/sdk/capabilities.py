"""What a trained method can do; the window asks by capability, never by method name.

Every function takes and returns numpy float32 arrays, may be called while the method trains, and
leaves the training untouched: modes, gradients and random state.

Shapes: N images, C channels, H rows, W columns, D latent dimensions, K classes.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import Array, Images
from desktop_app.sdk.explanation import Explanation


@runtime_checkable
class Encodes(Protocol):
    """Latent map, find similar, export of features, linear probe."""

    def encode(self, images: Images) -> Array:
        """Return latent vectors (N, D) of images (N, C, H, W)."""


@runtime_checkable
class Embeds(Protocol):
    """Latent map of the fitted set itself (t-SNE, MDS)."""

    def embed(self) -> Array:
        """Return the positions (N, D) of the images that were fitted."""


@runtime_checkable
class Represents(Protocol):
    """Beside Embeds: the vectors behind the positions, whose neighbours are the true ones."""

    def represent(self, images: Images) -> Array:
        """Return the vectors (N, D) of images (N, C, H, W)."""


@runtime_checkable
class Decodes(Protocol):
    """Latent explorer; together with Encodes, reconstructions."""

    def decode(self, latents: Array) -> Images:
        """Return images (N, C, H, W) in [0, 1] of latent vectors (N, D)."""


@runtime_checkable
class Generates(Protocol):
    """Sample sheet."""

    def generate(self, count: int, seed: int) -> Images:
        """Return `count` new images (count, C, H, W) in [0, 1]; the same seed gives the same."""


@runtime_checkable
class Scores(Protocol):
    """Histogram with threshold, ranked gallery, removal of outliers."""

    def score(self, images: Images) -> Array:
        """Return (N,), higher = more unusual; raw, not clamped."""


@runtime_checkable
class Localizes(Protocol):
    """Heat-map overlay and pixel metrics."""

    def localize(self, images: Images) -> Array:
        """Return maps (N, H, W), higher = more unusual; raw, not clamped."""


@runtime_checkable
class Inspects(Protocol):
    """Scores and maps in one pass: for methods whose `score` and `localize` share their work."""

    def inspect(self, images: Images) -> tuple[Array, Array]:
        """Return what `score` (N,) and `localize` (N, H, W) return for images (N, C, H, W)."""


@runtime_checkable
class Explains(Protocol):
    """The reason: the worst place of an image beside the normal place most similar to it."""

    def explain(self, images: Images) -> Sequence[Explanation]:
        """Return an explanation of each image (N, C, H, W)."""


@runtime_checkable
class Clusters(Protocol):
    """Cluster gallery, sorting into folders."""

    def cluster(self, images: Images) -> NDArray[np.int64]:
        """Return the cluster number (N,) of images, -1 for none."""


@runtime_checkable
class Completes(Protocol):
    """Fill in and inpaint."""

    def complete(self, images: Images, mask: NDArray[np.bool_]) -> Images:
        """Return images whose pixels under `mask` (N, H, W) are filled in."""


@runtime_checkable
class Translates(Protocol):
    """Colorize, denoise, super-resolve, image to image."""

    def translate(self, images: Images) -> Images:
        """Return the translated images (N, C', H', W') in [0, 1]."""


@runtime_checkable
class Classifies(Protocol):
    """Zero-shot classes and counting."""

    def classify(self, images: Images, texts: Sequence[str]) -> Array:
        """Return (N, K), the similarity of every image to every text."""


@runtime_checkable
class EncodesText(Protocol):
    """Search of images by words."""

    def encode_text(self, texts: Sequence[str]) -> Array:
        """Return latent vectors (N, D) of texts, in the space of `encode`."""


CAPABILITIES: dict[str, type[Any]] = {
    "encodes": Encodes,
    "embeds": Embeds,
    "decodes": Decodes,
    "generates": Generates,
    "scores": Scores,
    "localizes": Localizes,
    "explains": Explains,
    "clusters": Clusters,
    "completes": Completes,
    "translates": Translates,
    "classifies": Classifies,
    "encodes_text": EncodesText,
}


def capabilities_of(method: type[Any] | object) -> tuple[str, ...]:
    """Return the names of the capabilities that a method or its class has, in a fixed order."""
    kind = method if isinstance(method, type) else type(method)
    return tuple(name for name, protocol in CAPABILITIES.items() if issubclass(kind, protocol))

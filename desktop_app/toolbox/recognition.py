"""Recognises the images of a training when they are seen again, by their pixels.

A method that remembers its training images finds each of them quite usual, whatever is wrong with
it: the nearest to an image is the image itself. Recognised, it is compared with the others alone
(leave one out). Copies of an image count as that image; tiles of an image count as that image too,
unless another image has a tile that looks the same, such as an empty one.

Shapes: N images, C channels, H rows, W columns.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from desktop_app.sdk.data import Images, Pixels, as_pixels

Marks = NDArray[np.uint8]
"""(N, 16): a digest of the pixels of each image."""

NOBODY = -1
"""The number of images that are not recognised."""


def marks_of(pixels: Pixels) -> Marks:
    """Return the marks (N, 16) of images (N, C, H, W)."""
    digests = [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in pixels]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), 16)


class Recognition:
    """The images of a training, numbered; copies share a number, and so do parts of an image."""

    def __init__(self, marks: Marks, wholes: NDArray[np.int32] | None = None) -> None:
        """Number images by their marks (N, 16), and parts of images by these.

        `wholes` (N, 2) are training and image that each is a part of, below 0 for whole images.
        """
        keys = [mark.tobytes() for mark in marks]
        owners = keys
        if wholes is not None:
            parts = zip(keys, wholes, strict=True)
            owners = [key if whole[1] < 0 else whole.tobytes() for key, whole in parts]
        number_of_owner: dict[bytes, int] = {}
        numbers = [number_of_owner.setdefault(owner, len(number_of_owner)) for owner in owners]
        self._number_of: dict[bytes, int] = {}
        for key, number in zip(keys, numbers, strict=True):
            if self._number_of.setdefault(key, number) != number:
                self._number_of[key] = NOBODY  # another image shows the same: it may be compared
        self.numbers: NDArray[np.int64] = np.array(numbers, np.int64)
        """(N,): the number of each image of the training."""

    def recognised(self, images: Images) -> NDArray[np.int64]:
        """Return the number (N,) of images (N, C, H, W) in [0, 1], NOBODY of new ones."""
        marks = marks_of(as_pixels(images))
        found = [self._number_of.get(mark.tobytes(), NOBODY) for mark in marks]
        return np.array(found, np.int64)

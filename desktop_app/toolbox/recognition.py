"""Recognises the images of a training when they are seen again, by their pixels.

A method that remembers its training images finds each of them quite usual, whatever is wrong with
it: the nearest to an image is the image itself. Recognised, it is compared with the others alone
(leave one out). Copies of an image count as that image.

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
    """The images of a training, numbered; copies share a number."""

    def __init__(self, marks: Marks) -> None:
        """Number images by their marks (N, 16)."""
        self._number_of: dict[bytes, int] = {}
        numbers = [
            self._number_of.setdefault(mark.tobytes(), len(self._number_of)) for mark in marks
        ]
        self.numbers: NDArray[np.int64] = np.array(numbers, np.int64)
        """(N,): the number of each image of the training."""

    def recognised(self, images: Images) -> NDArray[np.int64]:
        """Return the number (N,) of images (N, C, H, W) in [0, 1], NOBODY of new ones."""
        marks = marks_of(as_pixels(images))
        found = [self._number_of.get(mark.tobytes(), NOBODY) for mark in marks]
        return np.array(found, np.int64)

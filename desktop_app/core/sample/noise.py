"""Smooth random fields, cut from a few large ones that are made once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.floating[Any]]
"""A field of single precision, (rows, columns) or (rows, columns, colours)."""

SCALES = (1.0, 2.5, 8.0, 24.0, 70.0)
"""Standard deviations of the blur that makes each field, in work pixels."""

SIDE = 1024
"""Rows and columns of the large fields, which repeat seamlessly."""


class Noise:
    """Gaussian fields of unit variance at several scales; a cut costs no filtering."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng([seed, 7])
        frequency = fft.fftfreq(SIDE)[:, None] ** 2 + fft.rfftfreq(SIDE)[None, :] ** 2
        self.fields = {}
        for scale in SCALES:
            spectrum = fft.rfft2(random.standard_normal((SIDE, SIDE)))
            low_pass = np.exp(-2 * (np.pi * scale) ** 2 * frequency)
            field = fft.irfft2(spectrum * low_pass, s=(SIDE, SIDE))
            field -= field.mean()
            self.fields[scale] = (field / field.std()).astype(np.float32)

    def cut(self, scale: float, size: int, random: np.random.Generator) -> Field:
        """Return a field (size, size) from a random place, mirrored at random."""
        row, column = random.integers(0, SIDE - size, 2)
        piece = self.fields[scale][row : row + size, column : column + size]
        upwards, leftwards = random.choice([1, -1], 2)
        return np.ascontiguousarray(piece[::upwards, ::leftwards])

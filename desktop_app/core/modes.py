"""From Pillow's many pixel modes to two: 8-bit grey and RGB without transparency."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from desktop_app.sdk.errors import UnreadableImage

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"})

CONVERTED_MODES = frozenset({"CMYK", "LAB", "YCbCr", "HSV"})
"""Colour spaces that are not the screen's."""


def eight_bit(image: Image.Image) -> tuple[Image.Image, str]:
    """Return a loaded image in mode L, LA, RGB or RGBA, and what had to be scaled for it.

    Raises UnreadableImage where numbers have no scale.
    """
    scale = _SCALES.get(image.mode)
    return scale(image) if scale else (_ordinary(image), "")


def flat(image: Image.Image) -> Image.Image:
    """Return an 8-bit image in mode L or RGB, transparent parts laid on white."""
    if image.mode in {"L", "RGB"}:
        return image
    plain = "L" if image.mode == "LA" else "RGB"
    if not has_holes(image):
        return image.convert(plain)
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert(plain)


def has_holes(image: Image.Image) -> bool:
    """Say whether any pixel of an 8-bit image is not opaque."""
    return image.mode in {"LA", "RGBA"} and bool((np.asarray(image)[:, :, -1] < 255).any())


def shows_colour(image: Image.Image) -> bool:
    """Say whether any pixel of an L or RGB image is not grey."""
    if image.mode == "L":
        return False
    red, green, blue = np.moveaxis(np.asarray(image), 2, 0)
    return bool((red != green).any() or (green != blue).any())


def marked(image: Image.Image) -> NDArray[np.bool_]:
    """Return where a loaded mask is not black, as booleans (H, W).

    JPEG files blur: in these, only what is brighter than half of the brightest counts.
    """
    if image.mode in _SCALES:
        return np.asarray(np.nan_to_num(np.asarray(image)).astype(np.float64) > 0)
    colours = np.asarray(_ordinary(image).convert("RGBA"))
    value = np.where(colours[:, :, 3] > 0, colours[:, :, :3].max(axis=2), np.uint8(0))
    least = int(value.max()) // 2 if image.format in {"JPEG", "MPO"} else 0
    return np.asarray(value > least, dtype=np.bool_)


_PLAIN = {"1": "L", "P": "RGB", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
"""Modes and what they become; those that are not here become RGB."""


def _ordinary(image: Image.Image) -> Image.Image:
    if "transparency" in image.info and image.mode in {"1", "L", "P", "RGB"}:
        return image.convert("RGBA")
    if image.mode in {"L", "LA", "RGB", "RGBA"}:
        return image
    if image.mode == "LAB":
        return _rgb_of_lab(image)
    return image.convert(_PLAIN.get(image.mode, "RGB"))


def _rgb_of_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(lab, srgb, inMode="LAB", outMode="RGB")
    return ImageCms.applyTransform(image, transform) or image


# --- numbers -----------------------------------------------------------------------------------


def _of_16_bits(image: Image.Image) -> tuple[Image.Image, str]:
    """Scale by 1/257, the same for every file, so that files stay comparable."""
    return Image.fromarray(_EIGHT_OF_SIXTEEN[np.asarray(image)]), _SIXTEEN


def _of_integers(image: Image.Image) -> tuple[Image.Image, str]:
    """Scale 32-bit integers; most of them are 16-bit values in a wider coat."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low >= 0 and high <= 255 and image.format != "PPM":  # a PPM reader scales to 16 bits
        return Image.fromarray(values.astype(np.uint8)), "32-bit values of 0 to 255 are kept."
    if low >= 0 and high <= 65535:
        return Image.fromarray(_EIGHT_OF_SIXTEEN[values]), _SIXTEEN
    return _stretched(values, low, high, "32-bit")


def _of_floats(image: Image.Image) -> tuple[Image.Image, str]:
    """Scale floating-point values from 0..1, from 0..255, or from the least to the most."""
    values = np.asarray(image)
    low, high = np.inf, -np.inf
    for part in _strips(values):
        finite = part[np.isfinite(part)]
        low = min(low, float(finite.min(initial=np.inf)))
        high = max(high, float(finite.max(initial=-np.inf)))
    if low > high:
        raise UnreadableImage("All pixels are infinite or not a number.")
    for top in (1, 255):
        if low >= 0 and high <= top:
            remark = f"Floating-point values: 0 to {top} is scaled to 0-255."
            return _linear(values, 0, top), remark
    return _stretched(values, low, high, "Floating-point")


def _stretched(values: NDArray[Any], low: float, high: float, kind: str) -> tuple[Image.Image, str]:
    remark = f"{kind} values: {low:g} to {high:g} is stretched to 0-255."
    return _linear(values, low, high), remark


def _linear(values: NDArray[Any], low: float, high: float) -> Image.Image:
    """Return numbers (H, W) as grey from low to high; what is no number becomes black."""
    pixels = np.empty(values.shape, np.uint8)
    span = float(high) - float(low) or 1.0
    for part, scaled in zip(_strips(values), _strips(pixels), strict=True):
        share = np.nan_to_num((part - np.float64(low)) / span, nan=0, posinf=0, neginf=0)
        scaled[:] = np.rint(share * 255)
    return Image.fromarray(pixels)


def _strips(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Return an image as a few rows at a time, so that working copies stay small."""
    rows = max(1_000_000 // max(values.shape[1], 1), 1)
    return [values[start : start + rows] for start in range(0, len(values), rows)]


_EIGHT_OF_SIXTEEN = ((np.arange(65536, dtype=np.uint32) + 128) // 257).astype(np.uint8)
_SIXTEEN = "16-bit values are scaled to 8 bits."

_SCALES: dict[str, Callable[[Image.Image], tuple[Image.Image, str]]] = {
    "I;16": _of_16_bits,
    "I;16L": _of_16_bits,
    "I;16B": _of_16_bits,
    "I;16N": _of_16_bits,
    "I": _of_integers,
    "F": _of_floats,
}
"""Modes of plain numbers, each with the scale that brings it to 8 bits."""

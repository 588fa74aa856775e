"""A photograph of one glazed tile on a conveyor belt: camera, light, surface, sensor.

Everything is computed in linear light at twice the size of the picture ("work pixels"), then
reduced, given the noise of a sensor and developed. x runs to the right, y downwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from desktop_app.core.sample.noise import Field, Noise

PICTURE = 256
"""Rows and columns of a photograph."""
WORK = 2 * PICTURE
"""Rows and columns while rendering."""
HALF_TILE = 0.86 * PICTURE
"""Half the side of a tile at scale 1, in work pixels."""
CORNER = 12.0
"""Radius of the tile's corners, in work pixels."""
EDGE = 11.0
"""Width of the rounded edge, in work pixels."""

GLAZE = np.array([0.80, 0.78, 0.71], dtype=np.float32)
COBALT = np.array([3.3, 2.05, 0.55], dtype=np.float32)
OCHRE = np.array([0.18, 0.75, 2.6], dtype=np.float32)
"""Absorption of a pigment of thickness 1 in red, green and blue (Beer's law)."""
CLAY = np.array([0.42, 0.19, 0.10], dtype=np.float32)
BELT = np.array([0.030, 0.032, 0.036], dtype=np.float32)


@dataclass(frozen=True)
class Camera:
    """Where the tile lies in the picture."""

    angle: float
    """Turn of the tile in radians."""
    column: float
    row: float
    """Middle of the tile in work pixels."""
    half: float
    """Half the side of the tile in work pixels."""

    @classmethod
    def draw(cls, random: np.random.Generator) -> Camera:
        """Place a tile as a belt would bring it: nearly straight, nearly centred."""
        column, row = WORK / 2 + random.normal(0, 1.0, 2)
        return cls(
            angle=float(random.normal(0, 0.004)),
            column=float(column),
            row=float(row),
            half=float(HALF_TILE * (1 + random.normal(0, 0.003))),
        )

    def on_tile(self) -> tuple[Field, Field]:
        """Return tile coordinates x and y in -1..1 of all work pixels, each (WORK, WORK)."""
        steps = np.arange(WORK, dtype=np.float32)
        dx, dy = steps[None, :] - self.column, steps[:, None] - self.row
        cosine, sine = math.cos(self.angle) / self.half, math.sin(self.angle) / self.half
        return dx * cosine + dy * sine, dy * cosine - dx * sine

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Return column and row in work pixels of a point on the tile."""
        cosine, sine = math.cos(self.angle) * self.half, math.sin(self.angle) * self.half
        return self.column + x * cosine - y * sine, self.row + x * sine + y * cosine


@dataclass
class Surface:
    """What lies in front of the camera before light falls on it; arrays of (WORK, WORK)."""

    albedo: Field
    """Share of light scattered back in red, green and blue, (WORK, WORK, 3)."""
    height: Field
    """Relief in work pixels."""
    gloss: Field
    """Strength of mirror reflection, 1 for fresh glaze."""
    outside: Field
    """Signed distance to the tile's outline in work pixels, negative on the tile."""
    camera: Camera

    def blend(self, color: Field, coverage: Field) -> None:
        """Paint a colour (3,) or (WORK, WORK, 3) over the albedo where coverage is 1."""
        self.albedo += coverage[..., None] * (color - self.albedo)


def tile_surface(
    pigments: tuple[Field, Field], noise: Noise, random: np.random.Generator
) -> Surface:
    """Return a tile without defects: hand-painted, so no two are alike."""
    camera = Camera.draw(random)
    x, y = camera.on_tile()
    outside = _outline(x, y, camera.half) + 0.45 * noise.cut(24.0, WORK, random)
    albedo = _painted_albedo(x, y, pigments, noise, random)
    bend = np.clip((outside + EDGE) / EDGE, 0, 0.97)
    rounding = EDGE * (np.sqrt(1 - bend**2) - 1)
    waves = 0.6 * noise.cut(24.0, WORK, random) + 1.4 * noise.cut(70.0, WORK, random)
    surface = Surface(albedo, rounding + waves, np.ones((WORK, WORK), np.float32), outside, camera)
    thin_glaze = 0.38 * np.clip((bend - 0.45) / 0.5, 0, 1) ** 2
    surface.blend(CLAY, thin_glaze)
    _sprinkle_specks(surface, random)
    return surface


def photograph(surface: Surface, noise: Noise, random: np.random.Generator) -> NDArray[np.uint8]:
    """Light a surface and take its picture (PICTURE, PICTURE, 3)."""
    light = _lit(surface, noise, random)
    light = halved(light)
    blur = random.uniform(0.45, 0.65)  # of the lens, in pixels
    light = gaussian_filter(light, (blur, blur, 0), truncate=3)
    return _developed(light, random)


def halved(work: Field) -> Field:
    """Reduce work pixels (WORK, WORK, ...) to the pixels of the picture, each the mean of four."""
    rows = work[0::2] + work[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) / 4


def _outline(x: Field, y: Field, half: float) -> Field:
    """Return the signed distance in work pixels to a square with round corners."""
    dx, dy = np.abs(x) * half - (half - CORNER), np.abs(y) * half - (half - CORNER)
    beyond = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return beyond + np.minimum(np.maximum(dx, dy), 0) - CORNER


def _painted_albedo(
    x: Field,
    y: Field,
    pigments: tuple[Field, Field],
    noise: Noise,
    random: np.random.Generator,
) -> Field:
    """Return the colour of the glaze (WORK, WORK, 3) with an unsteady hand's decoration."""
    size = len(pigments[0])
    wobble = 0.8 / HALF_TILE
    rows = (y + wobble * noise.cut(24.0, WORK, random) + 1) * (size / 2)
    columns = (x + wobble * noise.cut(24.0, WORK, random) + 1) * (size / 2)
    nearest = np.clip(rows, 0, size - 1).astype(np.int32) * size
    nearest += np.clip(columns, 0, size - 1).astype(np.int32)
    hand = 1 + 0.07 * noise.cut(8.0, WORK, random) + 0.06 * noise.cut(70.0, WORK, random)
    hand *= 1 + 0.05 * noise.cut(1.0, WORK, random) + 0.06 * noise.cut(2.5, WORK, random)
    cobalt, ochre = (
        np.maximum(pigment.ravel()[nearest] * hand * random.uniform(0.94, 1.06), 0)
        for pigment in pigments
    )
    body = 1 + 0.012 * noise.cut(24.0, WORK, random)
    albedo = np.empty((WORK, WORK, 3), np.float32)
    for channel in range(3):
        absorbed = cobalt * COBALT[channel] + ochre * OCHRE[channel]
        albedo[..., channel] = GLAZE[channel] * body * np.exp(-absorbed)
    return albedo


def _sprinkle_specks(surface: Surface, random: np.random.Generator) -> None:
    """Add the few pale iron specks that every glaze has and nobody calls a defect."""
    for _ in range(int(random.poisson(5))):
        column, row = surface.camera.to_picture(*random.uniform(-0.9, 0.9, 2))
        window = _window(column, row, 5)
        rows, columns = np.mgrid[window]
        distance = np.hypot(rows - row, columns - column)
        speck = np.clip(random.uniform(1.0, 2.0) - distance, 0, 1) * random.uniform(0.1, 0.4)
        surface.albedo[window] *= 1 - speck[..., None].astype(np.float32)


def _window(column: float, row: float, reach: int) -> tuple[slice, slice]:
    top, left = max(int(row) - reach, 0), max(int(column) - reach, 0)
    return slice(top, int(row) + reach + 1), slice(left, int(column) + reach + 1)


def _lit(surface: Surface, noise: Noise, random: np.random.Generator) -> Field:
    """Return the light that reaches the camera, (WORK, WORK, 3)."""
    steps = np.arange(WORK, dtype=np.float32) / WORK - 0.5
    across, down = steps[None, :], steps[:, None]
    azimuth = random.normal(-2.2, 0.10)  # from the upper left
    towards = 0.62 * math.cos(azimuth), 0.62 * math.sin(azimuth)
    falloff = 1 + random.normal(0.50, 0.09) * (across * towards[0] + down * towards[1]) / 0.62
    vignette = 1 - 0.35 * (across**2 + down**2)
    slope_x: Field = np.gradient(surface.height, axis=1)
    slope_y: Field = np.gradient(surface.height, axis=0)
    facing = np.clip(1 - (slope_x * towards[0] + slope_y * towards[1]), 0.15, 2.5)
    facing = facing / np.sqrt(1 + slope_x**2 + slope_y**2)
    tile = surface.albedo * (falloff * vignette * facing)[..., None]
    tile += (surface.gloss * _reflection(across, down, slope_x, slope_y, random))[..., None]
    belt = _belt(surface, falloff * vignette, towards, noise, random)
    on_tile = np.clip(0.5 - surface.outside / 1.6, 0, 1)[..., None]
    exposure = random.normal(0.80, 0.03)
    warmth = [1 + random.normal(0, 0.012), 1.0, 1 + random.normal(0, 0.018)]
    seen: Field = belt + on_tile * (tile - belt)
    return seen * (np.array(warmth, np.float32) * exposure)


def _reflection(
    across: Field, down: Field, slope_x: Field, slope_y: Field, random: np.random.Generator
) -> Field:
    """Return the mirror image of a long soft lamp above the belt and of the dim room around it."""
    lamp = random.normal(-0.42, 0.04)
    tilt = random.normal(0.18, 0.05)
    seen = down + tilt * across + 1.9 * slope_y + 0.6 * slope_x - lamp
    room = 0.018 + 0.02 * np.clip(slope_x + slope_y, -1, 1)
    glint = np.exp(-((slope_x + 0.55) ** 2 + (slope_y + 0.75) ** 2) / 0.05)
    mirrored: Field = 0.20 * np.exp(-((seen / 0.13) ** 2)) + room + 0.9 * glint
    return mirrored


def _belt(
    surface: Surface,
    irradiance: Field,
    towards: tuple[float, float],
    noise: Noise,
    random: np.random.Generator,
) -> Field:
    """Return the rubber belt around the tile, in the tile's shadow where that falls."""
    texture = 1 + 0.22 * noise.cut(1.0, WORK, random) + 0.10 * noise.cut(8.0, WORK, random)
    rows = np.arange(WORK, dtype=np.float32)[:, None] + random.uniform(0, 14)
    ribs = 1 + 0.10 * np.sin(rows * (2 * np.pi / 14))
    x, y = surface.camera.on_tile()
    half = surface.camera.half
    shade = _outline(x + 16 * towards[0] / half, y + 16 * towards[1] / half, half)
    shadow = 1 - 0.75 * np.clip(0.5 - shade / 26, 0, 1)
    near = 1 - 0.6 * np.exp(-np.maximum(surface.outside, 0) / 6)
    light: Field = texture * ribs * irradiance * shadow * near
    return BELT * light[..., None]


def _developed(light: Field, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture (PICTURE, PICTURE, 3) a small industrial camera makes of light."""
    shot_and_read = np.sqrt(np.maximum(light, 0) * 1.1e-4 + 4e-6)
    light = light + shot_and_read * random.standard_normal(light.shape, dtype=np.float32)
    light = np.maximum(light, 0)
    light = light * (1 + light / 2.6) / (1 + light)  # film shoulder
    picture = (light * 1.30) ** (1 / 2.2)
    picture += 0.45 * (picture - gaussian_filter(picture, (1.0, 1.0, 0), truncate=3))
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)

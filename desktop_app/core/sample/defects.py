"""The defects of the sample: each changes a surface and returns where, as coverage 0 to 1.

Severity runs from 0 (one has to look twice) to 1 (seen at once). Lengths are in work pixels, two
of which make one pixel of the picture.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from desktop_app.core.sample.noise import Field, Noise
from desktop_app.core.sample.photograph import CLAY, COBALT, GLAZE, WORK, Surface

Points = NDArray[np.float64]
Random = np.random.Generator
Defect = Callable[[Surface, float, Noise, Random], Field]

DIRT = np.array([0.10, 0.075, 0.055], dtype=np.float32)


def chip(surface: Surface, severity: float, noise: Noise, random: Random) -> Field:
    """Break a flake off the edge or a corner, down to the clay."""
    along = random.uniform(-0.8, 0.8) if random.random() < 0.65 else random.choice([-0.99, 0.99])
    edge = int(random.integers(4))  # top, bottom, left, right
    edge_point = [(along, -1.0), (along, 1.0), (-1.0, along), (1.0, along)][edge]
    column, row = surface.camera.to_picture(*edge_point)
    radius = _between(10, 34, severity) * random.uniform(0.9, 1.15)
    x, y = _offsets(column, row, surface.camera.angle + (np.pi / 2 if edge > 1 else 0))
    ragged = 0.30 * radius * noise.cut(24.0, WORK, random) + 1.5 * noise.cut(8.0, WORK, random)
    depth = radius - np.hypot(x / random.uniform(1.0, 2.1), y) + ragged
    broken = _ramp(depth, 1.6) * _ramp(-surface.outside, 1.6)
    texture = 1 + 0.09 * noise.cut(8.0, WORK, random) + 0.10 * noise.cut(1.0, WORK, random)
    pale_rim = np.exp(-np.abs(depth - 1.5) / 2.5)[..., None]  # the broken glaze itself
    clay = CLAY * (random.uniform(1.0, 1.5) * texture)[..., None]
    clay += 0.5 * pale_rim * (GLAZE - clay)
    surface.blend(clay.astype(np.float32), broken)
    hollow = 2.0 + 0.8 * radius * (1 - np.exp(-np.maximum(depth, 0) / (0.45 * radius)))
    rough = 1.5 * noise.cut(8.0, WORK, random) + 0.25 * noise.cut(2.5, WORK, random)
    surface.height -= gaussian_filter(broken, 1.0) * (hollow + rough)
    surface.gloss *= 1 - broken
    missing = np.clip(depth, 0, 0.7 * radius) * random.uniform(0.1, 0.45)  # the edge recedes
    surface.outside += missing.astype(np.float32)
    return broken


def crack(surface: Surface, severity: float, _: Noise, random: Random) -> Field:
    """Tear the glaze along a jagged line that may fork, darkened by dirt."""
    start = _place(surface, random, reach=0.95 if severity > 0.5 else 0.6)
    heading = np.arctan2(WORK / 2 - start[1], WORK / 2 - start[0]) + random.normal(0, 0.5)
    length = _between(90, 360, severity) * random.uniform(0.85, 1.15)
    path = _walk(start, heading, length, bend=0.012, jitter=0.5, random=random)
    paths = [path]
    for _fork in range(int(random.integers(0, 3)) if severity > 0.3 else 0):
        fork = int(random.uniform(0.25, 0.8) * len(path))
        turned = heading + random.choice([-1, 1]) * random.uniform(0.4, 0.9)
        part = length * random.uniform(0.15, 0.4)
        paths.append(_walk(path[fork], turned, part, bend=0.012, jitter=0.5, random=random))
    width = _between(1.6, 4.4, severity)
    line = _on_tile(surface, _drawn([(p, _tapered(len(p), width)) for p in paths]))
    strength = _between(0.60, 0.97, severity)
    surface.blend(DIRT, (line * strength).astype(np.float32))
    halo = gaussian_filter(line, 2.5)
    surface.blend(CLAY * 1.2, 0.25 * severity * halo)
    surface.height -= 1.3 * gaussian_filter(line, 1.0)
    surface.gloss *= 1 - 0.8 * line
    return _ramp(line + halo - 0.35, 0.3)


def hair(surface: Surface, severity: float, _: Noise, random: Random) -> Field:
    """Leave a hair or fibre on the tile, with its thin shadow."""
    start = _place(surface, random, reach=0.75)
    heading = random.uniform(0, 2 * np.pi)
    length = _between(80, 330, severity) * random.uniform(0.8, 1.2)
    path = _walk(start, heading, length, bend=0.045, jitter=0.0, random=random)
    width = _between(1.6, 4.2, severity)
    line = _on_tile(surface, _drawn([(path, _tapered(len(path), width))]))
    shadow = gaussian_filter(np.roll(line, (3, 2), axis=(0, 1)), 1.6)
    surface.albedo *= (1 - 0.35 * shadow)[..., None]
    tones = np.array([[0.035, 0.025, 0.02], [0.12, 0.07, 0.035], [0.30, 0.22, 0.14]])
    color = tones[random.integers(3)].astype(np.float32)
    surface.blend(color, (line * _between(0.65, 0.97, severity)).astype(np.float32))
    surface.height += 0.8 * gaussian_filter(line, 0.8)
    surface.gloss *= 1 - 0.6 * line
    return _ramp(line - 0.25, 0.3)


def pinhole(surface: Surface, severity: float, noise: Noise, random: Random) -> Field:
    """Burst small bubbles in the glaze: craters with a bright rim and a dark bottom."""
    middle = _place(surface, random, reach=0.8)
    count = int(random.integers(1, 3)) + round(4 * severity * random.random())
    crater = np.zeros((WORK, WORK), np.float32)
    rim = np.zeros((WORK, WORK), np.float32)
    for _ in range(count):
        column, row = np.array(middle) + random.normal(0, 14, 2) * (count > 1)
        radius = _between(3.4, 11, severity) * random.uniform(0.65, 1.2)
        x, y = _offsets(column, row, random.uniform(0, np.pi))
        distance = np.hypot(x, 1.15 * y) + 0.25 * noise.cut(2.5, WORK, random)
        crater = np.maximum(crater, _ramp(radius - distance, 1.4))
        rim = np.maximum(rim, np.exp(-(((distance - 1.25 * radius) / (0.35 * radius)) ** 2)))
    crater, rim = _on_tile(surface, crater), _on_tile(surface, rim)
    surface.blend(
        CLAY * random.uniform(0.35, 0.9), crater * np.float32(_between(0.5, 0.95, severity))
    )
    surface.height += 1.6 * rim - 3.5 * gaussian_filter(crater, 1.0)
    surface.gloss *= 1 - 0.9 * crater
    return _ramp(np.maximum(crater, rim) - 0.45, 0.2)


def scratch(surface: Surface, severity: float, noise: Noise, random: Random) -> Field:
    """Drag something hard over the glaze: long, straight, interrupted, without gloss."""
    start = _place(surface, random, reach=0.75)
    heading = random.uniform(0, 2 * np.pi)
    length = _between(110, 400, severity) * random.uniform(0.8, 1.2)
    strokes: list[tuple[Points, Points]] = []
    for _ in range(1 + int(random.integers(0, 3) * (severity > 0.4))):
        offset = np.array(start) + random.normal(0, 4, 2) * (len(strokes) > 0)
        path = _walk(offset, heading, length, bend=0.006, jitter=0.01, random=random)
        pressure = 0.75 + 0.5 * np.sin(np.linspace(0, random.uniform(4, 14), len(path)))
        width = _between(1.7, 4.6, severity) * np.clip(pressure, 0, 1)
        strokes.append((path, width * _tapered(len(path), 1.0)))
    line = _on_tile(surface, _drawn(strokes))
    line *= np.clip(0.9 + 0.35 * noise.cut(2.5, WORK, random), 0.2, 1)
    tone = np.array([0.46, 0.42, 0.38] if random.random() < 0.5 else [0.16, 0.15, 0.15])
    surface.blend(tone.astype(np.float32), line * np.float32(_between(0.50, 0.95, severity)))
    surface.height -= 1.2 * gaussian_filter(line, 0.8)
    surface.gloss *= 1 - 0.9 * line
    return _ramp(line - 0.2, 0.3)


def splash(surface: Surface, severity: float, noise: Noise, random: Random) -> Field:
    """Drop cobalt where the painter did not mean it, with satellites."""
    column, row = _place(surface, random, reach=0.8)
    radius = _between(6, 24, severity) * random.uniform(0.85, 1.15)
    drops = [(column, row, radius)]
    for _ in range(int(random.integers(0, 5))):
        angle, away = random.uniform(0, 2 * np.pi), radius * random.uniform(1.4, 3.2)
        size = radius * random.uniform(0.12, 0.35)
        drops.append((column + away * np.cos(angle), row + away * np.sin(angle), size))
    inside = np.full((WORK, WORK), -np.inf, np.float32)
    for drop_column, drop_row, size in drops:
        x, y = _offsets(drop_column, drop_row, random.uniform(0, np.pi))
        inside = np.maximum(inside, size - np.hypot(x, y * random.uniform(1.0, 1.3)))
    inside = inside + 0.07 * radius * noise.cut(8.0, WORK, random)
    drop = _on_tile(surface, _ramp(inside, 2.0))
    pooled = drop * (0.75 + 0.6 * np.exp(-np.abs(inside) / 2.5))
    thickness = pooled * _between(0.35, 1.1, severity)
    surface.albedo *= np.exp(-thickness[..., None] * COBALT)
    return _ramp(drop - 0.3, 0.3)


def stain(surface: Surface, severity: float, noise: Noise, random: Random) -> Field:
    """Let a dirty liquid dry on the tile: a soft wash with a darker tide line."""
    column, row = _place(surface, random, reach=0.7)
    radius = _between(26, 76, severity) * random.uniform(0.85, 1.15)
    x, y = _offsets(column, row, random.uniform(0, np.pi))
    ragged = radius * (0.16 * noise.cut(24.0, WORK, random) + 0.04 * noise.cut(8.0, WORK, random))
    inside = radius - np.hypot(x, y * random.uniform(1.0, 1.6)) + ragged
    wash = _on_tile(surface, _ramp(inside, 6.0))
    tide = np.exp(-np.abs(inside - 2) / 3.0)
    cloudy = np.clip(0.8 + 0.22 * noise.cut(24.0, WORK, random), 0.2, 1.4)
    tones = np.array([[0.35, 0.75, 1.35], [0.55, 0.60, 0.70], [0.75, 0.45, 0.85]])
    strength = _between(0.18, 0.85, severity)
    absorbed = wash * (cloudy + 0.9 * tide) * strength
    surface.albedo *= np.exp(-absorbed[..., None] * tones[random.integers(3)]).astype(np.float32)
    surface.gloss *= 1 - 0.5 * wash
    return _ramp(wash - 0.35, 0.3)


DEFECTS: dict[str, Defect] = {
    defect.__name__: defect for defect in (chip, crack, hair, pinhole, scratch, splash, stain)
}


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def _ramp(value: Field, width: float) -> Field:
    """Return 0 below and 1 above zero with a soft step of that width."""
    ramp: Field = np.clip(value / width + 0.5, 0, 1)
    return ramp.astype(np.float32)


def _on_tile(surface: Surface, coverage: Field) -> Field:
    return (coverage * _ramp(-surface.outside, 1.6)).astype(np.float32)


def _place(surface: Surface, random: Random, reach: float) -> tuple[float, float]:
    """Return column and row of a random point of the tile."""
    x, y = random.uniform(-reach, reach, 2)
    return surface.camera.to_picture(float(x), float(y))


def _offsets(column: float, row: float, angle: float) -> tuple[Field, Field]:
    """Return coordinates around a point, turned by an angle, each (WORK, WORK)."""
    dx = np.arange(WORK, dtype=np.float32)[None, :] - np.float32(column)
    dy = np.arange(WORK, dtype=np.float32)[:, None] - np.float32(row)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return dx * cosine + dy * sine, dy * cosine - dx * sine


def _walk(
    start: tuple[float, float] | Points,
    heading: float,
    length: float,
    bend: float,
    jitter: float,
    random: Random,
) -> Points:
    """Return points (T, 2) one work pixel apart whose direction drifts and, for cracks, jerks."""
    steps = max(int(length), 8)
    curvature = np.convolve(random.normal(0, bend, steps), np.ones(16) / 4, mode="same")
    pieces = np.cumsum(random.random(steps) < 0.12)  # straight between two jerks
    jerks = random.normal(0, jitter, steps)[pieces] if jitter else 0.0
    directions = heading + np.cumsum(curvature) + jerks
    moves = np.stack([np.cos(directions), np.sin(directions)], axis=1)
    points: Points = np.asarray(start) + np.cumsum(moves, axis=0)
    return points


def _tapered(count: int, width: float) -> Points:
    """Return widths (T,) that run thin at both ends."""
    along = np.linspace(0, 1, count)
    widths: Points = width * np.clip(np.minimum(along, 1 - along) * 8, 0.35, 1)
    return widths


def _drawn(strokes: list[tuple[Points, Points]]) -> Field:
    """Draw points (T, 2) with widths (T,) as anti-aliased lines, coverage (WORK, WORK)."""
    fine = 3
    canvas = Image.new("L", (WORK * fine, WORK * fine))
    pen = ImageDraw.Draw(canvas)
    for points, widths in strokes:
        for (x, y), width in zip(points * fine, widths * (fine / 2), strict=True):
            if width > 0.2:
                pen.ellipse((x - width, y - width, x + width, y + width), fill=255)
    small = canvas.reduce(fine)
    return np.asarray(small, dtype=np.float32) / 255

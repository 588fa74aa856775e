"""Making defects in normal images and scoring both, for a threshold without known defects."""

from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache
from desktop_app.core.regions import Region
from desktop_app.core.runs import Run
from desktop_app.core.sight import seen_by
from desktop_app.core.synthetic import SyntheticScores, normal_paths, sampled
from desktop_app.sdk.capabilities import Scores
from desktop_app.sdk.data import Dataset, Images, batches
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.method import Method
from desktop_app.toolbox.synthesis import Recipe, spoilt
from desktop_app.worker.loading import channels_of, require

LEAST_DEFECTS = 60
"""Of few images each gets several defects: six defects tell little."""
_BATCH = 16
_VALUES = 1 << 24
"""Of a batch, 64 MB: of large images there are fewer."""
_RECIPES: tuple[Recipe, ...] = get_args(Recipe)

Told = Callable[[int, int], None]


def score_synthetic(
    method: Method[Any],
    data: Dataset,
    region: Region | None,
    seed: int,
    images: str,
    normal: NDArray[np.floating[Any]] | None = None,
    tell: Told = lambda _done, _total: None,
) -> SyntheticScores:
    """Return the scores of normal images (N, C, H, W) and of defects made in each of them.

    Every image gets one, or as many as make LEAST_DEFECTS.
    `images` says what they are; `normal` are their scores (N,) where these are known already.
    Defects that cannot be seen are left out. Raises MissingCapability where the method gives no
    scores, and InvalidInput where no defect can be seen.
    """
    require(method, Scores, "score images")
    scorer: Any = method
    plain: list[NDArray[Any]] = []
    made: list[NDArray[Any]] = []
    size = int(np.clip(_VALUES // np.prod(data.sample_shape), 1, _BATCH))
    for rows, block in batches(data, size):
        if normal is None:
            plain.append(np.asarray(scorer.score(block)))
        for turn in range(-(-LEAST_DEFECTS // len(data))):
            defects = _spoilt_block(block, rows + turn * len(data), region, seed)
            if len(defects):
                made.append(np.asarray(scorer.score(defects)))
        tell(int(rows[-1]) + 1, len(data))
    if not made:
        raise InvalidInput("No defect that was made in these images can be seen: choose a rule.")
    usual = np.concatenate(plain) if normal is None else normal
    return SyntheticScores(
        np.asarray(usual, np.float64), np.concatenate(made).astype(np.float64), images, seed
    )


def score_synthetic_of_run(
    run: Run, method: Method[Any], tell: Told = lambda _done, _total: None
) -> SyntheticScores:
    """Return the scores of a run's own normal images, held out if there are any, and of defects.

    Raises InvalidInput where too few of them are at hand.
    """
    spec = run.spec()
    folder = ImageFolder(Path(spec.folder))
    table = folder.list_files()
    paths, images = normal_paths(run)
    row_of = {path: row for row, path in enumerate(table.paths)}
    rows = np.array([row_of[path] for path in paths if path in row_of], dtype=np.int64)
    chosen = table.where(sampled(rows))
    cache = PixelCache(folder, spec.image_size, channels_of(run))
    for _ in cache.fill(chosen):
        pass
    data = seen_by(run, cache.dataset(chosen))
    return score_synthetic(method, data, run.region(), spec.seed, images, tell=tell)


def _spoilt_block(
    block: Images, numbers: NDArray[np.int64], region: Region | None, seed: int
) -> Images:
    """Return images (n, C, H, W) with a defect each, every recipe in turn, by number and seed.

    Only where images count: what is outside a region stays as it was.
    """
    inside = region.at(*block.shape[2:]) if region is not None else np.True_
    recipes = islice(cycle(_RECIPES), int(numbers[0]) % len(_RECIPES), None)
    found = []
    for place, (number, recipe) in enumerate(zip(numbers.tolist(), recipes, strict=False)):
        image, other = block[place], block[place - 1]
        defect = spoilt(image, other, recipe, np.random.default_rng([seed, number]))
        if (defect.mask & inside).any():
            found.append(np.where(inside, defect.image, image))
    empty: Images = np.zeros((0, *block.shape[1:]), np.float32)
    return np.stack(found).astype(np.float32) if found else empty

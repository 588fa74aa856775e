"""Defects are made in normal images and scored by a trained method, whatever it is."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from desktop_app.core.columns import result_columns
from desktop_app.core.images import ImageFolder
from desktop_app.core.regions import Region
from desktop_app.core.runs import Run
from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.worker.applying import apply_run
from desktop_app.worker.loading import trained_method
from desktop_app.worker.narrator import Narrator
from desktop_app.worker.synthetic import LEAST_DEFECTS, score_synthetic, score_synthetic_of_run
from tests.worker.test_serving import Window

SIDE = 24


class Brightness:
    """Scores an image by its largest distance from grey."""

    card = SimpleNamespace(title="Brightness")

    def score(self, images: np.ndarray) -> np.ndarray:
        return np.abs(images - 0.5).max(axis=(1, 2, 3))


def grey(count: int) -> ArrayDataset:
    random = np.random.default_rng(0)
    return ArrayDataset(random.integers(120, 136, (count, 3, SIDE, SIDE), dtype=np.uint8))


def test_the_same_seed_makes_the_same_defects_and_another_one_others() -> None:
    first, again, other = (
        score_synthetic(Brightness(), grey(20), None, seed, "images")  # type: ignore[arg-type]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.made, again.made)
    assert not np.array_equal(first.made, other.made)
    np.testing.assert_allclose(first.normal, Brightness().score(grey(20).images(slice(0, 20))))
    assert 55 <= len(first.made) <= LEAST_DEFECTS  # a few cannot be seen
    assert np.median(first.made) > first.normal.max()


def test_nothing_is_made_outside_of_the_region_of_interest() -> None:
    inside = np.zeros((SIDE, SIDE), np.bool_)
    inside[:12] = True
    seen: list[np.ndarray] = []

    class Watching(Brightness):
        def score(self, images: np.ndarray) -> np.ndarray:
            seen.append(images)
            return super().score(images)

    data = grey(30)
    score_synthetic(Watching(), data, Region(inside), 0, "images")  # type: ignore[arg-type]
    plain = data.images(slice(0, 30))[:, :, 12:]
    assert len(seen) == 6  # of each of two batches, the images and two turns of defects
    for image in np.concatenate([seen[1], seen[2], seen[4], seen[5]]):
        assert (np.abs(plain - image[:, 12:]).max(axis=(1, 2, 3)) == 0).any()


def test_images_that_defects_cannot_be_seen_in_are_told() -> None:
    flat = ArrayDataset(np.zeros((6, 1, SIDE, SIDE), np.uint8))
    corner = np.zeros((SIDE, SIDE), np.bool_)
    corner[0, 0] = True
    region = Region(corner)
    with pytest.raises(InvalidInput, match="No defect"):
        score_synthetic(Brightness(), flat, region, 0, "images")  # type: ignore[arg-type]
    with pytest.raises(MissingCapability):
        score_synthetic(SimpleNamespace(card=Brightness.card), flat, None, 0, "")  # type: ignore[arg-type]


def test_a_trained_run_tells_defects_from_its_normal_images(trained_run: Run) -> None:
    found = score_synthetic_of_run(trained_run, trained_method(trained_run.path, "cpu"))
    f1, threshold = found.best()
    assert len(found.normal) == 12
    assert "training images" in found.images
    assert f1 > 0.75  # flagging all of them reaches 0.67
    assert np.isfinite(threshold)


def test_the_desk_keeps_them_beside_the_scores(trained_run: Run, mvtec_folder: Path) -> None:
    folder = ImageFolder(mvtec_folder)
    result = trained_run.result(folder.key)
    with Narrator(result) as narrator:
        apply_run(trained_run, folder, result, narrator, "cpu")
    table = folder.table()
    columns = result_columns(trained_run, result, table)
    assert columns.synthetic is None
    rows = np.flatnonzero(np.array(table.splits) == "train")
    window = Window(trained_run, mvtec_folder)
    normal = columns.scores[rows]
    answer = window.ask("spoil", {"normal": normal}, ids=table.ids[rows].tolist(), images="those")
    window.close()

    kept = result_columns(trained_run, result, table).synthetic
    assert kept is not None
    assert kept.images == answer.header["images"] == "those"
    np.testing.assert_allclose(kept.normal, normal)
    np.testing.assert_allclose(kept.made, answer.arrays["made"])
    with Narrator(result) as narrator:
        apply_run(trained_run, folder, result, narrator, "cpu", wanted={"scores"})
    assert result_columns(trained_run, result, table).synthetic is None

"""The built-in sample: whole or absent, the same every time, and with defects worth finding."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core import scoring
from desktop_app.core.sample import DEFECT_NAMES, folder, is_complete, write_sample
from desktop_app.core.sample.noise import SCALES, Noise
from desktop_app.sdk.errors import InvalidInput

SMALL = {"TRAINING_TILES": 3, "TEST_TILES": 2, "TILES_PER_DEFECT": 1, "PIGMENT_SIZE": 384}
FULL = {name: getattr(folder, name) for name in SMALL}


@pytest.fixture(scope="module", autouse=True)
def small_samples() -> Iterator[None]:
    """Make samples of 5 good tiles and one per defect instead of 284."""
    with pytest.MonkeyPatch.context() as patch:
        for name, count in SMALL.items():
            patch.setattr(folder, name, count)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small sample that no test may change."""
    return write_sample(tmp_path_factory.mktemp("finished") / "tiles")


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def pixels(path: Path, size: int = 256) -> NDArray[np.float32]:
    with Image.open(path) as image:
        small = image.convert("RGB").resize((size, size), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float32) / 255


def test_the_sample_is_laid_out_like_mvtec(finished: Path) -> None:
    names = set(contents(finished))
    assert {"train/good/000.jpg", "test/good/001.jpg", "sample.json"} <= names
    for defect in DEFECT_NAMES:
        assert f"test/{defect}/000.jpg" in names
        assert f"ground_truth/{defect}/000_mask.png" in names
    assert len(names) == 3 + 2 + 2 * len(DEFECT_NAMES) + 1


def test_pictures_are_photographs_and_masks_are_black_and_white(finished: Path) -> None:
    for path in finished.rglob("*.jpg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (256, 256))
    for path in finished.rglob("*_mask.png"):
        with Image.open(path) as mask:
            levels = np.unique(np.asarray(mask))
            assert (mask.mode, mask.size, levels.tolist()) == ("L", (256, 256), [0, 255])


def test_the_same_seed_gives_the_same_files_and_another_seed_others(
    finished: Path, tmp_path: Path
) -> None:
    again = contents(write_sample(tmp_path / "again"))
    other = contents(write_sample(tmp_path / "other", seed=4))
    assert again == contents(finished)
    assert again["train/good/000.jpg"] != other["train/good/000.jpg"]


def test_no_two_good_tiles_are_alike(finished: Path) -> None:
    tiles = [pixels(path) for path in sorted((finished / "train").rglob("*.jpg"))]
    assert min(np.abs(tiles[0] - tile).mean() for tile in tiles[1:]) > 0.005


def test_a_complete_sample_is_not_made_again(tmp_path: Path) -> None:
    calls: list[int] = []
    root = write_sample(tmp_path / "tiles", progress=lambda done, total: calls.append(done))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert write_sample(root, progress=lambda done, total: calls.append(-1)) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert calls == list(range(13))


@pytest.mark.parametrize("damage", ["removed", "shortened", "older version", "other seed"])
def test_a_damaged_or_outdated_sample_is_made_again(
    finished: Path, tmp_path: Path, damage: str
) -> None:
    root = Path(shutil.copytree(finished, tmp_path / "tiles"))
    victim = root / "test/good/000.jpg"
    manifest = json.loads((root / "sample.json").read_text())
    if damage == "removed":
        victim.unlink()
    elif damage == "shortened":
        victim.write_bytes(victim.read_bytes()[:100])
    else:
        changed = {"version": 0} if damage == "older version" else {"seed": 99}
        (root / "sample.json").write_text(json.dumps(manifest | changed))
    assert not is_complete(root)
    assert contents(write_sample(root)) == contents(finished)


def test_an_interrupted_sample_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "tiles", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_after_an_hour(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".tiles.unfinished-a", tmp_path / ".tiles.unfinished-b"
    for left in (old, fresh):
        left.mkdir()
    os.utime(old, (time.time() - 4000, time.time() - 4000))
    write_sample(tmp_path / "tiles")
    assert sorted(path.name for path in tmp_path.iterdir()) == [fresh.name, "tiles"]


@pytest.mark.parametrize("stranger", ["holiday.jpg", "test/good/mine.jpg"])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / stranger).write_bytes(b"precious")
    with pytest.raises(InvalidInput, match=r"new or empty folder; .* holds .*\.jpg"):
        write_sample(tmp_path)
    assert (tmp_path / stranger).read_bytes() == b"precious"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiles").write_text("not a folder")
    with pytest.raises(InvalidInput, match="is a file"):
        write_sample(tmp_path / "tiles")


def test_an_obvious_defect_changes_the_picture_inside_its_mask_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "TRAINING_TILES", 12)
    monkeypatch.setattr(folder, "TILES_PER_DEFECT", 2)  # one faint, one obvious
    root = write_sample(tmp_path / "tiles")
    usual = np.mean([pixels(path) for path in (root / "train").rglob("*.jpg")], axis=0)
    for defect in DEFECT_NAMES:
        changes = []
        for path in sorted((root / "test" / defect).glob("*.jpg")):
            mask = pixels(root / "ground_truth" / defect / f"{path.stem}_mask.png")[..., 0] > 0
            change = np.abs(pixels(path) - usual).mean(axis=-1)
            changes.append(change[mask].mean() / change[~mask].mean())
        assert max(changes) > 2, defect


def test_noise_has_unit_variance_and_the_scale_it_is_named_after() -> None:
    noise = Noise(0)
    random = np.random.default_rng(0)
    roughness = []
    for scale in SCALES:
        field = noise.cut(scale, 512, random)
        assert noise.fields[scale].std() == pytest.approx(1, abs=1e-3)
        roughness.append(float(np.abs(np.diff(field, axis=0)).mean()) * scale)
    assert roughness == pytest.approx([roughness[-1]] * len(SCALES), rel=0.5)


@pytest.mark.slow
def test_principal_components_find_obvious_defects_but_not_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in FULL.items():
        monkeypatch.setattr(folder, name, count)
    began = time.process_time()
    root = write_sample(tmp_path / "tiles")
    assert time.process_time() - began < 30
    usual = np.stack([pixels(path, 64) for path in sorted((root / "train").rglob("*.jpg"))])
    paths = sorted((root / "test").rglob("*.jpg"))
    tested = np.stack([pixels(path, 64) for path in paths]).reshape(len(paths), -1)
    mean = usual.reshape(len(usual), -1).mean(axis=0)
    axes = np.linalg.svd(usual.reshape(len(usual), -1) - mean, full_matrices=False)[2][:32]
    left = tested - mean - (tested - mean) @ axes.T @ axes
    measured = scoring.evaluate((left**2).mean(axis=1), [path.parent.name for path in paths])
    assert measured.image_auroc is not None
    assert 0.7 < measured.image_auroc < 0.95

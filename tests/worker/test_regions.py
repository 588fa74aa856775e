"""What lies outside of the region of interest changes nothing, whatever the method."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core.floor import floor_of
from desktop_app.core.images import ImageFolder
from desktop_app.core.regions import Region
from desktop_app.core.runreport import training_command
from desktop_app.core.runs import JobSpec, JobState, Result, Run
from desktop_app.sdk.errors import UnreadableRun
from desktop_app.worker.loading import keep_attached, trained_method
from desktop_app.worker.serving import _Desk
from desktop_app.worker.training import train
from tests.folders import write_mvtec
from tests.runs import dense_spec, losses

PCA = {"method": "pca", "params": {}}
MEMORY = {
    "method": "patch_memory",
    "params": {"filters": 8, "coreset_least": 60, "coreset_limit": 200, "dimensions": 16},
    "image_size": 32,
}


def region() -> Region:
    """The upper three quarters count."""
    mask = np.zeros((64, 64), np.bool_)
    mask[:48] = True
    return Region(mask)


def spoil(folder: Path) -> None:
    """Write noise over what does not count in every image of a folder."""
    random = np.random.default_rng(0)
    for path in [*folder.glob("train/*/*.png"), *folder.glob("test/*/*.png")]:
        pixels = np.array(Image.open(path))
        below = pixels[len(pixels) * 7 // 8 :]  # the rows between are mixed when sizes change
        below[:] = random.integers(0, 256, below.shape)
        Image.fromarray(pixels).save(path)


def trained(folder: Path, run: Path, **spec: Any) -> tuple[Run, Result]:
    wanted: JobSpec = dense_spec(folder, apply_after=True, **spec)
    made = Run.create(run, wanted.model_copy(update={"params": spec["params"]}), region())
    assert train(made) is JobState.FINISHED, made.events()[-1]
    return made, made.result(ImageFolder(folder).key)


def array(result: Result, name: str) -> NDArray[Any]:
    found = result.array(name)
    assert found is not None
    return found


@pytest.mark.parametrize("spec", [PCA, MEMORY], ids=lambda spec: spec["method"])
def test_scores_do_not_depend_on_what_does_not_count(tmp_path: Path, spec: dict[str, Any]) -> None:
    clean, noisy = write_mvtec(tmp_path / "clean"), write_mvtec(tmp_path / "noisy")
    spoil(noisy)

    _, expected = trained(clean, tmp_path / "first", **spec)
    _, found = trained(noisy, tmp_path / "second", **spec)

    assert np.array_equal(array(found, "scores"), array(expected, "scores"))


def test_the_score_is_that_of_the_map_where_it_counts(tmp_path: Path) -> None:
    folder = write_mvtec(tmp_path / "图像")

    run, result = trained(folder, tmp_path / "run", **PCA)

    maps, scores = array(result, "maps"), array(result, "scores")
    assert np.isnan(maps[:, 12:]).all()
    assert np.allclose(np.nanmax(maps, axis=(1, 2)), scores)
    answer = _Desk(run.path, str(folder), "cpu")._localize({"ids": [1]}, {})[1]
    row = np.flatnonzero(array(result, "ids") == 1)[0]
    assert np.allclose(answer["maps"][0], maps[row], equal_nan=True)
    assert np.allclose(answer["scores"][0], scores[row])
    fill = np.float32(1 / 255) * np.asarray((run.data() or {})["fill"])
    assert np.allclose(answer["images"][0][:, 12:], fill[:, None, None])


def test_nothing_outside_is_remembered_or_shown_as_the_reason(tmp_path: Path) -> None:
    folder = write_mvtec(tmp_path / "images", side=32)

    run, _ = trained(folder, tmp_path / "run", **MEMORY)

    method: Any = trained_method(run.path, "cpu")
    rows = method._origins[:, 2] // method.patches.grid[1]
    assert rows.max() < method.patches.grid[0] * 3 / 4
    images = np.random.default_rng(0).random((4, 1, 32, 32)).astype(np.float32)
    assert all(one.box[0] < 24 for one in method.explain(images))


def test_the_run_keeps_its_region_and_its_hash(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", dense_spec(tmp_path), region())

    assert run.spec().region == region().hash
    assert (run.region() or region()).share == 0.75
    assert f"--region {run.region_path}" in training_command(run.spec(), run.path)
    run.region_path.write_bytes(Region(~region().mask).png())
    with pytest.raises(UnreadableRun, match="is not the region"):
        run.region()
    run.region_path.unlink()
    with pytest.raises(UnreadableRun, match="cannot be read"):
        run.region()


def test_folds_and_floor_see_what_counts_alone(tmp_path: Path) -> None:
    clean, noisy = write_mvtec(tmp_path / "clean"), write_mvtec(tmp_path / "noisy")
    spoil(noisy)

    results = []
    for folder in (clean, noisy):
        run, result = trained(folder, tmp_path / f"run of {folder.name}", **PCA, folds=2)
        table = ImageFolder(folder).table()
        floor = floor_of(run, ImageFolder(folder), table, np.arange(len(table)))
        assert floor is not None
        results.append([array(result, "scores"), floor.mean_image, floor.principal_components])

    for expected, found in zip(*results, strict=True):
        assert np.array_equal(expected, found)


def test_a_resumed_run_sees_the_same_region(tmp_path: Path, mvtec_folder: Path) -> None:
    whole = Run.create(tmp_path / "whole", dense_spec(mvtec_folder, params={"epochs": 2}), region())
    train(whole)
    again = Run.create(tmp_path / "again", dense_spec(mvtec_folder, params={"epochs": 2}), region())
    again.write_data(whole.data() or {})

    train(again)

    assert losses(again) == losses(whole)
    everything = Run.create(tmp_path / "everything", dense_spec(mvtec_folder))
    train(everything)
    assert losses(everything) != losses(whole)


def test_a_run_that_builds_upon_one_keeps_the_region_of_that(
    tmp_path: Path, mvtec_folder: Path
) -> None:
    encoder, _ = trained(mvtec_folder, tmp_path / "encoder", **PCA)
    params = {"encoder": str(encoder.path), "clusters": 2}
    run = Run.create(
        tmp_path / "run",
        dense_spec(mvtec_folder, method="kmeans").model_copy(update={"params": params}),
    )

    keep_attached(run)

    copy = Run.open(run.attached_path / "encoder")
    assert (copy.region() or Region(np.ones((1, 1), np.bool_))).hash == region().hash
    assert run.region() is None

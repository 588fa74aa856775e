"""What two baselines say of the images of an evaluation."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from desktop_app.core import floor as floors
from desktop_app.core.floor import SIDE, floor_of
from desktop_app.core.images import ImageFolder
from desktop_app.core.pixels import PixelCache
from desktop_app.core.runs import Run


@pytest.fixture
def folder(mvtec_folder: Path) -> ImageFolder:
    folder = ImageFolder(mvtec_folder)
    folder.list_files()
    for _ in folder.probe():
        pass
    return folder


def pixels(folder: ImageFolder, rows: np.ndarray) -> np.ndarray:
    images = PixelCache(folder, SIDE, 1).dataset(folder.table()).images(slice(None))
    return images.reshape(len(images), -1)[rows]


def test_the_floor_is_the_mean_image_and_a_few_components_of_what_the_run_has_seen(
    trained_run: Run, folder: ImageFolder
) -> None:
    table = folder.table()
    rows = np.flatnonzero(np.array(table.splits) == "test")
    seen = np.flatnonzero(np.array(table.splits) == "train")

    floor = floor_of(trained_run, folder, table, rows)

    assert floor is not None
    trained, tested = pixels(folder, seen), pixels(folder, rows)
    expected = np.square(tested - trained.mean(axis=0)).mean(axis=1)
    np.testing.assert_allclose(floor.mean_image, expected, rtol=1e-4)
    pca = PCA(len(seen) - 1).fit(trained)
    rebuilt = pca.inverse_transform(pca.transform(tested))
    expected = np.square(tested - rebuilt).mean(axis=1)
    np.testing.assert_allclose(floor.principal_components, expected, rtol=1e-3)
    areas = floor.auroc([table.labels[row] for row in rows])
    assert areas is not None
    assert set(areas) == {"mean_image", "principal_components"}
    assert areas["mean_image"] > 0.8


def test_a_floor_is_computed_once(
    trained_run: Run, folder: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, rows = folder.table(), np.arange(5)
    first = floor_of(trained_run, folder, table, rows)
    monkeypatch.setattr(floors, "_measured", None)

    second = floor_of(trained_run, folder, table, rows)

    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.mean_image, second.mean_image)


def test_without_the_images_of_the_training_there_is_no_floor(
    trained_run: Run, folder: ImageFolder
) -> None:
    table, data = folder.table(), trained_run.data()
    assert data is not None
    trained_run.write_data(data | {"paths": [*data["paths"], "gone.png"]})

    assert floor_of(trained_run, folder, table, np.arange(5)) is None


def test_labels_that_do_not_tell_give_no_area(trained_run: Run, folder: ImageFolder) -> None:
    floor = floor_of(trained_run, folder, folder.table(), np.arange(3))

    assert floor is not None
    assert floor.auroc(["", "", ""]) is None
    assert floor.auroc(["good", "good", "good"]) is None

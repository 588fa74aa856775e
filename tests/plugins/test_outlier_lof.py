"""The local outlier factor is that of scikit-learn, copies do no harm, and digits stand out."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.events import Note
from desktop_app.sdk.testing.trial import through_disk
from desktop_app.sdk.views import Curve, ImageGrid, Table
from plugins.outlier_lof import outlier_lof
from plugins.outlier_lof.outlier_lof import OutlierLOF, OutlierParams
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, labels_of_digits, shaded
from tests.plugins.points import blobs, trained_on, vectors_of


def fitted(data: ArrayDataset, **values: object) -> OutlierLOF:
    method = OutlierLOF(OutlierParams.parse({"components": 0, "duplicates": 0.0} | values))
    trained_on(method, data)
    return method


def halves() -> tuple[ArrayDataset, ArrayDataset]:
    data, _ = blobs(600, dimensions=8, spread=3)
    return ArrayDataset(data.array[:400]), ArrayDataset(data.array[400:])


def test_factors_are_those_of_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlier_lof, "_BLOCK", 150)
    known, new = halves()
    reference = LocalOutlierFactor(15).fit(vectors_of(known))
    novelty = LocalOutlierFactor(15, novelty=True).fit(vectors_of(known))

    method = fitted(known, n_neighbors=15)

    assert len(method.different) == 400
    np.testing.assert_allclose(method.scores, -reference.negative_outlier_factor_, rtol=1e-3)
    np.testing.assert_allclose(
        method.score(new.images(slice(None))), -novelty.score_samples(vectors_of(new)), rtol=1e-3
    )


@pytest.mark.parametrize("estimator", ["lof", "knn", "isolation_forest"])
def test_a_fitted_image_has_the_score_that_was_fitted(estimator: str) -> None:
    known, _ = halves()

    method = fitted(known, estimator=estimator, trees=40)

    np.testing.assert_allclose(method.score(known.images(slice(None))), method.scores, rtol=1e-4)


def test_distances_are_those_of_the_reference() -> None:
    known, new = halves()
    search = NearestNeighbors(n_neighbors=5).fit(vectors_of(known))

    method = fitted(known, estimator="knn", n_neighbors=5)

    expected = search.kneighbors(vectors_of(new))[0].mean(axis=1)
    np.testing.assert_allclose(method.score(new.images(slice(None))), expected, rtol=1e-3)
    itself_left_out = search.kneighbors()[0].mean(axis=1)
    np.testing.assert_allclose(method.scores, itself_left_out, rtol=1e-3)


def test_a_forest_grows_the_same_after_the_disk() -> None:
    known, new = halves()
    method = fitted(known, estimator="isolation_forest", trees=40)
    restored = OutlierLOF(method.params)
    restored.restore(through_disk(method.state()))

    scores = restored.score(new.images(slice(None)))

    vectors = vectors_of(new) - method.vectors.mean(axis=0)
    reference = IsolationForest(n_estimators=40, random_state=0).fit(
        method.vectors - method.vectors.mean(axis=0)
    )
    np.testing.assert_allclose(scores, -reference.score_samples(vectors), rtol=1e-5)


def test_copies_count_once_and_score_as_their_original() -> None:
    known, _ = halves()
    copies = ArrayDataset(np.concatenate([known.array, np.repeat(known.array[:3], 30, axis=0)]))
    method = OutlierLOF(OutlierParams(components=0, duplicates=0.05))

    events = list(method.fit(copies))

    assert any(isinstance(event, Note) and "90 images are copies" in event.text for event in events)
    alone = fitted(known)
    np.testing.assert_allclose(method.scores[:400], alone.scores, rtol=0.02)  # ties may part
    np.testing.assert_allclose(method.scores[400:], np.repeat(method.scores[:3], 30), rtol=1e-4)
    assert method.scores.max() < 100


def test_a_folder_of_one_image_is_refused() -> None:
    with pytest.raises(InvalidInput, match="differ from each other"):
        fitted(ArrayDataset(np.full((9, 1, 4, 4), 7, np.uint8)))


@pytest.mark.parametrize("estimator", ["lof", "knn"])
def test_planted_noise_is_among_the_first(estimator: str) -> None:
    images = shaded(300, channels=3).array
    noise = np.random.default_rng(0).integers(0, 256, (6, *images.shape[1:]), np.uint8)
    data = ArrayDataset(np.concatenate([images, noise]))

    method = fitted(data, components=32, estimator=estimator)

    first = np.argsort(-method.scores)[: round(0.02 * len(data))]
    assert set(range(300, 306)) <= set(first.tolist())


def test_views_show_the_histogram_and_the_worst() -> None:
    data = shaded(60, channels=3, side=64)
    method = fitted(data, components=5)

    histogram, worst, table = method.views()

    assert isinstance(histogram, Curve)
    assert histogram.lines["images"][1].sum() == 60
    assert isinstance(worst, ImageGrid)
    assert worst.images.shape == (32, 3, 48, 48)
    assert isinstance(table, Table)
    scores = [float(row[2]) for row in table.rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == method.scores.max()


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(1200)
def test_one_digit_is_told_from_the_others(shared_data: Path, bar: Bar) -> None:
    """Mean AUROC over ten digits, of 4,000 normal ones each: at least .93."""
    train, test = digits(shared_data, "train"), digits(shared_data, "t10k")
    kinds, others = (labels_of_digits(shared_data, part) for part in ("train", "t10k"))
    areas = []
    for digit in range(10):
        method = OutlierLOF(OutlierParams())
        trained_on(method, ArrayDataset(train[kinds == digit][:4000]))
        areas.append(roc_auc_score(others != digit, method.score(as_images(test))))

    area = float(np.mean(areas))
    bar("outlier_lof", "MNIST one-vs-rest AUROC (chance)", area, above=0.93, trivial=0.5)

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from desktop_app.core.probe import (
    Halves,
    halves,
    knn_accuracy,
    linear_accuracy,
    pixels_as_features,
    principal_features,
)


def found(labels: list[str], splits: list[str] | None = None, most: int = 1000) -> Halves:
    chosen = halves(labels, splits or (), most)
    assert chosen is not None
    return chosen


def blobs(features: int, distance: float) -> tuple[np.ndarray, np.ndarray, Halves]:
    random = np.random.default_rng(1)
    labels = ["a", "b", "c"] * 100
    chosen = found(labels)
    centres = distance * random.normal(size=(3, features))
    codes = np.array([chosen.classes.index(label) for label in labels])
    points = centres[codes] + random.normal(size=(300, features))
    return points[chosen.known], points[chosen.asked], chosen


def test_every_class_is_cut_in_halves_that_share_no_image() -> None:
    chosen = found(["a"] * 10 + ["b"] * 30 + [""] * 5)

    assert len(set(chosen.rows.tolist())) == len(chosen.rows) == 40
    assert np.bincount(chosen.known_codes).tolist() == [5, 15]
    assert np.bincount(chosen.asked_codes).tolist() == [5, 15]


def test_many_images_are_thinned_out_evenly_and_always_the_same() -> None:
    labels = ["a"] * 3000 + ["b"] * 1000

    chosen, again = found(labels, most=400), found(labels, most=400)

    assert len(chosen.rows) == 400
    assert (chosen.rows < 3000).sum() == 300
    assert chosen.rows.max() == 3999
    assert np.array_equal(chosen.rows, again.rows)


def test_training_and_test_images_of_the_folder_are_the_halves() -> None:
    labels, splits = ["a", "b"] * 20, ["train"] * 20 + ["test"] * 20

    chosen = found(labels, splits)

    assert sorted(chosen.known) == list(range(20))
    assert sorted(chosen.asked) == list(range(20, 40))


def test_where_only_the_test_images_have_several_classes_all_are_cut_in_halves() -> None:
    labels = ["good"] * 20 + ["hole"] * 10
    splits = ["train"] * 15 + ["test"] * 15

    chosen = found(labels, splits)

    assert chosen.classes == ("good", "hole")
    assert len(chosen.rows) == 30


@pytest.mark.parametrize("labels", [[], [""] * 50, ["a"] * 50, ["a"] * 50 + ["b"] * 4])
def test_too_few_labels_are_not_measured(labels: list[str]) -> None:
    assert halves(labels) is None


def test_nearest_neighbours_vote_as_those_of_a_peer_do() -> None:
    known, asked, chosen = blobs(20, 0.5)
    peer = KNeighborsClassifier(10, metric="cosine").fit(known, chosen.known_codes)
    sure = np.sort(peer.predict_proba(asked), axis=1)
    sure = sure[:, -1] > sure[:, -2]  # the peer breaks ties by the number of the class
    part = Halves(
        chosen.known, chosen.asked[sure], chosen.known_codes, chosen.asked_codes[sure], ("a", "b")
    )

    mine = knn_accuracy(known, asked[sure], Halves(**{**vars(part), "classes": chosen.classes}))

    assert 0.5 < mine < 1
    assert mine == pytest.approx(peer.score(asked[sure], chosen.asked_codes[sure]))


@pytest.mark.parametrize("features", [20, 400], ids=["few features", "more than images"])
def test_the_linear_probe_is_the_logistic_regression_of_a_peer(features: int) -> None:
    known, asked, chosen = blobs(features, 0.35 if features == 20 else 0.1)
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    peer = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000)
    peer.fit((known - mean) / deviation, chosen.known_codes)

    mine = linear_accuracy(known, asked, chosen)

    assert 0.5 < mine < 1
    assert mine == pytest.approx(
        peer.score((asked - mean) / deviation, chosen.asked_codes), abs=0.011
    )


def test_features_without_information_are_at_chance_and_constant_ones_do_no_harm() -> None:
    _, _, chosen = blobs(2, 1.0)
    nothing = np.ones((150, 4))

    assert knn_accuracy(nothing, nothing, chosen) == pytest.approx(1 / 3, abs=0.01)
    assert linear_accuracy(nothing, nothing, chosen) == pytest.approx(1 / 3, abs=0.01)


def test_large_images_are_averaged_down_before_they_are_compared() -> None:
    images = np.zeros((2, 3, 130, 130), np.float32)
    images[1] = 0.5

    features = pixels_as_features(images)

    assert features.shape == (2, 3 * 43 * 43)
    assert (features[1] == 0.5).all()


def test_principal_features_keep_the_distances_that_few_dimensions_have() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(60, 5)) @ random.normal(size=(5, 300))

    known, asked = principal_features(points[:40], points[40:])

    assert known.shape[1] == 5
    assert np.linalg.norm(asked[0] - known[0]) == pytest.approx(
        np.linalg.norm(points[40] - points[0])
    )

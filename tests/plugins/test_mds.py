"""The maths that only multidimensional scaling promises."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.neighbors import KNeighborsClassifier

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.testing.trial import through_disk
from plugins.mds.mds import MDS, MDSParams, classical_map, fitting_size, guttman
from tests.plugins.pictures import last_metrics, shaded, small_digits


@pytest.mark.parametrize("count", [30, 1200])
def test_the_classical_map_of_points_in_a_plane_is_exact(count: int) -> None:
    random = np.random.default_rng(0)
    plane = random.standard_normal((count, 2)) @ np.linalg.qr(random.standard_normal((7, 2)))[0].T
    distances = squareform(pdist(plane))

    found = classical_map(distances, 2)

    np.testing.assert_allclose(cdist(found, found), distances, atol=1e-6)


@pytest.mark.parametrize("count", [60, 1100])
def test_the_classical_map_is_that_of_scikit_learn(count: int) -> None:
    manifold = pytest.importorskip("sklearn.manifold")
    if not hasattr(manifold, "ClassicalMDS"):
        pytest.skip("this scikit-learn has no ClassicalMDS")
    vectors = np.random.default_rng(1).standard_normal((count, 6)) * np.arange(6, 0, -1)
    distances = squareform(pdist(vectors, "cityblock"))

    found = classical_map(distances, 3)

    peer = manifold.ClassicalMDS(n_components=3, metric="precomputed").fit_transform(distances)
    np.testing.assert_allclose(np.abs(found), np.abs(peer), atol=1e-6 * np.abs(peer).max())


def test_euclidean_distances_give_principal_components_and_exact_new_places() -> None:
    data = shaded(60)
    method = MDS(MDSParams(components=3, dimensions=3, refine=0))

    list(method.fit(data))
    new = shaded(5, seed=9).images(slice(None))

    assert method.losses["stress"] < 1e-3
    np.testing.assert_allclose(np.abs(method.embed()), np.abs(method.anchor), atol=1e-3)
    expected = cdist(method.represent(new), method.vectors)
    np.testing.assert_allclose(cdist(method.encode(new), method.embed()), expected, atol=1e-2)


def test_the_transform_never_raises_the_stress_and_equals_the_slow_formula() -> None:
    random = np.random.default_rng(2)
    distances = squareform(pdist(random.standard_normal((25, 5))))
    positions = random.standard_normal((25, 2))

    moved, stress = guttman(positions, distances)

    shown = squareform(pdist(positions))
    assert stress**2 == pytest.approx(((distances - shown) ** 2).sum() / (distances**2).sum())
    slow = np.zeros_like(positions)
    for i in range(25):
        for j in range(25):
            way = positions[i] - positions[j]
            ratio = distances[i, j] / shown[i, j] if i != j else 0.0
            slow[i] += (positions[j] + ratio * way) / 25
    np.testing.assert_allclose(moved, slow, atol=1e-10)
    stresses = [stress]
    for _ in range(30):
        moved, lower = guttman(moved, distances)
        stresses.append(lower)
    assert stresses == sorted(stresses, reverse=True)


def test_a_map_in_the_wrong_size_is_brought_to_that_of_least_stress() -> None:
    random = np.random.default_rng(3)
    positions = random.standard_normal((20, 2))
    distances = squareform(pdist(positions)) * 3

    np.testing.assert_allclose(fitting_size(positions, distances), positions * 3)
    assert guttman(np.zeros((20, 2)), distances)[1] == pytest.approx(1)  # the line of the curve


def test_refining_lowers_the_stress_of_digits_and_new_ones_land_near_their_class() -> None:
    data, kinds = small_digits(500)
    method = MDS(MDSParams(refine=60))

    events = list(method.fit(ArrayDataset(data.array[:400])))

    stresses = [
        e.values["stress"] for e in events if isinstance(e, Metrics) and "stress" in e.values
    ]
    assert stresses == sorted(stresses, reverse=True)
    classical = MDS(MDSParams(refine=0))
    list(classical.fit(ArrayDataset(data.array[:400])))
    assert stresses[-1] < 0.7 * classical.losses["stress"]
    new = data.images(slice(400, 500))
    refined, before = (
        KNeighborsClassifier(9).fit(one.embed(), kinds[:400]).score(one.encode(new), kinds[400:])
        for one in (method, classical)
    )
    assert refined > 0.55  # of ten classes, in two dimensions
    assert refined >= before


def test_with_many_images_landmarks_give_nearly_the_map_of_all() -> None:
    data, _ = small_digits(400)
    few = MDS(MDSParams(refine=30, landmarks=100))
    whole = MDS(MDSParams(refine=30))

    list(few.fit(data))
    list(whole.fit(data))

    assert len(few.landmarks) == 100
    assert len(few.others) == 300
    wished = squareform(pdist(few.vectors))
    assert guttman(few.positions, wished)[1] < whole.losses["stress"] + 0.04


def test_landmarks_alone_place_all_others_exactly_in_the_plane() -> None:
    data = shaded(80)
    method = MDS(MDSParams(components=2, refine=0, landmarks=20))

    list(method.fit(data))

    expected = squareform(pdist(method.vectors))
    np.testing.assert_allclose(squareform(pdist(method.embed())), expected, atol=1e-2)


@pytest.mark.parametrize("distance", ["manhattan", "cosine"])
def test_other_distances_are_those_of_their_name(distance: str) -> None:
    data = shaded(40)
    method = MDS(MDSParams.parse({"components": 3, "distance": distance, "refine": 5}))  # type: ignore[arg-type]

    list(method.fit(data))

    name = {"manhattan": "cityblock", "cosine": "cosine"}[distance]
    wished = pdist(method.vectors, name)  # type: ignore[call-overload]
    shown = pdist(method.embed())
    slow = np.sqrt(((wished - shown) ** 2).sum() / (wished**2).sum())
    assert method.losses["stress"] == pytest.approx(slow, rel=1e-4)


def test_a_former_map_is_refined() -> None:
    data = shaded(40)
    former = MDS(MDSParams(components=3, refine=50))
    list(former.fit(data))
    method = MDS(MDSParams(components=3, refine=5))
    method.attach_run("start", former)

    stresses = [
        e.values["stress"] for e in method.fit(data) if "stress" in getattr(e, "values", {})
    ]

    assert stresses[0] == pytest.approx(former.losses["stress"], rel=0.05)


def test_a_complete_map_can_be_worked_on_for_longer() -> None:
    data, _ = small_digits(60)
    method = MDS(MDSParams(refine=20))
    list(method.fit(data))
    longer = MDS(MDSParams(refine=30))
    longer.restore(through_disk(method.state()))
    np.testing.assert_array_equal(longer.embed(), method.embed())

    last = last_metrics(longer.fit(data))

    assert (last.epoch, last.progress) == (30, 1)
    assert not np.array_equal(longer.embed(), method.embed())
    assert longer.quality["map"].trustworthiness > longer.quality["PCA"].trustworthiness - 0.05


def test_equal_images_do_no_harm() -> None:
    method = MDS(MDSParams(components=0, refine=5))

    list(method.fit(ArrayDataset(np.full((12, 1, 8, 8), 7, np.uint8))))

    assert np.isfinite(method.embed()).all()

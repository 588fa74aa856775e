"""The maths that only UMAP promises."""

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.sdk.testing.trial import through_disk
from plugins.umap.umap import UMAP, UMAPParams, falling_curve, fuzzy_graph, memberships
from tests.plugins.pictures import last_metrics, small_digits


def test_the_curve_has_the_constants_of_the_paper() -> None:
    assert falling_curve(0.1) == pytest.approx((1.577, 0.895), abs=1e-3)  # of umap-learn


def test_memberships_begin_at_one_and_sum_to_the_logarithm_of_the_neighbours() -> None:
    random = np.random.default_rng(0)
    distances = np.sort(1 + random.random((50, 15)).astype(np.float32), axis=1)

    found = memberships(distances)

    assert (found[:, 0] == 1).all()
    assert (np.diff(found, axis=1) <= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), np.log2(15), rtol=1e-3)


def test_the_graph_is_the_fuzzy_union_of_both_directions() -> None:
    vectors = np.random.default_rng(1).standard_normal((40, 3)).astype(np.float32)
    distances = cdist(vectors, vectors)
    near = np.argsort(distances, axis=1)[:, 1:6]
    lengths = np.take_along_axis(distances, near, 1).astype(np.float32)

    graph = fuzzy_graph(near, lengths).toarray()

    v = np.zeros((40, 40))
    np.put_along_axis(v, near, memberships(lengths), 1)
    np.testing.assert_allclose(graph, v + v.T - v * v.T, atol=1e-6)
    np.testing.assert_array_equal(graph, graph.T)


def test_pull_and_push_are_the_gradients_of_the_loss() -> None:
    method = UMAP()
    a, b = method.curve
    apart = np.array([[0.8, -0.5], [2.0, 1.0], [-0.3, 0.9]])

    def similar(apart: Any) -> Any:
        return 1 / (1 + a * np.square(apart).sum(axis=1) ** b)

    for force, log in (
        (method._pull, lambda apart: np.log(similar(apart))),
        (method._push, lambda apart: np.log(1 - similar(apart))),
    ):
        slopes = [(log(apart + step) - log(apart - step)) / 2e-5 for step in 1e-5 * np.eye(2)]
        np.testing.assert_allclose(force(apart), np.stack(slopes, axis=1), rtol=5e-3)


def test_every_image_moves_by_the_sum_of_its_edges_and_no_further_than_allowed() -> None:
    method = UMAP(UMAPParams(negatives=2))
    method.positions = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32) * 4
    heads, tails = np.array([0, 0, 3, 5]), np.array([1, 2, 4, 0], np.int32)
    y = method.positions

    method._move(heads, tails, 0.1, np.random.default_rng(7))

    others = np.random.default_rng(7).integers(0, 6, (2, 4))
    expected = np.zeros((6, 2))
    for edge, (i, j) in enumerate(zip(heads, tails, strict=True)):
        expected[i] += 2 * method._pull(y[i] - y[j])
        expected[i] += sum(method._push(y[i] - y[other]) for other in others[:, edge])
    length = np.linalg.norm(expected, axis=1, keepdims=True)
    expected *= 0.1 * np.minimum(1, 0.5 / np.maximum(length, 1e-12))
    np.testing.assert_allclose(method.positions - y, expected, atol=1e-5)


def test_it_lays_out_digits_and_places_new_ones_in_their_class() -> None:
    data, kinds = small_digits(800)
    method = UMAP(UMAPParams(epochs=200))

    events = list(method.fit(ArrayDataset(data.array[:600])))

    start = next(e.value for e in events if isinstance(e, TrivialValue) and "cross" in e.curve)
    losses = [
        event.values["cross-entropy"]
        for event in events
        if isinstance(event, Metrics) and "cross-entropy" in event.values
    ]
    assert losses[-1] < 0.5 * start
    assert losses[-1] == min(losses)
    own = trustworthiness(method.vectors, method.embed(), n_neighbors=15)
    assert own > 0.95
    assert own > method.quality["PCA"].trustworthiness + 0.1
    classes = KNeighborsClassifier(5).fit(method.embed(), kinds[:600])
    assert classes.score(method.encode(data.images(slice(600, 800))), kinds[600:]) > 0.85


def test_separate_groups_are_far_from_each_other() -> None:
    random = np.random.default_rng(0)
    middles = random.integers(40, 216, (4, 1, 1, 8, 8))
    groups = np.clip(middles + random.integers(-20, 21, (4, 40, 1, 8, 8)), 0, 255)
    method = UMAP(UMAPParams(epochs=100))

    list(method.fit(ArrayDataset(groups.reshape(160, 1, 8, 8).astype(np.uint8))))

    places = method.embed().reshape(4, 40, 2)
    centres = places.mean(axis=1)
    widest = np.linalg.norm(places - centres[:, None], axis=2).max()
    between = cdist(centres, centres)[np.triu_indices(4, 1)].min()
    assert between > 1.5 * widest


def test_a_complete_map_can_be_worked_on_for_longer() -> None:
    data, _ = small_digits(60)
    method = UMAP(UMAPParams(epochs=20))
    list(method.fit(data))
    longer = UMAP(UMAPParams(epochs=30))
    longer.restore(through_disk(method.state()))
    np.testing.assert_array_equal(longer.embed(), method.embed())

    last = last_metrics(longer.fit(data))

    assert (last.epoch, last.progress) == (30, 1)
    assert not np.array_equal(longer.embed(), method.embed())
    assert longer.quality["map"].trustworthiness > longer.quality["PCA"].trustworthiness - 0.05


def test_equal_images_do_no_harm() -> None:
    method = UMAP(UMAPParams(epochs=20, components=0))

    list(method.fit(ArrayDataset(np.full((30, 1, 8, 8), 7, np.uint8))))

    assert np.isfinite(method.embed()).all()


@pytest.mark.slow
def test_it_keeps_as_many_neighbours_as_umap_learn() -> None:
    umap = pytest.importorskip("umap")
    data, _ = small_digits(1500)
    method = UMAP(UMAPParams())
    list(method.fit(data))

    peer = umap.UMAP(random_state=0, n_jobs=1).fit_transform(method.vectors)

    own = trustworthiness(method.vectors, method.embed(), n_neighbors=15)
    assert own > trustworthiness(method.vectors, peer, n_neighbors=15) - 0.01

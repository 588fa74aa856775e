"""The maths that only t-SNE promises."""

from itertools import pairwise

import numpy as np
import openTSNE
import pytest
from openTSNE.affinity import PerplexityBasedNN
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.events import Metrics, Note
from desktop_app.sdk.testing.trial import through_disk, told
from plugins.tsne.tsne import TSNE, TSNEParams, joint_probabilities, uniform_divergence
from tests.plugins.pictures import last_metrics, shaded, small_digits


def test_affinities_are_those_of_opentsne_and_have_the_perplexity() -> None:
    vectors = np.random.default_rng(0).standard_normal((200, 5)).astype(np.float32)
    order = np.argsort(cdist(vectors, vectors), axis=1)[:, 1:31]
    distances = np.sort(cdist(vectors, vectors), axis=1)[:, 1:31].astype(np.float32)

    joint = joint_probabilities(order, distances, 10.0)

    expected = PerplexityBasedNN(vectors, perplexity=10, method="exact").P
    np.testing.assert_allclose(joint.toarray(), expected.toarray(), atol=1e-6)
    assert joint.sum() == pytest.approx(1)


def test_divergence_and_gradient_are_those_of_the_slow_formula() -> None:
    method = TSNE(TSNEParams(theta=0.0))
    random = np.random.default_rng(0)
    method.positions = random.standard_normal((40, 2))
    distances = squareform(pdist(random.standard_normal((40, 3))))
    order = np.argsort(distances, axis=1)[:, 1:]
    joint = joint_probabilities(order, np.sort(distances, axis=1)[:, 1:].astype(np.float32), 5.0)

    divergence, gradient = method._divergence(joint, evaluated=True)

    y = method.positions
    w = 1 / (1 + squareform(pdist(y, "sqeuclidean")))
    np.fill_diagonal(w, 0)
    q, p = w / w.sum(), joint.toarray()
    some = p > 0
    assert divergence == pytest.approx((p[some] * np.log(p[some] / q[some])).sum(), rel=1e-6)
    expected = (((p - q) * w)[..., None] * (y[:, None] - y)).sum(axis=1)
    np.testing.assert_allclose(gradient, expected, atol=1e-8)


def test_the_line_of_the_curve_is_the_divergence_of_a_map_in_one_place() -> None:
    distances = squareform(pdist(np.random.default_rng(0).standard_normal((30, 3))))
    order = np.argsort(distances, axis=1)[:, 1:]
    joint = joint_probabilities(order, np.sort(distances, axis=1)[:, 1:].astype(np.float32), 5.0)
    p, q = joint.toarray(), 1 / (30 * 29)

    assert uniform_divergence(joint) == pytest.approx((p[p > 0] * np.log(p[p > 0] / q)).sum())


def test_it_lays_out_digits_as_well_as_opentsne_and_places_new_ones_in_their_class() -> None:
    data, kinds = small_digits(700)
    method = TSNE(TSNEParams(iterations=350, early=150))

    losses = [
        event.values["kl"]
        for event in method.fit(ArrayDataset(data.array[:500]))
        if isinstance(event, Metrics) and "kl" in event.values
    ]

    settled = losses[len(losses) // 4 :]
    assert all(later < earlier + 0.02 for earlier, later in pairwise(settled))
    own = trustworthiness(method.vectors, method.embed(), n_neighbors=15)
    peer = openTSNE.TSNE(
        random_state=0, early_exaggeration_iter=150, n_iter=200, neighbors="exact"
    ).fit(method.vectors)
    assert own > 0.97
    assert own == pytest.approx(trustworthiness(method.vectors, peer, n_neighbors=15), abs=0.005)
    assert losses[-1] == pytest.approx(peer.kl_divergence, abs=0.05)
    assert own > method.quality["PCA"].trustworthiness + 0.1
    classes = KNeighborsClassifier(5).fit(method.embed(), kinds[:500])
    assert classes.score(method.encode(data.images(slice(500, 700))), kinds[500:]) > 0.85


def test_the_perplexity_fits_few_images() -> None:
    method = TSNE(TSNEParams(iterations=20, early=10))

    events = list(method.fit(shaded(10)))

    assert method.perplexity == 3
    assert any("perplexity is 3.0 at most" in e.text for e in events if isinstance(e, Note))
    assert ("perplexity", 3.0, "") in method.views()[0].rows  # type: ignore[union-attr]


def test_a_complete_map_can_be_worked_on_for_longer() -> None:
    data, _ = small_digits(60)
    method = TSNE(TSNEParams(iterations=20, early=10))
    list(method.fit(data))
    longer = TSNE(TSNEParams(iterations=30, early=10))
    longer.restore(through_disk(method.state()))
    np.testing.assert_array_equal(longer.embed(), method.embed())

    last = last_metrics(longer.fit(data))

    assert (last.epoch, last.progress) == (30, 1)
    assert not np.array_equal(longer.embed(), method.embed())
    assert longer.quality["map"].trustworthiness > longer.quality["PCA"].trustworthiness - 0.05


def test_three_dimensions_and_equal_images() -> None:
    method = TSNE(TSNEParams(iterations=20, early=10, dimensions=3, components=0))

    last = last_metrics(method.fit(ArrayDataset(np.full((12, 1, 8, 8), 7, np.uint8))))

    assert method.embed().shape == (12, 3)
    assert np.isfinite(method.embed()).all()
    assert np.isfinite(last.values["kl"])


def test_with_very_many_images_the_gradient_by_interpolation_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, _ = small_digits(300)
    params = TSNEParams(iterations=40, early=20)
    by_tree = last_metrics(TSNE(params).fit(data)).values["kl"]
    monkeypatch.setattr("plugins.tsne.tsne._FFT_IMAGES", 100)

    one, other = told(TSNE(params).fit(data)), told(TSNE(params).fit(data))

    assert one == other
    assert one[-1][2]["kl"] == pytest.approx(by_tree, abs=0.05)

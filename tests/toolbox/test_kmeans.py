"""K-means passes and silhouettes agree with scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score
from torch import Tensor

from desktop_app.toolbox import kmeans
from desktop_app.toolbox.kmeans import (
    assigned,
    bend,
    clustered,
    first_centres,
    improved,
    moved_by,
    silhouettes,
    structureless,
)


@pytest.fixture
def blobs() -> Tensor:
    points, _ = make_blobs(400, 6, centers=5, cluster_std=2.5, random_state=3)
    return torch.from_numpy(points.astype(np.float32))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_passes_reach_the_inertia_of_the_reference(blobs: Tensor) -> None:
    start = first_centres(blobs, 5, seeded())
    reference = KMeans(5, init=start.numpy(), n_init=1, tol=0).fit(blobs.double().numpy())

    centres = start
    for _ in range(100):
        centres, _ = improved(blobs, centres)

    assert float(assigned(blobs, centres)[1].sum()) == pytest.approx(reference.inertia_, rel=1e-6)
    np.testing.assert_allclose(centres, reference.cluster_centers_, rtol=1e-5)


def test_a_mini_batch_moves_centres_as_its_points_would_one_by_one(blobs: Tensor) -> None:
    centres, seen = blobs[:3].double(), torch.tensor([4.0, 0.0, 1.0], dtype=torch.float64)
    batch = blobs[50:90]
    rows, _ = assigned(batch, centres)  # kept for the whole batch, as in algorithm 1
    one_by_one, counts = centres.clone(), seen.clone()
    for row, point in zip(rows.tolist(), batch.double(), strict=True):
        counts[row] += 1
        one_by_one[row] += (point - one_by_one[row]) / counts[row]

    moved, total = moved_by(batch, centres, seen)

    torch.testing.assert_close(moved, one_by_one)
    assert torch.equal(total, counts)


def test_a_cloud_without_structure_has_mean_and_covariance_of_the_points(blobs: Tensor) -> None:
    cloud = structureless(blobs, 20_000, seeded()).double()
    torch.testing.assert_close(cloud.mean(0), blobs.double().mean(0), atol=0.3, rtol=0)
    expected = torch.cov(blobs.double().T, correction=0)
    assert (torch.cov(cloud.T) - expected).norm() < 0.05 * expected.norm()


@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_curve_bends_where_its_two_straight_parts_meet(at: int) -> None:
    heights = [min(x, at) + 0.1 * max(0, x - at) for x in range(9)]
    assert bend(range(9), heights) == at


def test_careful_starts_are_nearer_than_random_ones(blobs: Tensor) -> None:
    careful = [assigned(blobs, first_centres(blobs, 5, seeded(n)))[1].sum() for n in range(20)]
    random = [
        assigned(blobs, blobs[torch.randperm(len(blobs), generator=seeded(n))[:5]])[1].sum()
        for n in range(20)
    ]

    assert np.mean(careful) < 0.8 * np.mean(random)


def test_a_centre_without_points_moves_to_the_farthest_point() -> None:
    points = torch.tensor([[0.0], [1.0], [9.0]])

    centres, inertia = improved(points, torch.tensor([[0.5], [100.0]]))

    assert inertia == pytest.approx(0.25 + 0.25 + 8.5**2)
    assert centres[1, 0] == 9


def test_silhouettes_are_those_of_the_reference(
    blobs: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kmeans, "_PAIRS_BLOCK", 150)
    labellings = [clustered(blobs, K, seeded())[1] for K in (2, 5, 9)]
    labellings[2][0] = 9  # alone in its cluster

    ours = silhouettes(blobs, labellings)

    theirs = [silhouette_score(blobs.numpy(), labels.numpy()) for labels in labellings]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert silhouettes(blobs, [torch.zeros(len(blobs), dtype=torch.int64)]) == [0]


def test_blocks_need_not_divide_the_points(blobs: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, inertia = improved(blobs, blobs[:4])
    monkeypatch.setattr(kmeans, "_BLOCK", 37)

    parts, again = improved(blobs, blobs[:4])

    np.testing.assert_allclose(parts, whole, rtol=1e-9)
    assert again == pytest.approx(inertia)


def test_equal_points_have_equal_centres() -> None:
    centres, labels = clustered(torch.ones(6, 2), 2, seeded())

    assert torch.equal(centres, torch.ones(2, 2).double())
    assert set(labels.tolist()) <= {0, 1}

"""PaDiM measures in units of what varies at each place, whatever the folder is like."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.covariance import EmpiricalCovariance

from desktop_app.sdk.data import as_images
from desktop_app.sdk.errors import InvalidInput
from desktop_app.sdk.views import Curve, HeatMap, ImageGrid, Table
from desktop_app.toolbox.gaussians import reduction
from plugins.padim import padim
from plugins.padim.padim import PaDiM, PaDiMParams
from tests.plugins.textures import followed, interrupted, scratched, stripes, weight_file

SMALL = {"filters": 8, "batch_size": 8}


def method(**values: object) -> PaDiM:
    return PaDiM(PaDiMParams.parse({**SMALL, **values}))


def seen(subject: PaDiM, pixels: np.ndarray) -> np.ndarray:
    """Return patches (N, P, D) in double precision."""
    return subject.patches.of(torch.from_numpy(as_images(pixels))).flatten(1, 2).double().numpy()


@pytest.mark.parametrize("count", [20, 2])  # by covariances, and by the images themselves
def test_the_distance_is_that_of_the_slow_formula(count: int) -> None:
    pixels, k, epsilon = stripes(count, size=32), 5, 0.01
    subject = followed(method(borrowed=k, epsilon=epsilon), pixels)
    normal, probes = seen(subject, pixels), stripes(3, size=32, seed=4)
    count, places, size = normal.shape
    apart = normal - normal.mean(0)
    own = [apart[:, p].T @ apart[:, p] / (count - 1) for p in range(places)]
    pooled = sum(own) / places

    assert ("learned/directions" in subject.state().arrays) == (2 * count <= size)
    expected = np.zeros((3, places))
    for number, image in enumerate(seen(subject, probes)):
        for p in range(places):
            floor = epsilon * np.trace(pooled) / size * np.eye(size)
            sigma = (count * own[p] + k * pooled) / (count + k) + floor
            away = image[p] - normal[:, p].mean(0)
            expected[number, p] = np.sqrt(away @ np.linalg.solve(sigma, away) / size)

    patches = subject.patches.of(torch.from_numpy(as_images(probes)))
    distances = subject.distances(patches).flatten(1)
    np.testing.assert_allclose(distances.numpy(), expected, rtol=2e-3, atol=1e-5)


def test_without_help_it_agrees_with_the_empirical_covariance() -> None:
    pixels, probes = stripes(60, size=32, channels=1), stripes(4, size=32, channels=1, seed=3)
    subject = followed(method(borrowed=0, epsilon=0, dimensions=6, filters=4), pixels)
    axes = subject._axes.double().numpy()
    place = 37
    normal = seen(subject, pixels)[:, place] @ axes

    peer = EmpiricalCovariance().fit(normal)  # divides by N, the paper by N - 1
    squared = peer.mahalanobis(seen(subject, probes)[:, place] @ axes) * 59 / 60 / axes.shape[1]

    distances = subject.distances(subject.patches.of(torch.from_numpy(as_images(probes))))
    np.testing.assert_allclose(distances.flatten(1)[:, place] ** 2, squared, rtol=1e-2)


def test_what_was_never_seen_scores_higher_and_is_found() -> None:
    subject = followed(method(), stripes(60))
    good = stripes(10, seed=5)
    bad, masks = scratched(good)

    scores, maps = subject.inspect(as_images(np.concatenate([good, bad])))

    assert scores[10:].min() > scores[:10].max()
    assert maps[10:][masks].mean() > 1.3 * maps[10:][~masks].mean()


@pytest.mark.parametrize("count", [1, 2])
def test_places_without_variance_give_finite_distances(count: int) -> None:
    pixels = np.repeat(stripes(1, size=32), count, axis=0)
    subject = followed(method(), pixels)
    bad, _ = scratched(stripes(2, size=32))

    same, others = subject.score(as_images(pixels)), subject.score(as_images(bad))

    assert np.isfinite(others).all()
    assert same.max() < others.min()


def test_usual_images_are_about_one_away() -> None:
    pixels = stripes(200, size=32, channels=1)
    subject = followed(method(filters=4, borrowed=0, epsilon=1e-4), pixels[:150])

    patches = subject.patches.of(torch.from_numpy(as_images(pixels[150:])))

    assert 0.5 < float(subject.distances(patches).square().mean()) < 1.3  # lengths are fixed


def test_a_reduction_keeps_channels_or_is_orthogonal() -> None:
    channels, projection = (reduction(12, 5, kind, 0) for kind in ("channels", "projection"))

    for matrix in (channels, projection):
        torch.testing.assert_close(matrix.T @ matrix, torch.eye(5))
    assert set(channels.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(channels, reduction(12, 5, "channels", 1))


def test_large_grids_keep_fewer_dimensions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(padim, "_MOST_VALUES", 16 * 16 * 9 * 9)
    subject = followed(method(), stripes(6, size=32))

    assert subject.state().arrays["learned/whitening"].shape == (256, 9, 9)


@pytest.mark.parametrize(("stop", "dimensions", "batch"), [(1, 9, 8), (2, 9, 8), (1, 16, 2)])
def test_an_interrupted_training_ends_with_the_same_answers(
    stop: int, dimensions: int, batch: int
) -> None:
    count = 4 if batch == 2 else 20
    pixels, probes = stripes(count, size=32), as_images(stripes(3, size=32, seed=2))
    wish = {"dimensions": dimensions, "batch_size": batch}
    whole = followed(method(**wish), pixels)

    other = interrupted(method(**wish), method(**wish), pixels, stop)

    np.testing.assert_array_equal(other.score(probes), whole.score(probes))


def test_the_source_of_the_features_is_kept_and_drawn(tmp_path: Path) -> None:
    path = weight_file(tmp_path)
    subject = followed(method(weights=str(path)), stripes(4))
    path.unlink()
    again = method(weights=str(path))
    again.restore(subject.state())

    table = again.views()[0]

    assert isinstance(table, Table)
    assert ("provenance", "imported") in table.rows
    assert any(row[0] == "SHA-256" and len(str(row[1])) == 64 for row in table.rows)


def test_the_viewer_shows_where_images_vary() -> None:
    kinds = [type(view) for view in followed(method(), stripes(4, size=32)).views()]

    assert kinds == [Table, ImageGrid, HeatMap, Curve]


def test_scoring_before_the_end_of_the_training_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not trained yet"):
        method().score(as_images(stripes(1, size=32)))

"""The mixture agrees with scikit-learn, its likelihood never falls, and BIC counts the blobs."""

from typing import get_args

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture as Reference

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import MissingCapability
from desktop_app.sdk.views import Curve, ImageGrid, Table
from plugins.gaussian_mixture.gaussian_mixture import (
    Covariance,
    GaussianMixture,
    MixtureParams,
    log_density,
    log_joint,
    maximised,
)
from tests.plugins.pictures import shaded
from tests.plugins.points import blobs, trained_on, vectors_of

SHAPES = get_args(Covariance)


def fitted(data: ArrayDataset, **values: object) -> GaussianMixture:
    method = GaussianMixture(
        MixtureParams.parse({"components": 0, "most_clusters": 0, "starts": 1} | values)
    )
    trained_on(method, data)
    return method


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_steps_from_one_start_are_those_of_the_reference(shape: Covariance) -> None:
    data, kinds = blobs(spread=3)
    points = vectors_of(data).astype(np.float64)
    floor = 1e-4
    ours = maximised(points, np.eye(4)[kinds], shape, floor)
    start = {
        "full": lambda c: np.linalg.inv(c),
        "tied": lambda c: np.linalg.inv(c),
        "diag": lambda c: 1 / c,
        "spherical": lambda c: 1 / c,
    }[shape](ours["covariances"])
    reference = Reference(
        4,
        covariance_type=shape,
        weights_init=ours["weights"],
        means_init=ours["means"],
        precisions_init=start,
        reg_covar=floor,
        max_iter=10,
        tol=0,
        random_state=0,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        reference.fit(points)

    for _ in range(10):
        joint = log_joint(points, ours, shape)
        shares = np.exp(joint - log_density(points, ours, shape)[:, None])
        ours = maximised(points, shares, shape, floor)

    np.testing.assert_allclose(ours["means"], reference.means_, atol=1e-8)
    np.testing.assert_allclose(ours["covariances"], reference.covariances_, atol=1e-8)
    np.testing.assert_allclose(
        log_density(points, ours, shape), reference.score_samples(points), atol=1e-6
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_the_likelihood_never_falls(shape: Covariance) -> None:
    data, _ = blobs(spread=4)
    method = GaussianMixture(
        MixtureParams.parse(
            {
                "components": 0,
                "clusters": 5,
                "most_clusters": 0,
                "starts": 1,
                "covariance": shape,
                "floor": 1e-9,
            }
        )
    )

    steps = [event.values for event in trained_on(method, data)]

    likelihoods = [values["log_likelihood"] for values in steps if "log_likelihood" in values]
    assert len(likelihoods) > 3
    assert (np.diff(likelihoods) > -1e-9).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_bic_is_that_of_the_reference(shape: Covariance) -> None:
    data, _ = blobs()
    points = vectors_of(data).astype(np.float64)

    method = fitted(data, most_clusters=3, covariance=shape, floor=1e-4)

    floor = points.var(axis=0).mean() * 1e-4
    reference = Reference(1, covariance_type=shape, reg_covar=floor).fit(points)
    curve = method.views()[0]
    assert isinstance(curve, Curve)
    assert curve.lines["BIC"][1][0] == pytest.approx(reference.bic(points) / 400, rel=1e-4)
    assert curve.lines["AIC"][1][0] == pytest.approx(reference.aic(points) / 400, rel=1e-4)


def test_the_lowest_bic_counts_the_blobs() -> None:
    data, kinds = blobs(spread=1.5)

    method = fitted(data, most_clusters=7, starts=2)

    assert len(method.mixture["weights"]) == 4
    found = method.cluster(data.images(slice(None)))
    assert adjusted_rand_score(kinds, found) >= 0.95


def test_ellipses_are_found_where_balls_are_cut() -> None:
    random = np.random.default_rng(0)
    long = random.normal(size=(400, 2)) * (6, 0.4)
    kinds = np.repeat([0, 1], 200)
    points = long + np.stack([np.zeros(400), 4.0 * kinds], axis=1)
    share = (points - points.min()) / np.ptp(points)
    data = ArrayDataset(np.rint(share * 255).astype(np.uint8)[:, None, None, :])

    full, spherical = (
        fitted(data, clusters=2, starts=5, covariance=shape) for shape in ("tied", "spherical")
    )

    images = data.images(slice(None))
    assert adjusted_rand_score(kinds, full.cluster(images)) > 0.95
    assert adjusted_rand_score(kinds, spherical.cluster(images)) < 0.5


def test_samples_have_the_mean_and_spread_of_the_images() -> None:
    data = shaded(300)
    method = GaussianMixture(MixtureParams(components=3, clusters=2, most_clusters=0))
    trained_on(method, data)

    samples = method.generate(2000, seed=1)

    images = data.images(slice(None))
    np.testing.assert_allclose(samples.mean(axis=0), images.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(samples.std(axis=0), images.std(axis=0), atol=0.02)


def test_vectors_of_unit_length_draw_no_images() -> None:
    data = shaded(60)
    method = GaussianMixture(
        MixtureParams(components=3, clusters=2, most_clusters=0, scaling="length")
    )
    trained_on(method, data)

    with pytest.raises(MissingCapability, match="cannot be drawn"):
        method.generate(2, seed=0)


def test_the_table_tells_how_sure_the_assignment_is() -> None:
    data, _ = blobs(spread=4)

    views = {view.title: view for view in fitted(data, clusters=4).views()}

    table = views["Soft assignment"]
    assert isinstance(table, Table)
    assert sum(float(row[1]) for row in table.rows) == pytest.approx(1)
    assert all(float(row[3]) > float(row[5]) for row in table.rows)
    unsure = views["Images between two clusters"]
    assert isinstance(unsure, ImageGrid)
    assert len(unsure.captions) == len(unsure.images) == 24

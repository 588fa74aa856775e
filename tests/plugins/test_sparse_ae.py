"""What only the sparse autoencoder promises."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch.distributions import Bernoulli, kl_divergence

from desktop_app.sdk.data import ArrayDataset, as_images, as_pixels
from desktop_app.sdk.events import Metrics
from desktop_app.sdk.method import Method
from desktop_app.sdk.views import Curve, ImageGrid
from plugins.autoencoder.autoencoder import Autoencoder, AutoencoderParams
from plugins.sparse_ae.sparse_ae import (
    SparseAutoencoder,
    SparseParams,
    bernoulli_divergence,
    sparseness,
    strongest,
)
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, labels_of_digits, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "code_size": 40, "active": 3, "nodes": 16}
KINDS = ["kl", "l1", "topk"]


def sparse(**values: object) -> SparseAutoencoder:
    return SparseAutoencoder(SparseParams.parse(QUICK | values))


def trained(**values: object) -> SparseAutoencoder:
    method = sparse(**values)
    last_metrics(method.fit(shaded(32)))
    return method


def test_the_divergence_is_that_of_the_textbook() -> None:
    mean = torch.rand(20) * 0.9 + 0.05

    expected = kl_divergence(Bernoulli(torch.tensor(0.1)), Bernoulli(mean))

    torch.testing.assert_close(bernoulli_divergence(0.1, mean), expected)
    assert bernoulli_divergence(0.1, torch.tensor([0.1])).abs() < 1e-6
    assert torch.isfinite(bernoulli_divergence(0.1, torch.tensor([0.0, 1.0]))).all()


def test_only_the_strongest_units_stay() -> None:
    h = torch.rand(6, 10)

    kept = strongest(h, 3)

    for row, before in zip(kept.numpy(), h.numpy(), strict=True):
        assert sorted(np.flatnonzero(row)) == sorted(np.argsort(before)[-3:])
        np.testing.assert_array_equal(row[row > 0], before[row > 0])
    assert torch.equal(strongest(h, 99), h)


def test_sparseness_is_zero_for_equal_activations_and_near_one_for_a_single_one() -> None:
    equal, single = torch.ones(3, 50), torch.eye(3, 50)

    for h, expected in ((equal, 0.0), (single, 1 - 1 / 50)):
        found = sparseness(h.mean(dim=1), h.square().mean(dim=1))
        assert float(found) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_the_l1_penalty_is_the_same_for_small_codes_and_a_strong_decoder(
    architecture: str,
) -> None:
    method = trained(sparsity="l1", architecture=architecture)
    h = torch.rand(5, 40)
    before = method.penalty(h).detach()

    columns = method.decoder.head if architecture == "conv" else method.decoder.last
    drawn = [columns.weight[:, j].detach().square().mean().sqrt() for j in range(40)]
    slow = sum(h[n, j] * drawn[j] for n in range(5) for j in range(40))
    assert float(before) == pytest.approx(float(slow) / 5, rel=1e-4)
    with torch.no_grad():
        columns.weight.mul_(10)
    assert float(method.penalty(h / 10).detach()) == pytest.approx(float(before), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_error_and_penalty(kind: str) -> None:
    data = shaded(16)
    method = sparse(sparsity=kind, weight=0.5, learning_rate=1e-8, least_steps=1)

    values = last_metrics(method.fit(data)).values

    x = torch.from_numpy(data.images(slice(None)))
    with torch.no_grad():
        penalty = float(method.penalty(method.code(x)))
        share = values["mse"] / float(method.encoder.spread) ** 2
    assert values["loss"] == pytest.approx(share + 0.5 * penalty, rel=1e-3)
    assert (penalty > 0) == (kind != "topk")


def test_units_become_fewer_during_the_first_half() -> None:
    method, allowed = sparse(least_steps=20, active=5), []

    for event in method.fit(shaded(16)):
        if isinstance(event, Metrics):
            allowed.append(int(method.allowed))

    assert allowed[0] > 17
    assert allowed == sorted(allowed, reverse=True)
    assert set(allowed[9:]) == {5}
    codes = method.encode(shaded(8, seed=1).images(slice(None)))
    assert ((codes > 0).sum(axis=1) <= 5).all()


def test_kl_units_reach_their_target() -> None:
    method = trained(sparsity="kl", target=0.2, weight=1.0, least_steps=200, learning_rate=0.01)

    codes = method.encode(shaded(64, seed=2).images(slice(None)))

    np.testing.assert_allclose(codes.mean(), 0.2, rtol=0.2)


def test_units_that_never_respond_are_dead() -> None:
    method = trained()
    method.responses.value.fill_(0.1)
    method.responses.value[:10] = 0

    assert float(method.dead_share()) == 0.25


def test_one_dense_layer_has_a_filter_for_each_unit() -> None:
    method = trained()

    assert method.encoder.filters().shape == (40, 256)
    assert trained(layers=2).encoder.filters().shape == (16, 256)


@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_views_show_units_and_the_images_that_activate_them(architecture: str) -> None:
    method = trained(architecture=architecture, least_steps=40)

    parts, best, responses, *_ = method.views()

    assert isinstance(parts, ImageGrid)
    assert isinstance(best, ImageGrid)
    assert parts.images.shape == best.images.shape == (32, 1, 16, 16)
    assert isinstance(responses, Curve)
    shares = responses.lines["share of images"][1]
    assert (np.diff(shares) <= 0).all()
    assert 0 < shares.max() <= 1
    images = {image.tobytes() for image in shaded(32).pixels(slice(None))}
    shown = [as_pixels(image) for image in best.images if image.any()]
    assert shown
    assert all(image.tobytes() in images for image in shown)


def _probe(method: Method[SparseParams], folder: Path) -> float:
    """Return the accuracy of a linear classifier of the codes, on digits it has not seen."""
    x = as_images(digits(folder, "t10k")[:5000])
    labels = labels_of_digits(folder, "t10k")[:5000]
    codes = StandardScaler().fit_transform(method.encode(x))  # type: ignore[attr-defined]
    classifier = LogisticRegression(C=0.01, max_iter=200).fit(codes[:3000], labels[:3000])
    return float(classifier.score(codes[3000:], labels[3000:]))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.shared
@pytest.mark.parametrize("kind", ["kl", "topk"])
def test_digits_have_sparse_codes_that_tell_as_much_as_dense_ones(
    shared_data: Path, kind: str, bar: Bar
) -> None:
    data = ArrayDataset(digits(shared_data, "train")[:10_000])
    method = SparseAutoencoder(SparseParams(sparsity=kind, code_size=512, epochs=10))
    dense = Autoencoder(
        AutoencoderParams(architecture="dense", nodes=512, code_size=512, epochs=10)
    )
    values = last_metrics(method.fit(data)).values
    last_metrics(dense.fit(data))

    codes = method.encode(data.images(slice(0, 5000)))
    sparse_probe, dense_probe = _probe(method, shared_data), _probe(dense, shared_data)
    if kind == "kl":
        assert codes.mean() == pytest.approx(0.05, rel=0.2)
    else:
        assert (codes > 0).sum(axis=1).mean() == pytest.approx(25, rel=0.2)
    bar(f"sparse_ae {kind}", "dead units", values["dead_units"], below=0.2)
    measure = "MNIST linear probe (dense)"
    bar(f"sparse_ae {kind}", measure, sparse_probe, above=dense_probe, trivial=dense_probe)

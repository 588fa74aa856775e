"""What only the stacked denoising autoencoder promises."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.sdk.events import Metrics, Note, TrivialValue
from desktop_app.sdk.testing.toys import groups
from plugins.stacked_denoising_ae.stacked_denoising_ae import (
    StackedDenoisingAutoencoder,
    StackedParams,
    Targets,
    divergence,
    sharpened,
    soft_assignment,
)
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, labels_of_digits, last_metrics, shaded

QUICK = {
    "epochs": 1,
    "least_steps": 8,
    "batch_size": 16,
    "widths": "12-8",
    "code_size": 3,
    "clusters": 3,
}


def stacked(**values: object) -> StackedDenoisingAutoencoder:
    return StackedDenoisingAutoencoder(StackedParams.parse(QUICK | values))


def metrics(method: StackedDenoisingAutoencoder, data: ArrayDataset) -> list[Metrics]:
    return [event for event in method.fit(data) if isinstance(event, Metrics)]


def test_phases_follow_each_other_without_a_gap() -> None:
    method = stacked(pretraining=0.3, embedding=0.2)
    method.build((1, 8, 8))

    phases = method.phases(100)

    assert [(phase.task, phase.before, phase.last) for phase in phases] == [
        ("layer", 0, 8),
        ("layer", 8, 16),
        ("layer", 16, 24),
        ("tuning", 24, 80),
        ("clusters", 80, 100),
    ]


def test_every_layer_has_its_curve_and_learns_alone() -> None:
    method = stacked(pretraining=0.75, least_steps=40)
    learned: dict[str, list[torch.Tensor]] = {}

    for event in method.fit(shaded(16)):
        if isinstance(event, Metrics):
            name = min(event.values)
            weights = [layer[0].weight for layer in method.encoder.hidden]
            learned[name] = [weight.detach().clone() for weight in weights]

    assert list(learned) == ["layer_1", "layer_2", "layer_3", "explained_variance"]
    first, second = (learned[name] for name in ("layer_1", "layer_2"))
    assert torch.equal(first[0], second[0])  # the first layer rests while the second learns
    assert not torch.equal(first[1], second[1])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_loss_of_a_layer_is_what_it_does_not_rebuild_of_its_inputs(layer: int) -> None:
    method = stacked(corruption=0.0)
    last_metrics(method.fit(shaded(16)))
    x = torch.from_numpy(shaded(9, seed=1).images(slice(None)))

    with torch.no_grad():
        found = method.layer_loss(x, layer)
        up = [*method.encoder.hidden, method.encoder.head]
        down = [method.decoder.last, method.decoder.hidden[1], method.decoder.hidden[0]]
        h = (x - method.encoder.centre).flatten(1) / method.encoder.spread
        for below in up[:layer]:
            h = below(h)
        drawn = down[layer](up[layer](h))
        if layer == 0:
            drawn = method.decoder.logits(drawn).sigmoid().flatten(1)
            h = x.flatten(1)
            variance = method.encoder.spread**2
        else:
            variance = (h - h.mean(dim=0)).square().mean()
        expected = ((drawn - h) ** 2).sum() / h.numel() / variance

    torch.testing.assert_close(found, expected)


def test_soft_assignments_and_targets_equal_their_formulas() -> None:
    z, m = torch.randn(7, 2), torch.randn(3, 2)
    kernel = np.array([[1 / (1 + float(((a - b) ** 2).sum())) for b in m] for a in z])
    q = kernel / kernel.sum(axis=1, keepdims=True)
    weight = np.array([[q[i, k] ** 2 / q[:, k].sum() for k in range(3)] for i in range(7)])
    p = weight / weight.sum(axis=1, keepdims=True)

    ours = soft_assignment(z, m)

    np.testing.assert_allclose(ours.numpy(), q, rtol=1e-4)
    np.testing.assert_allclose(sharpened(ours).numpy(), p, rtol=1e-4)
    kl = (p * np.log(p / q)).sum(axis=1).mean()
    assert float(divergence(sharpened(ours), ours)) == pytest.approx(kl, rel=1e-4)
    assert float(divergence(ours, ours)) == pytest.approx(0, abs=1e-6)


def test_targets_tell_the_share_of_images_that_changed() -> None:
    targets = Targets()
    q = torch.eye(2).repeat(5, 1)

    targets.renew(q)
    assert targets.changed == 1.0
    q[:3] = q[:3].flip(1)
    targets.renew(q)

    assert targets.changed == pytest.approx(0.3)


def test_the_training_ends_when_no_image_changes_its_cluster() -> None:
    data, kinds = groups(20, 0)
    method = stacked(embedding=0.6, least_steps=600, widths="16-16")

    told = list(method.fit(data))

    last = [event for event in told if isinstance(event, Metrics)][-1]
    assert last.progress == 1
    assert last.step < 600
    assert last.values["changed"] < 0.001
    assert any("done" in event.text for event in told if isinstance(event, Note))
    found = method.cluster(data.images(slice(None)))
    assert all(len(set(found[kinds == kind].tolist())) == 1 for kind in range(3))
    other = stacked(embedding=0.6, least_steps=600, widths="16-16")
    other.restore(method.state())
    assert not metrics(other, data)  # there is nothing left to do


@pytest.mark.parametrize("cut", [7, 20, 170])
def test_it_resumes_within_and_between_phases(cut: int) -> None:
    data = shaded(24)
    values = {"pretraining": 0.1, "embedding": 0.8, "least_steps": 200, "clusters": 4}
    whole = [event.values for event in metrics(stacked(**values), data)]
    first = stacked(**values)
    training = (event for event in first.fit(data) if isinstance(event, Metrics))
    before = [next(training).values for _ in range(min(cut, len(whole)))]
    state = first.state()
    second = stacked(**values)
    second.restore(state)

    assert before + [event.values for event in metrics(second, data)] == whole


def test_clusters_are_those_of_k_means_on_the_code() -> None:
    data = shaded(40)
    method = stacked(least_steps=40)
    last_metrics(method.fit(data))
    x = data.images(slice(None))

    expected = KMeans(3, n_init=4, random_state=0).fit_predict(method.encode(x))

    found = method.cluster(x)
    assert len({(a, b) for a, b in zip(found, expected, strict=True)}) == 3


def test_before_there_are_clusters_it_says_so() -> None:
    method = stacked()
    next(event for event in method.fit(shaded(16)) if isinstance(event, Metrics))

    with pytest.raises(InvalidInput, match="last part of the training"):
        method.cluster(shaded(2).images(slice(None)))


def test_fewer_images_than_clusters_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"holds 2 usable images, fewer than the 3 clusters"):
        list(stacked().fit(shaded(2)))


@pytest.mark.parametrize("widths", ["", "12-", "a-b", "0", "12--8", "99999"])
def test_widths_that_are_no_numbers_are_refused(widths: str) -> None:
    with pytest.raises(InvalidParameter, match="widths"):
        stacked(widths=widths)


def test_lines_show_what_the_mean_reaches() -> None:
    lines = [event for event in stacked().fit(shaded(16)) if isinstance(event, TrivialValue)]

    assert [line.curve for line in lines] == ["layer_1", "layer_2", "layer_3", "mse"]
    assert [line.value for line in lines[:3]] == [1.0, 1.0, 1.0]


def _accuracy(found: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of images whose cluster is named right, by the best naming."""
    table = np.zeros((10, 10), int)
    np.add.at(table, (found, labels), 1)
    return float(table[linear_sum_assignment(-table)].sum() / len(labels))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.shared
def test_digits_form_clusters_far_better_than_pixels_do(shared_data: Path, bar: Bar) -> None:
    pixels = digits(shared_data, "train")[:20_000]
    labels = labels_of_digits(shared_data, "train")[:20_000]
    x = as_images(pixels)
    raw = KMeans(10, n_init=4, random_state=0).fit_predict(x.reshape(len(x), -1))
    method = StackedDenoisingAutoencoder()

    last_metrics(method.fit(ArrayDataset(pixels)))

    before, after = _accuracy(raw, labels), _accuracy(method.cluster(x), labels)
    measure = "MNIST cluster accuracy (k-means on pixels)"
    bar("stacked_denoising_ae", measure, after, above=before + 0.1, trivial=before)

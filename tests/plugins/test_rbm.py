"""What only the restricted Boltzmann machine promises."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from desktop_app.sdk.data import ArrayDataset, Pixels, as_images
from desktop_app.sdk.events import Metrics, Note, Preview, TrivialValue
from desktop_app.sdk.views import Curve, ImageGrid, Table
from plugins.rbm.rbm import RBM, RBMParams
from tests.plugins.conftest import Bar
from tests.plugins.pictures import (
    digit_labels,
    digits,
    last_metrics,
    probe_accuracy,
    shaded,
)

QUICK = {"epochs": 1, "least_steps": 4, "hidden": 12, "batch_size": 16}


def rbm(**values: object) -> RBM:
    return RBM(RBMParams.parse(QUICK | values))


def trained(data: ArrayDataset | None = None, **values: object) -> RBM:
    method = rbm(**values)
    last_metrics(method.fit(data or shaded(64)))
    return method


def stamps(count: int, wrong: float = 0.02, side: int = 8, seed: int = 0) -> ArrayDataset:
    """Return black images with a white upper or lower half; a share of the pixels is wrong."""
    random = np.random.default_rng(seed)
    images = np.zeros((count, 1, side, side), bool)
    upper = random.random(count) < 0.5
    images[upper, :, : side // 2] = True
    images[~upper, :, side // 2 :] = True
    images ^= random.random(images.shape) < wrong
    return ArrayDataset((images * 255).astype(np.uint8), "stamps")


def test_automatic_units_suit_the_images() -> None:
    assert trained(stamps(40)).machine.kind == "binary"
    assert trained(shaded(40)).machine.kind == "gaussian"
    assert trained(shaded(40), visible="binary").machine.kind == "binary"


def test_the_kind_of_units_is_part_of_the_state() -> None:
    state = trained(shaded(40)).state()
    other = rbm()

    other.restore(state)

    assert other.machine.kind == "gaussian"


def test_an_untrained_machine_draws_the_mean_image() -> None:
    for data in (stamps(64), shaded(64)):
        method = rbm(held_out=0)
        next(method.fit(data))

        x = data.images(slice(None))
        rebuilt = method.decode(method.encode(x))
        np.testing.assert_allclose(rebuilt.mean(axis=0), x.mean(axis=0), atol=0.05)


def test_the_trivial_error_is_that_of_the_mean_image() -> None:
    data = stamps(64)
    events = list(rbm(held_out=0).fit(data))

    lines = {line.curve: line.value for line in events if isinstance(line, TrivialValue)}
    x = data.images(slice(None)).astype(np.float64)
    mean = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)
    independent = (x * np.log(mean) + (1 - x) * np.log(1 - mean)).sum(axis=(1, 2, 3)).mean()

    assert lines["reconstruction"] == pytest.approx(x.var(axis=0).mean(), rel=1e-4)
    assert lines["pseudo_likelihood"] == pytest.approx(independent, rel=1e-3)


@pytest.mark.parametrize(("training", "rate"), [("cd", 0.05), ("pcd", 0.02)])
def test_two_kinds_of_images_become_likelier_than_independent_pixels(
    training: str, rate: float
) -> None:
    method = rbm(
        training=training, least_steps=300, ais_chains=50, ais_steps=200, learning_rate=rate
    )

    told = list(method.fit(stamps(400, wrong=0.2)))

    lines = {line.curve: line.value for line in told if isinstance(line, TrivialValue)}
    last = [event for event in told if isinstance(event, Metrics)][-1].values
    bar = 0.87 * lines["log_likelihood"]  # the best there is: half an image, and a fifth wrong, .74
    assert last["log_likelihood"] > bar
    assert last["log_likelihood_held_out"] > bar
    assert last["pseudo_likelihood"] > bar
    table = method.views()[-1]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["log Z", "training images", "held-out images"]


def test_likelihoods_of_gaussian_units_are_declined_with_a_sentence() -> None:
    events = list(rbm(ais_chains=5, ais_steps=10).fit(shaded(40)))

    assert any(isinstance(event, Note) and event.level == "warning" for event in events)


@pytest.mark.parametrize("training", ["cd", "pcd"])
def test_both_trainings_resume_as_if_never_interrupted(training: str) -> None:
    values = {"training": training, "gibbs_steps": 2, "ais_chains": 4, "ais_steps": 20}
    whole = [e.values for e in rbm(**values).fit(stamps(40)) if isinstance(e, Metrics)]
    first = rbm(**values)
    events = (e for e in first.fit(stamps(40)) if isinstance(e, Metrics))
    told = [next(events).values, next(events).values]
    second = rbm(**values)
    second.restore(first.state())

    told += [e.values for e in second.fit(stamps(40)) if isinstance(e, Metrics)]

    assert told == whole


def test_images_that_are_held_out_are_never_learned_from() -> None:
    learned: set[int] = set()

    class Watched(ArrayDataset):
        def pixels(self, rows: NDArray[np.int64]) -> Pixels:
            learned.update(rows.tolist() if len(rows) != 10 else ())
            return super().pixels(rows)

    method = rbm(held_out=0.25, batch_size=64, least_steps=3)
    metrics = last_metrics(method.fit(Watched(stamps(40).array)))

    assert metrics.images == len(learned) == 30
    assert "free_energy_gap" in metrics.values
    assert "free_energy_gap" not in last_metrics(rbm(held_out=0).fit(stamps(40))).values


def test_half_an_image_is_completed_by_the_other_half() -> None:
    method = trained(stamps(200), least_steps=300, learning_rate=0.1, hidden=16)
    x = stamps(20, seed=5).images(slice(None))
    mask = np.zeros((20, 8, 8), bool)
    mask[:, 4:] = True
    hidden = np.where(mask[:, None], np.float32(0), x)

    filled = method.complete(hidden, mask)

    assert (np.abs(filled - x) < 0.5).mean() > 0.9
    np.testing.assert_array_equal(filled[:, :, :4], x[:, :, :4])
    np.testing.assert_allclose(method.complete(hidden[3:4], mask[3:4]), filled[3:4], atol=1e-5)


def test_the_score_is_the_free_energy() -> None:
    method = trained()
    x = torch.from_numpy(shaded(5, seed=3).images(slice(None)))
    units = ((x - method.units.centre) / method.units.scale).flatten(1)
    drive = units @ method.machine.weights + method.machine.hidden_bias

    expected = 0.5 * (units - method.machine.visible_bias).square().sum(1)
    expected -= torch.log1p(drive.exp()).sum(1)

    np.testing.assert_allclose(method.score(x.numpy()), expected.numpy(), rtol=1e-4)


def test_views_and_previews_show_filters_chains_and_distributions() -> None:
    method = rbm(least_steps=2)
    previews = {event.name for event in method.fit(shaded(40, 3)) if isinstance(event, Preview)}
    views = {view.title: view for view in method.views()}

    assert previews == {"Filters", "Fantasy particles"}
    filters, activity = views["Strongest filters"], views["Mean activation of hidden units"]
    assert isinstance(filters, ImageGrid)
    assert filters.images.shape == (12, 3, 16, 16)
    assert isinstance(activity, Curve)
    assert activity.lines["count"][1].sum() == 12


@pytest.mark.slow
@pytest.mark.shared
def test_mnist_features_and_likelihood_beat_pixels(shared_data: Path, bar: Bar) -> None:
    params = {**RBM.presets[0].values, "epochs": 10, "ais_chains": 100, "ais_steps": 2000}
    method = RBM(RBMParams.parse(params))
    train, test = digits(shared_data, "train"), digits(shared_data, "t10k")
    last = last_metrics(method.fit(ArrayDataset(train)))

    accuracy = probe_accuracy(
        method.encode(as_images(train)),
        digit_labels(shared_data, "train"),
        method.encode(as_images(test)),
        digit_labels(shared_data, "t10k"),
    )
    bar("rbm", "MNIST linear probe (pixels)", accuracy, above=0.96, trivial=0.924)
    nats = last.values["log_likelihood_held_out"]
    bar("rbm", "MNIST log-likelihood, nats (base rate)", nats, above=-206.0, trivial=-206.0)
    bar("rbm", "MNIST free-energy gap", abs(last.values["free_energy_gap"]), below=5)

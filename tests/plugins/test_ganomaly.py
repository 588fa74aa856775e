"""What only GANomaly promises."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from desktop_app.sdk.events import Metrics, TrivialValue
from plugins.ganomaly.ganomaly import Ganomaly, GanomalyParams, residuals
from tests.plugins.conftest import Bar
from tests.plugins.pictures import cookies_told, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "nodes": 8, "code_size": 4, "batch_size": 16, "blend": 0}
STILL = {"learning_rate": 1e-8, "least_steps": 1}


def method(**values: object) -> Ganomaly:
    return Ganomaly(GanomalyParams.parse(QUICK | values))


@pytest.mark.parametrize("adversary", ["squares", "entropy"])
def test_both_losses_are_those_of_the_paper(adversary: str) -> None:
    data = shaded(16, 3)
    subject = method(**STILL, adversary=adversary, adversarial=2.0, contextual=30.0, latent=3.0)

    told = last_metrics(subject.fit(data)).values

    x = torch.from_numpy(data.images(slice(None)))
    with torch.no_grad():
        z = subject.encoder(x)
        rebuilt = subject.decoder(z).sigmoid()
        centre, spread = x.mean(dim=0), (x - x.mean(dim=0)).square().mean().sqrt()
        standard = [(part - centre) / spread for part in (x, rebuilt)]
        real, made = (subject.judge(part) for part in standard)
        features = [subject.judge.features(part) for part in standard]
        adversarial = (features[0] - features[1]).square().mean()
        contextual = (x - rebuilt).abs().mean()
        latent = (z - subject.second(rebuilt)).square().mean()
    if adversary == "squares":
        unmasked = ((real - 1).square().mean() + made.square().mean()) / 2
    else:
        unmasked = (softplus(-real).mean() + softplus(made).mean()) / 2
    assert told["discriminator"] == pytest.approx(float(unmasked), rel=1e-3)
    expected = 2 * adversarial + 30 * contextual + 3 * latent
    assert told["loss"] == pytest.approx(float(expected), rel=1e-3)


def test_each_player_learns_from_its_own_loss() -> None:
    data = shaded(16)
    still = method(adversarial=0.0, contextual=0.0, latent=0.0)
    events = still.fit(data)
    next(events)
    first = {name: weight.clone() for name, weight in still.named_parameters()}
    last_metrics(events)

    changed = {
        name.split(".")[0]
        for name, weight in still.named_parameters()
        if not torch.equal(weight, first[name])
    }
    assert changed == {"judge"}


def test_both_players_resume_as_if_never_interrupted() -> None:
    data, values = shaded(32), {"least_steps": 6, "blend": 1000}
    whole = [e.values for e in method(**values).fit(data) if isinstance(e, Metrics)]
    first = method(**values)
    events = (e for e in first.fit(data) if isinstance(e, Metrics))
    told = [next(events).values for _ in range(3)]
    second = method(**values)
    second.restore(first.state())

    told += [e.values for e in second.fit(data) if isinstance(e, Metrics)]

    assert told == whole
    assert {"adam", "adversary"} <= set(second._kept)


def test_lines_tell_where_the_adversary_stands() -> None:
    events = list(method(adversary="squares").fit(shaded(40)))

    lines = {e.meaning: e for e in events if isinstance(e, TrivialValue)}
    assert lines["cannot tell"].value == 0.25
    assert lines["the discriminator has won"].stays == "below"
    assert lines["mean image"].curve == "mse"


def test_an_adversary_without_a_handicap_unmasks_what_is_not_learned() -> None:
    subject = method(
        least_steps=60, adversarial=0, contextual=0, latent=0, handicap=1, learning_rate=3e-3
    )

    told = [e.values["discriminator"] for e in subject.fit(shaded(32)) if isinstance(e, Metrics)]

    assert np.mean(told[-5:]) < 0.7 * np.mean(told[:5])


def test_residuals_are_means_over_their_numbers() -> None:
    random = torch.Generator().manual_seed(0)
    shapes = [(4, 6), (4, 6), (4, 3, 8, 8), (4, 3, 8, 8), (4, 9), (4, 9)]
    z, again, x, rebuilt, real, made = (torch.rand(shape, generator=random) for shape in shapes)

    found = residuals(z, again, x, rebuilt, real, made)

    for row in range(4):
        expected = [
            float((z[row] - again[row]).abs().sum()) / 6,
            float((x[row] - rebuilt[row]).square().sum()) / 192,
            float((real[row] - made[row]).square().sum()) / 9,
        ]
        assert found[row].tolist() == pytest.approx(expected, rel=1e-5)


def test_scores_are_about_one_for_what_was_learned_and_the_map_is_the_same_for_all() -> None:
    data = shaded(32)
    images = data.images(slice(None))
    maps, scores = [], {}
    for score in ("latent", "residual", "map"):
        subject = method(**STILL, score=score, batch_size=32)
        last_metrics(subject.fit(data))
        scores[score], found = subject.inspect(images)
        np.testing.assert_allclose(scores[score], subject.score(images), rtol=1e-5)
        maps.append(found)

    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])
    np.testing.assert_allclose(scores["map"], maps[0].max(axis=(1, 2)))
    assert scores["latent"].mean() == pytest.approx(1, rel=1e-2)
    assert scores["residual"].mean() == pytest.approx(1, rel=1e-2)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(600)
def test_broken_cookies_are_told_better_than_by_the_mean_image(shared_data: Path, bar: Bar) -> None:
    subject = Ganomaly(GanomalyParams.parse({"epochs": 1, "least_steps": 120}))

    area, trivial = cookies_told(subject, shared_data, 64)

    bar("ganomaly", "image AUROC of broken cookies, 64 px", area, above=0.96, trivial=trivial)
    assert area > trivial

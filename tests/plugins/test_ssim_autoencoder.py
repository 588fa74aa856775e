"""What only the autoencoder of structure promises."""

from pathlib import Path

import numpy as np
import pytest
import torch

from desktop_app.sdk.events import Metrics, TrivialValue
from desktop_app.sdk.views import HeatMap
from desktop_app.toolbox.similarity import ms_ssim, ssim_map
from plugins.ssim_autoencoder.ssim_autoencoder import SsimAutoencoder, SsimAutoencoderParams
from tests.plugins.conftest import Bar
from tests.plugins.pictures import cookies_told, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "nodes": 16, "code_size": 4, "blend": 0}


def method(**values: object) -> SsimAutoencoder:
    return SsimAutoencoder(SsimAutoencoderParams.parse(QUICK | values))


@pytest.mark.parametrize("similarity", ["ssim", "ms_ssim"])
def test_the_loss_is_a_mix_of_structure_and_values(similarity: str) -> None:
    data = shaded(16, 3, 32)
    subject = method(similarity=similarity, absolute=0.3, learning_rate=1e-8, least_steps=1)

    told = last_metrics(subject.fit(data)).values

    x = torch.from_numpy(data.images(slice(None)))
    with torch.no_grad():
        rebuilt = subject.reconstruction(x)
    alike = (ssim_map if similarity == "ssim" else ms_ssim)(x, rebuilt).mean()
    assert told["similarity"] == pytest.approx(float(alike), rel=1e-4)
    expected = 0.7 * (1 - float(alike)) + 0.3 * float((x - rebuilt).abs().mean())
    assert told["loss"] == pytest.approx(expected, rel=1e-4)


def test_an_untrained_network_stands_on_the_lines_of_the_mean_image() -> None:
    events = list(method(learning_rate=1e-8, batch_size=40, least_steps=1).fit(shaded(40)))

    lines = {
        e.curve: e for e in events if isinstance(e, TrivialValue) and e.meaning == "mean image"
    }
    (told,) = [e.values for e in events if isinstance(e, Metrics)]
    for curve in ("loss", "similarity"):
        assert told[curve] == pytest.approx(lines[curve].value, rel=0.05)
    assert lines["loss"].stays == "near"


def test_structure_is_learned_until_it_is_alike() -> None:
    subject = method(least_steps=150, absolute=0.0, learning_rate=3e-3)

    told = [e.values for e in subject.fit(shaded(64)) if isinstance(e, Metrics)]

    assert told[-1]["similarity"] > told[0]["similarity"] + 0.5 * (1 - told[0]["similarity"])


def test_faint_texture_is_marked_where_even_light_is_not() -> None:
    subject = method(least_steps=60, absolute=0.0, radius=3)
    last_metrics(subject.fit(shaded(64, side=32)))
    x = np.repeat(shaded(1, side=32, seed=3).images(slice(None)), 3, axis=0)
    spot = (slice(None), slice(12, 20), slice(12, 20))
    x[1][spot] += np.where(np.indices((8, 8)).sum(axis=0) % 2, 0.06, -0.06).astype(np.float32)
    x[2][spot] += 0.06

    plain, textured, lighter = subject.localize(x)[:, 14:18, 14:18].mean(axis=(1, 2))

    assert textured - plain > 3 * abs(lighter - plain)


def test_scores_are_the_peaks_of_maps_and_their_share_of_values_is_that_of_the_loss() -> None:
    data = shaded(20)
    images = data.images(slice(None))
    maps = {}
    for absolute in (0.0, 0.4, 1.0):
        subject = method(absolute=absolute, learning_rate=1e-8)
        last_metrics(subject.fit(data))
        scores, maps[absolute] = subject.inspect(images)
        np.testing.assert_allclose(scores, maps[absolute].max(axis=(1, 2)))

    mixed = 0.6 * maps[0.0] + 0.4 * maps[1.0]
    np.testing.assert_allclose(maps[0.4], mixed, rtol=1e-3)


def test_where_structure_is_hard_to_rebuild_is_shown() -> None:
    subject = method()
    assert subject.views() == ()
    last_metrics(subject.fit(shaded(8)))

    first, *_ = subject.views()

    assert isinstance(first, HeatMap)
    assert first.matrix.shape == (16, 16)
    assert 0 < first.matrix.min() < first.matrix.max() < 2


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(600)
def test_broken_cookies_are_told_better_than_by_the_mean_image(shared_data: Path, bar: Bar) -> None:
    subject = SsimAutoencoder(SsimAutoencoderParams.parse({"epochs": 1, "least_steps": 120}))

    area, trivial = cookies_told(subject, shared_data, 64)

    bar(
        "ssim_autoencoder",
        "image AUROC of broken cookies, 64 px",
        area,
        above=0.96,
        trivial=trivial,
    )
    assert area > trivial

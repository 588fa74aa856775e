"""What only the denoising autoencoder promises."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from desktop_app.sdk.data import ArrayDataset, as_images
from desktop_app.sdk.events import Metrics, Preview, TrivialValue
from desktop_app.toolbox.baselines import best_gaussian, psnr
from plugins.denoising_ae.denoising_ae import DenoisingAutoencoder, DenoisingParams
from tests.plugins.conftest import Bar
from tests.plugins.pictures import digits, last_metrics, shaded

QUICK = {"epochs": 1, "least_steps": 2, "nodes": 16, "code_size": 4, "architecture": "dense"}


def denoising(**values: object) -> DenoisingAutoencoder:
    return DenoisingAutoencoder(DenoisingParams.parse(QUICK | values))


def test_the_loss_looks_at_the_clean_image() -> None:
    data = shaded(8)
    method = denoising(amount=1.0, corruption="masking", learning_rate=1e-8, least_steps=1)

    values = last_metrics(method.fit(data)).values

    x = data.images(slice(None))
    drawn = method.decode(method.encode(np.zeros_like(x)))  # all that it saw was black
    assert values["loss"] == pytest.approx(np.square(drawn - x).mean(), rel=1e-3)


@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt_pepper"])
def test_smooth_images_are_repaired_better_than_by_the_best_gaussian(corruption: str) -> None:
    method = denoising(corruption=corruption, least_steps=150, nodes=64)

    told = list(method.fit(shaded(64)))

    noise, filtered = [
        event.value
        for event in told
        if isinstance(event, TrivialValue) and event.curve == "psnr_out"
    ]
    last = [event for event in told if isinstance(event, Metrics)][-1].values
    assert last["psnr_in"] == pytest.approx(noise)
    assert last["psnr_out"] > filtered > noise


def test_translating_is_repairing() -> None:
    method = denoising(least_steps=5)
    last_metrics(method.fit(shaded(8)))
    x = shaded(3, seed=1).images(slice(None))

    np.testing.assert_array_equal(method.translate(x), method.decode(method.encode(x)))


def test_previews_show_clean_spoilt_and_repaired_images() -> None:
    previews = [event for event in denoising().fit(shaded(5)) if isinstance(event, Preview)]

    assert len(previews) == 1
    assert previews[0].images.shape == (15, 1, 16, 16)
    np.testing.assert_array_equal(previews[0].images[0], shaded(5).images(slice(0, 1))[0])


def test_a_long_training_has_about_ten_previews() -> None:
    events = denoising(least_steps=200, nodes=4).fit(shaded(4))

    assert 10 <= sum(isinstance(event, Preview) for event in events) <= 11


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.shared
def test_digits_are_repaired_better_than_by_the_best_gaussian(shared_data: Path, bar: Bar) -> None:
    preset = DenoisingAutoencoder.presets[0].values
    method = DenoisingAutoencoder(DenoisingParams.parse({**preset, "epochs": 10}))

    last_metrics(method.fit(ArrayDataset(digits(shared_data, "train")[:20_000])))

    clean = as_images(digits(shared_data, "t10k")[:1000])
    noise = np.random.default_rng(0).normal(0, 0.2, clean.shape)
    noisy = np.clip(clean + noise, 0, 1).astype(np.float32)
    sigma, filtered = best_gaussian(clean, noisy)
    repaired = psnr(clean, method.translate(noisy))
    assert psnr(clean, gaussian_filter(noisy, (0, 0, sigma, sigma))) == pytest.approx(filtered)
    assert filtered > psnr(clean, noisy)
    measure = "MNIST PSNR in dB (best Gaussian filter)"
    bar("denoising_ae", measure, repaired, above=filtered + 1, trivial=filtered)

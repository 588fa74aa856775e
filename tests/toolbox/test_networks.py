"""Networks take images of any size and begin at the mean image."""

import numpy as np
import pytest
import torch

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import InvalidParameter
from desktop_app.toolbox.networks import (
    ConvDecoder,
    ConvEncoder,
    DenseDecoder,
    DenseEncoder,
    colour_statistics,
    conv_channels,
    conv_sizes,
    dense_widths,
    fit_to_images,
    image_statistics,
)

KINDS = {"conv": (ConvEncoder, ConvDecoder), "dense": (DenseEncoder, DenseDecoder)}


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 28, 28), (3, 37, 37), (1, 65, 65), (1, 24, 50)])
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_is_encoded_and_decoded(kind: str, shape: tuple[int, int, int]) -> None:
    encoder, decoder = KINDS[kind]

    codes = encoder(shape, 5, nodes=16)(torch.rand(2, *shape))
    logits = decoder(5, shape, nodes=16)(codes)

    assert codes.shape == (2, 5)
    assert logits.shape == (2, *shape)


def test_images_of_512_pixels_are_encoded_and_decoded() -> None:
    codes = ConvEncoder((1, 512, 512), 4, nodes=16)(torch.rand(1, 1, 512, 512))

    assert ConvDecoder(4, (1, 512, 512), nodes=16)(codes).shape == (1, 1, 512, 512)


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_decoder_draws_nearly_the_mean_image(kind: str) -> None:
    pixels = np.random.default_rng(0).integers(90, 130, (40, 1, 20, 20)).astype(np.uint8)
    data = ArrayDataset(pixels)
    encoder, decoder = (part for part in KINDS[kind])
    networks = encoder(data.sample_shape, 4, nodes=32), decoder(4, data.sample_shape, nodes=32)
    fit_to_images(*networks, data)

    with torch.no_grad():
        drawn = networks[1](networks[0](torch.from_numpy(data.images(slice(None))))).sigmoid()

    mean = data.images(slice(None)).mean(axis=0)
    spread = image_statistics(data)[1]
    assert np.abs(drawn.numpy() - mean).mean() < 0.5 * spread


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_sees_faint_and_strong_images_alike(kind: str) -> None:
    random = np.random.default_rng(1)
    pattern = random.normal(0, 1, (30, 1, 16, 16))
    codes = []
    for strength in (4, 40):
        data = ArrayDataset(np.clip(128 + strength * pattern, 0, 255).astype(np.uint8))
        torch.manual_seed(0)
        encoder, decoder = (part for part in KINDS[kind])
        network = encoder(data.sample_shape, 3, nodes=16)
        fit_to_images(network, decoder(3, data.sample_shape, nodes=16), data)
        codes.append(network(torch.from_numpy(data.images(slice(None)))).detach().numpy())

    assert np.corrcoef(codes[0].ravel(), codes[1].ravel())[0, 1] > 0.95
    assert 0.8 < codes[0].std() / codes[1].std() < 1.25


def test_statistics_are_mean_and_spread_of_all_values() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (150, 3, 9, 9)).astype(np.uint8)
    images = pixels / 255

    mean, spread = image_statistics(ArrayDataset(pixels))

    np.testing.assert_allclose(mean, images.mean(axis=0), atol=1e-6)
    assert spread == pytest.approx((images - images.mean(axis=0)).std(), rel=1e-6)


def test_statistics_read_no_more_images_than_asked() -> None:
    pixels = np.zeros((1000, 1, 8, 8), np.uint8)
    pixels[500:] = 255

    mean, _ = image_statistics(ArrayDataset(pixels), most=10)

    np.testing.assert_allclose(mean, 0.5)


def test_layers_narrow_towards_the_code() -> None:
    assert dense_widths(3, 100) == [100, 50, 25]
    assert dense_widths(0, 100) == [100, 50]
    assert conv_channels(4, 128) == [16, 32, 64, 128]
    assert conv_sizes((1, 28, 28), 0) == [(28, 28), (14, 14), (7, 7), (4, 4)]


def test_more_halvings_than_an_image_has_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="can be halved 4 times, got 5 layers"):
        ConvEncoder((1, 16, 16), 4, layers=5)


def test_training_descends_faint_differences_within_fifty_steps() -> None:
    random = np.random.default_rng(3)
    light = random.normal(0, 3, (32, 1, 1, 1)) * np.linspace(-1, 1, 32)
    data = ArrayDataset(np.clip(120 + light + np.zeros((32, 1, 32, 32)), 0, 255).astype(np.uint8))
    torch.manual_seed(0)
    encoder, decoder = ConvEncoder((1, 32, 32), 4, nodes=16), ConvDecoder(4, (1, 32, 32), nodes=16)
    fit_to_images(encoder, decoder, data)
    images = torch.from_numpy(data.images(slice(None)))
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)

    for _ in range(50):
        loss = (decoder(encoder(images)).sigmoid() - images).square().mean() / encoder.spread**2
        adam.zero_grad()
        loss.backward()
        adam.step()

    assert loss.item() < 0.3  # the mean image has 1


def test_colours_are_the_mean_of_each_channel_and_the_spread_of_all_values() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 3, 6, 7)).astype(np.uint8)
    pixels[:, 1] //= 3
    data = ArrayDataset(pixels)

    centre, spread = colour_statistics(data)

    images = data.images(slice(None))
    np.testing.assert_allclose(centre[:, 0, 0], images.mean(axis=(0, 2, 3)), rtol=1e-5)
    assert float(spread) == pytest.approx(images.std(), rel=1e-5)
    assert float(colour_statistics(ArrayDataset(pixels[:1] * 0))[1]) == pytest.approx(1 / 255)

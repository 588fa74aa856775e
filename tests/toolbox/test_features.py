"""Features of every source are stored and come back; encoders are copied as plain data."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from desktop_app.sdk.data import ArrayDataset
from desktop_app.sdk.errors import InvalidInput, InvalidParameter
from desktop_app.sdk.method import State
from desktop_app.toolbox.backbones import SpatialFeatures
from desktop_app.toolbox.features import (
    FeatureParams,
    Features,
    chosen_features,
    restored_features,
)
from desktop_app.toolbox.filters import learned_filters
from desktop_app.toolbox.networks import ConvEncoder
from desktop_app.toolbox.patches import patch_grid, prepared_patches, restored_patches
from desktop_app.toolbox.portable import PortableNetwork, portable

SHAPE = (3, 32, 32)


def images(count: int = 24) -> ArrayDataset:
    random = np.random.default_rng(0)
    return ArrayDataset(random.integers(0, 255, (count, *SHAPE)).astype(np.uint8), "noise")


def bank_features() -> Features:
    return chosen_features(
        FeatureParams(filters=6), images(), encoder=None, encoder_title="", seed=0, device="cpu"
    )


def encoder_features() -> Features:
    torch.manual_seed(0)
    copy = portable(ConvEncoder(SHAPE, 8, nodes=32), SHAPE, (2, 4, 8))
    return chosen_features(
        FeatureParams(), images(), encoder=copy, encoder_title="VAE", seed=0, device="cpu"
    )


@pytest.mark.parametrize("make", [bank_features, encoder_features])
def test_features_come_back_from_their_state(make: Callable[[], Features]) -> None:
    features = make()
    state = features.state()
    values = json.loads(json.dumps(state.values))
    again = restored_features(State(state.arrays, values), "cpu")

    pictures = torch.rand(3, *SHAPE)
    assert isinstance(features.network, SpatialFeatures)
    assert again.report == features.report
    for one, other in zip(features.maps(pictures), again.maps(pictures), strict=True):
        assert torch.equal(one, other)


def test_a_copied_encoder_computes_what_the_encoder_computes() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder(SHAPE, 8, nodes=32)
    found: list[Tensor] = []
    for block in encoder.blocks:
        block.register_forward_hook(lambda _block, _inputs, output: found.append(output))
    pictures = torch.rand(2, *SHAPE)
    copy = portable(encoder, SHAPE, (2, 4, 8))

    found.clear()
    encoder.eval()(pictures)

    assert isinstance(copy, PortableNetwork)
    for one, other in zip(copy.feature_maps(pictures), found, strict=False):
        torch.testing.assert_close(one, other)


def test_copying_leaves_the_encoder_as_it_was() -> None:
    encoder = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4)).train()
    before = encoder[1].running_mean.clone()  # type: ignore[union-attr, operator]

    portable(encoder, SHAPE, (2,))

    assert all(part.training for part in encoder.modules())
    assert torch.equal(encoder[1].running_mean, before)  # type: ignore[arg-type]


def test_a_network_without_maps_is_refused() -> None:
    with pytest.raises(InvalidInput, match="without any map"):
        portable(nn.Sequential(nn.Identity()), SHAPE, (2,))


def test_an_unknown_layer_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.LocalResponseNorm(2))
    with pytest.raises(InvalidInput, match="LocalResponseNorm"):
        portable(network, SHAPE, (2,))


def test_a_backbone_without_weights_is_told() -> None:
    with pytest.raises(InvalidParameter, match="without one: set weights"):
        chosen_features(
            FeatureParams(backbone="resnet18"),
            images(),
            encoder=None,
            encoder_title="",
            seed=0,
            device="cpu",
        )


def test_filters_are_the_same_for_the_same_seed() -> None:
    first, second, other = (
        learned_filters(images(), 5, seed=seed, device="cpu").pictures(3) for seed in (1, 1, 2)
    )

    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.shape == (5, 3, 7, 7)


@pytest.mark.parametrize("size", [16, 40, 97])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_bank_takes_images_of_any_size(size: int, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4, channels, size, size))
    bank = learned_filters(ArrayDataset(pixels.astype(np.uint8)), 4, seed=0, device="cpu")

    maps = bank.feature_maps(torch.rand(2, channels, size, size))

    assert maps[0].shape == (2, 6, -(-size // 2), -(-size // 2))


def test_the_whitened_filters_do_not_depend_on_contrast() -> None:
    bank = learned_filters(images(), 5, seed=0, device="cpu")
    pictures = torch.rand(1, *SHAPE)

    bright, dim = (bank.feature_maps(p)[0][:, :5] for p in (pictures, 0.5 * pictures + 0.2))

    torch.testing.assert_close(bright, dim, rtol=0.1, atol=0.1)


def test_patches_have_length_one_per_map() -> None:
    patches = patch_grid([torch.rand(2, 5, 8, 8), torch.rand(2, 3, 4, 4)], (8, 8))

    lengths = torch.stack([patches[..., :5].norm(dim=3), patches[..., 5:].norm(dim=3)])
    torch.testing.assert_close(lengths, torch.ones_like(lengths))


@pytest.mark.parametrize("whitening", [0.0, 0.5])
def test_patches_come_back_with_projection_and_place(whitening: float) -> None:
    options = {
        "neighbourhood": 3,
        "position": 1.0,
        "whitening": whitening,
        "seed": 0,
        "device": "cpu",
    }
    patches = prepared_patches(bank_features(), images(), most_dimensions=9, **options)
    state = patches.state()
    again = restored_patches(State(state.arrays, json.loads(json.dumps(state.values))), "cpu")

    pictures = torch.rand(2, *SHAPE)
    assert patches.of(pictures).shape == (2, 16, 16, 11)
    assert torch.equal(patches.of(pictures), again.of(pictures))


def test_images_of_another_size_are_refused() -> None:
    options = {"neighbourhood": 3, "position": 0.0, "whitening": 0.0, "seed": 0, "device": "cpu"}
    patches = prepared_patches(bank_features(), images(), most_dimensions=99, **options)
    with pytest.raises(InvalidInput, match="was trained on images of shape"):
        patches.of(torch.rand(1, 3, 48, 48))

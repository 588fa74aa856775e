"""Images as vectors, by pixels or by the latents of another method."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from desktop_app.sdk.capabilities import Encodes
from desktop_app.sdk.data import ArrayDataset, Images
from desktop_app.sdk.errors import InvalidInput, MissingCapability
from desktop_app.sdk.method import Card
from desktop_app.sdk.testing.trial import through_disk
from desktop_app.toolbox.representation import Representation, RepresentationParams, fitted_to
from tests.plugins.pictures import shaded


class Thirds:
    """An encoder for grey images of 12 pixels: the mean of each third."""

    card = Card("thirds", "Thirds", "Tests", "Three means.")
    sample_shape = (1, 12, 12)

    def encode(self, images: Images) -> Any:
        assert images.shape[1:] == self.sample_shape
        return images.reshape(len(images), 3, -1).mean(axis=2)


def test_pixels_are_reduced_to_the_components_of_scikit_learn() -> None:
    data = shaded(60)
    representation = Representation(RepresentationParams(components=3), None, 0)

    representation.learn(data)
    vectors = representation.of(data.images(slice(None)))

    flat = data.images(slice(None)).reshape(60, -1)
    expected = PCA(3, svd_solver="full").fit_transform(flat)
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert representation.explained > 0.99


def test_vectors_of_pixels_can_be_drawn() -> None:
    data = shaded(60, channels=3)
    params = RepresentationParams(components=5, scaling="standard")
    representation = Representation(params, None, 0)
    representation.learn(data)

    drawn = representation.images_of(representation.of(data.images(slice(None))))

    np.testing.assert_allclose(drawn, data.images(slice(None)), atol=0.01)


def test_latents_of_an_encoder_are_used_whatever_the_size_of_the_images() -> None:
    data = shaded(10, channels=3, side=24)
    encoder: Any = Thirds()
    assert isinstance(encoder, Encodes)
    representation = Representation(RepresentationParams(), encoder, 0)

    representation.learn(data)
    vectors = representation.of(data.images(slice(None)))

    assert vectors.shape == (10, 3)
    expected = data.images(slice(None)).mean(axis=1).reshape(10, 3, -1).mean(axis=2)
    np.testing.assert_allclose(vectors, expected, atol=0.03)
    assert not representation.makes_images
    with pytest.raises(MissingCapability):
        representation.images_of(vectors)


def test_vectors_of_unit_length() -> None:
    data = shaded(10)
    representation = Representation(RepresentationParams(scaling="length"), None, 0)
    representation.learn(data)

    lengths = np.linalg.norm(representation.of(data.images(slice(None))), axis=1)

    np.testing.assert_allclose(lengths, 1, atol=1e-5)


def test_what_was_learned_survives_the_disk() -> None:
    data = shaded(20)
    params = RepresentationParams(components=4, scaling="standard")
    first, second = Representation(params, None, 0), Representation(params, None, 1)
    first.learn(data)

    second.restore(through_disk(first.state()))

    images = data.images(slice(None))
    np.testing.assert_array_equal(first.of(images), second.of(images))


def test_images_of_another_shape_and_no_training_are_refused() -> None:
    representation = Representation(RepresentationParams(), None, 0)
    images = shaded(3).images(slice(None))
    with pytest.raises(InvalidInput, match="train this method first"):
        representation.of(images)
    representation.learn(shaded(5, side=8))
    with pytest.raises(InvalidInput, match=r"shape \(1, 8, 8\)"):
        representation.of(images)


def test_images_are_fitted_to_grey_and_colour() -> None:
    white = np.ones((2, 3, 4, 4), np.float32)

    assert fitted_to(white, (1, 4, 4)).shape == (2, 1, 4, 4)
    np.testing.assert_allclose(fitted_to(white, (1, 8, 8)), 1, atol=1e-5)
    assert fitted_to(white[:, :1], (3, 2, 2)).shape == (2, 3, 2, 2)
    assert isinstance(shaded(1), ArrayDataset)

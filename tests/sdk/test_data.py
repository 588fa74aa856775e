import numpy as np
import pytest

from desktop_app.sdk.data import (
    ArrayDataset,
    Dataset,
    Labelled,
    LabelledDataset,
    as_images,
    as_pixels,
    batches,
)
from desktop_app.sdk.errors import InvalidInput


@pytest.fixture
def data() -> ArrayDataset:
    return ArrayDataset(np.arange(7 * 3 * 4 * 4, dtype=np.uint8).reshape(7, 3, 4, 4), "seven")


def test_an_array_is_a_data_set(data: ArrayDataset) -> None:
    assert isinstance(data, Dataset)
    assert (len(data), data.sample_shape, data.name) == (7, (3, 4, 4), "seven")


def test_rows_are_given_as_a_slice_or_as_numbers(data: ArrayDataset) -> None:
    assert np.array_equal(data.pixels(slice(1, 3)), data.array[1:3])
    assert np.array_equal(data.pixels(np.array([5, 0])), data.array[[5, 0]])


def test_images_lie_between_zero_and_one(data: ArrayDataset) -> None:
    images = data.images(slice(0, 7))

    assert images.dtype == np.float32
    assert np.allclose(images, data.array / 255)


def test_every_pixel_value_survives_the_way_to_images_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8)

    images = as_images(pixels)

    assert (images[0], images[-1]) == (0, 1)
    assert np.array_equal(as_pixels(images), pixels)


def test_images_out_of_range_are_clipped() -> None:
    assert as_pixels(np.array([-1.0, 2.0])).tolist() == [0, 255]


def test_batches_cover_all_rows_in_order(data: ArrayDataset) -> None:
    seen = [(rows.tolist(), images.shape) for rows, images in batches(data, 3)]

    assert seen == [
        ([0, 1, 2], (3, 3, 4, 4)),
        ([3, 4, 5], (3, 3, 4, 4)),
        ([6], (1, 3, 4, 4)),
    ]


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4), np.uint8), np.zeros((2, 1, 4, 4))])
def test_anything_but_bytes_of_four_dimensions_is_refused(array: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="Expected uint8 images of shape"):
        ArrayDataset(array)


def test_a_data_set_with_labels_is_a_data_set() -> None:
    data = ArrayDataset(np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4), "two")

    labelled = LabelledDataset(data, ["a", ""])

    assert isinstance(labelled, Labelled)
    assert not isinstance(data, Labelled)
    assert (len(labelled), labelled.name, labelled.sample_shape) == (2, "two", (1, 4, 4))
    np.testing.assert_array_equal(labelled.pixels(slice(None)), data.pixels(slice(None)))
    np.testing.assert_array_equal(labelled.images(slice(1)), data.images(slice(1)))

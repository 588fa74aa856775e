"""Lines that curves are held against."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA

from desktop_app.sdk.data import ArrayDataset, even_rows
from desktop_app.toolbox.baselines import best_gaussian, components_error, mean_image_entropy, psnr

RANDOM = np.random.default_rng(0)


def test_the_error_of_components_is_that_of_scikit_learn() -> None:
    for count, side in ((60, 12), (300, 6)):  # fewer images than values, and more
        data = ArrayDataset(RANDOM.integers(0, 256, (count, 1, side, side)).astype(np.uint8))
        x = data.images(slice(None)).reshape(count, -1)
        pca = PCA(5, svd_solver="full").fit(x)
        expected = np.square(pca.inverse_transform(pca.transform(x)) - x).mean()

        assert components_error(data, 5) == pytest.approx(expected, rel=1e-4)


def test_a_folder_of_no_more_images_than_components_has_no_line() -> None:
    data = ArrayDataset(RANDOM.integers(0, 256, (5, 1, 8, 8)).astype(np.uint8))

    assert components_error(data, 5) is None
    assert components_error(data, 4) is not None


def test_the_entropy_of_the_mean_image_is_its_cross_entropy_with_all_images() -> None:
    x = RANDOM.random((50, 1, 4, 4))
    m = x.mean(axis=0)

    expected = -(x * np.log(m) + (1 - x) * np.log(1 - m)).mean()

    assert mean_image_entropy(m) == pytest.approx(expected)


def test_the_best_gaussian_is_not_beaten_by_its_neighbours() -> None:
    clean = gaussian_filter(RANDOM.random((4, 1, 32, 32)), (0, 0, 3, 3)).astype(np.float32)
    noisy = (clean + RANDOM.normal(0, 0.1, clean.shape)).astype(np.float32)

    sigma, reached = best_gaussian(clean, noisy)

    assert reached > psnr(clean, noisy)
    for other in (0.8 * sigma, 1.25 * sigma):
        assert psnr(clean, gaussian_filter(noisy, (0, 0, other, other))) <= reached + 1e-6


def test_psnr_is_that_of_the_textbook() -> None:
    assert psnr(np.zeros((1, 1, 2, 2), np.float32), np.full((1, 1, 2, 2), 0.1)) == pytest.approx(20)


def test_even_rows_reach_from_the_first_to_the_last() -> None:
    assert even_rows(100, 3).tolist() == [0, 49, 99]
    assert even_rows(2, 10).tolist() == [0, 1]

import numpy as np
import pytest

from desktop_app.core.holdout import fold_numbers, held_out

PATHS = [f"good/{number:03d}.png" for number in range(53)]


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.1, 5), (0.5, 26)])
def test_about_a_share_is_held_out(share: float, count: int) -> None:
    assert held_out(PATHS, share, 0).sum() == count


def test_what_is_held_out_depends_on_names_and_seed_alone() -> None:
    shuffled = np.random.default_rng(0).permutation(len(PATHS))
    first = held_out(PATHS, 0.2, 3)
    second = held_out([PATHS[row] for row in shuffled], 0.2, 3)

    np.testing.assert_array_equal(first[shuffled], second)
    assert not np.array_equal(first, held_out(PATHS, 0.2, 4))


def test_one_image_is_never_held_out() -> None:
    assert not held_out(["a.png"], 0.5, 0).any()


def test_folds_are_of_nearly_equal_size() -> None:
    counts = np.bincount(fold_numbers(PATHS, 5, 0))

    assert counts.tolist() == [11, 11, 11, 10, 10]

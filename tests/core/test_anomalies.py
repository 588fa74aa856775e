import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from desktop_app.core.anomalies import (
    cut_out,
    grouping,
    region_features,
    squares_around,
)

SIDE = 32


def marked(top: int, left: int, height: int, width: int) -> NDArray[np.float32]:
    heat = np.random.default_rng(0).uniform(0, 0.1, (SIDE, SIDE)).astype(np.float32)
    heat[top : top + height, left : left + width] = 1
    return heat


def spoilt(random: np.random.Generator, kind: int) -> tuple[NDArray, NDArray]:
    """Return an image (1, S, S) with a bright spot, a dark spot or a long scratch, and its map."""
    image = random.normal(0.5, 0.02, (1, SIDE, SIDE)).astype(np.float32)
    height, width = ((5, 5), (5, 5), (2, 22))[kind]
    top, left = random.integers(0, SIDE - height), random.integers(0, SIDE - width)
    image[:, top : top + height, left : left + width] += (0.4, -0.4, 0.4)[kind]
    heat = random.uniform(0, 0.1, (SIDE, SIDE)).astype(np.float32)
    heat[top : top + height, left : left + width] = 1
    return image, heat


def test_the_square_holds_the_part_with_the_peak() -> None:
    heat = marked(4, 20, 6, 4)
    heat[28:30, 2:4] = 0.9  # another part, less high
    left, top, right, bottom = squares_around(heat[None])[0]

    assert right - left == pytest.approx(bottom - top)
    assert top * SIDE <= 4
    assert bottom * SIDE >= 10
    assert left * SIDE <= 20
    assert right * SIDE >= 24
    assert bottom * SIDE < 20  # and not much more


def test_a_square_at_the_edge_stays_inside() -> None:
    square = squares_around(marked(0, 0, 1, 1)[None])[0]
    assert square.tolist() == [0, 0, 0.2, 0.2]


def test_a_map_without_a_peak_stands_for_the_whole_image() -> None:
    assert squares_around(np.zeros((1, 8, 8), np.float32))[0].tolist() == [0, 0, 1, 1]


def test_the_whole_square_cuts_out_the_image_itself() -> None:
    images = np.random.default_rng(0).uniform(size=(2, 3, 9, 9)).astype(np.float32)
    np.testing.assert_allclose(cut_out(images, np.array([[0, 0, 1, 1]] * 2)), images, atol=1e-6)


def test_a_square_shows_what_lies_in_it() -> None:
    images = np.zeros((1, 1, 16, 16), np.float32)
    images[..., 8:, 8:] = 1
    cut = cut_out(images, np.array([[0.5, 0.5, 1.0, 1.0]]))
    assert cut[0, 0, 1:, 1:].min() == pytest.approx(1)
    assert cut_out(images, np.array([[0.0, 0.0, 0.4, 0.4]])).max() == 0


def test_anomalies_of_a_kind_are_grouped_wherever_they_lie() -> None:
    random = np.random.default_rng(0)
    kinds = random.integers(0, 3, 60)
    pairs = [spoilt(random, int(kind)) for kind in kinds]
    images, maps = (np.stack(column) for column in zip(*pairs, strict=True))

    found = grouping({"region": region_features(images, maps)})
    scores = random.uniform(size=60)
    groups = found.groups(3, scores)

    labels = np.zeros(60, int)
    for number, rows in enumerate(groups):
        labels[rows] = number
    assert adjusted_rand_score(kinds, labels) > 0.9
    worst = [scores[rows].max() for rows in groups]
    assert worst == sorted(worst, reverse=True)
    rest = scores[groups[0][1:]].tolist()
    assert rest == sorted(rest, reverse=True)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_as_many_groups_are_suggested_as_there_are(count: int) -> None:
    random = np.random.default_rng(0)
    middles = random.normal(size=(count, 5)) * 20
    points = np.repeat(middles, 12, axis=0) + random.normal(size=(12 * count, 5))
    assert grouping({"region": points.astype(np.float32)}).suggested == count


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_kinds_within_two_families_are_told_apart(seed: int) -> None:
    """Of these, the widest silhouettes are those of four, six and five groups."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(6, 8)) * 2
    middles[:3, 0] += 8
    middles[3:, 0] -= 8
    kinds = random.integers(0, 6, 160)
    points = middles[kinds] + random.normal(size=(160, 8))
    assert grouping({"region": points.astype(np.float32)}).suggested == 6


def test_equal_images_are_no_trouble() -> None:
    found = grouping({"region": np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)})
    assert found.suggested == 3
    assert grouping({"region": np.ones((6, 2), np.float32)}).suggested == 2


def test_a_group_begins_with_the_image_most_like_all_others() -> None:
    block = np.array([[0.0], [1.0], [5.0], [1.1], [0.9]], np.float32)
    first = grouping({"region": block}).groups(1, np.arange(5.0))[0][0]
    assert first == 1


def test_blocks_weigh_the_same_however_long_they_are() -> None:
    random = np.random.default_rng(0)
    short, long = random.normal(size=(40, 2)), random.normal(size=(40, 200))
    both = grouping({"a": short.astype(np.float32), "b": long.astype(np.float32)}).distances
    alone = [grouping({"x": one.astype(np.float32)}).distances for one in (short, long)]
    np.testing.assert_allclose(both**2, alone[0] ** 2 + alone[1] ** 2, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_very_few_images_are_their_own_groups(count: int) -> None:
    found = grouping({"region": np.arange(count, dtype=np.float32)[:, None]})
    assert len(found) == count
    assert sum(map(len, found.groups(5, np.ones(count)))) == count

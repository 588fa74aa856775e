import numpy as np

from desktop_app.toolbox.recognition import NOBODY, Recognition, marks_of


def pixels(*shades: int) -> np.ndarray:
    return np.repeat(np.array(shades, np.uint8), 4).reshape(-1, 1, 2, 2)


def test_copies_of_an_image_are_that_image_and_others_nobody() -> None:
    known = Recognition(marks_of(pixels(10, 20, 10)))

    assert known.numbers.tolist() == [0, 1, 0]
    found = known.recognised(pixels(20, 10, 30).astype(np.float32) / 255)
    assert found.tolist() == [1, 0, NOBODY]


def test_tiles_are_their_image_unless_another_image_has_the_same_tile() -> None:
    wholes = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [1, 0]], np.int32)

    known = Recognition(marks_of(pixels(10, 0, 20, 0, 30)), wholes)

    assert known.numbers.tolist() == [0, 0, 1, 1, 2]
    found = known.recognised(pixels(10, 20, 0, 30).astype(np.float32) / 255)
    assert found.tolist() == [0, 1, NOBODY, 2]  # the empty tile lies in both images

"""Why an image is unusual: its worst place, and the normal image that comes nearest to it there."""

from dataclasses import dataclass

from desktop_app.sdk.data import Images

Box = tuple[int, int, int, int]
"""Top, left, bottom and right in pixels of the image at the size of the training, end excluded."""


@dataclass(frozen=True)
class Explanation:
    """The worst place of one image beside the most similar normal place."""

    box: Box
    """Where the image is most unusual."""
    distance: float
    """How far the place is from the most similar normal one, in the units of the map."""
    picture: Images
    """float32 (C, h, w) in [0, 1]: the most similar normal place, small."""
    row: int
    """Row, among the images of the training it was learned in, of the image it comes from."""
    source_box: Box
    """Where it lies in that image."""
    folder: str
    """Name of the data set of that training."""
    generation: int = 0
    """0 for the training itself, 1 for the run that it began from, 2 for the run before that ..."""

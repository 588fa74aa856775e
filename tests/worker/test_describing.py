from pathlib import Path

import numpy as np

from desktop_app.core.anomalies import region_features
from desktop_app.core.channel import Message
from desktop_app.core.images import ImageFolder
from desktop_app.core.regions import Region
from desktop_app.core.runs import Run
from desktop_app.worker.describing import described
from desktop_app.worker.serving import _Desk


def test_the_window_is_told_what_is_unusual_about_images(
    trained_run: Run, mvtec_folder: Path
) -> None:
    desk = _Desk(trained_run.path, str(mvtec_folder), "cpu")
    ids = ImageFolder(mvtec_folder).list_files().ids[:3].tolist()

    header, blocks = desk.answer(Message({"kind": "describe", "ids": ids}))
    _header, maps = desk.answer(Message({"kind": "localize", "ids": ids}))

    assert header["ids"] == ids
    expected = region_features(maps["images"], maps["maps"])
    np.testing.assert_allclose(blocks["region"], expected, rtol=1e-4, atol=1e-6)
    assert blocks["latents"].shape == (3, 4)
    assert np.isfinite(blocks["latents"]).all()


def test_what_does_not_count_is_never_described() -> None:
    images = np.full((1, 1, 16, 16), 0.5, np.float32)
    images[..., 2:4, 2:4] = 1  # outside of the region, and the most unusual place of all
    images[..., 10:12, 10:12] = 0
    mask = np.zeros((16, 16), np.bool_)
    mask[8:, 8:] = True

    everywhere = described(Marks(), images)["region"][0]
    inside = described(Marks(), images, Region(mask))["region"][0]

    assert everywhere[0] > 0  # brighter than what is around it
    assert inside[0] < 0


class Marks:
    """Finds unusual what is not grey, bright places more than dark ones."""

    def localize(self, images: np.ndarray) -> np.ndarray:
        return np.where(images > 0.5, 2, 1)[:, 0] * np.abs(images[:, 0] - 0.5)

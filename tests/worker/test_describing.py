from pathlib import Path

import numpy as np

from desktop_app.core.anomalies import region_features
from desktop_app.core.channel import Message
from desktop_app.core.images import ImageFolder
from desktop_app.core.runs import Run
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

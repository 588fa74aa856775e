from pathlib import Path

import numpy as np

from desktop_app.core.files import ArrayWriter


def test_an_array_is_written_row_after_row(tmp_path: Path) -> None:
    expected = np.arange(24, dtype=np.float32).reshape(6, 2, 2)
    file = ArrayWriter(tmp_path / "rows.npy", len(expected), expected)

    for start in range(0, 6, 4):
        file.write(expected[start : start + 4])
    file.close()

    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy", mmap_mode="r"), expected)

from pathlib import Path

import pytest

from tests.core.pictures import save_pictures


@pytest.fixture
def home(loupe_home: Path) -> Path:
    """Return the folder that keeps cache, data and settings of this test."""
    return loupe_home


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Return a folder with six pictures in two classes, each of another colour."""
    names = (f"{'cats' if index < 3 else 'dogs'}/{index}.png" for index in range(6))
    return save_pictures(tmp_path / "photographs", *names)

import csv
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desktop_app.core.features import Features, write_features
from desktop_app.sdk.errors import InvalidInput

COUNT = 2500


@pytest.fixture
def features() -> Features:
    latents = np.random.default_rng(0).normal(size=(COUNT, 3)).astype(np.float32)
    paths = [f"类 甲/{number:05d}.png" for number in range(COUNT)]
    return Features(paths, ["类 甲"] * COUNT, ["train"] * COUNT, latents)


def test_csv_keeps_every_digit_and_tells_progress(features: Features, tmp_path: Path) -> None:
    steps = list(write_features(features, tmp_path / "特征.csv"))

    assert steps == [(1000, COUNT), (2000, COUNT), (COUNT, COUNT)]
    with (tmp_path / "特征.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["path", "label", "split", "z1", "z2", "z3"]
    assert [row[0] for row in rows] == features.paths
    numbers = np.array([row[3:] for row in rows], np.float32)
    np.testing.assert_array_equal(numbers, features.latents)


def test_npz_holds_the_arrays(features: Features, tmp_path: Path) -> None:
    list(write_features(features, tmp_path / "features.npz"))

    with np.load(tmp_path / "features.npz", allow_pickle=False) as arrays:
        assert arrays["paths"].tolist() == features.paths
        assert arrays["splits"].tolist() == features.splits
        np.testing.assert_array_equal(arrays["latents"], features.latents)


def test_parquet_is_read_back_by_its_own_library(features: Features, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    list(write_features(features, tmp_path / "features.PARQUET"))

    table = parquet.read_table(tmp_path / "features.PARQUET")

    assert table.column_names == ["path", "label", "split", "z1", "z2", "z3"]
    assert table.column("path").to_pylist() == features.paths
    np.testing.assert_array_equal(table.column("z2").to_numpy(), features.latents[:, 1])


def test_a_name_that_is_no_text_can_be_written(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    odd = Features(["a\udcff.png"], [""], [""], np.zeros((1, 2), np.float32))

    for name in ("odd.csv", "odd.parquet"):
        list(write_features(odd, tmp_path / name))

    assert b"a\xff.png" in (tmp_path / "odd.csv").read_bytes()
    assert parquet.read_table(tmp_path / "odd.parquet").num_rows == 1


def test_parquet_without_its_library_is_a_sentence(
    features: Features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)

    with pytest.raises(InvalidInput, match=r"need the package pyarrow.*\.csv or \.npz"):
        list(write_features(features, tmp_path / "features.parquet"))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_suffix_names_the_known_ones(features: Features, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"\.npz, \.csv, \.parquet, got 'features\.xlsx'"):
        list(write_features(features, tmp_path / "features.xlsx"))


def test_a_writing_that_is_stopped_leaves_nothing(features: Features, tmp_path: Path) -> None:
    steps = write_features(features, tmp_path / "features.csv")
    next(steps)

    steps.close()  # type: ignore[attr-defined]

    assert list(tmp_path.iterdir()) == []


def test_one_vector_per_image_is_required() -> None:
    with pytest.raises(InvalidInput, match="each of 2 images"):
        Features(["a", "b"], ["", ""], ["", ""], np.zeros((3, 4), np.float32))

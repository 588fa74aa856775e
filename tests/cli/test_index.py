import json
from pathlib import Path

from tests.cli.conftest import Loupe


def test_index_counts_labels_splits_and_problems(loupe: Loupe, mvtec_folder: Path) -> None:
    (mvtec_folder / "test" / "good" / "坏.png").write_bytes(b"nonsense")

    outcome = loupe("index", mvtec_folder, "--json")

    facts = json.loads(outcome.out)
    assert outcome.code == 0
    assert (facts["layout"], facts["n_images"]) == ("mvtec", 22)
    assert facts["labels"] == {"good": 17, "blot": 3, "scratch": 3}
    assert facts["splits"] == {"train": 12, "test": 11}
    assert list(facts["problems"]) == ["test/good/坏.png"]


def test_index_prints_counts_and_reasons(loupe: Loupe, mvtec_folder: Path) -> None:
    (mvtec_folder / "test" / "good" / "bad.png").write_bytes(b"nonsense")

    outcome = loupe("index", mvtec_folder)

    assert outcome.out.startswith(f"22 images in {mvtec_folder} (mvtec layout)")
    assert "train / good" in outcome.out
    assert "left out: test/good/bad.png: " in outcome.out


def test_a_folder_that_is_not_there_is_one_sentence(loupe: Loupe, tmp_path: Path) -> None:
    assert "does not exist" in loupe("index", tmp_path / "nowhere").told()

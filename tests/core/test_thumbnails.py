from pathlib import Path

from desktop_app.core.thumbnails import Thumbnails


def test_pictures_are_kept_replaced_and_forgotten(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails.sqlite")
    thumbnails.put({1: b"one", 2: b"two", 3: b"three"})
    thumbnails.put({2: b"new"})
    thumbnails.forget([3])
    assert thumbnails.get(2) == b"new"
    assert thumbnails.get(3) is None
    assert thumbnails.get_many([3, 2, 1]) == {1: b"one", 2: b"new"}


def test_more_pictures_than_one_query_takes(tmp_path: Path) -> None:
    thumbnails = Thumbnails(tmp_path / "thumbnails.sqlite")
    thumbnails.put({number: str(number).encode() for number in range(1200)})
    assert len(thumbnails.get_many(list(range(1300)))) == 1200


def test_there_are_none_before_the_probe(tmp_path: Path) -> None:
    assert Thumbnails(tmp_path / "new" / "thumbnails.sqlite").get(1) is None

"""The small pictures of a folder, as JPEG and PNG files in one database beside its index."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from desktop_app.core.database import discard_if_damaged, reading, writing
from desktop_app.core.decoding import THUMBNAIL_SIDE, make_thumbnail

__all__ = ["THUMBNAIL_SIDE", "Thumbnails", "make_thumbnail"]

_MIGRATIONS = ("CREATE TABLE thumbnails (id INTEGER PRIMARY KEY, picture BLOB NOT NULL)",)

_AT_ONCE = 500  # ids in one query; SQLite allows a limited number of variables


class Thumbnails:
    """Thumbnails by image id; any thread and process may read while the probe writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        discard_if_damaged(path)

    def get(self, image_id: int) -> bytes | None:
        """Return the picture of an image, or None while there is none."""
        return self.get_many([image_id]).get(image_id)

    def get_many(self, image_ids: Sequence[int]) -> dict[int, bytes]:
        """Return the pictures of those images that have one."""
        pictures: dict[int, bytes] = {}
        with reading(self.path, _MIGRATIONS) as connection:
            for start in range(0, len(image_ids), _AT_ONCE):
                wanted = [int(image_id) for image_id in image_ids[start : start + _AT_ONCE]]
                marks = ",".join("?" * len(wanted))
                query = f"SELECT id, picture FROM thumbnails WHERE id IN ({marks})"
                pictures.update(connection.execute(query, wanted))
        return pictures

    def put(self, pictures: Mapping[int, bytes]) -> None:
        """Keep these pictures, in place of older ones."""
        with writing(self.path, _MIGRATIONS) as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO thumbnails VALUES (?, ?)", pictures.items()
            )

    def forget(self, image_ids: Iterable[int]) -> None:
        """Drop the pictures of images that changed or are gone."""
        with writing(self.path, _MIGRATIONS) as connection:
            connection.executemany(
                "DELETE FROM thumbnails WHERE id = ?", ((image_id,) for image_id in image_ids)
            )

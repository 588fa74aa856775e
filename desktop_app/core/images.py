"""A folder of images and what is known of it.

Opening comes in two phases. Listing walks the folder without opening files and is quick enough to
show a gallery at once. Probing then decodes each image once, at thumbnail size: it fills the
thumbnails, finds the colours, hashes the content and sets aside what cannot be used, with the
reason. Nothing is ever written in the folder itself.
"""

import hashlib
import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from desktop_app.core.decoding import Examination, decode, decode_mask, examine
from desktop_app.core.index import Index, ListedImage, Unprobed
from desktop_app.core.layout import NORMAL_NAMES, Layout, LayoutName, recognised_layout
from desktop_app.core.parallel import done_in_threads
from desktop_app.core.refusals import shown
from desktop_app.core.settings import cache_dir
from desktop_app.core.table import ImageTable
from desktop_app.core.thumbnails import Thumbnails
from desktop_app.core.walk import walked
from desktop_app.sdk.errors import InvalidInput, UnreadableImage

__all__ = [
    "NORMAL_NAMES",
    "ImageFolder",
    "ImageTable",
    "decode",
    "decode_mask",
    "folder_key",
]

_BATCH = 8  # images in one piece of work for a thread
_COMMIT_IMAGES, _COMMIT_SECONDS = 500, 1.0


class ImageFolder:
    """An image folder and its index; every method may be called from any thread."""

    def __init__(self, root: Path, index_dir: Path | None = None) -> None:
        self.root = _existing_folder(root)
        self.key = folder_key(self.root)
        self.index_dir = index_dir or cache_dir() / "folders" / self.key
        self.thumbnails = Thumbnails(self.index_dir / "thumbnails.sqlite")
        self._index = Index(self.index_dir / "index.sqlite")
        self._layout: Layout | None = None

    @property
    def name(self) -> str:
        """The last part of the path, for titles."""
        return shown(self.root.name or str(self.root))

    @property
    def layout(self) -> LayoutName:
        """How labels, splits and masks are read from the sub-folders."""
        if self._layout is None:
            self._layout = recognised_layout(self.root)
        return self._layout.name

    def absolute(self, relative: str) -> Path:
        """Return the path of an image or mask of this folder."""
        return self.root / relative

    def require_root(self) -> None:
        """Raise InvalidInput when the folder is gone, before its images are blamed for that."""
        _existing_folder(self.root)

    def list_files(self) -> ImageTable:
        """Walk the folder, bring the index up to date and return it; no file is opened.

        Raises InvalidInput when the folder cannot be listed.
        """
        self.require_root()
        layout = recognised_layout(self.root)
        problems: dict[str, str] = {}
        stale = self._index.update(self._listed(layout, problems), problems, self.root)
        if stale:
            self.thumbnails.forget(stale)
        self._layout = layout
        return self.table()

    def probe(self, workers: int = 2) -> Generator[tuple[int, int], None, None]:
        """Look into every image not known yet; yield (done, total) of this call.

        Results are kept about once a second, so closing the iterator early loses nothing and the
        next call goes on. Raises InvalidInput when the whole folder disappears.
        """
        done, total = 0, self._index.count_unprobed()
        yield done, total
        fresh: list[tuple[Unprobed, Examination | str]] = []
        kept_at = time.monotonic()
        results = done_in_threads(self._examined, _batches(self._index.unprobed()), workers)
        try:
            with closing(results):
                for batch in results:
                    fresh += batch
                    done += len(batch)
                    late = time.monotonic() - kept_at > _COMMIT_SECONDS
                    if late or len(fresh) >= _COMMIT_IMAGES:
                        self._keep(fresh)
                        fresh, kept_at = [], time.monotonic()
                    yield min(done, total), total
        finally:
            self._keep(fresh)

    def table(self) -> ImageTable:
        """Return the index as it is now, sorted by path."""
        return self._index.table()

    def problems(self) -> list[tuple[str, str]]:
        """Return (relative path, reason) of images in quarantine and folders not listed."""
        return self._index.problems()

    def quarantine(self, reasons: dict[int, str]) -> None:
        """Mark images, by id, as unusable for these reasons."""
        self._index.quarantine(reasons)

    def training_rows(self, table: ImageTable, split: str | None) -> NDArray[np.int64]:
        """Return the rows (n,) a method learns from: a split, or what the layout suggests.

        Without a split these are the images in `train/` of an MVTec layout, and all usable images
        of any other. Raises InvalidInput when nothing is left.
        """
        wanted = split or ("train" if self.layout == "mvtec" else None)
        usable = np.array([not problem for problem in table.problems], dtype=np.bool_)
        chosen = usable & np.array([wanted in (None, own) for own in table.splits], dtype=np.bool_)
        rows = np.flatnonzero(chosen)
        if not len(rows):
            raise InvalidInput(self._nothing_to_learn_from(table, wanted))
        return rows

    def content_hashes(self, limit: int = 64) -> dict[str, bytes]:
        """Return path -> content hash of a few images, to find the folder again elsewhere."""
        return self._index.content_hashes(limit)

    def _nothing_to_learn_from(self, table: ImageTable, split: str | None) -> str:
        folder = f"'{shown(self.root)}'"
        if not len(table):
            return f"The folder {folder} holds no images. Choose another folder."
        known = sorted({own for own in table.splits if own})
        if split and split not in known:
            names = ", ".join(known) or "none"
            return f"The folder {folder} has no split '{split}'. Known: {names}."
        return (
            f"No image of {folder} can be used; {len(self.problems())} are in quarantine. "
            "Look at the list of problems."
        )

    def _listed(self, layout: Layout, problems: dict[str, str]) -> Iterator[ListedImage]:
        """Yield all images; fill `problems` with the folders that cannot be read."""
        for folder in walked(self.root, without=layout.masks_folder):
            if folder.problem:
                problems[folder.path] = folder.problem
            label, split = layout.label_and_split(folder.path)
            start = f"{folder.path}/" if folder.path else ""
            for file in folder.files:
                mask = layout.mask(label, split, file.name)
                path = start + file.name
                yield ListedImage(path, file.size, file.mtime_ns, label, split, mask)

    def _examined(self, batch: list[Unprobed]) -> list[tuple[Unprobed, Examination | str]]:
        return [(image, self._examination(image)) for image in batch]

    def _examination(self, image: Unprobed) -> Examination | str:
        try:
            return examine(self.absolute(image.path))
        except UnreadableImage as reason:
            self.require_root()
            return str(reason)

    def _keep(self, results: list[tuple[Unprobed, Examination | str]]) -> None:
        if not results:
            return
        self.thumbnails.put(
            {
                image.image_id: result.thumbnail
                for image, result in results
                if not isinstance(result, str)
            }
        )
        self._index.record(results)


def folder_key(root: Path) -> str:
    """Return the name of a folder in caches and workspaces: a hash of its resolved path."""
    path = os.path.normcase(root.resolve())
    return hashlib.blake2b(os.fsencode(path), digest_size=10).hexdigest()


def _existing_folder(root: Path) -> Path:
    """Return the resolved path of a folder; raises InvalidInput when it is none."""
    try:
        resolved = root.expanduser().resolve()
        found, is_folder = resolved.exists(), resolved.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidInput(f"The folder '{shown(root)}' cannot be opened: {error}.") from error
    if not found:
        raise InvalidInput(f"The folder '{shown(root)}' does not exist. Check the path.")
    if not is_folder:
        raise InvalidInput(f"Expected a folder of images, but '{shown(root)}' is a file.")
    return resolved


def _batches(images: Iterator[Unprobed]) -> Iterator[list[Unprobed]]:
    while batch := list(islice(images, _BATCH)):
        yield batch

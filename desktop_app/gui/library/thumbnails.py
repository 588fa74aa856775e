"""Thumbnails in the background: two threads, the newest wishes first, a bounded memory."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage, QImageReader
from shiboken6 import isValid

from desktop_app.gui.widgets.images import image_from_array

log = logging.getLogger(__name__)

Thumbnail = bytes | QImage | NDArray[np.uint8] | None
"""An encoded file, an image, pixels (H, W[, C]), or None where there is none."""

Provider = Callable[[Sequence[int]], Sequence[Thumbnail]]
"""Returns one thumbnail per id; called on the loader's threads, by several at a time."""

_BATCH = 6  # ids per call of the provider: few, so that newer wishes need not wait
_MEGABYTE = 1 << 20


class ThumbnailLoader(QObject):
    """Keeps the thumbnails that were wanted last and fetches the ones that are wanted now."""

    loaded = Signal(object)
    """Carries the list of ids that arrived or failed."""
    _fetched = Signal()

    def __init__(
        self,
        provider: Provider,
        *,
        edge: int = 256,
        megabytes: int = 256,
        threads: int = 2,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._provider = provider
        self._edge = edge
        self._most_bytes = megabytes * _MEGABYTE
        self._most_threads = threads
        self._cache: OrderedDict[int, tuple[QImage, int]] = OrderedDict()
        self._bytes = 0
        self._failed: set[int] = set()
        self._lock = threading.Lock()
        self._wanted: list[int] = []  # the next one last
        self._running: set[int] = set()
        self._threads: list[threading.Thread] = []
        self._arrived: list[tuple[int, QImage | None, int]] = []
        self._generation = 0
        self._closed = False
        self._fetched.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def image(self, image_id: int) -> QImage | None:
        """Return a thumbnail that is at hand, or None."""
        entry = self._cache.get(image_id)
        if entry is None:
            return None
        self._cache.move_to_end(image_id)
        return entry[0]

    def failed(self, image_id: int) -> bool:
        """Return whether the provider had nothing readable for this id."""
        return image_id in self._failed

    def want(self, image_ids: Iterable[int]) -> None:
        """Fetch these, the first one first; earlier wishes that are not repeated are dropped."""
        missing = [image_id for image_id in image_ids if self._is_missing(image_id)]
        with self._lock:
            if self._closed:
                return
            self._wanted = [wish for wish in reversed(missing) if wish not in self._running]
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            useful = min(self._most_threads, -(-len(self._wanted) // _BATCH))
            for _ in range(useful - len(self._threads)):
                thread = threading.Thread(target=self._work, name="thumbnails", daemon=True)
                self._threads.append(thread)
                thread.start()

    def set_edge(self, edge: int) -> None:
        """Fetch thumbnails of up to `edge` pixels from now on; smaller ones at hand still serve."""
        self._edge = edge

    def set_provider(self, provider: Provider) -> None:
        """Ask somebody else from now on and forget everything."""
        self._provider = provider
        self.clear()

    def forget(self, image_ids: Iterable[int]) -> None:
        """Drop thumbnails of files that have changed."""
        for image_id in image_ids:
            self._failed.discard(image_id)
            entry = self._cache.pop(image_id, None)
            if entry is not None:
                self._bytes -= entry[0].sizeInBytes()

    def clear(self) -> None:
        """Forget all thumbnails, failures and wishes."""
        with self._lock:
            self._generation += 1
            self._wanted = []
            self._running.clear()
            self._arrived.clear()
        self._cache.clear()
        self._failed.clear()
        self._bytes = 0

    def close(self) -> None:
        """Drop all wishes and wait for the threads, which finish the few ids at hand."""
        with self._lock:
            self._closed = True
            self._wanted = []
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _is_missing(self, image_id: int) -> bool:
        if image_id in self._failed:
            return False
        entry = self._cache.get(image_id)
        return entry is None or entry[1] < self._edge

    def _work(self) -> None:
        """Serve wishes until there are none left; the thread ends with them."""
        while True:
            with self._lock:
                batch = self._wanted[: -_BATCH - 1 : -1]
                del self._wanted[-_BATCH:]
                if not batch:
                    self._threads.remove(threading.current_thread())
                    return
                self._running.update(batch)
                generation, edge, provider = self._generation, self._edge, self._provider
            found = _fetch(provider, batch, edge)
            with self._lock:
                self._running.difference_update(batch)
                if generation == self._generation and not self._closed:
                    first = not self._arrived
                    self._arrived.extend(
                        (image_id, image, edge)
                        for image_id, image in zip(batch, found, strict=True)
                    )
                    if first and isValid(self):
                        self._fetched.emit()

    def _take(self) -> None:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        for image_id, image, edge in arrived:
            if image is None:
                self._failed.add(image_id)
                continue
            self.forget([image_id])
            self._cache[image_id] = (image, edge)
            self._bytes += image.sizeInBytes()
        while self._bytes > self._most_bytes and len(self._cache) > 1:
            _oldest, (image, _edge) = self._cache.popitem(last=False)
            self._bytes -= image.sizeInBytes()
        if arrived:
            self.loaded.emit([image_id for image_id, _image, _edge in arrived])


def _fetch(provider: Provider, batch: list[int], edge: int) -> list[QImage | None]:
    """Ask for a batch, and one by one if that fails, so that one bad file spoils no others."""
    try:
        found = list(provider(batch))
        if len(found) == len(batch):
            return [_drawable(thumbnail, edge) for thumbnail in found]
        log.warning("%d thumbnails were asked for, but %d came.", len(batch), len(found))
    except Exception:
        log.debug("No thumbnails for %s", batch, exc_info=True)
    if len(batch) == 1:
        return [None]
    return [image for image_id in batch for image in _fetch(provider, [image_id], edge)]


def _drawable(thumbnail: Thumbnail, edge: int) -> QImage | None:
    """Return an image of at most `edge` pixels in the format that the screen draws fastest."""
    if thumbnail is None:
        return None
    if isinstance(thumbnail, bytes):
        image = _decoded(thumbnail, edge)
    elif isinstance(thumbnail, QImage):
        image = thumbnail
    else:
        image = image_from_array(thumbnail)
    if image.isNull():
        return None
    if max(image.width(), image.height()) > edge:
        image = image.scaled(
            QSize(edge, edge),
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
    alpha = image.hasAlphaChannel()
    fast = QImage.Format.Format_ARGB32_Premultiplied if alpha else QImage.Format.Format_RGB32
    return image.convertToFormat(fast)


def _decoded(encoded: bytes, edge: int) -> QImage:
    buffer = QBuffer()
    buffer.setData(QByteArray(encoded))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid() and max(size.width(), size.height()) > 2 * edge:
        wanted = QSize(2 * edge, 2 * edge)  # the decoder halves fast; the rest is blended
        reader.setScaledSize(size.scaled(wanted, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()

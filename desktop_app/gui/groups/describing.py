"""Asks the worker what is unusual about images, some of them at a time; kept for the open run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from desktop_app.gui.session import Session

_BATCH = 32
"""Images in one question: other questions wait no longer than these take."""

Blocks = dict[str, NDArray[np.float32]]


class Descriptors(QObject):
    """Descriptors by image, of the open run on the open folder."""

    progressed = Signal(int, int)
    """Carries how many of the wanted images are described."""
    ready = Signal()
    """All wanted images are described."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._known: dict[int, dict[str, NDArray[np.float32]]] = {}  # by image id
        self._wanted: list[int] = []
        self._is_asking = False
        session.result_changed.connect(self.forget)

    @property
    def is_busy(self) -> bool:
        """Tell whether images are being described."""
        return self._is_asking

    def want(self, ids: NDArray[np.int64]) -> None:
        """Describe the images of these ids, as far as they are not described yet."""
        self._wanted = ids.tolist()
        if not self._is_asking:
            self._ask()

    def stop(self) -> None:
        """Describe no more; what is described is kept."""
        self._wanted = []

    def forget(self) -> None:
        """Begin anew: the run or its folder is another one."""
        self._known.clear()
        self._wanted, self._is_asking = [], False

    def blocks(self, ids: NDArray[np.int64]) -> Blocks:
        """Return the descriptors (n, D) of these images by kind; raises KeyError when missing."""
        rows = [self._known[image_id] for image_id in ids.tolist()]
        kinds = rows[0] if rows else {}
        return {kind: np.stack([row[kind] for row in rows]) for kind in kinds}

    def _ask(self) -> None:
        missing = [image_id for image_id in self._wanted if image_id not in self._known]
        if not missing:
            self._is_asking = False
            self.progressed.emit(len(self._wanted), len(self._wanted))
            if self._wanted:
                self.ready.emit()
            return
        self._is_asking = True
        self.progressed.emit(len(self._wanted) - len(missing), len(self._wanted))
        self._session.inference.request(
            "describe", {"ids": missing[:_BATCH]}, {}, self._take, self._give_up
        )

    def _take(self, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        for place, image_id in enumerate(header["ids"]):
            self._known[image_id] = {name: np.array(block[place]) for name, block in arrays.items()}
        self._ask()

    def _give_up(self, problem: str) -> None:
        """Ask no more, and say what went wrong."""
        self._is_asking, self._wanted = False, []
        self.progressed.emit(0, 0)
        self._session.problem.emit(problem)

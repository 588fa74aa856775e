"""Decodes for several parts of a panel at once; for each of them the newest wish wins."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from desktop_app.gui.session import Session

Take = Callable[[NDArray[np.float32]], None]


class Decoder(QObject):
    """Sends one question at a time and gathers meanwhile what is wished next."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._waiting: dict[str, tuple[NDArray[np.float32], Take]] = {}
        self._asked: list[tuple[int, Take]] = []
        session.inference.failed.connect(self._give_up)
        session.run_changed.connect(self.forget)

    def decode(self, part: str, latents: NDArray[np.float32], take: Take) -> None:
        """Decode latents (n, D) for a part of the panel; `take` gets images (n, C, H, W)."""
        self._waiting[part] = (latents, take)
        self._send()

    def forget(self) -> None:
        """Forget all wishes."""
        self._waiting.clear()
        self._asked = []

    def _send(self) -> None:
        if self._asked or not self._waiting:
            return
        wishes = list(self._waiting.values())
        self._waiting.clear()
        self._asked = [(len(latents), take) for latents, take in wishes]
        together = np.concatenate([latents for latents, _take in wishes]).astype(np.float32)
        self._session.inference.request("decode", {}, {"latents": together}, self._deliver)

    def _deliver(self, _header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        asked, self._asked = self._asked, []
        start = 0
        for count, take in asked:
            take(arrays["images"][start : start + count])
            start += count
        self._send()

    def _give_up(self, _problem: str) -> None:
        self._asked = []

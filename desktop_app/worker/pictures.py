"""Views that a method draws while it trains: written now and then, the newest of each title kept.

Each is a folder of its own under `pictures/`, so that a window never reads one that is being
replaced; the event tells its name once it is there.
"""

import hashlib
import shutil
import time

from desktop_app.core.runs import Run
from desktop_app.core.viewfiles import write_views
from desktop_app.sdk.views import View
from desktop_app.worker.narrator import Narrator

_SECONDS = 1.0
"""Between two pictures of the same title, and at least ten times what one costs."""
_KEPT = 2  # of each title: a window may still be reading the last but one


class Pictures:
    """Writes views of a run."""

    def __init__(self, run: Run, narrator: Narrator) -> None:
        self._folder = run.path / "pictures"
        self._narrator = narrator
        self._waiting: dict[str, tuple[View, int]] = {}
        self._next: dict[str, float] = {}

    def take(self, view: View, step: int) -> None:
        """Write a view of this step, or the newest of its title when the time has come."""
        self._waiting[view.title] = (view, step)
        if time.monotonic() >= self._next.get(view.title, 0.0):
            self._write(view.title)

    def flush(self) -> None:
        """Write what waits."""
        for title in list(self._waiting):
            self._write(title)

    def _write(self, title: str) -> None:
        view, step = self._waiting.pop(title)
        began = time.monotonic()
        mark = hashlib.blake2b(title.encode(), digest_size=4).hexdigest()
        name = f"{mark}-{step:09d}"
        write_views(self._folder / name, [view])
        self._narrator.tell("view", step=step, title=title, file=f"pictures/{name}")
        for old in sorted(self._folder.glob(f"{mark}-*"))[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        ended = time.monotonic()
        self._next[title] = ended + max(_SECONDS, 10 * (ended - began))

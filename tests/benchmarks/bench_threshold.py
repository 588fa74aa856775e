"""Threshold figures: what one move costs with the whole inspector on screen.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/bench_threshold.py

A move is everything that follows it: counts, readouts, curves, histogram, and the repaint; in the
second column the ranking shows flagged images alone, so that filter and order are made anew.
Budget (desktop of two slow cores): 100,000 scored images under 50 ms.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtWidgets import QApplication

from desktop_app.core.settings import HOME_VARIABLE
from desktop_app.gui.inspector.panel import InspectorPanel
from desktop_app.gui.theme import apply_theme
from tests.gui.fakes_session import StillSession, result_for, synthetic_table

SIZES = (1_000, 10_000, 100_000)
MOVES = 25


def main() -> None:
    """Print one line per size: median and worst move, in milliseconds."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, "dark")
    print(f"{'images':>9} {'move':>7} {'worst':>7} {'flagged':>9} {'worst':>7} {'judge':>7}  ms")
    with tempfile.TemporaryDirectory() as name:
        os.environ[HOME_VARIABLE] = str(Path(name) / "home")
        for size in SIZES:
            _measure(app, Path(name) / str(size), size)


def _measure(app: QApplication, place: Path, size: int) -> None:
    (place / "images").mkdir(parents=True)
    session = StillSession(place)
    session.put_folder(place / "images", synthetic_table(size))
    session.put_run()
    random = np.random.default_rng(0)
    scores = random.normal(size=size) + 2.0 * (session.truth == 1)
    panel = InspectorPanel(session)
    panel.resize(1280, 820)
    panel.show()
    session.put_result(result_for(session, scores.astype(np.float32), maps=False, latents=False))
    _settle(app)
    thresholds = np.linspace(-1, 3, MOVES).tolist()

    def move(value: float) -> Callable[[], object]:
        return lambda: panel.measures.histogram._line.setValue(value)

    moves = [_milliseconds(move(value), app) for value in thresholds]
    panel._shown.choose("flagged")
    _settle(app)
    flagged = [_milliseconds(move(value), app) for value in thresholds]
    panel._shown.choose("all")
    judged = [_milliseconds(lambda: panel.judge(2), app) for _ in range(MOVES)]
    print(
        f"{size:>9,} {np.median(moves):7.1f} {max(moves):7.1f} {np.median(flagged):9.1f} "
        f"{max(flagged):7.1f} {np.median(judged):7.1f}"
    )
    panel.ranking.close_threads()
    panel.close()
    session.close()


def _milliseconds(act: Callable[[], object], app: QApplication) -> float:
    start = time.perf_counter()
    act()
    app.processEvents()
    return (time.perf_counter() - start) * 1000


def _settle(app: QApplication) -> None:
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        app.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    main()

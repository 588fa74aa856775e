"""Threshold figures: what one move costs with the whole inspector on screen.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/bench_threshold.py

A move is everything that follows it: counts, readouts, curves, histogram, contours of the heat map,
and the repaint. With "flagged" the ranking shows flagged images alone, so that filter and order are
made anew; with "zones" the beginning of a review zone moves, and the ranking shows that zone alone.
Beside the time that passes stands, as "cpu", the worst time that the window's thread worked: on a
machine that does other things at once the first says little.
Budget (desktop of two slow cores): 100,000 scored images under 50 ms.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QApplication

from desktop_app.core.columns import ResultColumns
from desktop_app.core.settings import HOME_VARIABLE
from desktop_app.core.zones import Thresholds
from desktop_app.gui.inspector.panel import InspectorPanel
from desktop_app.gui.theme import apply_theme
from tests.gui.fakes_session import StillSession, result_for, synthetic_table

SIZES = (1_000, 10_000, 100_000)
MOVES = 25
MAPS, MAP_SIDE = 64, 224


def main() -> None:
    """Print one line per size: median and worst move, in milliseconds."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, "dark")
    heads = "".join(f" {kind:>9} {'worst':>7} {'cpu':>7}" for kind in ("move", "flagged", "zones"))
    print(f"{'images':>9}{heads} {'judge':>9}  ms")
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
    result = result_for(session, scores.astype(np.float32), maps=False, latents=False)
    session.put_result(_with_maps(result, scores))
    _settle(app)
    contours = panel.viewer.panes["heat"]._contours
    assert contours[0][1], "contours are part of a move"
    thresholds = np.linspace(-1, 3, MOVES).tolist()
    histogram = panel.measures.histogram
    moves = [_milliseconds(partial(histogram._line.setValue, value), app) for value in thresholds]
    panel._shown.choose("flagged")
    _settle(app)
    flagged = [_milliseconds(partial(histogram._line.setValue, value), app) for value in thresholds]
    panel._shown.choose("all")
    session.set_thresholds(Thresholds(3.5, -1.5))
    panel.zones.buttons["review"].click()
    _settle(app)
    zones = [_milliseconds(partial(histogram._review.setValue, value), app) for value in thresholds]
    session.set_review(None)
    judged = [_milliseconds(partial(panel.judge, 2), app)[0] for _ in range(MOVES)]
    columns = ""
    for times in (moves, flagged, zones):
        passed, worked = np.array(times).T
        columns += f" {np.median(passed):9.1f} {passed.max():7.1f} {worked.max():7.1f}"
    print(f"{size:>9,}{columns} {np.median(judged):9.1f}")
    panel.ranking.close_threads()
    panel.close()
    session.close()


def _with_maps(result: ResultColumns, scores: NDArray[np.float64]) -> ResultColumns:
    """Return a result with a few maps that images share: higher ones for higher scores."""
    slope = np.linspace(0, 1, MAP_SIDE, dtype=np.float32)
    steps = np.quantile(scores, np.linspace(0, 1, MAPS + 1)[1:-1])
    heights = np.linspace(1, 2, MAPS, dtype=np.float32)[:, None, None]
    maps = heights * (slope[:, None] * slope)
    return replace(result, maps=maps, index=np.digitize(scores, steps), map_range=(0.0, 2.0))


def _milliseconds(act: Callable[[], object], app: QApplication) -> tuple[float, float]:
    """Return the time that passes until all is on screen, and that which this thread works."""
    start, worked = time.perf_counter(), time.thread_time()
    act()
    app.processEvents()
    return (time.perf_counter() - start) * 1000, (time.thread_time() - worked) * 1000


def _settle(app: QApplication) -> None:
    end = time.perf_counter() + 0.3
    while time.perf_counter() < end:
        app.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    main()

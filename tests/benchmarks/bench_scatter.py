"""Point canvas figures at 10,000, 100,000 and 1,000,000 points.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/bench_scatter.py

Each time is a median and includes the repaint of a window of 1000 x 800. Budgets (two slow cores):
pan at 100,000 points under 30 ms and at 1,000,000 under 100; lasso and recolour at 1,000,000
under 60.
"""

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPolygonF
from PySide6.QtWidgets import QApplication

from desktop_app.gui.latent.scatter import PointCanvas
from desktop_app.gui.theme import apply_theme, colour_map, current_theme

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 9
ANGLES = np.linspace(0, 2 * np.pi, 60)
LASSO = QPolygonF([QPointF(500 + 300 * np.cos(a), 400 + 250 * np.sin(a)) for a in ANGLES])


def main() -> None:
    """Print one line per size."""
    app = QApplication([])
    apply_theme(app, "dark")
    canvas = PointCanvas()
    canvas.resize(1000, 800)
    canvas.show()
    app.processEvents()
    for size in SIZES:
        figures = measured(canvas, size, app)
        if size == SIZES[0]:
            print(f"{'points':>9} " + " ".join(f"{name:>11}" for name in figures) + "  ms")
        print(f"{size:>9,} " + " ".join(f"{figure:11.2f}" for figure in figures.values()))
    canvas.close()


def measured(canvas: PointCanvas, size: int, app: QApplication) -> dict[str, float]:
    """Return milliseconds by what is done."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 12, size).astype(np.uint8)
    places = rng.normal(0, 3, (12, 2))[cluster] + rng.normal(0, 0.6, (size, 2))
    x, y = places.astype(np.float32).T
    heat = np.linspace(0, 255, size).astype(np.uint8)
    colours = ((cluster, current_theme().category_lut(12)), (heat, colour_map("viridis")))
    box = canvas.getViewBox()

    def median(act: Callable[[int], object]) -> float:
        times = []
        for turn in range(REPEATS):
            start = time.perf_counter()
            act(turn)
            app.processEvents()
            times.append((time.perf_counter() - start) * 1000)
        return float(np.median(times))

    def pan(turn: int) -> None:
        step = box.viewRect().width() * 0.01
        box.translateBy(x=step if turn % 2 else -step, y=0)

    def hover_anew(turn: int) -> None:
        canvas._owner = None
        canvas.row_at(QPointF(500 + turn, 400))

    figures = {"set": median(lambda _: canvas.set_points(x, y))}
    canvas.set_colours(*colours[0])
    figures["pan"] = median(pan)
    figures["recolour"] = median(lambda turn: canvas.set_colours(*colours[turn % 2]))
    figures["select"] = median(lambda turn: canvas.set_selection(cluster == turn))
    canvas.set_selection(np.zeros(size, bool))
    app.processEvents()
    figures["lasso"] = median(lambda _: canvas.rows_inside(LASSO))
    figures["first hover"] = median(hover_anew)
    figures["hover"] = median(lambda turn: canvas.row_at(QPointF(500 + turn, 400)))
    canvas.zoom(4)
    figures["zoomed pan"] = median(pan)
    canvas.fit()
    return figures


if __name__ == "__main__":
    main()

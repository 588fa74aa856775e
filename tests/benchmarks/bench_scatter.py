"""Point canvas and latent panel figures at 10,000, 100,000 and 1,000,000 points.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/bench_scatter.py

Times are medians in milliseconds and include the repaint of a window of 1000 x 800. Budgets at
1,000,000 points on two slow cores: a frame of a pan or a zoom under 50 (a sample of the points
while they move; `rest` is the one frame of all points that follows), a turn in space under 50, the
first hover after a move and each later one under 10, a lasso with the selection it makes under 200,
recolouring under 60. The last lines: 100,000 points with thumbnails near, and resident memory.
"""

import time
from collections.abc import Callable

import numpy as np
import psutil
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage, QPolygonF
from PySide6.QtWidgets import QApplication

from desktop_app.gui.latent.scatter import PointCanvas
from desktop_app.gui.theme import apply_theme, colour_map, current_theme

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 9
ANGLES = np.linspace(0, 2 * np.pi, 60)
LASSO = QPolygonF([QPointF(500 + 300 * np.cos(a), 400 + 250 * np.sin(a)) for a in ANGLES])


def main() -> None:
    """Print one line per size, then the line with thumbnails."""
    app = QApplication([])
    apply_theme(app, "dark")
    canvas = PointCanvas()
    canvas.resize(1000, 800)
    canvas.show()
    app.processEvents()
    before = megabytes()
    for size in SIZES:
        figures = measured(canvas, size, app) | {"MB": megabytes() - before}
        if size == SIZES[0]:
            print(f"{'points':>9} " + " ".join(f"{name:>11}" for name in figures) + "  ms")
        print(f"{size:>9,} " + " ".join(f"{figure:11.2f}" for figure in figures.values()))
    figures = with_thumbnails(canvas, 100_000, app)
    print("100,000 with thumbnails: ", end="")
    print(", ".join(f"{name} {figure:.2f}" for name, figure in figures.items()))
    print(f"resident {megabytes():.0f} MB")
    canvas.close()


def megabytes() -> float:
    """Return the resident set of this process."""
    return psutil.Process().memory_info().rss / 1e6


def places_of(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return clusters (n,) and places (n, 3) of a map of twelve clouds."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 12, size).astype(np.uint8)
    places = rng.normal(0, 3, (12, 3))[cluster] + rng.normal(0, 0.6, (size, 3))
    return cluster, places.astype(np.float32)


def timed(canvas: PointCanvas, app: QApplication, act: Callable[[int], object]) -> float:
    """Return the median time of an act with the repaint that follows, of which none is left out."""
    times = []
    for turn in range(REPEATS):
        start = time.perf_counter()
        act(turn)
        painted(canvas, app)
        times.append((time.perf_counter() - start) * 1000)
    return float(np.median(times))


def painted(canvas: PointCanvas, app: QApplication) -> None:
    """Paint what is new now: Qt would put some frames together."""
    app.processEvents()
    if canvas._dirty:
        canvas.viewport().repaint()


def measured(canvas: PointCanvas, size: int, app: QApplication) -> dict[str, float]:
    """Return milliseconds by what is done."""
    cluster, places = places_of(size)
    x, y, z = places.T
    heat = np.linspace(0, 255, size).astype(np.uint8)
    colours = ((cluster, current_theme().category_lut(12)), (heat, colour_map("viridis")))
    box = canvas.getViewBox()

    def pan(turn: int) -> None:
        canvas._move()  # what a drag with the mouse does first
        step = box.viewRect().width() * 0.01
        box.translateBy(x=step if turn % 2 else -step, y=0)

    def zoom(turn: int) -> None:
        canvas.zoom(1.1 if turn % 2 else 1 / 1.1)

    def rest(_turn: int) -> None:
        canvas._moving = True
        canvas._redraw(moved=True)
        canvas._placed = canvas._place(1.0)
        canvas._come_to_rest()
        canvas._redraw(moved=True)

    def hover_anew(turn: int) -> None:
        canvas._owner = None
        canvas.row_at(QPointF(500 + turn, 400))

    def lasso(turn: int) -> None:
        mask = np.zeros(size, bool)
        mask[canvas.rows_inside(LASSO.translated(turn, 0))] = True
        canvas.set_selection(mask)

    figures = {"set": timed(canvas, app, lambda _: canvas.set_points(x, y))}
    canvas.set_colours(*colours[0])
    painted(canvas, app)
    figures["pan"] = timed(canvas, app, pan)
    figures["zoom"] = timed(canvas, app, zoom)
    figures["rest"] = timed(canvas, app, rest)
    figures["recolour"] = timed(canvas, app, lambda turn: canvas.set_colours(*colours[turn % 2]))
    figures["lasso"] = timed(canvas, app, lasso)
    canvas.set_selection(np.zeros(size, bool))
    painted(canvas, app)
    figures["first hover"] = timed(canvas, app, hover_anew)
    figures["hover"] = timed(canvas, app, lambda turn: canvas.row_at(QPointF(500 + turn, 400)))
    canvas.zoom(4)
    figures["zoomed pan"] = timed(canvas, app, pan)
    canvas.set_points(x, y, z)
    canvas.fit()
    figures["turn"] = timed(canvas, app, lambda turn: canvas.turn(5, 2))
    canvas._come_to_rest()
    canvas.set_points(x, y)
    canvas.fit()
    return figures


def with_thumbnails(canvas: PointCanvas, size: int, app: QApplication) -> dict[str, float]:
    """Return milliseconds of a pan while points in sight are thumbnails, and of one far off."""
    cluster, places = places_of(size)
    canvas.set_points(places[:, 0], places[:, 1])
    canvas.set_colours(cluster, current_theme().category_lut(12))
    picture = QImage(128, 128, QImage.Format.Format_RGB32)
    picture.fill(QColor("orange"))
    canvas.set_pictures(lambda _row: picture)
    canvas.fit()
    painted(canvas, app)
    box = canvas.getViewBox()

    def pan(turn: int) -> None:
        canvas._move()
        step = box.viewRect().width() * 0.01
        box.translateBy(x=step if turn % 2 else -step, y=0)

    figures = {"pan far": timed(canvas, app, pan)}
    canvas.centre_on(0)
    while len(canvas._overlay._pictures) == 0:
        canvas.zoom(1.5)
        painted(canvas, app)
    figures["pan near"] = timed(canvas, app, pan)
    figures["thumbnails"] = float(len(canvas._overlay._pictures))
    return figures


if __name__ == "__main__":
    main()

"""Gallery figures: opening and scrolling 10,000 to 1,000,000 rows.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/bench_gallery.py

Each time includes the repaint of a window of 1280 x 860. Budgets (two slow cores): opening a
million rows under 50 ms, a step of the wheel under 16 ms.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from desktop_app.gui.library.gallery import GalleryView
from desktop_app.gui.library.items import GalleryItems, TileBadge, Verdict
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.theme import apply_theme, current_theme

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 20
VERDICTS: tuple[Verdict, ...] = ("", "normal", "anomalous", "unsure")


def main() -> None:
    """Print one line per size, times in milliseconds."""
    app = QApplication([])
    apply_theme(app, "dark")
    names = ("open", "wheel", "worst", "sort", "all")
    print(f"{'rows':>9} " + " ".join(f"{name:>7}" for name in names) + "  ms")
    for size in SIZES:
        figures = measured(size, app)
        print(f"{size:>9,} " + " ".join(f"{figure:7.1f}" for figure in figures))


def measured(size: int, app: QApplication) -> tuple[float, ...]:
    """Return milliseconds to open, of a wheel step (median, worst), to sort, to select all."""
    loader = ThumbnailLoader(photographs)
    view = GalleryView(loader)
    view.resize(1280, 860)
    view.show()
    app.processEvents()
    scores = np.random.default_rng(0).random(size)
    ids = np.arange(size, dtype=np.int64)
    items = GalleryItems(ids, lambda row: f"image_{row:07d}.png", badge, scores)
    order = np.argsort(scores)

    def scroll() -> None:
        bar = view.verticalScrollBar()
        bar.setValue(bar.value() + QApplication.wheelScrollLines() * bar.singleStep())

    opened = milliseconds(lambda: view.set_items(items), app)
    steps = []
    for _ in range(REPEATS):
        settle(app)
        steps.append(milliseconds(scroll, app))
    swapped = milliseconds(lambda: view.set_order(order), app)
    chosen = milliseconds(view.select_all, app)
    loader.close()
    view.close()
    return opened, float(np.median(steps)), max(steps), swapped, chosen


def photographs(ids: Sequence[int]) -> list[QImage]:
    """Return plain pictures at once."""
    made = []
    for image_id in ids:
        image = QImage(128, 96, QImage.Format.Format_RGB32)
        image.fill((image_id * 2654435761) & 0xFFFFFF)
        made.append(image)
    return made


def badge(row: int) -> TileBadge:
    """Return marks of every kind."""
    return TileBadge("good", current_theme().category(row % 5), VERDICTS[row % 4])


def milliseconds(act: Callable[[], object], app: QApplication) -> float:
    """Return how long an act and the repaint after it take."""
    start = time.perf_counter()
    act()
    app.processEvents()
    return (time.perf_counter() - start) * 1000


def settle(app: QApplication) -> None:
    """Let the thumbnails in sight arrive."""
    end = time.perf_counter() + 0.1
    while time.perf_counter() < end:
        app.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    main()

"""Gallery figures: opening and scrolling 10,000 to 1,000,000 rows.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/bench_gallery.py

Budgets (desktop of two slow cores): opening a million rows under 50 ms, a wheel step under 16 ms.
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from desktop_app.gui.library.gallery import GalleryView
from desktop_app.gui.library.items import GalleryItems, TileBadge
from desktop_app.gui.library.thumbnails import ThumbnailLoader
from desktop_app.gui.theme import apply_theme, current_theme

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 30


def main() -> None:
    """Print one line per size, times in milliseconds."""
    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, "dark")
    print(f"{'rows':>9} {'open':>7} {'wheel':>7} {'sort':>7} {'select all':>11} {'shift':>7}  ms")
    for size in SIZES:
        loader = ThumbnailLoader(_photographs)
        view = GalleryView(loader)
        view.resize(1280, 860)
        view.show()
        app.processEvents()
        rng = np.random.default_rng(0)
        items = GalleryItems(
            ids=np.arange(size, dtype=np.int64),
            caption=lambda row: f"image_{row:07d}.png",
            badge=_badge,
            scores=rng.random(size),
        )
        opened = _milliseconds(lambda: view.set_items(items), app)
        _settle(app)
        bar = view.verticalScrollBar()
        steps = [
            _milliseconds(lambda: bar.setValue(bar.value() + 3 * bar.singleStep()), app)
            for _ in range(REPEATS)
            if _settle(app)
        ]
        order = np.argsort(items.scores)
        swapped = _milliseconds(lambda: view.set_order(order), app)
        chosen = _milliseconds(view.select_all, app)
        ranged = _milliseconds(lambda: view._select_range(size - 1, False), app)
        wheel = float(np.median(steps))
        print(
            f"{size:>9,} {opened:7.1f} {wheel:7.1f} {swapped:7.1f} {chosen:11.1f} {ranged:7.1f}"
        )
        loader.close()
        view.close()


def _photographs(ids: Sequence[int]) -> list[QImage]:
    made = []
    for image_id in ids:
        image = QImage(128, 96, QImage.Format.Format_RGB32)
        image.fill((image_id * 2654435761) & 0xFFFFFF)
        made.append(image)
    return made


def _badge(row: int) -> TileBadge:
    verdict = ("", "normal", "anomalous", "unsure")[row % 4]
    return TileBadge("good", current_theme().category(row % 5), verdict)  # type: ignore[arg-type]


def _milliseconds(act: Callable[[], object], app: QApplication) -> float:
    start = time.perf_counter()
    act()
    app.processEvents()
    return (time.perf_counter() - start) * 1000


def _settle(app: QApplication) -> bool:
    """Let the thumbnails in sight arrive."""
    end = time.perf_counter() + 0.15
    while time.perf_counter() < end:
        app.processEvents()
        time.sleep(0.005)
    return True


if __name__ == "__main__":
    main()

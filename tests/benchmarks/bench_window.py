"""How long the window takes to open, and how long its event loop waits while a worker trains.

    QT_QPA_PLATFORM=offscreen python -m tests.benchmarks.bench_window

Opening is measured in fresh processes with a cached catalog, from the start of Python to the first
event that the shown window handles. The event loop is measured by a timer of 5 ms in a window that
shows the live training of a worker process that trains at full speed on all the cores it may use.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_OPENINGS = 5
_BEAT_MILLISECONDS = 5

_OPEN = """
import sys, time
from PySide6.QtCore import QTimer
from desktop_app.core.settings import Settings
from desktop_app.gui.application import application
from desktop_app.gui.workbench import Workbench
app = application(Settings())
window = Workbench()
window.show()
def shown():
    import psutil
    print(time.time() - psutil.Process().create_time(), "torch" in sys.modules)
    window.close()
    app.quit()
QTimer.singleShot(0, shown)
app.exec()
"""


def main() -> None:
    """Print both measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the training")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(prefix="loupe-bench-") as name:
        os.environ["LOUPE_HOME"] = name
        _print_openings()
        _print_gaps(Path(name), options.seconds)


def _print_openings() -> None:
    from desktop_app.core.catalog import refresh_catalog

    refresh_catalog()
    seconds = []
    for _ in range(_OPENINGS):
        output = subprocess.run(
            [sys.executable, "-c", _OPEN], capture_output=True, text=True, check=True
        ).stdout.split()
        seconds.append(float(output[-2]))
    shown = ", ".join(f"{value:.2f}" for value in seconds)
    print(f"window open after {np.median(seconds):.2f} s (median of {shown}); torch: {output[-1]}")


def _print_gaps(home: Path, seconds: float) -> None:
    from PySide6.QtCore import QTimer

    from desktop_app.core.runs import JobSpec
    from desktop_app.core.sample import write_sample
    from desktop_app.core.settings import Settings
    from desktop_app.core.workspace import Workspace
    from desktop_app.gui.application import application
    from desktop_app.gui.workbench import Workbench

    sample = write_sample(home / "sample")
    app = application(Settings())
    window = Workbench(Workspace(home / "workspace"))
    window.show()
    window.open_folder(sample)
    _run_until(app, lambda: len(window.session.table) > 0 and not _indexing(window))
    params = {"architecture": "dense", "epochs": 100_000, "batch_size": 8}
    spec = JobSpec(folder=str(sample), method="autoencoder", params=params, image_size=32)
    job = window.session.jobs.start(spec, "Autoencoder")
    _run_until(app, lambda: len(job.feed.curves) > 0)

    beats: list[float] = []
    timer = QTimer()
    timer.setInterval(_BEAT_MILLISECONDS)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start()
    for view in ("training", "map", "inspector", "gallery"):
        window.show_view(view)
        end = time.monotonic() + seconds / 4
        _run_until(app, lambda end=end: time.monotonic() > end)
    timer.stop()
    steps = len(job.feed.curves)
    job.kill()
    _run_until(app, lambda: not job.state.is_active)
    gaps = np.diff(beats) * 1000 - _BEAT_MILLISECONDS
    print(
        f"event loop while training ({steps} steps): worst wait {gaps.max():.0f} ms, "
        f"99 % under {np.percentile(gaps, 99):.1f} ms, median {np.median(gaps):.1f} ms"
    )
    window.close()


def _indexing(window: object) -> bool:
    indexing = window.session.indexing  # type: ignore[attr-defined]
    return indexing is None or indexing.is_running


def _run_until(app: object, happened: object, patience: float = 120.0) -> None:
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    look = QTimer()
    look.setInterval(20)
    end = time.monotonic() + patience
    look.timeout.connect(
        lambda: loop.quit() if happened() or time.monotonic() > end else None  # type: ignore[operator]
    )
    look.start()
    loop.exec()
    look.stop()


if __name__ == "__main__":
    main()

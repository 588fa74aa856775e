"""Fixtures of all tests: a home of its own, small image folders, nothing left behind."""

import faulthandler
import gc
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch start their threads

import psutil
import pytest

from desktop_app.core.settings import HOME_VARIABLE
from tests.folders import write_classes, write_mvtec
from tests.runs import dense_spec

if TYPE_CHECKING:
    from desktop_app.core.runs import Run

gc.disable()  # it collects on any thread; `no_leftovers` does so where widgets may be destroyed

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a test that names its own limit go on beyond the one of all others."""
    if item.get_closest_marker("timeout") is not None:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images beside the repository; the test is skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"The real images in '{SHARED_DATA}' are absent.")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def loupe_home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """An empty place for settings, caches and plugins; with a catalog where there is a window."""
    home = tmp_path_factory.mktemp("loupe home")
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    if {"qtbot", "qapp", "catalog"} & set(request.fixturenames):
        catalog = request.getfixturevalue("catalog_file")
        (home / "cache").mkdir()
        shutil.copy(catalog, home / "cache" / "catalog.json")
    return home


@pytest.fixture
def catalog(loupe_home: Path) -> Path:
    """A fresh cached catalog in the home of the test."""
    return loupe_home / "cache" / "catalog.json"


@pytest.fixture(scope="session")
def catalog_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the bundled plugins, described once by a process of its own."""
    from desktop_app.core.catalog import refresh_catalog

    home = tmp_path_factory.mktemp("catalog")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(home))
        refresh_catalog()
    return home / "cache" / "catalog.json"


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """24 grey images of 16 px in two classes; its name is as difficult as real ones are."""
    return write_classes(tmp_path / "批次 7 🍪")


@pytest.fixture
def mvtec_folder(tmp_path: Path) -> Path:
    """12 good images to train on, 10 to test of which 6 have a defect and a mask; 16 px, grey."""
    return write_mvtec(tmp_path / "MVTec 铝板 🔩")


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a tiny autoencoder on the images that `mvtec_folder` writes."""
    from desktop_app.core.runs import Run
    from desktop_app.worker.training import train

    folder = write_mvtec(tmp_path_factory.mktemp("trained") / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(folder.with_name("home")))
        run = Run.create(folder.with_name("run"), dense_spec(folder, params={"epochs": 150}))
        train(run)
    return run.path


@pytest.fixture
def trained_run(trained_once: Path, mvtec_folder: Path, tmp_path: Path) -> "Run":
    """A finished run on `mvtec_folder` in a folder of its own."""
    from desktop_app.core.runs import Run

    run = Run(shutil.copytree(trained_once, tmp_path / "训练 🏁"))
    run.write_spec(run.spec().model_copy(update={"folder": str(mvtec_folder)}))
    return run


@pytest.fixture
def write_plugin(loupe_home: Path) -> Callable[[str, str], Path]:
    """Return a function that puts a single-file plugin into the user's plugin folder."""

    def write(name: str, source: str) -> Path:
        path = loupe_home / "data" / "plugins" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return path

    return write


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Give torch one thread again after a test that let it have more."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_leftovers(request: pytest.FixtureRequest, loupe_home: Path) -> Iterator[None]:
    """Fail a test that leaves a process, a thread, a timer or a top-level widget behind."""
    processes, threads = _children(), _threads()
    widgets, timers = _widgets(), _timers()
    yield
    request.node.funcargs.clear()  # widgets that the test was given hold others alive
    left = _until_none(
        lambda: [
            *(f"process {child.pid}" for child in _children() - processes),
            *(f"thread '{thread.name}'" for thread in _threads() - threads),
            *(f"widget {name}" for key, name in _widgets().items() if key not in widgets),
            *(f"timer {name}" for key, name in _timers().items() if key not in timers),
        ]
    )
    for child in _children() - processes:
        child.kill()
    _collect_when_due()
    if left:
        pytest.fail("Left behind: " + ", ".join(sorted(left)))


def _until_none(find: Callable[[], list[str]], seconds: float = 5.0) -> list[str]:
    """Return what is found after waiting until nothing is; threads and processes need a moment."""
    deadline, collected = time.monotonic() + seconds, False
    while left := find():
        if time.monotonic() > deadline:
            break
        _process_events()
        if not collected:  # after the widgets are gone: what they held in cycles is free now
            gc.collect()
            collected = True
        time.sleep(0.02)
    return left


def _collect_when_due() -> None:
    """Free what is held in cycles as often as Python does by itself, but on this thread."""
    due = [count > most for count, most in zip(gc.get_count(), gc.get_threshold(), strict=True)]
    if due[0]:
        gc.collect(2 if all(due) else 1 if due[1] else 0)


def _children() -> set[psutil.Process]:
    return {
        child
        for child in psutil.Process().children(recursive=True)
        if child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    }


def _threads() -> set[threading.Thread]:
    """Return the running threads; the one that watches all progress bars ends with the process."""
    return {thread for thread in threading.enumerate() if type(thread).__name__ != "TMonitor"}


def _widgets() -> dict[int, str]:
    """Return the top-level widgets by address; those that Qt keeps for itself are left out."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return {}
    import shiboken6

    return {
        shiboken6.getCppPointer(widget)[0]: f"{type(widget).__name__} '{widget.objectName()}'"
        for widget in widgets.QApplication.topLevelWidgets()
        if widget.metaObject().className() not in _QT_OWN_WIDGETS
    }


_QT_OWN_WIDGETS = {"QTipLabel", "QDesktopWidget", "QComboBoxPrivateContainer"}


def _timers() -> dict[int, str]:
    """Return the running timers by address."""
    core = sys.modules.get("PySide6.QtCore")
    if core is None or core.QCoreApplication.instance() is None:
        return {}
    import shiboken6

    return {
        shiboken6.getCppPointer(timer)[0]: f"of {timer.parent()!r}"
        for timer in shiboken6.getAllValidWrappers()
        if isinstance(timer, core.QTimer) and timer.isActive()
    }


def _process_events() -> None:
    """Let Qt delete what was asked to be deleted later."""
    core = sys.modules.get("PySide6.QtCore")
    if core is None or core.QCoreApplication.instance() is None:
        return
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete.value)
    core.QCoreApplication.processEvents()


@pytest.fixture(autouse=True, scope="module")
def imports_are_no_garbage() -> None:
    """Keep what was imported for a file of tests out of later collections: a third of a second."""
    gc.collect()
    gc.freeze()

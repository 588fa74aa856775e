from pathlib import Path

import pytest

from tests.architecture.blocking import QT, ROOT, TORCH, output_without

IMPORT_ALL = """
import importlib, pkgutil
for top in {packages!r}:
    package = importlib.import_module(top)
    names = [module.name for module in pkgutil.walk_packages(package.__path__, top + ".")]
    for name in [*names]:
        importlib.import_module(name)
    print(top, len(names))
"""


def test_the_contract_and_the_core_start_without_torch_and_qt() -> None:
    packages = ["desktop_app.sdk", "desktop_app.core"]

    out = output_without((*TORCH, *QT), IMPORT_ALL.format(packages=packages))

    assert [line.split()[0] for line in out.splitlines()] == packages


def test_every_bundled_plugin_loads_where_qt_is_blocked() -> None:
    bundled = sorted(path.parent.name for path in ROOT.glob("plugins/*/__init__.py"))

    out = output_without(
        QT,
        "from desktop_app.core.plugins import load_plugin, plugin_sources\n"
        "for source in plugin_sources():\n"
        "    if source.kind == 'bundled':\n"
        "        print(source.id, *[kind.card.id for kind in load_plugin(source).methods()])\n",
    )

    assert out.splitlines() == [f"{name} {name}" for name in bundled]
    assert {"autoencoder", "vae", "pca", "patch_memory"} <= set(bundled)


def test_the_worker_and_the_toolbox_start_without_qt() -> None:
    packages = ["desktop_app.toolbox", "desktop_app.worker"]

    out = output_without(QT, IMPORT_ALL.format(packages=packages))

    assert [line.split()[0] for line in out.splitlines()] == packages


WINDOW = """
import time
from pathlib import Path
from PySide6.QtWidgets import QApplication
from desktop_app.gui.workbench import Workbench

application = QApplication([])
window = Workbench()
window.show()
application.processEvents()
print("empty", window.session.folder is None)
window.open_folder(Path({folder!r}))
deadline = time.monotonic() + 30
while time.monotonic() < deadline and not len(window.session.table):
    application.processEvents()
cards = window.method.gallery.cards()
print("cards", *sorted(card.info.id for card in cards if card.isVisible()))
print("images", len(window.session.table))
print("torch", "torch" in sys.modules)
window.close()
application.processEvents()
"""


@pytest.mark.usefixtures("catalog")
def test_the_window_opens_and_shows_the_gallery_where_torch_is_blocked(image_folder: Path) -> None:
    script = IMPORT_ALL.format(packages=["desktop_app.gui"])

    out = output_without(TORCH, script + WINDOW.format(folder=str(image_folder)))

    told = dict(line.split(" ", 1) for line in out.splitlines())
    assert told["empty"] == "True"
    assert set(told["cards"].split()) >= {"autoencoder", "vae", "pca", "patch_memory"}
    assert told["images"] == "24"
    assert told["torch"] == "False"

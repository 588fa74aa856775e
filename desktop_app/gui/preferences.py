"""What the analyst prefers, in the same kind of form as the parameters of a method."""

from typing import Any

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from desktop_app.core.settings import Settings
from desktop_app.gui.form import ParameterForm
from desktop_app.gui.i18n import LANGUAGES, tr
from desktop_app.gui.theme import SPACE

_WIDTH = 460


class Preferences(QDialog):
    """Asks for the preferences; `settings` is what came out."""

    def __init__(self, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Preferences"))
        self.setMinimumWidth(_WIDTH)
        self._settings = settings
        schema = _schema()
        self.form = ParameterForm(schema)
        self.form.set_values({field["name"]: getattr(settings, field["name"]) for field in schema})
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        confirm = buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.form.valid_changed.connect(confirm.setEnabled)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.l)
        column.setSpacing(SPACE.l)
        column.addWidget(self.form)
        column.addWidget(buttons)

    def settings(self) -> Settings:
        """Return the settings with what was chosen."""
        return self._settings.changed(**self.form.values())


def _schema() -> list[dict[str, Any]]:
    """Return the fields in the form of `sdk.params.parameter_schema`."""
    return [
        _choice(
            "theme",
            tr("Theme"),
            {"system": tr("As the desktop"), "dark": tr("Dark"), "light": tr("Light")},
            tr("Dark, light, or as the desktop is."),
        ),
        _choice(
            "language",
            tr("Language"),
            {"system": tr("As the desktop"), **LANGUAGES},
            tr("Language of the window; it changes at the next start."),
        ),
        _choice(
            "device",
            tr("Device"),
            {"auto": tr("Auto"), "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Metal)"},
            tr("Where methods compute unless a run says otherwise."),
        ),
        _choice(
            "runner",
            tr("Jobs run in"),
            {"process": tr("Worker process"), "thread": tr("Window thread")},
            tr("Worker process for each job, or a thread of the window for debugging plugins."),
        ),
        _count(
            "torch_threads",
            tr("Computing threads"),
            (0, 1024, 0),
            tr("Threads of a worker; 0 leaves one core free."),
        ),
        _count(
            "decoding_threads",
            tr("Decoding threads"),
            (1, 64, 2),
            tr("Threads that decode images."),
        ),
    ]


def _choice(name: str, label: str, choices: dict[str, str], text: str) -> dict[str, Any]:
    first = next(iter(choices))
    shown = {"choices": list(choices), "choice_texts": choices}
    return _field(name, label, "choice", first, text) | shown


def _count(name: str, label: str, limits: tuple[int, int, int], text: str) -> dict[str, Any]:
    low, high, default = limits
    return _field(name, label, "int", default, text) | {"low": low, "high": high}


def _field(name: str, label: str, kind: str, default: Any, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "kind": kind,
        "default": default,
        "low": None,
        "high": None,
        "unit": "",
        "scale": "linear",
        "choices": [],
        "help": text,
        "advanced": False,
    }

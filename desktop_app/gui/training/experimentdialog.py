"""What an experiment would train, shown before its runs are queued."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from desktop_app.gui.form import common_label
from desktop_app.gui.i18n import term, tr
from desktop_app.gui.theme import SPACE, set_kind, set_role
from desktop_app.gui.widgets import named
from desktop_app.gui.wording import spoken


class ExperimentDialog(QDialog):
    """The name and idea of an experiment, its variants, and a button that queues them."""

    def __init__(
        self, experiment: Mapping[str, Any], texts: Mapping[str, str], parent: QWidget
    ) -> None:
        """`texts` are the translations of the method."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        name = str(experiment["name"])
        variants: Mapping[str, Mapping[str, Any]] = experiment["variants"]
        title = QLabel(experiment_words(name, texts), wordWrap=True)
        set_role(title, "title")
        said = experiment_summary(experiment, texts)
        summary = QLabel(said, wordWrap=True)
        set_role(summary, "secondary")
        note = QLabel(
            tr("All else stays as it is in the form. The runs are trained one after another."),
            wordWrap=True,
        )
        set_role(note, "caption")
        self.setWindowTitle(title.text())
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.start_button = buttons.button(QDialogButtonBox.StandardButton.Ok)
        words = tr("Queue {n} runs", n=len(variants))
        self.start_button.setText(words)
        named(self.start_button, words, tr("Train each variant as a run of its own"))
        set_kind(self.start_button, "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.l)
        column.setSpacing(SPACE.m)
        column.addWidget(title)
        column.addWidget(summary)
        column.addLayout(_table(variants, texts))
        column.addWidget(note)
        column.addStretch()
        column.addWidget(buttons)
        self.setMinimumWidth(420)


def experiment_words(name: str, texts: Mapping[str, str]) -> str:
    """Return what a button for an experiment says, without the three dots."""
    shown = texts.get(f"experiment.{name}") or term(name, texts)
    return tr("Compare {name}", name=shown[:1].lower() + shown[1:])


def experiment_summary(experiment: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Return what the comparison of an experiment shows, one sentence."""
    own = texts.get(f"experiment.{experiment['name']}.help")
    return own or term(str(experiment["summary"]), texts)


def _table(variants: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(SPACE.l)
    grid.setVerticalSpacing(SPACE.xs)
    for row, (name, values) in enumerate(variants.items()):
        changes = [
            f"{texts.get(key) or common_label(key) or term(spoken(key), texts)} {value}"
            for key, value in values.items()
        ]
        what = QLabel(", ".join(changes), wordWrap=True)
        set_role(what, "secondary")
        grid.addWidget(QLabel(term(name, texts)), row, 0)
        grid.addWidget(what, row, 1)
    grid.setColumnStretch(1, 1)
    return grid

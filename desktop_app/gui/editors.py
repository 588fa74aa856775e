"""One editor per kind of parameter: what is edited, what is wrong with it, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QSlider,
    QToolButton,
    QWidget,
)

from desktop_app.gui.i18n import tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.numberbox import NumberBox, NumberScale
from desktop_app.gui.theme import SPACE, set_tone
from desktop_app.gui.widgets import ChoiceField, Segment, Segmented, named

RunChoices = Callable[[], Sequence[tuple[str, str]]]
"""Returns (path, title) of the trained runs that can be chosen."""

_NUMBER_WIDTHS = (104, 132)
"""Of a box, at least and at most; what is longer is cut off behind the number."""
_MOST_SEGMENTS = 3
_SEGMENTS_ROOM, _SEGMENT_PADDING = 176, 20  # logical pixels


@dataclass(frozen=True)
class Wording:
    """What the parameter is called and what its tool tip says."""

    name: str
    tip: str


class Editor(QWidget):
    """Edits one plain value."""

    edited = Signal()
    """The analyst changed something."""

    def __init__(self) -> None:
        super().__init__()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(SPACE.s)

    def value(self) -> Any:
        """Return the plain value; only meaningful without a problem."""
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show a value without telling anybody."""
        raise NotImplementedError

    def problem(self) -> str:
        """Return what is wrong as a sentence; empty when the value can be used."""
        return ""

    def show_tone(self, wrong: bool) -> None:
        """Outline the input in the colour of its problem."""


class NumberEditor(Editor):
    """A box and, where the range has two ends, a slider."""

    def __init__(self, field: Mapping[str, Any], wording: Wording) -> None:
        super().__init__()
        scale = NumberScale(
            field.get("low"),
            field.get("high"),
            field["kind"] == "int",
            field.get("scale") == "log",
        )
        self._scale = scale
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, scale.slider_steps)
        self.slider.setPageStep(max(1, scale.slider_steps // 10))
        self.slider.setVisible(scale.is_bounded)
        self.slider.wheelEvent = lambda event: event.ignore()  # type: ignore[method-assign]
        self.box = NumberBox(scale, field.get("default") or 0, unit=_unit(field))
        least, most = _NUMBER_WIDTHS
        self.box.setFixedWidth(min(max(least, self.box.sizeHint().width()), most))
        named(self.slider, tr("{name}, slider", name=wording.name), wording.tip)
        named(self.box, wording.name, wording.tip)
        self._row.addWidget(self.slider, 1)
        if not scale.is_bounded:
            self._row.addStretch(1)
        self._row.addWidget(self.box)
        self.setFocusProxy(self.box)
        self.slider.valueChanged.connect(self._slide)
        self.box.edited.connect(self._type)
        self.set_value(field.get("default") or 0)

    def value(self) -> float | int | None:
        """Return the number."""
        return self.box.value()

    def set_value(self, value: Any) -> None:
        """Show a number."""
        self.box.set_value(value)
        self._follow()

    def problem(self) -> str:
        """Return what the box complains about."""
        return self.box.problem()

    def show_tone(self, wrong: bool) -> None:
        """Outline the box."""
        set_tone(self.box, "bad" if wrong else "")

    def _slide(self, step: int) -> None:
        self.box.set_value(self._scale.value(step / self.slider.maximum()))
        self.edited.emit()

    def _type(self) -> None:
        self._follow()
        self.edited.emit()

    def _follow(self) -> None:
        value = self.box.value()
        if value is not None and self._scale.is_bounded:
            with QSignalBlocker(self.slider):
                self.slider.setValue(round(self._scale.share(value) * self.slider.maximum()))


class SwitchEditor(Editor):
    """A check box for yes or no."""

    def __init__(self, field: Mapping[str, Any], wording: Wording) -> None:
        super().__init__()
        self.check = named(QCheckBox(), wording.name, wording.tip)
        self._row.addWidget(self.check)
        self._row.addStretch()
        self.setFocusProxy(self.check)
        self.set_value(field.get("default"))
        self.check.clicked.connect(lambda _on: self.edited.emit())

    def value(self) -> bool:
        """Return whether it is checked."""
        return self.check.isChecked()

    def set_value(self, value: Any) -> None:
        """Check or clear the box."""
        self.check.setChecked(bool(value))


class ChoiceEditor(Editor):
    """Few short choices side by side, more of them in a list."""

    def __init__(self, field: Mapping[str, Any], wording: Wording) -> None:
        super().__init__()
        self._values = list(field.get("choices", ()))
        texts = field.get("choice_texts", {})
        words = [str(texts.get(value, value)) for value in self._values]
        metrics = self.fontMetrics()
        room = sum(metrics.horizontalAdvance(word) + _SEGMENT_PADDING for word in words)
        few = len(words) <= _MOST_SEGMENTS and room <= _SEGMENTS_ROOM
        keys = [str(place) for place in range(len(words))]
        self.choices: Segmented | ChoiceField
        if few:
            segments = [Segment(key, word) for key, word in zip(keys, words, strict=True)]
            self.choices = named(Segmented(wording.name, segments), wording.name, wording.tip)
            self._row.addWidget(self.choices)
            self._row.addStretch()
            self.setFocusProxy(self.choices.button(keys[0]))
        else:
            pairs = list(zip(keys, words, strict=True))
            self.choices = ChoiceField(wording.name, pairs, wording.tip)
            self._row.addWidget(self.choices, 1)
            self.setFocusProxy(self.choices)
        self.set_value(field.get("default"))
        self.choices.chosen.connect(lambda _key: self.edited.emit())

    def value(self) -> Any:
        """Return the chosen value, of the type that the schema gave."""
        return self._values[int(self.choices.choice())]

    def set_value(self, value: Any) -> None:
        """Choose a value; one that is not offered is ignored."""
        if value in self._values:
            with QSignalBlocker(self.choices):
                self.choices.choose(str(self._values.index(value)))


class TextEditor(Editor):
    """A line of text; an empty one means the default where that is nothing."""

    def __init__(self, field: Mapping[str, Any], wording: Wording) -> None:
        super().__init__()
        self._nothing = field.get("default") if not field.get("default") else ""
        self.line = named(QLineEdit(), wording.name, wording.tip)
        self._row.addWidget(self.line, 1)
        self.setFocusProxy(self.line)
        self.set_value(field.get("default"))
        self.line.textEdited.connect(lambda _text: self.edited.emit())

    def value(self) -> Any:
        """Return the text."""
        return self.line.text().strip() or self._nothing

    def set_value(self, value: Any) -> None:
        """Show a text."""
        self.line.setText("" if value is None else str(value))

    def show_tone(self, wrong: bool) -> None:
        """Outline the line."""
        set_tone(self.line, "bad" if wrong else "")


class FileEditor(TextEditor):
    """The path of a file: typed, looked for, or dropped."""

    def __init__(self, field: Mapping[str, Any], wording: Wording) -> None:
        super().__init__(field, wording)
        self._filter = str(field.get("filter", ""))
        self._name = wording.name
        self.line.setPlaceholderText(tr("None: drop a file here"))
        self.browse = named(QToolButton(), tr("Browse for {name}", name=wording.name))
        set_icon(self.browse, "folder-open")
        self.browse.clicked.connect(self._browse)
        self._row.addWidget(self.browse)
        self.line.setAcceptDrops(False)
        self.setAcceptDrops(True)

    def problem(self) -> str:
        """Say when there is no such file."""
        words = self.line.text().strip()
        if words and not Path(words).expanduser().is_file():
            return tr("There is no file '{path}'.", path=words)
        return ""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the first file."""
        path = _dropped(event)
        if path:
            self._take(path)
            event.acceptProposedAction()

    def _browse(self) -> None:
        start = str(Path(self.line.text()).parent) if self.line.text() else ""
        path, _ = QFileDialog.getOpenFileName(self, self._name, start, self._filter)
        if path:
            self._take(path)

    def _take(self, path: str) -> None:
        self.line.setText(path)
        self.edited.emit()


class RunEditor(Editor):
    """A trained run: one of the workspace, or a run folder from elsewhere."""

    def __init__(self, field: Mapping[str, Any], wording: Wording, runs: RunChoices) -> None:
        super().__init__()
        self._runs = runs
        self._nothing = field.get("default") if not field.get("default") else ""
        self._elsewhere: list[tuple[str, str]] = []
        self.choices = ChoiceField(wording.name, (), wording.tip)
        self.browse = named(QToolButton(), tr("Browse for a run folder"))
        set_icon(self.browse, "folder-open")
        self._row.addWidget(self.choices, 1)
        self._row.addWidget(self.browse)
        self.setFocusProxy(self.choices)
        self.setAcceptDrops(True)
        self.refresh()
        self.set_value(field.get("default"))
        self.choices.chosen.connect(lambda _key: self.edited.emit())
        self.browse.clicked.connect(self._browse)

    def refresh(self) -> None:
        """Offer the runs that are there now; what was chosen stays chosen."""
        chosen = self.choices.choice()
        known = dict([*self._runs(), *self._elsewhere])
        if chosen:
            known.setdefault(chosen, Path(chosen).name)
        self.choices.set_choices([("", tr("None")), *known.items()])
        self.choices.choose(chosen)

    def value(self) -> Any:
        """Return the path of the run folder."""
        return self.choices.choice() or self._nothing

    def set_value(self, value: Any) -> None:
        """Choose a run folder, one of the workspace or not."""
        path = str(value or "")
        if path and path not in dict(self._runs()):
            self._elsewhere = [(path, Path(path).name)]
            self.refresh()
        self.choices.choose(path)

    def problem(self) -> str:
        """Say when the folder is no run."""
        path = self.choices.choice()
        if path and not (Path(path) / "spec.json").is_file():
            return tr("'{path}' is not a run folder: choose one with a spec.json.", path=path)
        return ""

    def show_tone(self, wrong: bool) -> None:
        """Outline the list."""
        set_tone(self.choices, "bad" if wrong else "")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take folders."""
        if _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the first folder."""
        path = _dropped(event)
        if path:
            self._take(path)
            event.acceptProposedAction()

    def _browse(self) -> None:
        path = QFileDialog.getExistingDirectory(self, tr("Run folder"), self.choices.choice())
        if path:
            self._take(path)

    def _take(self, path: str) -> None:
        self.set_value(path)
        self.edited.emit()


def editor(field: Mapping[str, Any], wording: Wording, runs: RunChoices) -> Editor:
    """Return the editor for the kind of a field; a line of text for a kind that is unknown."""
    kind = str(field["kind"])
    if kind == "run":
        return RunEditor(field, wording, runs)
    return _EDITORS.get(kind, TextEditor)(field, wording)


_EDITORS: dict[str, Callable[[Mapping[str, Any], Wording], Editor]] = {
    "int": NumberEditor,
    "float": NumberEditor,
    "bool": SwitchEditor,
    "choice": ChoiceEditor,
    "text": TextEditor,
    "file": FileEditor,
}


def _unit(field: Mapping[str, Any]) -> str:
    """Return the unit of a number, translated where it is a common one."""
    unit = str(field.get("unit", ""))
    return {"images": tr("images"), "steps": tr("steps")}.get(unit, unit)


def _dropped(event: QDropEvent) -> str:
    urls = event.mimeData().urls()
    return urls[0].toLocalFile() if urls else ""

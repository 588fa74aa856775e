"""A form made from a parameter schema: methods and preferences alike.

    form = ParameterForm(info.parameters, runs=trained_runs)
    form.changed.connect(...)
    form.values()  # plain JSON values

A field of the schema is a dict as `sdk.params.parameter_schema` makes it. Optional further keys:
`label` (else the name as words), `choice_texts` (value -> shown text), `filter` (of a file dialog).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.gui.editors import Editor, RunChoices, RunEditor, Wording, editor
from desktop_app.gui.i18n import term, tr
from desktop_app.gui.icons import set_icon
from desktop_app.gui.numberbox import NumberScale
from desktop_app.gui.theme import SPACE, set_role, set_tone
from desktop_app.gui.widgets import CollapsibleSection, ElidedLabel, SectionHeader, named
from desktop_app.gui.wording import spoken

_LABEL_WIDTH = 106
_RESET_WIDTH = 22


class ParameterRow(QWidget):
    """A label, its editor, a way back to the default, and the sentence about what is wrong."""

    changed = Signal()

    def __init__(self, field: Mapping[str, Any], texts: Mapping[str, str], runs: RunChoices):
        super().__init__()
        name = str(field["name"])
        words = texts.get(name) or str(field.get("label") or "") or common_label(name)
        self.words = words or term(spoken(name), texts)
        self.explanation = texts.get(f"{name}.help") or term(
            _common_help(str(field["help"])), texts
        )
        self.default = field.get("default")
        self._label = ElidedLabel(self.words, Qt.TextElideMode.ElideRight)
        tip = _tip(field, self.explanation)
        self._label.setToolTip(tip)
        self.editor: Editor = editor(field, Wording(self.words, tip), runs)
        self.reset_button = named(
            QToolButton(),
            tr("Reset {name}", name=self.words),
            tr("Back to the default: {value}", value=_shown(field)),
        )
        set_icon(self.reset_button, "undo", "text_secondary")
        self.reset_button.setFixedWidth(_RESET_WIDTH)
        self._help = QLabel(self.explanation, wordWrap=True)
        self._problem = QLabel(wordWrap=True)
        set_role(self._help, "caption")
        set_role(self._problem, "caption")
        set_tone(self._problem, "bad")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE.s)
        grid.setVerticalSpacing(0)
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self._label, 1)
        head.addWidget(self.reset_button)
        grid.addLayout(head, 0, 0)
        grid.addWidget(self.editor, 0, 1)
        grid.addWidget(self._problem, 1, 0, 1, 2)
        grid.addWidget(self._help, 2, 0, 1, 2)
        grid.setColumnMinimumWidth(0, _LABEL_WIDTH)
        grid.setColumnStretch(1, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.editor.edited.connect(self._edit)
        self.reset_button.clicked.connect(self.reset)
        self._judge()

    def value(self) -> Any:
        """Return the plain value."""
        return self.editor.value()

    def set_value(self, value: Any) -> None:
        """Show a value without telling anybody."""
        self.editor.set_value(value)
        self._judge()

    def reset(self) -> None:
        """Go back to the default."""
        self.editor.set_value(self.default)
        self._edit()

    def problem(self) -> str:
        """Return what is wrong; empty when the value can be used."""
        return self.editor.problem()

    def is_default(self) -> bool:
        """Tell whether nothing was changed."""
        return not self.problem() and bool(self.value() == self.default)

    def set_help_visible(self, visible: bool) -> None:
        """Show or hide the explanation below the field; the tool tip always has it."""
        self._help.setVisible(visible and bool(self.explanation))

    def _edit(self) -> None:
        self._judge()
        self.changed.emit()

    def _judge(self) -> None:
        problem = self.problem()
        self._problem.setText(problem)
        self._problem.setVisible(bool(problem))
        self.editor.setAccessibleDescription(problem)
        self.editor.show_tone(bool(problem))
        default = self.is_default()
        self.reset_button.setVisible(not default)
        set_tone(self._label, "" if default else "accent")


class ParameterForm(QWidget):
    """All parameters of a schema, the advanced ones folded away."""

    changed = Signal()
    """The analyst changed a value."""
    valid_changed = Signal(bool)
    """Carries whether every value can be used."""

    def __init__(
        self,
        schema: Sequence[Mapping[str, Any]] = (),
        *,
        title: str = "",
        texts: Mapping[str, str] | None = None,
        runs: RunChoices = lambda: (),
        parent: QWidget | None = None,
    ) -> None:
        """`texts` translates: parameter name -> label, "name.help" -> explanation."""
        super().__init__(parent)
        self._rows: dict[str, ParameterRow] = {}
        self._valid = True
        self._runs = runs
        self._explained = True
        self._header = SectionHeader(title or tr("Parameters"))
        self._reset = named(
            QToolButton(), tr("Reset all"), tr("All parameters back to their defaults")
        )
        set_icon(self._reset, "undo", "text_secondary")
        self._reset.clicked.connect(self.reset)
        self._explain = named(QToolButton(), tr("Explain"), tr("Explain every parameter"))
        self._explain.setCheckable(True)
        self._explain.setChecked(True)
        set_icon(self._explain, "help", "text")
        self._explain.toggled.connect(self.set_help_visible)
        self._header.add_tool(self._reset)
        self._header.add_tool(self._explain)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(SPACE.s)
        self._column.addWidget(self._header)
        self._body: QWidget | None = None
        self._advanced: CollapsibleSection | None = None
        self.set_schema(schema, texts)

    def set_schema(
        self, schema: Sequence[Mapping[str, Any]], texts: Mapping[str, str] | None = None
    ) -> None:
        """Replace the whole form."""
        if self._body is not None:
            self._column.removeWidget(self._body)
            self._body.hide()
            self._body.deleteLater()
        self._rows = {
            str(field["name"]): ParameterRow(field, texts or {}, self._runs) for field in schema
        }
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(SPACE.s)
        advanced = [str(field["name"]) for field in schema if field.get("advanced")]
        for name, row in self._rows.items():
            row.set_help_visible(self._explained)
            row.changed.connect(self._change)
            if name not in advanced:
                body.addWidget(row)
        self._advanced = self._folded(advanced) if advanced else None
        if self._advanced is not None:
            body.addWidget(self._advanced)
        self._column.addWidget(self._body)
        self._header.setVisible(bool(self._rows))
        self._judge()

    def values(self) -> dict[str, Any]:
        """Return name -> plain JSON value of all parameters; only meaningful when valid."""
        return {name: row.value() for name, row in self._rows.items()}

    def changed_values(self) -> dict[str, Any]:
        """Return the values that differ from their defaults."""
        return {name: row.value() for name, row in self._rows.items() if not row.is_default()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show these values; names that the form does not have are passed over."""
        for name, value in values.items():
            if name in self._rows:
                self._rows[name].set_value(value)
        self._judge()

    def reset(self) -> None:
        """Put every parameter back to its default."""
        for row in self._rows.values():
            row.set_value(row.default)
        self._change()

    def problems(self) -> dict[str, str]:
        """Return name -> sentence of the values that cannot be used."""
        told = {name: row.problem() for name, row in self._rows.items()}
        return {name: sentence for name, sentence in told.items() if sentence}

    def is_valid(self) -> bool:
        """Tell whether every value can be used."""
        return not self.problems()

    def row(self, name: str) -> ParameterRow:
        """Return the row of a parameter; raises KeyError."""
        return self._rows[name]

    def set_help_visible(self, visible: bool) -> None:
        """Show or hide the explanations."""
        self._explained = visible
        self._explain.setChecked(visible)
        for row in self._rows.values():
            row.set_help_visible(visible)

    def refresh_runs(self) -> None:
        """Offer the runs that are there now."""
        for row in self._rows.values():
            if isinstance(row.editor, RunEditor):
                row.editor.refresh()

    def focus_problem(self) -> None:
        """Put the cursor into the first field that cannot be used."""
        for name in self.problems():
            self._rows[name].editor.setFocus()
            return

    def _folded(self, names: Sequence[str]) -> CollapsibleSection:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        for name in names:
            column.addWidget(self._rows[name])
        return CollapsibleSection(tr("Advanced"), content, expanded=False)

    def _change(self) -> None:
        self._judge()
        self.changed.emit()

    def _judge(self) -> None:
        count = len(self.changed_values())
        self._header.set_remark(tr("{n} changed", n=count) if count else "")
        self._reset.setVisible(count > 0)
        problems = self.problems()
        if self._advanced is not None and any(
            self._advanced.isAncestorOf(self._rows[name]) for name in problems
        ):
            self._advanced.set_expanded(True)
        valid = not problems
        if valid != self._valid:
            self._valid = valid
            self.valid_changed.emit(valid)


def common_label(name: str) -> str:
    """Return the label of a parameter that every trained method has."""
    return {
        "epochs": tr("Epochs"),
        "least_steps": tr("Least steps"),
        "batch_size": tr("Batch size"),
        "learning_rate": tr("Learning rate"),
    }.get(name, "")


def _common_help(said: str) -> str:
    """Translate the explanations that every trained method shares."""
    known = {
        "Passes over the images.": tr("Passes over the images."),
        "Images per optimiser step.": tr("Images per optimiser step."),
        "Step size of the optimiser.": tr("Step size of the optimiser."),
        "Small folders are passed over more often, until this many optimiser steps.": tr(
            "Small folders are passed over more often, until this many optimiser steps."
        ),
    }
    return known.get(said, said)


def _tip(field: Mapping[str, Any], explanation: str) -> str:
    """Return explanation, range and default as a tool tip."""
    lines = [explanation] if explanation else []
    if field["kind"] in ("int", "float"):
        scale = NumberScale(field.get("low"), field.get("high"), field["kind"] == "int")
        lines += [scale.sentence()] if scale.sentence() else []
    lines.append(tr("Default: {value}", value=_shown(field)))
    return "\n".join(lines)


def _shown(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    if isinstance(default, bool):
        return tr("on") if default else tr("off")
    if default in (None, ""):
        return tr("none")
    if isinstance(default, float):
        return f"{default:.6g}"
    return str(field.get("choice_texts", {}).get(default, default))

"""The form that is made from a schema."""

from pathlib import Path
from typing import Any, Literal

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop_app.gui.editors import FileEditor, NumberEditor, RunEditor
from desktop_app.gui.form import ParameterForm
from desktop_app.gui.numberbox import NumberScale
from desktop_app.sdk.params import TrainingParams, param, parameter_schema


class AllKinds(TrainingParams):
    architecture: Literal["dense", "conv"] = param("conv", help="Kind of network.")
    levels: Literal[1, 2, 4, 8] = param(2, help="Number of levels.")
    beta: float = param(1.0, low=0, high=50, help="Weight.")
    share: float = param(0.25, low=0, high=1, unit="of the side", help="Side of squares.")
    augment: bool = param(True, help="Flip images.")
    note: str = param("", help="Any text.")
    weights: str = param("", kind="file", help="A weight file.")
    encoder: str = param("", kind="run", help="A trained run.")


SCHEMA = parameter_schema(AllKinds)


@pytest.fixture
def form(qtbot: QtBot) -> ParameterForm:
    form = ParameterForm(SCHEMA, runs=lambda: [("/runs/1", "Encoder of Tuesday")])
    qtbot.addWidget(form)
    form.show()
    return form


def type_into(form: ParameterForm, name: str, text: str) -> None:
    editor = form.row(name).editor
    assert isinstance(editor, NumberEditor)
    line = editor.box.lineEdit()
    line.setText(text)
    line.textEdited.emit(text)


def test_an_untouched_form_gives_the_defaults_with_their_types(form: ParameterForm) -> None:
    values = form.values()
    assert values == AllKinds().model_dump()
    assert {name: type(value) for name, value in values.items()} == {
        name: type(value) for name, value in AllKinds().model_dump().items()
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [("0,5", 0.5), ("1e-3", 0.001), (" 3 ", 3.0), ("1,000", None), ("−1", None), ("nan", None)],
)
def test_numbers_are_read_as_people_write_them(
    form: ParameterForm, text: str, value: float | None
) -> None:
    type_into(form, "beta", text)
    assert (form.values()["beta"] if form.is_valid() else None) == value


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("batch_size", "many", "whole number"),
        ("batch_size", "1.5", "whole number"),
        ("batch_size", "0", "at least 1"),
        ("beta", "51", "at most 50"),
    ],
)
def test_a_wrong_value_is_told_below_its_field(
    form: ParameterForm, qtbot: QtBot, name: str, text: str, word: str
) -> None:
    with qtbot.waitSignal(form.valid_changed) as told:
        type_into(form, name, text)
    assert told.args == [False]
    assert word in form.problems()[name]
    shown = form.row(name)._problem
    assert shown.isVisible()
    assert word in shown.text()


def test_a_value_that_is_mended_makes_the_form_valid_again(
    form: ParameterForm, qtbot: QtBot
) -> None:
    type_into(form, "epochs", "")
    with qtbot.waitSignal(form.valid_changed) as told:
        type_into(form, "epochs", "40")
    assert told.args == [True]
    assert form.values()["epochs"] == 40


def test_a_unit_may_stand_behind_the_number_or_not(form: ParameterForm) -> None:
    for text in ("64 images", "64 image", "64"):
        type_into(form, "batch_size", text)
        assert form.values()["batch_size"] == 64
    for text in ("0.5 of the side", "0.5 of th", "0.5  of the side", "0.5"):
        type_into(form, "share", text)
        assert form.values()["share"] == 0.5
    type_into(form, "share", "0.5 of the moon")
    assert "of the moon" in form.problems()["share"]


def test_changed_fields_are_marked_and_go_back_to_their_default(form: ParameterForm) -> None:
    row = form.row("epochs")
    assert not row.reset_button.isVisible()
    type_into(form, "epochs", "50")
    assert row.reset_button.isVisible()
    assert form.changed_values() == {"epochs": 50}
    row.reset_button.click()
    assert form.values()["epochs"] == 20
    assert not row.reset_button.isVisible()


def test_all_fields_go_back_to_their_defaults_at_once(form: ParameterForm, qtbot: QtBot) -> None:
    form.set_values({"epochs": 3, "augment": False, "levels": 8, "unknown": 1})
    assert form.changed_values() == {"epochs": 3, "augment": False, "levels": 8}
    with qtbot.waitSignal(form.changed):
        form.reset()
    assert form.values() == AllKinds().model_dump()


def test_what_the_analyst_changes_is_told_and_what_the_program_sets_is_not(
    form: ParameterForm, qtbot: QtBot
) -> None:
    with qtbot.assertNotEmitted(form.changed):
        form.set_values({"augment": False})
    with qtbot.waitSignal(form.changed):
        type_into(form, "beta", "2")


def test_advanced_fields_are_folded_away_and_count_all_the_same(form: ParameterForm) -> None:
    assert not form.row("least_steps").isVisible()
    form.set_values({"least_steps": 10})
    assert form.values()["least_steps"] == 10


def test_a_wrong_value_among_the_advanced_is_brought_to_light(form: ParameterForm) -> None:
    type_into(form, "least_steps", "many")
    assert form.row("least_steps").isVisible()


def test_a_logarithmic_slider_gives_every_magnitude_the_same_room() -> None:
    scale = NumberScale(1e-4, 1.0, whole=False, logarithmic=True)
    assert [scale.value(share) for share in (0, 0.25, 0.5, 0.75, 1)] == [1e-4, 1e-3, 0.01, 0.1, 1]
    assert [scale.stepped(0.001, step) for step in (-1, 1, 2, 3)] == [0.0005, 0.002, 0.005, 0.01]


def test_a_logarithmic_slider_may_begin_at_zero() -> None:
    scale = NumberScale(0, 1_000_000, whole=True, logarithmic=True)
    assert scale.value(0) == 0
    assert scale.value(1) == 1_000_000
    assert 500 < scale.value(0.5) < 2000
    assert scale.share(scale.value(0.3)) == pytest.approx(0.3, abs=0.02)


def test_arrow_keys_double_and_halve_whole_numbers_on_a_logarithmic_scale(
    form: ParameterForm, qtbot: QtBot
) -> None:
    editor = form.row("batch_size").editor
    assert isinstance(editor, NumberEditor)
    qtbot.keyClick(editor.box, Qt.Key.Key_Up)
    assert form.values()["batch_size"] == 256
    qtbot.keyClick(editor.box, Qt.Key.Key_Down)
    qtbot.keyClick(editor.box, Qt.Key.Key_Down)
    assert form.values()["batch_size"] == 64


def test_the_slider_and_the_box_move_together(form: ParameterForm) -> None:
    editor = form.row("beta").editor
    assert isinstance(editor, NumberEditor)
    editor.slider.setValue(editor.slider.maximum())
    assert form.values()["beta"] == 50
    type_into(form, "beta", "25")
    assert editor.slider.value() == editor.slider.maximum() // 2


def test_scrolling_over_a_form_changes_nothing(form: ParameterForm) -> None:
    before = form.values()
    for row in form._rows.values():
        for child in (row.editor.focusProxy() or row.editor, row.editor):
            none = QPoint()
            QApplication.sendEvent(
                child,
                QWheelEvent(
                    QPointF(4, 4),
                    QPointF(4, 4),
                    none,
                    QPoint(0, 120),
                    Qt.MouseButton.NoButton,
                    Qt.KeyboardModifier.NoModifier,
                    Qt.ScrollPhase.NoScrollPhase,
                    False,
                ),
            )
    assert form.values() == before


def test_a_dropped_file_is_taken_and_a_missing_one_is_told(
    form: ParameterForm, tmp_path: Path
) -> None:
    path = tmp_path / "权重 1.pth"
    path.write_bytes(b"")
    editor = form.row("weights").editor
    assert isinstance(editor, FileEditor)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    editor.dropEvent(
        QDropEvent(
            QPointF(2, 2),
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    assert form.values()["weights"] == str(path)
    assert form.is_valid()
    path.unlink()
    assert "no file" in form.problems()["weights"]


def test_runs_of_the_workspace_are_offered_and_others_can_be_named(
    form: ParameterForm, tmp_path: Path
) -> None:
    editor = form.row("encoder").editor
    assert isinstance(editor, RunEditor)
    offered = [editor.choices.itemText(place) for place in range(editor.choices.count())]
    assert offered == ["None", "Encoder of Tuesday"]
    form.set_values({"encoder": str(tmp_path)})
    assert "not a run folder" in form.problems()["encoder"]
    (tmp_path / "spec.json").write_text("{}")
    assert form.is_valid()
    assert form.values()["encoder"] == str(tmp_path)


def test_another_schema_replaces_the_form(form: ParameterForm) -> None:
    form.set_schema([field for field in SCHEMA if field["name"] == "beta"])
    assert form.values() == {"beta": 1.0}


def test_a_form_without_fields_is_valid_and_empty(qtbot: QtBot) -> None:
    form = ParameterForm([])
    qtbot.addWidget(form)
    assert form.is_valid()
    assert form.values() == {}


def test_texts_of_a_card_translate_labels_and_explanations(qtbot: QtBot) -> None:
    texts = {"beta": "权重", "beta.help": "KL 项的权重。"}
    form = ParameterForm(SCHEMA, texts=texts)
    qtbot.addWidget(form)
    assert form.row("beta").words == "权重"
    assert form.row("beta").explanation == "KL 项的权重。"
    assert form.row("epochs").words == "Epochs"


def test_every_field_has_a_name_and_a_tool_tip(form: ParameterForm) -> None:
    for field in SCHEMA:
        inner: Any = form.row(str(field["name"])).editor.focusProxy()
        assert inner.accessibleName()
        assert inner.toolTip()


def test_the_explanations_can_be_hidden(form: ParameterForm) -> None:
    assert form.row("beta")._help.isVisible()
    form.set_help_visible(False)
    assert not form.row("beta")._help.isVisible()

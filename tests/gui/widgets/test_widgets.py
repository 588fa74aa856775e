"""The small widgets that every panel shares."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.gui.theme import colour_map
from desktop_app.gui.widgets import (
    Badge,
    ChoiceField,
    CollapsibleSection,
    ColourBar,
    ElidedLabel,
    EmptyState,
    Legend,
    LegendEntry,
    NumberField,
    Readout,
    SearchField,
    Segment,
    Segmented,
    SliderField,
    ToastHost,
    WholeNumberField,
)

ENTRIES = [LegendEntry("#ff0000", "good", 7), LegendEntry("#00ff00", "划痕", 3)]


def test_an_empty_state_offers_what_to_do(qtbot: QtBot) -> None:
    place = EmptyState("folder", "No folder", "Open one.", "Open folder", "Try the sample")
    qtbot.addWidget(place)
    with qtbot.waitSignal(place.acted):
        place.button.click()
    with qtbot.waitSignal(place.acted_otherwise):
        place.second_button.click()
    place.describe("map", "Nothing to map")
    assert place.button.isHidden()
    assert place.accessibleName() == "Nothing to map"


def test_a_readout_shows_a_dash_for_nothing_and_says_its_value(qtbot: QtBot) -> None:
    readout = Readout("Images per second")
    qtbot.addWidget(readout)
    assert readout.value() == "–"
    readout.set_value("1,240", "good")
    assert readout.accessibleName() == "Images per second: 1,240"


def test_a_badge_changes_words_and_tone(qtbot: QtBot) -> None:
    badge = Badge("running", "accent")
    qtbot.addWidget(badge)
    badge.show_state("failed", "bad")
    assert (badge.text(), badge.property("tone")) == ("failed", "bad")


def test_a_long_text_is_shortened_and_kept_in_the_tool_tip(qtbot: QtBot) -> None:
    label = ElidedLabel("/a/very/long/path/" * 20)
    qtbot.addWidget(label)
    label.resize(100, 20)
    assert label.minimumSizeHint().width() < 40
    assert label.toolTip() == label.text()
    assert not label.grab().isNull()


def test_a_search_waits_for_the_typist_but_not_for_return(qtbot: QtBot) -> None:
    field = SearchField("Search images")
    qtbot.addWidget(field)
    found: list[str] = []
    field.searched.connect(found.append)
    qtbot.keyClicks(field, "sc")
    assert found == []
    qtbot.waitUntil(lambda: found == ["sc"])
    qtbot.keyClicks(field, "r")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert found == ["sc", "scr"]
    field.clear()
    assert found[-1] == ""


def test_slider_and_number_follow_each_other(qtbot: QtBot) -> None:
    field = SliderField("Opacity", 0, 1, 0.5)
    qtbot.addWidget(field)
    told: list[float] = []
    field.value_changed.connect(told.append)
    field.slider.setValue(250)
    field.number.setValue(0.75)
    assert told == [0.25, 0.75]
    assert field.slider.value() == 750
    field.set_value(7)
    assert (field.value(), told) == (1, [0.25, 0.75])


def test_a_logarithmic_slider_has_its_geometric_mean_in_the_middle(qtbot: QtBot) -> None:
    field = SliderField("Rate", 0.01, 100, 1, logarithmic=True)
    qtbot.addWidget(field)
    assert field.slider.value() == 500
    field.slider.setValue(1000)
    assert field.value() == 100


@pytest.mark.parametrize(
    "make",
    [
        lambda: WholeNumberField("Code size", 1, 9, 5),
        lambda: NumberField("Beta", 0, 9, 5),
        lambda: ChoiceField("Optimiser", [("adam", "Adam"), ("sgd", "SGD")]),
    ],
)
def test_a_passing_wheel_changes_no_field(qtbot: QtBot, make: Callable[[], QWidget]) -> None:
    field = make()
    assert isinstance(field, WholeNumberField | NumberField | ChoiceField)
    qtbot.addWidget(field)
    before = field.choice() if isinstance(field, ChoiceField) else field.value()
    event = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    field.wheelEvent(event)
    after = field.choice() if isinstance(field, ChoiceField) else field.value()
    assert after == before
    assert not event.isAccepted()
    assert field.accessibleName()
    assert field.toolTip()


def test_a_choice_survives_other_choices(qtbot: QtBot) -> None:
    field = ChoiceField("Optimiser", [("adam", "Adam"), ("sgd", "SGD")])
    qtbot.addWidget(field)
    field.choose("sgd")
    field.set_choices([("lion", "Lion"), ("sgd", "SGD")])
    assert field.choice() == "sgd"
    field.set_choices([("lion", "Lion")])
    assert field.choice() == "lion"


def test_exactly_one_segment_is_chosen(qtbot: QtBot) -> None:
    tools = Segmented("Tools", [Segment("cursor", "Select", "cursor"), Segment("lasso", "Lasso")])
    qtbot.addWidget(tools)
    assert tools.choice() == "cursor"
    with qtbot.waitSignal(tools.chosen) as told:
        tools.button("lasso").click()
    assert told.args == [tools.choice()] == ["lasso"]


def test_a_section_folds_its_content_away(qtbot: QtBot) -> None:
    content = QLabel("inside")
    section = CollapsibleSection("Parameters", content)
    qtbot.addWidget(section)
    with qtbot.waitSignal(section.toggled) as told:
        section.button.click()
    assert told.args == [False]
    assert content.isHidden()
    assert not section.is_expanded()


def test_legend_entries_hide_show_and_stand_alone(qtbot: QtBot) -> None:
    legend = Legend("Labels")
    qtbot.addWidget(legend)
    legend.resize(160, 48)
    legend.set_entries(ENTRIES)
    told: list[list[bool]] = []
    legend.visibility_changed.connect(lambda shown: told.append(shown.tolist()))
    qtbot.mouseClick(legend, Qt.MouseButton.LeftButton, pos=QPoint(20, 30))
    qtbot.mouseClick(legend, Qt.MouseButton.LeftButton, pos=QPoint(20, 30))
    legend.show_alone(1)
    legend.show_alone(1)
    assert told == [[True, False], [True, True], [False, True], [True, True]]


def test_a_legend_is_operated_by_keyboard(qtbot: QtBot) -> None:
    legend = Legend("Labels")
    qtbot.addWidget(legend)
    legend.set_entries(ENTRIES)
    qtbot.keyClick(legend, Qt.Key.Key_Down)
    qtbot.keyClick(legend, Qt.Key.Key_Space)
    assert legend.shown().tolist() == [True, False]
    qtbot.keyClick(legend, Qt.Key.Key_Return)
    assert legend.shown().tolist() == [False, True]


def test_a_colour_bar_runs_from_low_to_high(qtbot: QtBot) -> None:
    bar = ColourBar("Score")
    qtbot.addWidget(bar)
    bar.resize(200, 30)
    bar.set_scale(colour_map("grey"), 0, 1)
    shown = bar.grab().toImage()
    assert shown.pixelColor(2, 6).red() < 20
    assert shown.pixelColor(197, 6).red() > 235


def test_a_toast_offers_its_action_and_leaves(qtbot: QtBot) -> None:
    window = _window(qtbot)
    done: list[str] = []
    toast = ToastHost(window).show_toast(
        "Training failed", "bad", action=("Open traceback", lambda: done.append("opened"))
    )
    assert toast.isVisible()
    assert toast.action_button is not None
    toast.action_button.click()
    assert done == ["opened"]
    assert toast.isHidden()


def test_good_news_leave_by_themselves_and_bad_news_stay(qtbot: QtBot) -> None:
    host = ToastHost(_window(qtbot))
    good = host.show_toast("Saved", "good", seconds=0.05)
    bad = host.show_toast("Out of memory", "bad")
    with qtbot.waitSignal(good.destroyed, timeout=2000):
        pass
    assert bad.isVisible()


def test_toasts_stack_in_the_corner_without_overlap(qtbot: QtBot) -> None:
    window = _window(qtbot)
    host = ToastHost(window)
    toasts = [host.show_toast(f"Message {number}", seconds=0) for number in range(6)]
    shown = [toast.geometry() for toast in toasts if not toast.isHidden()]
    assert len(shown) == 4
    for upper, lower in pairwise(shown):
        assert upper.bottom() < lower.top()
    window.resize(900, 700)
    assert all(window.rect().contains(toast.geometry()) for toast in toasts[2:])


def _window(qtbot: QtBot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(800, 600)
    window.show()
    return window

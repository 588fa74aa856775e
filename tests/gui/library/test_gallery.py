"""The gallery: a window onto a million rows."""

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from desktop_app.gui.library.gallery import LARGEST_TILE, GalleryView
from desktop_app.gui.library.items import GalleryItems, TileBadge, short_number
from desktop_app.gui.library.thumbnails import Thumbnail, ThumbnailLoader
from desktop_app.gui.theme import current_theme

LEFT = Qt.MouseButton.LeftButton
SHIFT, CONTROL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[GalleryView]:
    """Twenty rows, five to a line."""
    loader = ThumbnailLoader(red)
    view = GalleryView(loader)
    qtbot.addWidget(view)
    view.resize(740, 520)
    view.set_items(items(20))
    view.show()
    yield view
    loader.close()


def red(ids: object) -> list[Thumbnail]:
    image = QImage(32, 32, QImage.Format.Format_RGB32)
    image.fill(0xFF0000)
    return [image] * len(ids)  # type: ignore[arg-type]


def items(count: int) -> GalleryItems:
    def badge(row: int) -> TileBadge:
        return TileBadge("good", "#00ff00", "anomalous", "truncated" if row % 2 else "")

    ids = np.arange(count, dtype=np.int64) + 1000
    return GalleryItems(ids, lambda row: f"图像 {row}.png", badge, np.linspace(0, 1, count))


def middle(view: GalleryView, position: int) -> QPoint:
    return view._tile_area(position).center()


def click(
    qtbot: QtBot,
    view: GalleryView,
    position: int,
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    qtbot.mouseClick(view.viewport(), LEFT, modifiers, middle(view, position))


def test_only_rows_in_sight_and_their_neighbours_are_asked_for(qtbot: QtBot) -> None:
    asked: set[int] = set()

    def provider(ids: list[int]) -> list[Thumbnail]:
        asked.update(ids)
        return red(ids)

    loader = ThumbnailLoader(provider)  # type: ignore[arg-type]
    view = GalleryView(loader)
    qtbot.addWidget(view)
    view.resize(740, 520)
    view.show()
    view.set_items(items(1_000_000))
    qtbot.waitUntil(lambda: loader.image(1000) is not None)
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
    qtbot.waitUntil(lambda: loader.image(1_000_999) is not None)
    loader.close()
    assert len(asked) < 150


def test_thumbnails_appear_when_they_arrive(qtbot: QtBot, view: GalleryView) -> None:
    def shown() -> bool:
        return view.viewport().grab().toImage().pixelColor(middle(view, 0)).name() == "#ff0000"

    qtbot.waitUntil(shown)


def test_a_click_selects_one_and_control_adds(qtbot: QtBot, view: GalleryView) -> None:
    told: list[list[int]] = []
    view.selection_changed.connect(lambda rows: told.append(rows.tolist()))
    click(qtbot, view, 2)
    click(qtbot, view, 4, CONTROL)
    click(qtbot, view, 2, CONTROL)
    assert told == [[2], [2, 4], [4]]
    assert view.current() == 2


def test_shift_selects_a_range_in_the_order_on_show(qtbot: QtBot, view: GalleryView) -> None:
    view.set_order(np.arange(20)[::-1])
    click(qtbot, view, 1)
    click(qtbot, view, 3, SHIFT)
    assert view.selection().tolist() == [16, 17, 18]
    click(qtbot, view, 0, SHIFT)
    assert view.selection().tolist() == [18, 19]


@pytest.mark.parametrize(
    ("key", "row"),
    [
        (Qt.Key.Key_Right, 7),
        (Qt.Key.Key_Left, 5),
        (Qt.Key.Key_Down, 11),
        (Qt.Key.Key_Up, 1),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_End, 19),
        (Qt.Key.Key_PageDown, 19),
        (Qt.Key.Key_PageUp, 0),
    ],
)
def test_keys_walk_through_the_grid(qtbot: QtBot, view: GalleryView, key: Qt.Key, row: int) -> None:
    assert view._grid().columns == 5
    view.set_current(6)
    with qtbot.waitSignal(view.current_changed) as told:
        qtbot.keyClick(view, key)
    assert told.args == [row]
    assert view.selection().tolist() == [row]


def test_the_first_key_focuses_the_first_tile(qtbot: QtBot, view: GalleryView) -> None:
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.current() == 0


def test_shift_and_arrows_extend_the_selection(qtbot: QtBot, view: GalleryView) -> None:
    click(qtbot, view, 3)
    qtbot.keyClick(view, Qt.Key.Key_Right, SHIFT)
    qtbot.keyClick(view, Qt.Key.Key_Right, SHIFT)
    assert view.selection().tolist() == [3, 4, 5]


def test_everything_on_show_is_selected_and_nothing_else(qtbot: QtBot, view: GalleryView) -> None:
    view.set_order(np.array([4, 8, 15]))
    qtbot.keyClick(view, Qt.Key.Key_A, CONTROL)
    assert view.selection().tolist() == [4, 8, 15]
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.selection().tolist() == []


def test_return_and_double_click_open(qtbot: QtBot, view: GalleryView) -> None:
    view.set_current(3)
    with qtbot.waitSignal(view.activated) as told:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert told.args == [3]
    with qtbot.waitSignal(view.activated) as told:
        qtbot.mouseDClick(view.viewport(), LEFT, pos=middle(view, 4))
    assert told.args == [4]


def test_a_rubber_band_selects_what_it_touches(qtbot: QtBot, view: GalleryView) -> None:
    port = view.viewport()
    qtbot.mousePress(port, LEFT, pos=middle(view, 1))
    qtbot.mouseMove(port, middle(view, 1) + QPoint(40, 10))
    _drag(view, middle(view, 7))
    qtbot.mouseRelease(port, LEFT, pos=middle(view, 7))
    assert view.selection().tolist() == [1, 2, 6, 7]


def test_a_selection_from_elsewhere_is_shown_but_not_echoed(
    qtbot: QtBot, view: GalleryView
) -> None:
    with qtbot.assertNotEmitted(view.selection_changed):
        view.set_selection(np.array([1, 2]))
        mask = np.zeros(20, bool)
        mask[5] = True
        view.set_selection(mask)
    mask[6] = True
    assert view.selection().tolist() == [5]


def test_a_filtered_row_keeps_its_selection(view: GalleryView) -> None:
    view.set_selection(np.array([1, 2]))
    view.set_order(np.array([2, 3]))
    view.set_order(np.arange(20))
    assert view.selection().tolist() == [1, 2]


def test_the_focused_tile_stays_in_sight_when_the_order_changes(view: GalleryView) -> None:
    view.set_items(items(1000))
    view.set_current(0)
    view.set_order(np.arange(1000)[::-1])
    assert view._position(0) in view._visible()


def test_the_tile_size_is_bounded_and_told(qtbot: QtBot, view: GalleryView) -> None:
    with qtbot.waitSignal(view.tile_size_changed) as told:
        view.set_tile_size(9999)
    assert told.args == [LARGEST_TILE] == [view.tile_size()]
    assert view._grid().columns == 2


def test_new_columns_keep_order_and_selection(view: GalleryView) -> None:
    view.set_order(np.array([3, 1]))
    view.set_selection(np.array([3]))
    view.set_columns(items(20))
    assert view.order().tolist() == [3, 1]
    assert view.selection().tolist() == [3]
    with pytest.raises(ValueError, match="20 rows were expected"):
        view.set_columns(items(3))


def test_the_tool_tip_tells_what_is_known(view: GalleryView) -> None:
    tip = view._tip(1)
    assert "图像 1.png" in tip
    assert "truncated" in tip
    assert "0.053" in tip


def test_a_selected_tile_looks_selected(view: GalleryView) -> None:
    edge = view._tile_area(0).topLeft() + QPoint(3, 60)
    before = view.viewport().grab().toImage().pixelColor(edge).name()
    view.set_selection(np.array([0]))
    after = view.viewport().grab().toImage().pixelColor(edge).name()
    assert before == current_theme().colours.canvas
    assert after == current_theme().colours.selection


def test_an_empty_gallery_takes_keys_and_clicks(qtbot: QtBot, view: GalleryView) -> None:
    view.set_items(items(0))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_End, Qt.Key.Key_Space, Qt.Key.Key_Return):
        qtbot.keyClick(view, key)
    qtbot.mouseClick(view.viewport(), LEFT, pos=QPoint(20, 20))
    assert view.current() == -1


@pytest.mark.parametrize(
    ("value", "text"),
    [(float("nan"), ""), (0.0, "0.000"), (0.1234, "0.123"), (123.46, "123.5"), (1e-5, "1.00e-05")],
)
def test_scores_take_little_room(value: float, text: str) -> None:
    assert short_number(value) == text


def _drag(view: GalleryView, to: QPoint) -> None:
    """Move with the left button held: `qtbot.mouseMove` holds none."""
    from PySide6.QtCore import QEvent, QPointF
    from PySide6.QtGui import QMouseEvent

    place = QPointF(to)
    screen = QPointF(view.viewport().mapToGlobal(to))
    none = Qt.KeyboardModifier.NoModifier
    view.mouseMoveEvent(QMouseEvent(QEvent.Type.MouseMove, place, screen, LEFT, LEFT, none))


def test_an_order_that_changes_out_of_sight_paints_nothing(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = ThumbnailLoader(red)
    view = GalleryView(loader)
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.set_items(items(1000))
    view.show()
    qtbot.waitUntil(lambda: view._image(0) is not None)
    qtbot.wait(50)  # for what is still to be painted
    painted: list[object] = []
    monkeypatch.setattr(view, "_paint_strip", lambda _painter, strip: painted.append(strip))
    view.set_order(np.arange(500))
    qtbot.wait(50)
    assert painted == []
    view.set_order(np.arange(1, 500))
    qtbot.waitUntil(lambda: bool(painted))
    loader.close()

"""The latent map: colours, selection, decoding, training live."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from desktop_app.core.runs import JobState, Run
from desktop_app.gui.filtering import among, shared_filter
from desktop_app.gui.latent.keeping import kept_layout
from desktop_app.gui.latent.panel import LatentPanel
from desktop_app.gui.methods import can
from desktop_app.gui.tags import shared_tags
from tests.gui.fakes import FakeJob
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    yield session
    session.close()


@pytest.fixture
def empty(qtbot: QtBot, session: StillSession) -> Iterator[LatentPanel]:
    panel = LatentPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1000, 700)
    panel.show()
    yield panel
    panel.close_threads()


@pytest.fixture
def panel(session: StillSession, empty: LatentPanel) -> LatentPanel:
    session.put_run()
    session.put_result(result_for(session))
    empty.canvas.grab()
    return empty


def decoded(session: StillSession) -> list[np.ndarray]:
    return [arrays["latents"] for kind, _, arrays in session.inference.asked if kind == "decode"]


def far_place(session: StillSession) -> tuple[float, float]:
    x, y = (session.result.positions.max(axis=0) + 50).tolist()
    return x, y


def test_a_click_on_a_point_makes_it_current(panel: LatentPanel, session: StillSession) -> None:
    x, y = session.result.positions[5].tolist()
    panel.canvas.clicked.emit(x, y, 5)
    assert session.current == 5
    assert np.flatnonzero(session.selected).tolist() == [5]


def test_a_lasso_selects_for_all_views(panel: LatentPanel, session: StillSession) -> None:
    panel.canvas.lassoed.emit(np.array([1, 2]), "replace")
    panel.canvas.lassoed.emit(np.array([2, 7]), "add")
    panel.canvas.lassoed.emit(np.array([1]), "subtract")
    assert np.flatnonzero(session.selected).tolist() == [2, 7]


def test_a_single_selected_image_does_not_fade_the_others(
    panel: LatentPanel, session: StillSession
) -> None:
    session.set_current(3)
    session.select(np.array([3]))
    assert not panel.canvas._selected.any()
    session.select(np.array([3, 4]))
    assert panel.canvas._selected.sum() == 2


def test_the_legend_hides_a_label_in_every_view(panel: LatentPanel, session: StillSession) -> None:
    legend = panel.sidebar.legend.legend
    hidden = panel.sidebar.legend._column.keys[0]
    legend.toggle(0)
    assert not session.visible[np.array(session.table.labels) == hidden].any()
    legend.toggle(0)
    assert session.visible.all()


def test_the_legend_follows_a_filter_set_elsewhere(
    panel: LatentPanel, session: StillSession
) -> None:
    shared_filter(session).set("label", among("label", frozenset({"good"})))
    keys = panel.sidebar.legend._column.keys
    assert panel.sidebar.legend.legend.shown().tolist() == [key == "good" for key in keys]


@pytest.mark.parametrize("key", ["label", "split", "verdict", "score", "none"])
def test_points_can_be_coloured_by(panel: LatentPanel, session: StillSession, key: str) -> None:
    panel.state.choose(colour=key)
    assert len(panel.colouring.index) == len(session.table)
    assert panel.colouring.index.max() < len(panel.colouring.lut)
    assert (panel.colouring.scale is not None) == (key == "score")


def test_unscored_images_are_grey(panel: LatentPanel, session: StillSession) -> None:
    scores = np.arange(len(session.table), dtype=np.float32)
    scores[0] = np.nan
    session.put_result(result_for(session, scores))
    panel.state.choose(colour="score")
    assert panel.colouring.index[0] == 256


def test_a_click_on_the_empty_map_decodes_there(panel: LatentPanel, session: StillSession) -> None:
    panel.canvas.clicked.emit(*far_place(session), -1)
    assert decoded(session)[-1].shape == (1, 4)
    assert panel.sidebar.walk.picture.image() is not None
    assert panel.sidebar.walk.mark.isVisibleTo(panel)


def test_a_place_among_the_images_is_not_far(panel: LatentPanel, session: StillSession) -> None:
    x, y = session.result.positions[0].tolist()
    panel.sidebar.walk.go_to(x, y)
    assert not panel.sidebar.walk.mark.isVisibleTo(panel)


def test_a_drag_with_the_decoding_tool_decodes_along_the_way(
    panel: LatentPanel, session: StillSession
) -> None:
    panel.toolbar.tools.choose("decode")
    view = panel.canvas.viewport()
    before = panel.canvas.viewRect()
    for kind, x in (
        (QEvent.Type.MouseButtonPress, 50),
        (QEvent.Type.MouseMove, 90),
        (QEvent.Type.MouseButtonRelease, 90),
    ):
        place = QPointF(x, 60)
        event = QMouseEvent(
            kind,
            place,
            QPointF(view.mapToGlobal(place.toPoint())),
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(view, event)
    assert len(decoded(session)) == 2
    assert panel.canvas.viewRect() == before


def test_the_newest_place_wins_while_the_worker_is_busy(
    panel: LatentPanel, session: StillSession
) -> None:
    session.inference.held = []
    for x in (1.0, 2.0, 3.0):
        panel.sidebar.walk.go_to(x, 0.0)
    assert len(decoded(session)) == 1
    session.inference.held.pop()()
    assert len(decoded(session)) == 2
    way = panel.sidebar.walk._inverse.at(np.array([[3.0, 0.0]]))
    assert np.allclose(decoded(session)[-1], way.latents)


def test_two_selected_images_are_walked_between(panel: LatentPanel, session: StillSession) -> None:
    session.select(np.array([2, 9]))
    panel.sidebar.walk.modes.choose("between")
    latents = session.result.latents
    strip = next(made for made in reversed(decoded(session)) if len(made) > 1)
    assert np.allclose(strip[0], latents[2], atol=1e-5)
    assert panel.sidebar.walk.strip._frames[-1].image is not None
    panel.sidebar.walk._share.setValue(60)
    assert np.allclose(decoded(session)[-1][0], latents[9], atol=1e-5)


def test_a_dimension_is_traversed_from_the_current_image(
    panel: LatentPanel, session: StillSession
) -> None:
    session.set_current(4)
    panel.sidebar.walk.modes.choose("dimension")
    panel.sidebar.walk._amount.setValue(1000)
    number = int(panel.sidebar.walk._dimension.choice())
    last, start = decoded(session)[-1][0], session.result.latents[4]
    assert last[number] == pytest.approx(float(panel.sidebar.walk._ranges[1][number]))
    assert np.delete(last, number) == pytest.approx(np.delete(start, number))


def test_a_method_that_cannot_decode_says_so(panel: LatentPanel, session: StillSession) -> None:
    session.put_run("encodes", "scores")
    session.put_result(result_for(session))
    button = panel.toolbar.tools.button("decode")
    assert not button.isEnabled()
    assert "cannot make images" in button.toolTip()
    panel.canvas.clicked.emit(*far_place(session), -1)
    assert decoded(session) == []


def test_the_neighbours_of_the_current_image_are_shown(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    session.set_current(0)
    qtbot.waitUntil(lambda: len(panel.sidebar.image._neighbours) == 10)
    distances = np.linalg.norm(session.result.latents - session.result.latents[0], axis=1)
    assert panel.sidebar.image._neighbours[0] == np.argsort(distances)[1]


def test_the_note_says_which_projection_it_is(panel: LatentPanel, session: StillSession) -> None:
    share = f"{100 * session.result.explained:.0f} %"
    assert f"Principal plane, {share} of the variance" in panel._note.text()
    assert f"{len(session.table)} images" in panel._note.text()


def write_snapshot(session: StillSession, step: int) -> None:
    folder = session.run.path / "latents"
    folder.mkdir(exist_ok=True)
    latents = np.random.default_rng(1).normal(size=(6, 3)) * step
    ids = session.table.ids[[0, 2, 4, 6, 8, 10]]
    np.savez(folder / f"{step:09d}.npz", latents=latents.astype(np.float32), ids=ids)


def test_snapshots_of_a_run_can_be_looked_through(
    qtbot: QtBot, empty: LatentPanel, session: StillSession
) -> None:
    session.put_run()
    write_snapshot(session, 10)
    write_snapshot(session, 20)
    session.run_changed.emit()
    qtbot.waitUntil(lambda: empty.state.moment is not None)
    assert empty.state.moment.step == 20
    empty.timeline.slider.setValue(0)
    qtbot.waitUntil(lambda: empty.state.moment.step == 10)
    assert np.isfinite(empty.state.moment.positions[:, 0]).sum() == 6


def test_a_map_of_the_training_is_not_decoded(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    write_snapshot(session, 10)
    panel.history._follow_run()
    qtbot.waitUntil(lambda: panel.timeline.slider.maximum() == 1)
    panel.timeline.slider.setValue(0)
    qtbot.waitUntil(lambda: panel.state.moment is not None)
    panel.canvas.clicked.emit(*far_place(session), -1)
    assert decoded(session) == []
    assert "slider" in panel.toolbar.tools.button("decode").toolTip()
    panel.timeline.slider.setValue(1)
    panel.canvas.clicked.emit(*far_place(session), -1)
    assert len(decoded(session)) == 1


def test_the_map_follows_a_training(
    qtbot: QtBot, empty: LatentPanel, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = session.put_run()
    job = FakeJob(run, "Training", JobState.RUNNING)
    monkeypatch.setattr(session.jobs, "job_of", lambda _run: job)
    session.jobs.jobs_changed.emit()
    empty.show_result()
    assert "has begun" in empty._empty._title.text()
    write_snapshot(session, 5)
    job.feed.latents.append((5, run.path / "latents" / "000000005.npz"))
    qtbot.waitUntil(lambda: empty.state.moment is not None)
    write_snapshot(session, 7)
    job.feed.latents.append((7, run.path / "latents" / "000000007.npz"))
    qtbot.waitUntil(lambda: empty.state.moment.step == 7)
    assert "live" in empty.timeline.text.text()
    job.set_state(JobState.FINISHED)
    session.jobs.jobs_changed.emit()


def test_axes_of_a_training_are_named_and_can_be_chosen(
    qtbot: QtBot, empty: LatentPanel, session: StillSession
) -> None:
    session.put_run()
    write_snapshot(session, 10)
    session.run_changed.emit()
    qtbot.waitUntil(lambda: empty.state.moment is not None)
    axes = empty.toolbar.axes
    assert axes.currentText() == "Principal plane"
    assert [axes.itemData(row) for row in range(axes.count())] == ["plane", "dimensions", "space"]
    axes.chosen.emit("space")
    qtbot.waitUntil(lambda: empty.state.is_spatial)
    assert axes.currentText() == "3-D space"
    assert empty.toolbar.colour_by.findData("dimension") < 0  # no latents of the trained method yet


@pytest.mark.parametrize(
    ("capabilities", "button"),
    [
        ((), "Choose a method"),
        (("scores",), "Choose a method"),
        (("encodes",), "Encode the images"),
    ],
)
def test_an_empty_map_says_what_to_do(
    empty: LatentPanel, session: StillSession, capabilities: tuple[str, ...], button: str
) -> None:
    if capabilities:
        session.put_run(*capabilities)
    shown = [found.text() for found in empty.findChildren(QPushButton) if found.isVisible()]
    assert shown == [button]


def test_the_panel_survives_a_change_of_folder(
    panel: LatentPanel, session: StillSession, image_folder: Path
) -> None:
    session.set_current(3)
    session.put_folder(image_folder)
    session.put_result(result_for(session))
    assert len(panel.canvas._columns.x) == len(session.table)


# what is hidden, who is near


def test_true_neighbours_are_drawn_as_lines(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    session.set_current(0)
    qtbot.waitUntil(lambda: len(panel.canvas._overlay._lines) == 10)
    panel.toolbar.lines.setChecked(False)
    assert panel.canvas._overlay._lines == []
    panel.toolbar.lines.setChecked(True)
    assert len(panel.canvas._overlay._lines) == 10


def test_the_map_is_coloured_by_what_it_hides(qtbot: QtBot, panel: LatentPanel) -> None:
    panel.toolbar.colour_by.chosen.emit("lost")
    qtbot.waitUntil(lambda: panel.colouring.scale is not None)
    assert "nearest" in panel.sidebar.legend._meaning.text()
    assert len(np.unique(panel.canvas._index)) > 1


def test_an_image_from_elsewhere_finds_its_place(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    path = session.image_path(3)
    panel.find_image(path)
    qtbot.waitUntil(lambda: panel.canvas._guest is not None)
    latent = np.full((1, 4), 0.25, np.float32)
    mean, axes = session.result.basis
    assert np.allclose(panel.canvas._guest, (latent - mean) @ axes.T, atol=1e-5)
    distances = np.linalg.norm(session.result.latents - latent, axis=1)
    assert panel.sidebar.image._neighbours.tolist() == np.argsort(distances)[:10].tolist()
    assert len(panel.canvas._overlay._lines) == 10
    assert "Not in this folder" in panel.sidebar.image._facts.text()
    session.set_current(5)
    assert panel.canvas._guest is None


def test_a_guest_needs_a_method_that_encodes(panel: LatentPanel, session: StillSession) -> None:
    assert panel.toolbar.find_file.isEnabled()
    session.put_run("embeds")
    session.put_result(result_for(session, latents=False))
    assert not panel.toolbar.find_file.isEnabled()
    assert "no place" in panel.toolbar.find_file.toolTip()


def test_a_layout_without_latents_is_a_map(panel: LatentPanel, session: StillSession) -> None:
    session.put_run("embeds")
    places = np.random.default_rng(0).normal(size=(len(session.table), 2)).astype(np.float32)
    session.put_result(replace(result_for(session, latents=False), positions=places))
    assert panel._stack.currentIndex() == 1
    assert panel._note.text().startswith("Own layout of the method")
    assert "variance" not in panel._note.text()
    assert not panel.toolbar.axes.isEnabled()


def test_a_label_has_its_colour_where_colours_mean_labels(
    panel: LatentPanel, session: StillSession
) -> None:
    session.set_current(3)
    dot = panel.sidebar.image._dot
    assert dot.isVisibleTo(panel)
    panel.state.choose(colour="split")
    assert not dot.isVisibleTo(panel)
    session.set_current(4)
    assert not dot.isVisibleTo(panel)
    panel.state.choose(colour="label")
    assert dot.isVisibleTo(panel)


# axes


def test_other_axes_are_chosen_in_the_toolbar(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    panel.toolbar.axes.chosen.emit("dimensions")
    panel.toolbar.up.setValue(4)
    qtbot.waitUntil(lambda: panel.state.coordinates is not None)
    assert panel.toolbar.across.isVisibleTo(panel)
    shown = panel.canvas._columns.y[panel.canvas._columns.points]
    assert np.allclose(shown, session.result.latents[:, 3])
    assert panel._note.text().startswith("Dimensions 1 and 4")


def test_a_place_on_a_turned_space_is_decoded_on_its_plane(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    panel.toolbar.axes.chosen.emit("space")
    qtbot.waitUntil(lambda: panel.canvas.is_spatial)
    panel.canvas.turn(80, 30)
    panel.canvas.finish_turn()
    panel.sidebar.walk._way.choose("plane")
    panel.canvas.clicked.emit(0.5, -0.25, -1)
    mean, axes = panel.state.basis
    latent = np.array([0.5, -0.25], np.float32) @ axes + mean
    assert np.allclose(decoded(session)[-1][0], latent, atol=1e-4)


def test_the_layout_comes_back_with_the_run(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    first = session.run
    panel.state.choose(colour="score", colour_map="magma", tool="lasso")
    panel.canvas.zoom(3)
    panel.canvas.centre_on(4)
    qtbot.waitUntil(lambda: panel.state.layout.camera is not None)
    seen = panel.canvas.getViewBox().viewRect()
    session.put_run()
    session.put_result(result_for(session))
    assert panel.state.colour == "label"
    session.run = first
    session.run_changed.emit()
    session.put_result(replace(result_for(session), run=first))
    assert (panel.toolbar.colour_by.choice(), panel.toolbar.tools.choice()) == ("score", "lasso")
    back = panel.canvas.getViewBox().viewRect()
    assert (back.center().x(), back.width()) == pytest.approx((seen.center().x(), seen.width()))


def test_a_layout_that_was_just_chosen_is_kept_when_the_window_closes(
    panel: LatentPanel, session: StillSession
) -> None:
    panel.state.choose(colour="split")
    panel.close_threads()
    assert kept_layout(session, session.run).colour == "split"


def test_a_camera_recolours_nothing(panel: LatentPanel) -> None:
    before = panel.colouring
    panel.state.choose(camera=(0.0, 0.0, 1.0, 1.0))
    assert panel.colouring is before
    panel.state.choose(colour="split")
    assert panel.colouring is not before


# groups


def walk_of_groups(panel: LatentPanel, session: StillSession) -> None:
    groups = panel.sidebar.walk.groups
    session.select(np.array([0, 1, 2]))
    groups.name_selection("A")
    session.select(np.array([5, 6]))
    groups.name_selection("B")
    groups.plus.choose("A")
    groups.minus.choose("B")
    groups._find_means()
    session.set_current(9)
    panel.sidebar.walk.modes.choose("groups")


def test_the_difference_of_groups_is_added_to_an_image(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    walk_of_groups(panel, session)
    qtbot.waitUntil(lambda: panel.sidebar.walk.groups.shift is not None)
    latents = session.result.latents
    shift = latents[:3].mean(axis=0) - latents[5:7].mean(axis=0)
    panel.sidebar.walk.groups.choose_amount(1.5)
    assert np.allclose(decoded(session)[-1][0], latents[9] + 1.5 * shift, atol=1e-5)
    strip = next(made for made in reversed(decoded(session)) if len(made) == 12)
    assert np.allclose(strip[3], latents[9], atol=1e-5)
    assert np.allclose(strip[7], latents[9] + shift, atol=1e-5)
    assert "A" in panel.sidebar.walk._about.text()


def test_the_way_of_a_sum_is_shown_on_the_map(
    qtbot: QtBot, panel: LatentPanel, session: StillSession
) -> None:
    shown: list[object] = []
    panel.sidebar.walk.path_shown.connect(shown.append)
    walk_of_groups(panel, session)
    qtbot.waitUntil(lambda: shown and shown[-1] is not None)
    assert np.allclose(shown[-1][0], session.result.positions[9], atol=1e-4)


def test_groups_are_kept_with_the_folder(panel: LatentPanel, session: StillSession) -> None:
    walk_of_groups(panel, session)
    assert shared_tags(session).rows("A").tolist() == [0, 1, 2]
    assert session.workspace.tags(session.folder.key)[session.table.paths[5]] == {"B"}


def test_without_groups_the_walk_says_what_to_do(panel: LatentPanel) -> None:
    panel.sidebar.walk.modes.choose("groups")
    assert "name them as a group" in panel.sidebar.walk._about.text()


# the training


def test_the_training_plays_to_its_end(
    qtbot: QtBot, panel: LatentPanel, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (10, 20, 30):
        write_snapshot(session, step)
    panel.history._follow_run()
    qtbot.waitUntil(lambda: panel.timeline.slider.maximum() == 3)
    panel.timeline._clock.setInterval(10)
    seen: list[int] = []
    panel.timeline.moment_changed.connect(lambda moment: seen.append(moment.step if moment else 0))
    panel.timeline.play.click()
    qtbot.waitUntil(lambda: not panel.timeline.play.isChecked())
    assert [step for step in seen if step][-3:] == [10, 20, 30]
    assert panel.timeline.slider.value() == 3
    assert panel.state.moment is None


def test_snapshots_of_two_numbers_are_their_own_layout(
    qtbot: QtBot, empty: LatentPanel, session: StillSession
) -> None:
    run = session.put_run("embeds")
    (run.path / "latents").mkdir()
    places = np.random.default_rng(1).normal(4, 1, size=(6, 2)).astype(np.float32)
    np.savez(run.path / "latents" / "000000010.npz", latents=places, ids=session.table.ids[:6])
    session.run_changed.emit()
    qtbot.waitUntil(lambda: empty.state.moment is not None)
    assert np.array_equal(empty.state.coordinates[:6], places)
    assert "Own layout" in empty._note.text()
    assert empty.toolbar.axes.currentText() == "Own layout"


def test_places_on_the_map_of_a_run_on_tiles_are_not_decoded(
    panel: LatentPanel, session: StillSession
) -> None:
    run = session.put_run()
    run.write_spec(run.spec().model_copy(update={"image_size": 64, "tile": 32}))
    session.run = Run.open(run.path)
    session.run_changed.emit()
    session.put_result(result_for(session))

    assert not panel.toolbar.tools.button("decode").isEnabled()
    assert "means of tiles" in panel.toolbar.tools.button("decode").toolTip()
    assert can(session, "rebuilds")
    assert not can(session, "clusters")

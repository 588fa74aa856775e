"""Maps of several runs side by side: one selection, one pointer, one colouring."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.files import write_array
from desktop_app.core.runs import Run
from desktop_app.gui.latent.decode import aligned
from desktop_app.gui.latent.panel import LatentPanel
from tests.gui.fakes_session import StillSession, result_for


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    yield session
    session.close()


def seen(session: StillSession, run: Run, seed: int) -> Run:
    """Let a run have looked at the folder."""
    result = run.result(session.folder.key)
    latents = np.random.default_rng(seed).normal(size=(len(session.table), 2)).astype(np.float32)
    result.path.mkdir(parents=True)
    for name in ("latents", "positions"):
        write_array(result.path / f"{name}.npy", latents)
    write_array(result.path / "ids.npy", session.table.ids)
    result.write_rows({"paths": session.table.paths})
    return run


@pytest.fixture
def runs(session: StillSession) -> list[Run]:
    """Five runs, of which the last one has not looked at the folder; the last but one is open."""
    made = [seen(session, session.put_run(), seed) for seed in range(4)]
    other = session.put_run()
    session.run = made[3]
    session.runs = [*made, other]
    session.run_changed.emit()
    return session.runs


@pytest.fixture
def panel(qtbot: QtBot, session: StillSession, runs: list[Run]) -> Iterator[LatentPanel]:
    panel = LatentPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1000, 700)
    panel.show()
    session.put_result(result_for(session))
    yield panel
    panel.close_threads()


def ready(qtbot: QtBot, panel: LatentPanel) -> None:
    qtbot.waitUntil(lambda: all(view.is_shown for view in panel.grid.views))


def test_two_maps_share_one_selection(
    qtbot: QtBot, panel: LatentPanel, session: StillSession, runs: list[Run]
) -> None:
    panel.compare([runs[3], runs[0]])
    ready(qtbot, panel)
    first, second = panel.grid.views
    second.canvas.lassoed.emit(np.array([2, 5]), "replace")
    assert np.flatnonzero(session.selected).tolist() == [2, 5]
    for view in (first, second):
        shown = view.canvas._selected[view.canvas._columns.points]
        assert np.flatnonzero(shown).tolist() == [2, 5]


def test_the_pointer_is_shown_on_both_maps(
    qtbot: QtBot, panel: LatentPanel, runs: list[Run]
) -> None:
    panel.compare([runs[3], runs[0]])
    ready(qtbot, panel)
    first, second = panel.grid.views
    first.canvas.hovered.emit(7)
    assert second.canvas._hovered == 7
    assert len(second.canvas._overlay._hovered) == 1
    second.canvas.hovered.emit(-1)
    assert first.canvas._hovered == -1


def test_a_click_on_the_second_map_is_current_on_the_first(
    qtbot: QtBot, panel: LatentPanel, session: StillSession, runs: list[Run]
) -> None:
    panel.compare([runs[3], runs[0]])
    ready(qtbot, panel)
    panel.grid.views[1].canvas.clicked.emit(0.0, 0.0, 4)
    assert session.current == 4
    assert [view.canvas._current for view in panel.grid.views] == [4, 4]


def test_colours_and_filter_are_the_same_on_all(
    qtbot: QtBot, panel: LatentPanel, session: StillSession, runs: list[Run]
) -> None:
    panel.compare(runs[:4])
    ready(qtbot, panel)
    panel.state.choose(colour="score")
    panel.sidebar.legend._filter.clear()
    session.set_filter(np.arange(len(session.table)) < 6)
    for view in panel.grid.views:
        canvas = view.canvas
        by_row = canvas._index[canvas._columns.points]
        assert np.array_equal(by_row, panel.colouring.index)
        assert canvas._shown_count == 6


def test_a_second_map_is_laid_on_the_first(
    qtbot: QtBot, panel: LatentPanel, session: StillSession, runs: list[Run]
) -> None:
    panel.compare([runs[3], runs[0]])
    ready(qtbot, panel)
    own = runs[0].result(session.folder.key).array("positions")
    shown = panel.grid.cells[0].state.coordinates
    assert np.allclose(shown, aligned(own, session.result.positions), atol=1e-5)


def test_four_maps_are_the_most(qtbot: QtBot, panel: LatentPanel, runs: list[Run]) -> None:
    panel.compare(runs)
    assert [cell.run.path for cell in panel.grid.cells] == [run.path for run in runs[:3]]
    assert len(panel.grid.views) == 4
    enabled = [action.isEnabled() for action in panel.toolbar.runs.actions()]
    assert enabled.count(False) == len(runs) - 4


def test_one_run_is_laid_beside_the_open_one(
    qtbot: QtBot, panel: LatentPanel, session: StillSession, runs: list[Run]
) -> None:
    panel.compare([runs[1]])
    assert session.run.path == runs[3].path
    assert [cell.run.path for cell in panel.grid.cells] == [runs[1].path]


def test_a_run_that_has_not_looked_offers_to(
    qtbot: QtBot,
    panel: LatentPanel,
    session: StillSession,
    runs: list[Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel.compare([runs[3], runs[4]])
    cell = panel.grid.cells[0]
    assert cell._stack.currentWidget() is cell.empty
    asked: list[Run] = []
    monkeypatch.setattr(session.jobs, "apply", lambda run, *_rest: asked.append(run))
    cell.empty.acted.emit()
    assert asked == [runs[4]]


def test_a_map_is_closed_and_reopened_from_the_list(
    qtbot: QtBot, panel: LatentPanel, runs: list[Run]
) -> None:
    panel.compare([runs[3], runs[0], runs[1]])
    panel.grid.cells[0].closed.emit()
    assert [cell.run.path for cell in panel.grid.cells] == [runs[1].path]
    action = next(a for a in panel.toolbar.runs.actions() if a.data() == runs[0].path)
    action.trigger()
    assert {cell.run.path for cell in panel.grid.cells} == {runs[0].path, runs[1].path}


def test_another_folder_ends_the_comparison(
    qtbot: QtBot, panel: LatentPanel, session: StillSession, runs: list[Run], image_folder: Path
) -> None:
    panel.compare([runs[3], runs[0]])
    ready(qtbot, panel)
    session.put_folder(image_folder)
    assert panel.grid.cells == []

"""Two runs of one folder beside each other."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop_app.core.ensembles import is_ensemble
from desktop_app.core.files import write_array
from desktop_app.core.runs import Run
from desktop_app.gui.compare.comparison import candidates, paired
from desktop_app.gui.compare.panel import ComparePanel
from desktop_app.gui.filtering import among, shared_filter
from desktop_app.gui.furnishing import add_rooms
from desktop_app.gui.inspector.panel import InspectorPanel
from tests.gui.fakes_session import StillSession, result_for, synthetic_table


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    """22 images; the open run finds the last one most unusual."""
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    session.put_run()
    session.put_result(result_for(session))
    yield session
    session.close()


@pytest.fixture
def panel(qtbot: QtBot, session: StillSession) -> Iterator[ComparePanel]:
    panel = ComparePanel(session, lambda _place: None)
    qtbot.addWidget(panel)
    panel.resize(1100, 700)
    panel.show()
    yield panel
    panel.close_threads()


def put_other_run(session: StillSession, scores: NDArray[np.float32] | None) -> Run:
    """Add a trained run that is not open, with scores of the open folder or without."""
    opened, catalog = session.run, session.catalog
    run = session.put_run()
    (run.path / "method").mkdir()
    session.run, session.catalog = opened, catalog
    if scores is not None:
        assert session.folder is not None
        result = run.result(session.folder.key)
        write_array(result.path / "scores.npy", scores)
        write_array(result.path / "ids.npy", session.table.ids)
        result.write_rows({})
    session.runs = [run, *session.runs]
    session.runs_changed.emit()
    return run


def other_scores() -> NDArray[np.float32]:
    """The same ranks, but the first image is the most unusual one."""
    scores = np.arange(22, dtype=np.float32)
    scores[0] = 100
    return scores


def compared(qtbot: QtBot, panel: ComparePanel) -> ComparePanel:
    qtbot.waitUntil(lambda: len(panel.gallery.order()) > 0, timeout=5000)
    return panel


def test_the_largest_disagreement_comes_first(
    qtbot: QtBot, panel: ComparePanel, session: StillSession
) -> None:
    put_other_run(session, other_scores())
    compared(qtbot, panel)

    assert panel.gallery.order()[0] == 0
    assert panel.gallery._caption(0) == "+95: 2 → 98 %"
    assert panel._count.value() == "22"
    assert panel._correlation.value() == "0.739"


def test_one_way_of_disagreement_is_shown_alone(
    qtbot: QtBot, panel: ComparePanel, session: StillSession
) -> None:
    put_other_run(session, other_scores())
    compared(qtbot, panel)
    panel._way.choose("other")
    assert panel.gallery.order().tolist() == [0]
    panel._way.choose("open")
    assert len(panel.gallery.order()) == 21


def test_points_and_gallery_share_selection_and_filter(
    qtbot: QtBot, panel: ComparePanel, session: StillSession
) -> None:
    put_other_run(session, other_scores())
    compared(qtbot, panel)

    panel.canvas.lassoed.emit(np.array([3, 4]), "replace")
    panel.canvas.clicked.emit(0.0, 0.0, 7)
    shared_filter(session).set("label", among("label", frozenset({"hole"})))

    assert session.current == 7
    assert np.flatnonzero(session.selected).tolist() == [7]
    assert set(panel.gallery.order()) == set(np.flatnonzero(session.visible))
    assert session.table.paths[7].split("/")[-1] in panel._about.text()


def test_a_run_without_scores_can_be_asked_for_them(
    qtbot: QtBot, panel: ComparePanel, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(session.jobs, "apply", lambda run, *_place: asked.append(run.path))
    run = put_other_run(session, None)
    qtbot.waitUntil(lambda: panel._stack.currentIndex() == 1, timeout=5000)

    panel.runs.choose(0)
    qtbot.mouseClick(panel._score, Qt.MouseButton.LeftButton)

    assert asked == [run.path]


def test_the_mean_rank_is_kept_and_opened(
    qtbot: QtBot, panel: ComparePanel, session: StillSession
) -> None:
    put_other_run(session, other_scores())
    compared(qtbot, panel)
    assert not panel._keep.isEnabled()
    panel.runs.tick(0)

    with qtbot.waitSignal(panel.kept, timeout=5000):
        qtbot.mouseClick(panel._keep, Qt.MouseButton.LeftButton)

    assert session.run is not None
    assert is_ensemble(session.run)
    qtbot.waitUntil(lambda: session.result is not None, timeout=5000)
    assert session.result is not None
    assert session.result.scores is not None
    assert int(np.argmax(session.result.scores)) == 21
    assert session.result.scores[0] == pytest.approx((0.5 + 21.5) / 22 / 2)


def test_without_scores_the_panel_says_what_to_do(
    qtbot: QtBot, panel: ComparePanel, session: StillSession
) -> None:
    session.put_result(None)
    assert panel._stack.currentIndex() == 0
    assert panel._empty.accessibleName() == "Nothing to compare"


def test_a_hundred_thousand_images_are_paired_and_shown(
    qtbot: QtBot, panel: ComparePanel, session: StillSession, mvtec_folder: Path
) -> None:
    session.put_folder(mvtec_folder, synthetic_table(100_000))
    session.put_result(result_for(session, maps=False, latents=False))
    random = np.random.default_rng(0)
    put_other_run(session, random.normal(size=100_000).astype(np.float32))
    compared(qtbot, panel)

    assert panel._count.value() == "100,000"
    assert len(panel.gallery.order()) == 100_000
    assert len(panel.canvas.rows_inside(panel.canvas.mapToScene(panel.canvas.rect()))) > 99_000


def test_the_open_run_is_no_candidate(session: StillSession) -> None:
    assert session.run is not None
    other = put_other_run(session, other_scores())
    scores = np.arange(22, dtype=np.float32)

    found = candidates([session.run, other], session.run, scores, session.folder.key, session.table)

    assert [one.run.path for one in found] == [other.path]
    assert found[0].title == "run-1"
    for run in (session.run, other):
        run.write_spec(run.spec().model_copy(update={"title": "Same", "created": 0.0}))
    (same,) = candidates(
        [session.run, other], session.run, scores, session.folder.key, session.table
    )
    assert same.title.startswith("Same · 19")  # told apart by the moment of its training
    assert paired(scores[:1], scores[:1]) is None


def test_the_inspector_has_a_room_for_it(qtbot: QtBot, session: StillSession) -> None:
    inspector = InspectorPanel(session)
    add_rooms(inspector, session)
    qtbot.addWidget(inspector)
    inspector.show()
    put_other_run(session, other_scores())

    inspector.rooms.enter("compare")
    panel = inspector.rooms.room("compare")
    assert isinstance(panel, ComparePanel)
    compared(qtbot, panel)
    panel.gallery.activated.emit(0)

    assert session.current == 0
    assert inspector.viewer.isVisible()
    panel.close_threads()
    inspector.ranking.close_threads()

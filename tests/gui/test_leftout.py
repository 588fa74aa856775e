"""Images left out of training: by hand, by score, with undo; told to the worker."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop_app.gui.imagemenu import ImageActions
from desktop_app.gui.leftout import LeftOut
from desktop_app.gui.library.linked import LinkedGallery
from desktop_app.gui.library.worst import WorstDialog, leave_out_the_worst, ranked_training_rows
from desktop_app.gui.training.setup import TrainPanel
from desktop_app.sdk.errors import InvalidInput
from tests.gui.fakes_session import StillSession, result_for, synthetic_table


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    yield session
    session.close()


@pytest.fixture
def scored(session: StillSession) -> StillSession:
    """Scores rise with the row."""
    session.put_run()
    session.put_result(result_for(session))
    return session


def kept(session: StillSession) -> set[str]:
    assert session.folder is not None
    return set(session.workspace.left_out(session.folder.key))


def test_images_are_left_out_at_once_and_after_a_restart(session: StillSession) -> None:
    session.leave_out(np.array([2, 0]))

    paths = session.table.paths
    assert np.flatnonzero(session.left_out).tolist() == [0, 2]
    assert kept(session) == {paths[0], paths[2]}
    session.put_folder(session.folder.root)  # type: ignore[union-attr]
    assert session.left_out_paths == [paths[0], paths[2]]


def test_undo_takes_back_what_was_done_last_of_both_kinds(session: StillSession) -> None:
    session.set_verdict(np.array([1]), 2)
    session.leave_out(np.array([3, 4]))
    session.leave_out(np.array([3]), False)
    session.set_verdict(np.array([1]), 1)

    session.undo()
    assert (session.verdicts[1], session.left_out[3]) == (2, False)
    session.undo()
    assert session.left_out[[3, 4]].all()
    session.undo()
    assert not session.left_out.any()
    assert kept(session) == set()
    session.undo()
    assert session.verdicts[1] == 0
    assert not session.can_undo
    session.redo()
    session.redo()
    assert session.verdicts[1] == 2
    assert session.left_out[[3, 4]].all()


def test_leaving_out_again_changes_nothing_to_undo(session: StillSession) -> None:
    session.leave_out(np.array([3]))
    session.leave_out(np.array([3]))

    session.undo()

    assert not session.can_undo
    assert not session.left_out.any()


def test_many_images_are_written_behind_the_window(
    qtbot: QtBot, tmp_path: Path, session: StillSession
) -> None:
    table, work = synthetic_table(2000), []
    left_out = LeftOut(session.workspace, "key", table, lambda _name, act: work.append(act))

    left_out.set(np.arange(1500), True)

    assert session.workspace.left_out("key") == frozenset()
    work[0]()
    assert session.workspace.left_out("key") == set(table.paths[:1500])


def test_the_menu_offers_what_can_be_done(qtbot: QtBot, session: StillSession) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    actions = ImageActions(session, owner, lambda _place: None, "gallery")
    session.leave_out(np.array([1]))

    mixed = {action.text(): action for action in actions.menu(np.array([0, 1]), 0).actions()}
    assert {"Leave 2 out of training", "Train on 2 again"} <= set(mixed)
    one = [action.text() for action in actions.menu(np.array([0]), 0).actions()]
    assert "Leave out of training" in one
    assert "Train on it again" not in one
    mixed["Leave 2 out of training"].trigger()
    assert session.left_out[:2].all()


def test_the_gallery_marks_them(qtbot: QtBot, session: StillSession) -> None:
    gallery = LinkedGallery(session)
    qtbot.addWidget(gallery)

    session.leave_out(np.array([1]))

    badge = gallery._items.badge
    assert (badge(0).left_out, badge(1).left_out) == (False, True)
    assert "Left out of training" in gallery._tip(1)
    gallery.close_threads()


def test_training_is_told_whom_to_leave_out(
    qtbot: QtBot, session: StillSession, catalog: Path
) -> None:
    panel = TrainPanel(session)
    qtbot.addWidget(panel)
    panel.choose("pca")
    rows = session.folder.training_rows(session.table, None)  # type: ignore[union-attr]
    session.leave_out(rows[:2])
    panel._judge()

    spec = panel.spec()
    assert spec is not None
    assert spec.leave_out == [session.table.paths[row] for row in rows[:2]]
    assert f"{len(rows) - 2} of {len(session.table)} images train" in panel._images.text()
    session.leave_out(rows)
    assert "is left to train on" in panel.problem()


def test_the_worst_training_images_are_suspects(qtbot: QtBot, scored: StillSession) -> None:
    rows = scored.folder.training_rows(scored.table, None)  # type: ignore[union-attr]
    dialog = WorstDialog(scored)
    qtbot.addWidget(dialog)
    dialog.share.setValue(25)

    assert dialog.chosen().tolist() == rows[::-1][:3].tolist()
    assert dialog.confirm.text() == "Leave 3 out"
    dialog.accept()
    assert np.flatnonzero(scored.left_out).tolist() == sorted(rows[::-1][:3].tolist())
    assert ranked_training_rows(scored).tolist() == rows[::-1][3:].tolist()
    scored.undo()
    assert not scored.left_out.any()


def test_a_click_spares_a_suspect_and_cancelling_spares_all(
    qtbot: QtBot, scored: StillSession
) -> None:
    dialog = WorstDialog(scored)
    qtbot.addWidget(dialog)
    dialog.resize(800, 600)
    dialog.show()
    dialog.share.setValue(25)
    suspects = dialog.chosen()
    place = dialog.gallery._tile_area(1).center()

    qtbot.mouseClick(dialog.gallery.viewport(), Qt.MouseButton.LeftButton, pos=place)

    assert dialog.chosen().tolist() == suspects[[0, 2]].tolist()
    dialog.share.setValue(34)
    assert suspects[1] not in dialog.chosen()
    assert len(dialog.chosen()) == 3
    qtbot.keyClick(dialog.gallery, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert not scored.left_out.any()


def test_without_scores_there_are_no_suspects(qtbot: QtBot, session: StillSession) -> None:
    with pytest.raises(InvalidInput, match="There are no scores yet"):
        ranked_training_rows(session)
    owner = QWidget()
    qtbot.addWidget(owner)
    with qtbot.waitSignal(session.problem):
        leave_out_the_worst(session, owner)

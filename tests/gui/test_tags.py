"""Tags of images: kept in the workspace, joined to words, in rows of the table."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.gui.categories import tags_of
from desktop_app.gui.filtering import among, shared_filter
from desktop_app.gui.tags import Tags, shared_tags
from tests.gui.fakes_session import StillSession


@pytest.fixture
def session(qtbot: QtBot, tmp_path: Path, mvtec_folder: Path) -> Iterator[StillSession]:
    session = StillSession(tmp_path)
    session.put_folder(mvtec_folder)
    yield session
    session.close()


def test_tags_are_kept_in_the_workspace(session: StillSession) -> None:
    shared_tags(session).put("A", np.array([3, 1]))
    kept = session.workspace.tags(session.folder.key)
    assert kept == {session.table.paths[row]: frozenset({"A"}) for row in (1, 3)}


def test_tags_come_back_with_the_folder(
    qtbot: QtBot, session: StillSession, image_folder: Path, mvtec_folder: Path
) -> None:
    tags = shared_tags(session)
    tags.put("A", np.array([2]))
    session.put_folder(image_folder)
    assert tags.names() == []
    session.put_folder(mvtec_folder)
    qtbot.waitUntil(lambda: tags.names() == ["A"])
    assert tags.rows("A").tolist() == [2]


def test_a_tag_has_exactly_the_rows_that_were_put(session: StillSession) -> None:
    tags = shared_tags(session)
    tags.put("A", np.array([1, 2]))
    tags.put("A", np.array([2, 5]))
    assert tags.rows("A").tolist() == [2, 5]
    tags.put("A", np.zeros(0, np.int64))
    assert tags.names() == []
    assert session.workspace.tags(session.folder.key) == {}


def test_several_tags_of_an_image_are_a_word_of_their_own(session: StillSession) -> None:
    tags = shared_tags(session)
    tags.put("B", np.array([1, 2]))
    tags.put("A", np.array([0, 1]))
    column = tags_of(session)
    words = [column.keys[code] for code in column.codes[:4].tolist()]
    assert words == ["A", "A + B", "B", ""]
    assert column.counts.tolist()[0] == len(session.table) - 3
    assert set(column.keys) == {"", "A", "B", "A + B"}


def test_many_rows_are_written_behind_and_none_is_lost(
    qtbot: QtBot, session: StillSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop_app.gui.tags._AT_ONCE", 2)
    tags = shared_tags(session)
    for name in "ABCD":
        tags.put(name, np.arange(10))
    kept = session.workspace.tags
    qtbot.waitUntil(lambda: len(kept(session.folder.key)) == 10)
    everything = frozenset("ABCD")
    qtbot.waitUntil(lambda: set(kept(session.folder.key).values()) == {everything})


def test_a_filter_on_a_tag_follows_it(session: StillSession) -> None:
    tags: Tags = shared_tags(session)
    tags.put("A", np.array([1, 2]))
    shared_filter(session).set("tag", among("tag", frozenset({"A"})))
    assert np.flatnonzero(session.visible).tolist() == [1, 2]
    tags.put("A", np.array([4]))
    assert np.flatnonzero(session.visible).tolist() == [4]

"""Long work with progress and a way to stop."""

import threading
from collections.abc import Iterator

from PySide6.QtWidgets import QProgressDialog, QWidget
from pytestqt.qtbot import QtBot

from desktop_app.gui.tasks import Task, run_with_progress
from desktop_app.sdk.errors import InvalidInput


def test_the_end_of_a_task_is_told_with_its_last_step(qtbot: QtBot) -> None:
    task = Task(iter([(1, 2), (2, 2)]))
    seen: list[tuple[int, int]] = []
    task.progressed.connect(lambda done, total: seen.append((done, total)))
    with qtbot.waitSignal(task.ended) as ended:
        task.start()
    task.wait()
    assert ended.args == ["", False]
    assert seen[-1] == (2, 2)


def test_a_failure_arrives_as_a_sentence(qtbot: QtBot) -> None:
    def failing() -> Iterator[tuple[int, int]]:
        yield 1, 2
        raise InvalidInput("The disk is full.")

    task = Task(failing())
    with qtbot.waitSignal(task.ended) as ended:
        task.start()
    task.wait()
    assert ended.args == ["The disk is full.", False]


def test_a_stopped_task_ends_after_its_step(qtbot: QtBot) -> None:
    go_on = threading.Event()
    done: list[int] = []

    def steps() -> Iterator[tuple[int, int]]:
        for number in range(1, 100):
            done.append(number)
            yield number, 99
            go_on.wait(5)

    task = Task(steps())
    with qtbot.waitSignal(task.ended) as ended:
        task.start()
        task.stop()
        go_on.set()
    task.wait()
    assert ended.args == ["", True]
    assert len(done) < 99


def test_quick_work_shows_no_dialog(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    ends: list[tuple[str, bool]] = []
    shown: list[bool] = []

    def finish(problem: str, stopped: bool) -> None:
        shown.extend(dialog.isVisible() for dialog in window.findChildren(QProgressDialog))
        ends.append((problem, stopped))

    run_with_progress(window, "Copying", iter([(1, 1)]), finish)
    qtbot.waitUntil(lambda: bool(ends))
    assert ends == [("", False)]
    assert shown == [False]

"""Questions to the worker, their answers and refusals; the worker is played by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from desktop_app.core.channel import Message
from desktop_app.gui import inference as module
from desktop_app.gui.inference import Inference


class Desk:
    """Notes what is asked."""

    def __init__(self, _run: Path, _folder: Path, _arrived: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self.withdrawn: list[str] = []

    def ask(self, header: dict[str, Any], _arrays: dict[str, Any]) -> None:
        self.asked.append(header)

    def withdraw(self, kind: str) -> None:
        self.withdrawn.append(kind)

    def close(self) -> None:
        pass


@pytest.fixture
def inference(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Inference:
    monkeypatch.setattr(module, "_Desk", Desk)
    inference = Inference()
    inference.use(tmp_path, tmp_path)
    return inference


def ask(inference: Inference, answers: list[str], refusals: list[str] | None = None) -> Any:
    def answered(header: dict[str, Any], _arrays: Any) -> None:
        answers.append(header["text"])

    refused = refusals.append if refusals is not None else None
    inference.request("explain", {}, {}, answered, refused)
    return inference._desk


def reply(inference: Inference, **header: Any) -> None:
    inference._take(inference._desk, Message(header, {"picture": np.zeros(1)}))


def test_a_refusal_is_told_to_whoever_asked(qtbot: QtBot, inference: Inference) -> None:
    answers, refusals = [], []
    ask(inference, answers, refusals)
    with qtbot.assertNotEmitted(inference.failed):
        reply(inference, kind="explain", number=1, problem="not trained")
    assert (answers, refusals) == ([], ["not trained"])


def test_a_refusal_that_nobody_takes_is_told_aloud(qtbot: QtBot, inference: Inference) -> None:
    ask(inference, [])
    with qtbot.waitSignal(inference.failed) as failed:
        reply(inference, kind="explain", number=1, problem="not trained")
    assert failed.args == ["not trained"]


def test_a_question_that_was_taken_back_gets_no_answer(inference: Inference) -> None:
    answers: list[str] = []
    desk = ask(inference, answers)
    inference.withdraw("explain")
    reply(inference, kind="explain", number=1, text="late")
    assert answers == []
    assert desk.withdrawn == ["explain"]
    ask(inference, answers)
    reply(inference, kind="explain", number=2, text="new")
    assert answers == ["new"]


def test_a_worker_that_dies_leaves_nobody_waiting(qtbot: QtBot, inference: Inference) -> None:
    refusals: list[str] = []
    ask(inference, [], refusals)
    with qtbot.waitSignal(inference.failed):
        reply(inference, kind="failed", problem="out of memory")
    assert refusals == ["out of memory"]

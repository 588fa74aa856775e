import json
from pathlib import Path

import pytest

from desktop_app.core import eventlog
from desktop_app.core.eventlog import EventLog, EventReader, read_events
from desktop_app.sdk.events import Metrics


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "运行" / "events.jsonl"


def _metrics(step: int, **values: float) -> Metrics:
    return Metrics(step, step / 100, values or {"loss": 1 / step}, epoch=step / 7, images=4)


def test_every_event_is_one_line_of_json(path: Path) -> None:
    with EventLog(path) as log:
        log.append("note", text="第一\n行", level="info")
        log.append("state", state="running")

    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["note", "state"]
    assert read_events(path)[0]["text"] == "第一\n行"


def test_fast_metrics_are_gathered_with_every_value_in_them(path: Path) -> None:
    with EventLog(path) as log:
        for step in range(1, 1001):
            log.metrics(_metrics(step), elapsed=step * 0.001)

    events = read_events(path)
    assert len(events) < 50
    assert [step for event in events for step in event["step"]] == list(range(1, 1001))
    assert [loss for event in events for loss in event["values"]["loss"]] == [
        1 / step for step in range(1, 1001)
    ]
    assert sum(event["images"] for event in events) == 4000
    assert events[-1]["progress"] == 10.0


def test_slow_metrics_are_written_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventlog, "_PAUSE", 0.0)

    with EventLog(path) as log:
        line = log.metrics(_metrics(1), elapsed=0.0)

        assert line == read_events(path)[0]


def test_a_value_that_is_missing_at_a_step_is_null_there(path: Path) -> None:
    with EventLog(path) as log:
        log.metrics(_metrics(1, loss=0.5), elapsed=0.0)  # the first is written at once
        log.metrics(_metrics(2, loss=0.4, accuracy=0.9), elapsed=0.1)
        log.metrics(_metrics(3, loss=0.3), elapsed=0.2)

    assert read_events(path)[-1]["values"] == {"loss": [0.4, 0.3], "accuracy": [0.9, None]}


def test_an_event_comes_after_the_metrics_before_it(path: Path) -> None:
    with EventLog(path) as log:
        for step in range(1, 4):
            log.metrics(_metrics(step), elapsed=0.0)
        log.append("checkpoint", step=3)

    assert [event["type"] for event in read_events(path)][-2:] == ["metrics", "checkpoint"]


def test_a_log_that_is_opened_again_goes_on_after_a_torn_line(path: Path) -> None:
    with EventLog(path) as log:
        log.append("state", state="running")
    with path.open("ab") as file:
        file.write(b'{"type": "sta')

    with EventLog(path) as log:
        log.append("state", state="stopped")

    assert [event["state"] for event in read_events(path)] == ["running", "stopped"]


@pytest.mark.parametrize("size", [0, 10_000])
def test_a_log_is_cut_back_to_a_size_and_never_filled_up_to_it(path: Path, size: int) -> None:
    with EventLog(path) as log:
        log.append("state", state="running")

    with EventLog(path, size) as log:
        log.append("state", state="stopped")

    states = [event["state"] for event in read_events(path)]
    assert states == (["stopped"] if size == 0 else ["running", "stopped"])
    assert b"\0" not in path.read_bytes()


def test_the_size_is_where_the_next_event_begins(path: Path) -> None:
    with EventLog(path) as log:
        log.append("state", state="running")
        log.metrics(_metrics(1), elapsed=0.0)
        size = log.size()
        log.append("state", state="stopped")

    with EventLog(path, size) as log:
        log.append("state", state="again")

    assert [event["type"] for event in read_events(path)] == ["state", "metrics", "state"]
    assert read_events(path)[-1]["state"] == "again"


def test_a_reader_sees_each_event_once_and_never_half_a_line(path: Path) -> None:
    reader = EventReader(path)
    assert reader.poll() == (False, [])
    with EventLog(path) as log:
        log.append("state", state="running")
        assert [event["state"] for event in reader.poll()[1]] == ["running"]
        with path.open("ab") as torn:
            torn.write(b'{"type": "note", "text"')
        assert reader.poll() == (False, [])
        with path.open("ab") as torn:
            torn.write(b': "whole"}\n')

    assert [event["text"] for event in reader.poll()[1]] == ["whole"]
    assert reader.poll() == (False, [])


def test_a_reader_notices_that_the_file_was_cut_back(path: Path) -> None:
    with EventLog(path) as log:
        for name in ("a", "b", "c"):
            log.append("state", state=name)
    reader = EventReader(path)
    reader.poll()

    EventLog(path, 0).close()
    with EventLog(path) as log:
        log.append("state", state="a")

    cut, events = reader.poll()
    assert cut
    assert [event["state"] for event in events] == ["a"]


def test_values_that_are_no_number_are_read_back(path: Path) -> None:
    with EventLog(path) as log:
        log.metrics(_metrics(1, loss=float("nan"), best=float("inf")), elapsed=0.0)

    values = read_events(path)[0]["values"]
    assert values["loss"][0] != values["loss"][0]
    assert values["best"] == [float("inf")]

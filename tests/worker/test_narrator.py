import time
from pathlib import Path
from typing import Any

import pytest

from desktop_app.core.runs import JobFolder, JobState
from desktop_app.sdk.events import Metrics
from desktop_app.worker.narrator import Narrator


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "job")


def _metrics(step: int) -> Metrics:
    return Metrics(step, step / 10, {"loss": 1 / step}, images=8)


def test_an_observer_sees_every_line_of_the_file_in_order(job: JobFolder) -> None:
    seen: list[dict[str, Any]] = []

    with Narrator(job, seen.append) as narrator:
        narrator.state(JobState.RUNNING)
        for step in range(1, 11):
            narrator.metrics(_metrics(step))
            if step == 5:
                narrator.size()
        narrator.state(JobState.FINISHED)

    assert seen == job.events()
    assert [step for line in seen if line["type"] == "metrics" for step in line["step"]] == [
        *range(1, 11)
    ]


def test_pauses_do_not_count_as_work(job: JobFolder) -> None:
    with Narrator(job, elapsed=100.0) as narrator:
        narrator.start_clock()
        narrator.stop_clock()
        stopped = narrator.elapsed
        time.sleep(0.02)

        assert 100.0 <= narrator.elapsed == stopped < 101.0


def test_progress_is_told_ten_times_a_second_and_at_its_end(job: JobFolder) -> None:
    with Narrator(job) as narrator:
        for done in range(1001):
            narrator.progress("Decoding images", done, 1000)

    told = [event["done"] for event in job.events()]
    assert len(told) < 20
    assert told[-1] == 1000

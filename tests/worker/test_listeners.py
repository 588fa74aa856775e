import json
from collections.abc import Callable
from pathlib import Path

import pytest

from desktop_app.core.runs import JobState, Run
from desktop_app.worker.training import train
from tests.runs import dense_spec

LISTENING = """
import json
from pathlib import Path
from desktop_app.sdk.hookspecs import hookimpl

@hookimpl
def job_event(run_dir, event):
    with Path("NOTEBOOK").open("a", encoding="utf-8") as file:
        file.write(json.dumps([run_dir.name, event]) + "\\n")
"""
FAILING = """
from desktop_app.sdk.hookspecs import hookimpl

@hookimpl
def job_event(run_dir, event):
    raise ValueError("no network")
"""

WritePlugin = Callable[[str, str], Path]


@pytest.fixture
def run(tmp_path: Path, image_folder: Path) -> Run:
    return Run.create(tmp_path / "run", dense_spec(image_folder))


def test_a_plugin_takes_notice_of_every_event_of_a_job(
    write_plugin: WritePlugin, run: Run, tmp_path: Path
) -> None:
    notebook = tmp_path / "notebook"
    write_plugin("diary", LISTENING.replace("NOTEBOOK", str(notebook)))

    train(run)

    noted = [json.loads(line) for line in notebook.read_text("utf-8").splitlines()]
    assert {name for name, _ in noted} == {"run"}
    assert [event for _, event in noted] == run.events()


def test_a_plugin_that_fails_is_told_no_more_and_harms_nothing(
    write_plugin: WritePlugin, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plugin("broken", FAILING)
    write_plugin("diary", LISTENING.replace("NOTEBOOK", str(tmp_path / "notebook")))

    assert train(run) is JobState.FINISHED

    err = capsys.readouterr().err
    assert err.count("Plugin 'broken' fails at an event:") == 1
    assert "ValueError: no network" in err
    assert (tmp_path / "notebook").exists()


def test_plugins_that_do_not_listen_are_not_even_imported(
    write_plugin: WritePlugin, run: Run, tmp_path: Path
) -> None:
    write_plugin("other", f"open({str(tmp_path / 'imported')!r}, 'w').close()")
    write_plugin("torn", "import no_such_module  # job_event")

    assert train(run) is JobState.FINISHED

    assert not (tmp_path / "imported").exists()

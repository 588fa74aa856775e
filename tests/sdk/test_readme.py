import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop_app.core.plugins import find_method, load_plugin, plugin_sources
from desktop_app.core.runs import JobState, Run
from desktop_app.sdk.testing import CHECKS
from desktop_app.worker.training import train
from tests.runs import dense_spec

ROOT = Path(__file__).parents[2]
ON_PLUGINS = ROOT / "desktop_app" / "sdk" / "README.md"

WritePlugin = Callable[[str, str], Path]


def snippets(readme: Path) -> list[str]:
    """Return the blocks of Python in a Markdown file."""
    return re.findall(r"^```python\n(.*?)^```", readme.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(params=["repository", "sdk"])
def method(request: pytest.FixtureRequest, write_plugin: WritePlugin) -> str:
    """The id of the method that a README shows, written as a single-file plugin."""
    source = snippets(ROOT / "README.md" if request.param == "repository" else ON_PLUGINS)[0]
    found = re.search(r'card = Card\("(\w+)"', source)
    assert found, "The first snippet must be a method with a card."
    write_plugin(found[1], source)
    return found[1]


def test_the_method_of_the_readme_trains_and_is_used(
    method: str, tmp_path: Path, image_folder: Path
) -> None:
    spec = dense_spec(image_folder, method=method).model_copy(
        update={"params": {}, "apply_after": True}
    )
    run = Run.create(tmp_path / "run", spec)

    assert train(run) is JobState.FINISHED, run.events()[-1]

    (result,) = run.results()
    scores = result.array("scores")
    assert scores is not None
    assert len(scores) == 24


def test_the_method_on_the_page_about_plugins_keeps_all_promises(
    write_plugin: WritePlugin,
) -> None:
    write_plugin("linear", snippets(ON_PLUGINS)[0])
    kind, _ = find_method("linear")

    for check in CHECKS:
        check(kind)


def test_the_test_on_the_page_runs_every_check(write_plugin: WritePlugin) -> None:
    write_plugin("linear", snippets(ON_PLUGINS)[0])
    kind, _ = find_method("linear")
    names: dict[str, Any] = {"Linear": kind}

    exec(snippets(ON_PLUGINS)[1], names)

    names["test_linear_keeps_its_promises"](CHECKS[0])
    (mark,) = names["test_linear_keeps_its_promises"].pytestmark
    assert mark.args == ("check", CHECKS)


def test_the_data_set_and_the_listener_on_the_page_work(
    write_plugin: WritePlugin, tmp_path: Path
) -> None:
    write_plugin("noise", snippets(ON_PLUGINS)[2])
    (source,) = [source for source in plugin_sources() if source.id == "noise"]
    (noise,) = load_plugin(source).datasets()
    (tmp_path / "noise").mkdir()

    folder = noise.write(tmp_path / "noise")
    run = Run.create(tmp_path / "run", dense_spec(folder))
    train(run)

    assert len(list(folder.glob("*.png"))) == 8
    assert (run.path / "finished.txt").read_text("utf-8") == "Come and look."


def test_every_snippet_is_tried() -> None:
    assert len(snippets(ON_PLUGINS)) == 3
    assert len(snippets(ROOT / "README.md")) == 1


def test_the_two_commands_of_the_readme_are_what_integration_runs() -> None:
    commands = re.findall(r"^sh \.ci/packages.*$", (ROOT / "README.md").read_text("utf-8"), re.M)
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    assert len(commands) == 2
    assert commands[0].endswith("loupe demo")
    assert commands[1].endswith("python -m pytest")
    assert "grep '^sh .ci/packages' README.md" in script

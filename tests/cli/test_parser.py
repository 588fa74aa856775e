import sys

import pytest

from desktop_app.cli.parser import parsed
from tests.cli.conftest import Loupe

ANALYSTS = ["demo", "methods", "describe", "train", "score", "embed", "evaluate"]
COMMANDS = [*ANALYSTS, "probe", "experiment", "index", "worker", "serve"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(loupe: Loupe, command: str) -> None:
    outcome = loupe(command, "--help")

    assert outcome.code == 0
    assert outcome.out.startswith(f"usage: loupe {command}")
    assert outcome.err == ""


def test_help_names_every_command_of_the_analyst(loupe: Loupe) -> None:
    outcome = loupe("--help")

    assert outcome.code == 0
    assert all(f"loupe {command}" in outcome.out for command in ANALYSTS)


def test_the_version_is_told(loupe: Loupe) -> None:
    from desktop_app import __version__

    assert loupe("--version").out == f"loupe {__version__}\n"


@pytest.mark.parametrize("words", [["train"], ["train", "x", "--out"], ["score", "a"], ["a", "b"]])
def test_wrong_usage_is_told_with_code_two(loupe: Loupe, words: list[str]) -> None:
    outcome = loupe(*words)

    assert outcome.code == 2
    assert "usage: loupe" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("folds", ["1", "51", "-2", "some"])
def test_folds_that_leave_nothing_to_train_on_are_wrong_usage(loupe: Loupe, folds: str) -> None:
    outcome = loupe("train", "x", "--method", "pca", "--out", "y", "--folds", folds)

    assert outcome.code == 2
    assert f"got '{folds}'" in outcome.err


@pytest.mark.parametrize("words", [[], ["some folder"], ["train.project"]])
def test_anything_that_is_no_command_is_opened_in_the_window(words: list[str]) -> None:
    options = parsed(words)

    assert options.command == ("window", "open_window")
    assert str(options.path or "") == "".join(words)


def test_arguments_are_parsed_before_qt_or_torch_is_imported() -> None:
    import subprocess

    script = (
        "import sys; from desktop_app.cli.parser import parsed; import desktop_app.__main__;"
        "parsed(['train', 'x', '--method', 'vae', '--out', 'y']);"
        "print([name for name in ('torch', 'PySide6', 'scipy') if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"

import subprocess
import sys

from tests.architecture.blocking import ROOT


def test_nobody_crosses_the_borders_of_the_house() -> None:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"

    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from desktop_app.cli import run


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    def told(self) -> str:
        """Return the one sentence of an error; fails when there is more, or none."""
        lines = [line for line in self.err.splitlines() if line.startswith("loupe: ")]
        assert self.code == 1, self.err
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0].removeprefix("loupe: ")


Loupe = Callable[..., Outcome]


@pytest.fixture
def loupe(capfd: pytest.CaptureFixture[str]) -> Loupe:
    """Run the command line in this process and return its exit code and output."""

    def call(*words: Any) -> Outcome:
        capfd.readouterr()
        try:
            code = run([str(word) for word in words])
        except SystemExit as end:  # argparse: help and wrong usage
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return call

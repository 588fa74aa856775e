"""Bars that methods have to clear on real images, and a table of them.

    python -m pytest -n 0 -m "slow and shared" tests/plugins

prints what every method reached, beside its bar and the trivial value, after the last test.
"""

from collections.abc import Callable, Iterator

import pytest

from desktop_app.toolbox import filters

Bar = Callable[..., None]
_PROPERTY = "bar"


@pytest.fixture
def bar(record_property: Callable[[str, object], None]) -> Bar:
    """Return a function that notes a measure for the table and asserts that it clears its bar.

    `bar(method, measure, value, below=... or above=..., trivial=...)`.
    """

    def clears(
        method: str,
        measure: str,
        value: float,
        *,
        below: float | None = None,
        above: float | None = None,
        trivial: float | None = None,
    ) -> None:
        limit = f"< {below:g}" if below is not None else f">= {above:g}"
        against = "" if trivial is None else f"{trivial:.4g}"
        record_property(_PROPERTY, [method, measure, f"{value:.4g}", limit, against])
        assert below is None or value < below, f"{method}: {measure} is {value}, bar {limit}"
        assert above is None or value >= above, f"{method}: {measure} is {value}, bar {limit}"

    return clears


@pytest.fixture(autouse=True)
def quickly_learned_filters(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Filters are learned from few patches where no bar has to be cleared."""
    if not {"slow", "shared"} & {mark.name for mark in request.node.iter_markers()}:
        monkeypatch.setattr(filters, "_PATCHES", 8_000)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    rows = list(_rows(terminalreporter))
    if not rows:
        return
    heads = ["method", "measure", "reached", "bar", "trivial"]
    widths = [max(len(str(row[column])) for row in [heads, *rows]) for column in range(5)]
    terminalreporter.section("what the methods learned")
    for row in [heads, *rows]:
        cells = (str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line("  ".join(cells).rstrip())


def _rows(terminalreporter: pytest.TerminalReporter) -> Iterator[list[str]]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == _PROPERTY and report.when == "call":
                    yield value

"""Fixtures of the tests of trainings."""

import pytest

from desktop_app.core import eventlog


@pytest.fixture
def every_step_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each step by itself, so that an observer stops a training at the step it names."""
    monkeypatch.setattr(eventlog, "_PAUSE", 0.0)

"""Every bundled method can be started from the window as it is, and with each of its presets."""

from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from desktop_app.gui.form import ParameterForm
from desktop_app.sdk.method import Method
from desktop_app.sdk.params import parameter_schema
from tests.contract.test_methods import bundled_methods


@pytest.mark.parametrize("method", bundled_methods(), ids=lambda method: method.card.id)
def test_its_form_accepts_its_defaults_and_its_presets(
    method: type[Method[Any]], qtbot: QtBot
) -> None:
    form = ParameterForm(parameter_schema(method.params_type))
    qtbot.addWidget(form)

    assert form.problems() == {}
    assert form.changed_values() == {}
    for preset in method.presets:
        form.reset()
        form.set_values(preset.values)
        assert form.problems() == {}, preset.name
        assert {**form.values(), **preset.values} == form.values()

"""How names and numbers are told."""

import pytest

from desktop_app.gui.wording import spoken


@pytest.mark.parametrize(
    ("name", "words"),
    [("learning_rate", "Learning rate"), ("kl_weight", "KL weight"), ("val_mse", "Val MSE")],
)
def test_a_name_is_told_in_words(name: str, words: str) -> None:
    assert spoken(name) == words

"""Words of a column as numbers and colours."""

from desktop_app.gui.categories import categories
from desktop_app.gui.theme import DARK


def test_normal_names_come_first_and_missing_words_before_them() -> None:
    column = categories("label", ["scratch", "good", "", "hole", "good"])
    assert column.keys == ("", "good", "hole", "scratch")
    assert column.codes.tolist() == [3, 1, 0, 2, 1]
    assert column.counts.tolist() == [1, 2, 1, 1]


def test_splits_come_in_the_order_in_which_they_are_used() -> None:
    assert categories("split", ["test", "train", "validation"]).keys == (
        "train",
        "validation",
        "test",
    )


def test_a_mask_lets_pass_the_rows_with_these_words() -> None:
    column = categories("label", ["a", "b", "a", "c"])
    assert column.mask(frozenset({"a", "c"})).tolist() == [True, False, True, True]
    assert not column.mask(frozenset()).any()


def test_a_word_has_the_same_colour_with_and_without_unlabelled_images() -> None:
    some = categories("label", ["good", "hole"])
    all_ = categories("label", ["", "good", "hole"])
    assert some.colour(1, DARK) == all_.colour(2, DARK)
    assert all_.colour(0, DARK) == DARK.colours.border_strong


def test_the_colours_of_verdicts_say_what_they_mean() -> None:
    column = categories("verdict", ["normal", "anomalous"])
    colours = {key: column.colour(code, DARK) for code, key in enumerate(column.keys)}
    assert colours == {"normal": DARK.colours.good, "anomalous": DARK.colours.bad}

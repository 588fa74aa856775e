"""Curves as numbers: smoothing, peaks, groups."""

import numpy as np
import pytest

from desktop_app.gui.training.groups import direction, is_setting, main_metric, shared_plots
from desktop_app.gui.training.series import BLOCK, Series
from desktop_app.gui.training.smoothing import Smoother

RANDOM = np.random.default_rng(0)


def slowly_smoothed(values: np.ndarray, window: float) -> list[float]:
    """The formula of the module, value by value."""
    weight, total, smooth = 1 - 1 / window, 0.0, []
    for number, value in enumerate(values, start=1):
        total = weight * total + (1 - weight) * value
        smooth.append(total / (1 - weight**number))
    return smooth


@pytest.mark.parametrize("window", [1.5, 2, 20, 300, 10_000])
@pytest.mark.parametrize("pieces", [1, 7, 2000])
def test_smoothing_equals_its_formula_however_the_values_arrive(window: float, pieces: int) -> None:
    values = RANDOM.normal(5, 1, 2000)
    smoother = Smoother(window)
    smooth = np.concatenate([smoother.more(part) for part in np.array_split(values, pieces)])
    np.testing.assert_allclose(smooth, slowly_smoothed(values, window), rtol=1e-9)


def test_a_constant_is_smoothed_to_itself_from_the_first_value() -> None:
    np.testing.assert_allclose(Smoother(50).more(np.full(10, 3.0)), 3.0)


def test_a_window_of_one_leaves_the_values_as_they_are() -> None:
    values = RANDOM.normal(size=50)
    np.testing.assert_array_equal(Smoother(1).more(values), values)


def test_steps_without_a_finite_value_are_left_out() -> None:
    series = Series(1)
    series.follow(np.array([1.0, np.nan, 3.0, np.inf, 5.0]))
    assert series.rows.tolist() == [0, 2, 4]
    assert series.raw.tolist() == [1, 3, 5]
    assert series.point_at(3) == 1


def test_a_growing_source_is_followed_from_where_it_was_left() -> None:
    values = RANDOM.normal(size=1000)
    whole, piecewise = Series(20), Series(20)
    whole.follow(values)
    for end in (1, 63, 64, 65, 200, 999, 1000):
        piecewise.follow(values[:end])
    np.testing.assert_allclose(piecewise.smooth, whole.smooth)
    for start, stop in ((0, 1000), (10, 700)):
        np.testing.assert_array_equal(
            piecewise.drawn(start, stop, 50, smooth=False)[1],
            whole.drawn(start, stop, 50, smooth=False)[1],
        )


@pytest.mark.parametrize("count", [100, 5000, 300_000])
def test_what_is_drawn_is_short_and_shows_every_peak(count: int) -> None:
    values = RANDOM.normal(size=count)
    values[count // 3], values[count // 2] = 100, -100
    series = Series(1)
    series.follow(values)
    rows, drawn = series.drawn(0, count, 1000, smooth=False)
    assert len(drawn) <= 1000 + 4
    assert drawn.max() == 100
    assert drawn.min() == -100
    assert (np.diff(rows) >= 0).all()
    assert rows[0] == 0
    peak = rows[drawn.argmax()]
    assert abs(peak - count // 3) <= max(1, 4 * count // 1000) + BLOCK


def test_a_part_is_drawn_from_the_points_in_it_and_one_beside() -> None:
    series = Series(1)
    series.follow(np.arange(1000.0))
    start, stop = series.between(200, 299)
    assert (start, stop) == (199, 301)
    assert series.extent(start, stop) == (199, 300)


def test_the_best_point_is_that_of_the_smoothed_curve() -> None:
    values = np.abs(np.arange(1000.0) - 700) + 5
    values[100] = 0  # a lucky batch
    series = Series(10)
    series.follow(values)
    best = series.best(highest=False)
    assert 700 <= best <= 710
    assert best == int(series.smooth.argmin())
    assert series.best(highest=True) == int(series.smooth.argmax())
    assert Series(10).best(highest=False) == -1


def test_another_window_smooths_the_raw_values_anew() -> None:
    values = RANDOM.normal(size=500)
    series = Series(3)
    series.follow(values)
    series.set_window(40)
    np.testing.assert_allclose(series.smooth, slowly_smoothed(values, 40), rtol=1e-9)
    np.testing.assert_array_equal(series.raw, values)


def test_values_that_a_logarithm_cannot_show_are_counted() -> None:
    series = Series(1)
    series.follow(np.array([1.0, 0.0, -2.0]))
    series.follow(np.array([1.0, 0.0, -2.0, -1.0]))
    assert series.non_positive == 3


def test_metrics_of_one_size_share_a_plot_and_losses_come_first() -> None:
    plots = shared_plots(
        {
            "accuracy": 0.9,
            "kl": 12.0,
            "loss": 80.0,
            "nll": 68.0,
            "learning_rate": 1e-3,
            "tiny": 1e-4,
        }
    )
    assert plots == [["kl", "loss", "nll"], ["accuracy"], ["learning_rate"], ["tiny"]]


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("loss", "lower"),
        ("validation_loss", "lower"),
        ("nll", "lower"),
        ("explained_variance", "higher"),
        ("image_auroc", "higher"),
        ("negative_log_likelihood", "lower"),
        ("learning_rate", "neither"),
        ("gradient_norm", "neither"),
        ("kl", "neither"),
    ],
)
def test_names_tell_which_direction_is_better(name: str, better: str) -> None:
    assert direction(name) == better


def test_settings_are_told_from_measures() -> None:
    assert is_setting("learning_rate")
    assert is_setting("lr")
    assert not is_setting("clr_loss")
    assert not is_setting("loss")


def test_a_validation_loss_speaks_for_the_run_else_a_loss_else_the_first_metric() -> None:
    assert main_metric(["kl", "loss", "validation_loss"]) == "validation_loss"
    assert main_metric(["kl", "loss"]) == "loss"
    assert main_metric(["lr", "accuracy"]) == "accuracy"
    assert main_metric(["coverage_of_bank"]) == "coverage_of_bank"
    assert main_metric([]) == ""

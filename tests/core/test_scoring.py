"""Every measure against scikit-learn, a slow reference or a case counted by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.calibration import calibration_curve

from desktop_app.core import scoring
from desktop_app.core.scoring import pixels
from desktop_app.sdk.errors import InvalidInput

SEEDS = range(6)


def scores_with_ties(seed: int, count: int = 300) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores (count,) on a coarse grid and the truth they partly follow."""
    random = np.random.default_rng(seed)
    positive = random.random(count) < 0.3
    steps = [3, 8, 25, 100, 1000, 10**9][seed % 6]
    return np.round(random.normal(positive * 1.0, 1.0) * steps) / steps, positive


def maps_with_regions(seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return maps (6, 20, 24) with ties and masks with touching, nested and missing regions."""
    random = np.random.default_rng(seed)
    masks = np.zeros((6, 20, 24), dtype=np.bool_)
    for image in range(1, 6):
        for _ in range(image):
            row, column = random.integers(0, 15, 2)
            masks[image, row : row + random.integers(1, 6), column : column + 3] = True
    masks[1, 0, 0] = masks[1, 1, 1] = True  # joined by a corner only
    noise = random.normal(masks * 1.5, 1.0)
    steps = [1, 3, 10, 1000][seed % 4]
    return (np.round(noise * steps) / steps).astype(np.float32), masks


def slow_aupro(maps: NDArray[np.float32], masks: NDArray[np.bool_], limit: float) -> float:
    """Sweep every distinct score as a threshold and add up trapezoids up to the limit."""
    regions = [region for mask in masks for region in connected_regions(mask)]
    owners = [image for image, mask in enumerate(masks) for _ in connected_regions(mask)]
    rates, overlaps = [0.0], [0.0]
    for threshold in np.unique(maps)[::-1]:
        flagged = maps >= threshold
        rates.append(float((flagged & ~masks).sum() / (~masks).sum()))
        shares = [flagged[i][region].mean() for i, region in zip(owners, regions, strict=True)]
        overlaps.append(float(np.mean(shares)))
    area = 0.0
    for f0, f1, o0, o1 in zip(rates, rates[1:], overlaps, overlaps[1:], strict=False):
        if f0 >= limit or f1 == f0:
            continue
        end = min(f1, limit)
        o_end = o0 + (o1 - o0) * (end - f0) / (f1 - f0)
        area += (end - f0) * (o0 + o_end) / 2
    return area / limit


def connected_regions(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Flood-fill the eight-connected regions of a mask (H, W), one pixel after another."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    regions = []
    while left:
        reached, frontier = set(), [left.pop()]
        while frontier:
            row, column = frontier.pop()
            reached.add((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            frontier.extend(near)
        region = np.zeros_like(mask)
        region[tuple(np.array(sorted(reached)).T)] = True
        regions.append(region)
    return regions


# ------------------------------------------------------------------------------------------ images


@pytest.mark.parametrize("seed", SEEDS)
def test_auroc_and_average_precision_equal_scikit_learn(seed: int) -> None:
    scores, positive = scores_with_ties(seed)
    assert scoring.auroc(scores, positive) == pytest.approx(metrics.roc_auc_score(positive, scores))
    expected = metrics.average_precision_score(positive, scores)
    assert scoring.aupr(scores, positive) == pytest.approx(expected)


def test_auroc_counts_a_tie_as_one_half() -> None:
    assert scoring.auroc([1.0, 1.0], [True, False]) == 0.5
    assert scoring.auroc([1, 2, 2, 3], [False, True, False, True]) == 3.5 / 4


@pytest.mark.parametrize("seed", SEEDS)
def test_the_f1_threshold_is_a_score_and_gives_the_best_f1_of_all(seed: int) -> None:
    scores, positive = scores_with_ties(seed)
    f1, threshold = scoring.f1_max(scores, positive)
    everywhere = [metrics.f1_score(positive, scores >= score) for score in np.unique(scores)]
    assert threshold in scores
    assert f1 == pytest.approx(max(everywhere), abs=1e-12)
    assert scoring.confusion(scores, positive, threshold).f1 == f1


def test_among_equally_good_thresholds_the_one_with_fewest_alarms_is_chosen() -> None:
    scores, positive = [1.0, 2.0, 3.0, 4.0], [True, False, False, True]
    assert scoring.f1_max(scores, positive) == (pytest.approx(2 / 3), 4.0)


def test_a_threshold_survives_being_written_as_text() -> None:
    scores = np.random.default_rng(1).normal(size=200).astype(np.float32)
    positive = scores > 0.5
    _, threshold = scoring.f1_max(scores, positive)
    again = json.loads(json.dumps(threshold))
    assert scoring.confusion(scores, positive, again) == scoring.Confusion(
        positive.sum(), 0, 0, (~positive).sum()
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_confusion_equals_scikit_learn_at_every_threshold(seed: int) -> None:
    scores, positive = scores_with_ties(seed, count=60)
    table = scoring.ThresholdTable.build(scores, positive)
    for threshold in [-99.0, *scores, *(scores + 1e-6), 99.0]:
        tn, fp, fn, tp = metrics.confusion_matrix(positive, scores >= threshold).ravel()
        assert table.at(threshold) == scoring.Confusion(tp=tp, fp=fp, fn=fn, tn=tn)


def test_ratios_of_a_confusion_are_those_counted_by_hand() -> None:
    counts = scoring.Confusion(tp=6, fp=2, fn=3, tn=9)
    assert counts.precision == 6 / 8
    assert counts.recall == 6 / 9
    assert counts.f1 == 12 / 17
    assert counts.accuracy == 15 / 20
    assert counts.false_positive_rate == 2 / 11


def test_a_ratio_of_nothing_is_none() -> None:
    nothing_flagged = scoring.Confusion(tp=0, fp=0, fn=0, tn=0)
    assert nothing_flagged.precision is None
    assert nothing_flagged.recall is None
    assert nothing_flagged.f1 is None
    assert nothing_flagged.accuracy is None
    assert nothing_flagged.false_positive_rate is None


def test_a_threshold_query_does_not_look_at_the_scores_again() -> None:
    scores = np.arange(100_000.0)
    table = scoring.ThresholdTable.build(scores, scores >= 99_000)
    scores[:] = np.nan
    assert table.at(98_000) == scoring.Confusion(tp=1_000, fp=1_000, fn=0, tn=98_000)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_roc_curve_equals_scikit_learn(seed: int) -> None:
    scores, positive = scores_with_ties(seed)
    curve = scoring.roc_curve(scores, positive)
    fpr, tpr, thresholds = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, fpr)
    np.testing.assert_allclose(curve.true_positive_rate, tpr)
    np.testing.assert_array_equal(curve.thresholds, thresholds)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_precision_recall_curve_equals_scikit_learn(seed: int) -> None:
    scores, positive = scores_with_ties(seed)
    curve = scoring.precision_recall_curve(scores, positive)
    precision, recall, thresholds = metrics.precision_recall_curve(positive, scores)
    np.testing.assert_allclose(curve.precision[::-1], precision[-len(curve.precision) :])
    np.testing.assert_allclose(curve.recall[::-1], recall[-len(curve.recall) :])
    np.testing.assert_array_equal(curve.thresholds[:0:-1], thresholds)


def test_per_defect_compares_each_defect_with_the_normal_images_only() -> None:
    labels = ["good", "scratch", "ok", "hole", "", "Normal"]
    measured = scoring.per_defect([1.0, 5.0, 2.0, 1.5, 100.0, 3.0], labels)
    assert measured == {"hole": pytest.approx(1 / 3), "scratch": 1.0}
    assert list(measured) == ["hole", "scratch"]


# ------------------------------------------------------------------------------------------ pixels


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("block", [1, 700, pixels.PIXELS_PER_BLOCK])
def test_pixel_auroc_equals_scikit_learn_whatever_the_block_size(
    seed: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "PIXELS_PER_BLOCK", block)
    maps, masks = maps_with_regions(seed)
    expected = metrics.roc_auc_score(masks.ravel(), maps.ravel())
    assert scoring.pixel_auroc(maps, masks) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("limit", [0.01, 0.3, 1.0])
def test_aupro_equals_a_sweep_over_every_threshold(seed: int, limit: float) -> None:
    maps, masks = maps_with_regions(seed)
    expected = slow_aupro(maps, masks, limit)
    assert scoring.aupro(maps, masks, limit) == pytest.approx(expected, abs=1e-12)


def test_aupro_weighs_a_small_region_like_a_large_one() -> None:
    maps = np.zeros((1, 40, 40), dtype=np.float32)
    masks = np.zeros((1, 40, 40), dtype=np.bool_)
    masks[0, 2, 2] = masks[0, 10:30, 10:30] = True
    maps[0, 10:30, 10:30] = 1.0  # the large region is found, the single pixel is not
    found, tied_with_everything = 1.0, 0.3 / 2
    assert scoring.aupro(maps, masks) == pytest.approx((found + tied_with_everything) / 2)


def test_aupro_joins_pixels_that_touch_at_a_corner() -> None:
    random = np.random.default_rng(0)
    maps = random.random((1, 16, 16)).astype(np.float32)
    masks = np.zeros((1, 16, 16), dtype=np.bool_)
    masks[0, 3:6, 3:6] = masks[0, 6, 6] = masks[0, 12, 12] = True
    assert len(connected_regions(masks[0])) == 2
    assert scoring.aupro(maps, masks) == pytest.approx(slow_aupro(maps, masks, 0.3))


def test_perfect_maps_reach_one_and_inverted_maps_zero() -> None:
    _, masks = maps_with_regions(0)
    maps = masks.astype(np.float32)
    assert (scoring.pixel_auroc(maps, masks), scoring.aupro(maps, masks)) == (1.0, 1.0)
    assert (scoring.pixel_auroc(-maps, masks), scoring.aupro(-maps, masks)) == (0.0, 0.0)


def test_masks_of_another_size_are_refused_with_both_sizes() -> None:
    with pytest.raises(InvalidInput, match=r"image 0 has a mask of \(4, 4\) and a map of \(8, 8\)"):
        scoring.pixel_auroc(np.zeros((1, 8, 8), np.float32), np.zeros((1, 4, 4), np.bool_))


# -------------------------------------------------------------------------------------- evaluation

KEYS = [
    "n_images",
    "n_anomalous",
    "image_auroc",
    "image_aupr",
    "f1_max",
    "threshold_f1",
    "pixel_auroc",
    "aupro",
    "per_defect",
    "intervals",
    "log_loss",
    "calibration_error",
    "floor",
]


def test_an_evaluation_has_the_promised_keys_and_becomes_json() -> None:
    maps, masks = maps_with_regions(3)
    labels = ["GOOD", "hole", "hole", "scratch", "scratch", "scratch"]
    written = scoring.evaluate(maps.max(axis=(1, 2)), labels, maps, masks).as_json()
    assert list(written) == KEYS
    assert json.loads(json.dumps(written)) == written
    assert (written["n_images"], written["n_anomalous"]) == (6, 5)
    assert written["aupro"] == scoring.aupro(maps, masks)
    assert set(written["per_defect"]) == {"hole", "scratch"}


@pytest.mark.parametrize("labels", [["", "", ""], ["cat", "dog", "dog"]])
def test_without_a_normal_label_every_measure_is_null(labels: list[str]) -> None:
    written = scoring.evaluate([1.0, 2.0, 3.0], labels).as_json()
    assert written == dict.fromkeys(KEYS) | {"n_images": 3}


def test_without_anomalous_images_only_the_counts_are_known() -> None:
    written = scoring.evaluate([1.0, 2.0], ["good", "ok"]).as_json()
    assert written == dict.fromkeys(KEYS) | {"n_images": 2, "n_anomalous": 0, "per_defect": {}}


def scored(
    normal: int = 60, anomalous: int = 30, apart: float = 1.5
) -> tuple[NDArray[np.float64], list[str]]:
    random = np.random.default_rng(4)
    scores = np.concatenate([random.normal(0, 1, normal), random.normal(apart, 1, anomalous)])
    return scores, ["good"] * normal + ["hole"] * anomalous


def test_an_evaluation_says_how_sure_it_is() -> None:
    scores, labels = scored()

    measures = scoring.evaluate(scores, labels)

    assert measures.intervals is not None
    assert measures.image_auroc is not None
    for name, (low, high) in measures.intervals.items():
        assert low < getattr(measures, name) < high, name
    low, high = measures.intervals["image_auroc"]
    truth = np.array(labels) == "hole"
    area = measures.image_auroc  # Hanley & McNeil, 1982
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (truth.sum() - 1) * (q1 - area**2)
    variance += ((~truth).sum() - 1) * (q2 - area**2)
    expected = 2 * 1.96 * np.sqrt(variance / (truth.sum() * (~truth).sum()))
    assert high - low == pytest.approx(expected, rel=0.25)


def test_probabilities_from_scores_beat_the_base_rate_and_are_honest() -> None:
    scores, labels = scored(600, 300)
    measures = scoring.evaluate(scores, labels)
    base_rate = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))

    assert measures.log_loss is not None
    assert measures.calibration_error is not None
    assert measures.log_loss < 0.85 * base_rate
    assert measures.calibration_error < 0.08

    blind = scoring.evaluate(np.random.default_rng(0).normal(size=900), labels)
    assert blind.log_loss == pytest.approx(base_rate, abs=0.02)


def test_few_images_give_no_probabilities() -> None:
    measures = scoring.evaluate(*scored(20, 4))

    assert (measures.log_loss, measures.calibration_error) == (None, None)
    assert measures.image_auroc is not None


def test_the_short_form_of_an_evaluation_has_the_nine_measures_alone() -> None:
    written = scoring.evaluate(*scored()).as_json(full=False)

    assert list(written) == KEYS[:9]


@pytest.mark.parametrize("rate", [0.01, 0.001])
def test_a_tail_is_extrapolated_beyond_what_was_seen(rate: float) -> None:
    scores = np.random.default_rng(1).exponential(2.0, 4000)

    (threshold,) = scoring.tail_thresholds(scores, [rate])

    assert threshold == pytest.approx(-2.0 * np.log(rate), rel=0.12)


def test_a_bounded_tail_ends_where_its_distribution_ends() -> None:
    scores = np.random.default_rng(1).uniform(0, 1, 4000)

    (threshold,) = scoring.tail_thresholds(scores, [0.001])

    assert 0.995 < threshold < 1.01


@pytest.mark.parametrize(("count", "rate"), [(50, 0.01), (4000, 0.2), (4000, 0.0)])
def test_a_tail_without_enough_scores_or_with_a_senseless_rate_is_refused(
    count: int, rate: float
) -> None:
    with pytest.raises(InvalidInput, match="A tail needs at least 10"):
        scoring.tail_thresholds(np.linspace(0, 1, count), [rate])


def test_unlabelled_images_do_not_change_a_measure() -> None:
    labelled = scoring.evaluate([1.0, 2.0, 3.0], ["good", "hole", "good"])
    more = scoring.evaluate([1.0, 9.0, 2.0, 3.0, -9.0], ["good", "", "hole", "good", ""])
    assert more.n_images == 5
    assert (more.image_auroc, more.image_aupr, more.f1_max) == (
        labelled.image_auroc,
        labelled.image_aupr,
        labelled.f1_max,
    )


def test_pixel_measures_leave_out_anomalous_images_without_a_mask() -> None:
    maps, masks = maps_with_regions(3)
    labels = ["good", "hole", "hole", "hole", "hole", ""]
    given = [None, masks[1], None, np.zeros_like(masks[3]), masks[4], masks[5]]
    measured = scoring.evaluate(np.arange(6.0), labels, maps, given)
    kept = [0, 1, 4]
    assert measured.pixel_auroc == scoring.pixel_auroc(maps[kept], masks[kept])
    assert measured.aupro == scoring.aupro(maps[kept], masks[kept])


def test_without_any_mask_pixel_measures_are_null() -> None:
    maps = np.zeros((2, 4, 4), dtype=np.float32)
    measured = scoring.evaluate([1.0, 2.0], ["good", "hole"], maps, [None, None])
    assert (measured.pixel_auroc, measured.aupro) == (None, None)
    assert measured.image_auroc == 1.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused_by_its_image(wrong: float) -> None:
    with pytest.raises(InvalidInput, match=r"image 2 has -?(nan|inf)"):
        scoring.evaluate([1.0, 2.0, wrong], ["good", "hole", "hole"])


def test_a_map_that_has_diverged_is_refused_by_its_image() -> None:
    maps, masks = maps_with_regions(0)
    maps[4, 3, 3] = np.nan  # a few pixels need not count
    assert np.isfinite(scoring.aupro(maps, masks))

    for wrong in (np.inf, np.nan):
        maps[4, 3 if np.isinf(wrong) else slice(None)] = wrong
        with pytest.raises(InvalidInput, match="map of image 4"):
            scoring.aupro(maps, masks)


def test_a_missing_label_is_refused_with_both_counts() -> None:
    with pytest.raises(InvalidInput, match="Expected 3 labels, one per image; came 2"):
        scoring.evaluate([1.0, 2.0, 3.0], ["good", "hole"])


@pytest.mark.parametrize("measure", [scoring.auroc, scoring.roc_curve])
def test_a_measure_without_both_kinds_says_which_came(measure: object) -> None:
    with pytest.raises(InvalidInput, match="came 2 normal and 0 anomalous"):
        measure([1.0, 2.0], [False, False])  # type: ignore[operator]


# ----------------------------------------------------------------------------------- probabilities


@pytest.mark.parametrize("seed", SEEDS)
def test_log_loss_and_calibration_equal_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    probabilities = np.concatenate([random.random(200), [0.0, 0.1, 0.5, 1.0]])
    positive = random.random(204) < probabilities
    expected = metrics.log_loss(positive, probabilities)
    assert scoring.log_loss(probabilities, positive) == pytest.approx(expected)
    observed, predicted = calibration_curve(positive, probabilities, n_bins=7)
    measured = scoring.calibration(probabilities, positive, bins=7)
    np.testing.assert_allclose(measured.observed, observed)
    np.testing.assert_allclose(measured.predicted, predicted)
    assert measured.counts.sum() == 204


def test_log_loss_of_a_certain_mistake_is_large_but_finite() -> None:
    assert scoring.log_loss([1.0], [False]) == pytest.approx(36.04, abs=0.01)


def test_perfectly_calibrated_probabilities_have_no_expected_error() -> None:
    probabilities = np.repeat([0.25, 0.75], 4)
    positive = [True, False, False, False, True, True, True, False]
    assert scoring.calibration(probabilities, positive).expected_error == 0


# ------------------------------------------------------------------------ thresholds without labels


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 1.0])
def test_a_quantile_threshold_flags_no_more_than_its_share_and_no_lower_score_would_do(
    seed: int, share: float
) -> None:
    scores, _ = scores_with_ties(seed)
    threshold = scoring.quantile_threshold(scores, 1 - share)
    assert np.sum(scores >= threshold) <= round(share * 300)
    lower = scores[scores < threshold]
    assert not len(lower) or np.sum(scores >= lower.max()) > round(share * 300)


def test_a_threshold_above_all_scores_holds_in_single_precision_too() -> None:
    scores = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    threshold = scoring.quantile_threshold(scores, 1.0)
    assert not (scores >= np.float32(threshold)).any()
    assert not (scores.astype(np.float64) >= threshold).any()


def test_the_mad_threshold_finds_sigma_despite_outliers() -> None:
    scores = np.random.default_rng(0).normal(10.0, 2.0, 20_000)
    scores[:1_000] = 1e6
    assert scoring.mad_threshold(scores, deviations=3) == pytest.approx(16.0, abs=0.6)


def test_a_false_alarm_threshold_keeps_its_rate_and_says_how_sure_it_is() -> None:
    normal = np.random.default_rng(0).normal(size=500)
    chosen = scoring.false_alarm_threshold(normal, rate=0.05)
    assert chosen.rate == np.mean(normal >= chosen.threshold) == 0.05
    assert chosen.interval.low < 0.05 < chosen.interval.high


def test_the_binomial_interval_equals_scipy_and_is_one_sided_at_the_ends() -> None:
    from scipy.stats import binomtest

    for successes, trials in [(0, 20), (1, 20), (7, 50), (20, 20)]:
        expected = binomtest(successes, trials).proportion_ci(0.95, method="exact")
        measured = scoring.binomial_interval(successes, trials)
        assert measured.low == pytest.approx(expected.low)
        assert measured.high == pytest.approx(expected.high)


def test_a_bootstrap_interval_is_repeatable_and_holds_the_measure() -> None:
    scores, positive = scores_with_ties(4)
    interval = scoring.bootstrap_interval(scoring.auroc, scores, positive, repeats=200)
    assert interval == scoring.bootstrap_interval(scoring.auroc, scores, positive, repeats=200)
    assert interval.low < scoring.auroc(scores, positive) < interval.high
    assert interval != scoring.bootstrap_interval(
        scoring.auroc, scores, positive, repeats=200, seed=1
    )

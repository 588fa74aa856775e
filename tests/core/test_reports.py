"""The report is one whole, valid file that says what was measured and how to do it again."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from desktop_app.core import scoring
from desktop_app.core.reports import (
    Gallery,
    Picture,
    RunSummary,
    charts,
    html,
    pictures,
    write_report,
)
from desktop_app.core.reports.content import Report
from desktop_app.core.reports.telling import Findings, report_of
from desktop_app.core.zones import Thresholds, zone_counts
from desktop_app.sdk.errors import InvalidInput

SUMMARY = RunSummary(
    title="PCA on <tiles> & 砖",
    method="Principal components",
    folder="/home/anna/pictures/painted tiles",
    run="runs/1",
    command="loupe train 'painted tiles' --method pca --set components=32",
    trained_images=1600,
    seconds=754.0,
    finished=1_795_000_000.0,
    settings={"components": 32, "whiten": False},
    versions={"Loupe": "0.1.0", "Python": "3.11"},
    remarks=["2 of 286 files could not be read."],
)
VOID = {"meta", "img", "br"}


class Structure(HTMLParser):
    """Checks that every tag is closed and gathers text, attributes and tag names."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def labelled_scores() -> tuple[NDArray[np.float64], list[str]]:
    labels = ["good"] * 30 + ["hole"] * 6 + ["scratch"] * 4
    random = np.random.default_rng(0)
    return random.normal([0.0] * 30 + [3.0] * 6 + [1.0] * 4, 0.8), labels


def picture(path: str = "test/hole/1.png", score: float = 3.0) -> Picture:
    image = np.full((8, 8, 3), 120, np.uint8)
    return Picture(path, "hole", score, pictures.encoded(image), overlay=pictures.encoded(image))


def told(labels: list[str] | None = None, galleries: Sequence[Gallery] = (), **more: Any) -> Report:
    scores, own_labels = labelled_scores()
    labels = own_labels if labels is None else labels
    measured = scoring.evaluate(scores, labels)
    return report_of(SUMMARY, Findings(scores, labels, measured, **more), galleries)


def written(tmp_path: Path, *words: Any, **options: Any) -> Structure:
    path = write_report(tmp_path / "report.html", told(*words, **options))
    return Structure(path.read_text(encoding="utf-8"))


def test_a_report_is_well_formed_and_refers_to_nothing_outside(tmp_path: Path) -> None:
    page = written(tmp_path, galleries=[Gallery("Most unusual", [picture()])])
    assert page.open == []
    assert page.tags.count("svg") == 3
    assert page.tags.count("img") == 2
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_report_says_what_was_measured(tmp_path: Path) -> None:
    scores, labels = labelled_scores()
    measured = scoring.evaluate(scores, labels)
    text = written(tmp_path).text
    for value in (measured.image_auroc, measured.image_aupr, measured.f1_max):
        assert f"{value:.3f}" in text
    for name, value in (measured.per_defect or {}).items():
        assert name in text
        assert f"{value:.3f}" in text
    assert "10 anomalous" in text


def test_the_confusion_is_that_of_the_threshold_asked_for(tmp_path: Path) -> None:
    scores, labels = labelled_scores()
    counts = scoring.confusion(scores, [label != "good" for label in labels], 1.25)
    text = " ".join(written(tmp_path, thresholds=Thresholds(1.25)).text.split())
    assert "threshold 1.25" in text
    assert f"{counts.tp} found {counts.fn} missed" in text
    assert f"{counts.fp} false alarms {counts.tn} rightly passed" in text


def test_a_review_zone_is_counted_and_marked(tmp_path: Path) -> None:
    scores, labels = labelled_scores()
    thresholds = Thresholds(1.25, 0.5)
    shown = written(tmp_path, thresholds=thresholds, galleries=[Gallery("Worst", [picture()])])
    text = " ".join(shown.text.split())
    assert "review from 0.5" in text
    assert "fail from 1.25" in text
    anomalous = np.array([label != "good" for label in labels])
    count = zone_counts(scoring.ThresholdTable.build(scores, anomalous), thresholds)["review"]
    total = int(anomalous.sum())
    assert f"{count.anomalous} {100 * count.anomalous / total:.1f} %" in text


def test_a_report_holds_settings_versions_and_the_command(tmp_path: Path) -> None:
    text = written(tmp_path).text
    assert SUMMARY.command in text
    assert "1,600 images in 12 min 34 s" in text
    for word in ("components", "32", "whiten", "False", "Python", "3.11", SUMMARY.remarks[0]):
        assert word in text


def test_names_cannot_break_the_page(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script>'
    page = written(tmp_path, galleries=[Gallery(hostile, [picture(path=hostile)])])
    assert "script" not in page.tags
    assert hostile in page.text
    assert SUMMARY.title in page.text


@pytest.mark.parametrize("label", ["", "cat", "good"])
def test_without_anomalous_labels_a_report_shows_the_scores_alone(
    tmp_path: Path, label: str
) -> None:
    page = written(tmp_path, labels=[label] * 40)
    assert page.tags.count("svg") == 1
    assert "Separation" not in page.text
    assert "AUROC" not in page.text


def test_a_report_that_cannot_be_made_leaves_no_file(tmp_path: Path) -> None:
    measured = scoring.evaluate([1.0, 2.0], ["good", "hole"])
    with pytest.raises(InvalidInput, match="image 1 has nan"):
        report_of(SUMMARY, Findings([1.0, np.nan], ["good", "hole"], measured))
    with pytest.raises(InvalidInput, match=r"'report.doc' ends in neither"):
        write_report(tmp_path / "report.doc", told())
    assert list(tmp_path.iterdir()) == []


def test_a_heat_map_colours_unusual_pixels_and_leaves_usual_ones() -> None:
    image = np.full((40, 40, 3), 200, np.uint8)
    heat = np.zeros((10, 10), np.float32)
    heat[5:, :] = 5.0
    shown = pictures.overlaid(image, heat, usual=0.0, unusual=5.0)
    assert shown.shape == (40, 40, 3)
    np.testing.assert_array_equal(shown[:15], 200)
    expected = 200 + pictures.HEAT_OPACITY * (pictures.HEAT[-1] - 200)
    np.testing.assert_allclose(shown[30, 20], expected, atol=1)


def test_an_outline_surrounds_the_mask_and_leaves_its_inside() -> None:
    mask = np.zeros((10, 10), np.bool_)
    mask[4:6, 4:6] = True
    drawn = pictures.outlined(np.zeros((10, 10, 1), np.uint8), mask)
    changed = drawn.any(axis=-1)
    assert changed.sum() == 8
    assert not changed[mask].any()


def test_a_small_picture_is_kept_exactly_in_grey_and_colour() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(pictures.encoded(colours))) as image:
        np.testing.assert_array_equal(np.asarray(image), colours)
    with Image.open(io.BytesIO(pictures.encoded(colours[..., :1]))) as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 2], colours[..., 0])


def bar_heights(svg: str, kind: str) -> list[float]:
    return [
        float(bar.get("height", "0"))
        for bar in ElementTree.fromstring(svg)
        if bar.tag == "rect" and bar.get("class") == kind
    ]


@pytest.mark.parametrize("spread", ["even", "towering", "constant", "negative", "single", "tiny"])
def test_a_histogram_counts_every_image_whatever_the_scores(spread: str) -> None:
    random = np.random.default_rng(0)
    scores = {
        "even": random.random(500),
        "towering": np.exp(random.normal(0, 3, 500)),
        "constant": np.full(500, 7.0),
        "negative": -np.exp(random.normal(0, 3, 500)),
        "single": np.array([3.0]),
        "tiny": 1e-9 * random.random(500),
    }[spread]
    half = len(scores) // 2
    kinds: charts.Kinds = [("normal", scores[:half]), ("anomalous", scores[half:])]
    svg = html.svg(charts.histogram(kinds, {"threshold": float(np.median(scores))}, name="scores"))
    assert "nan" not in svg
    assert "inf" not in svg
    heights = bar_heights(svg, "normal"), bar_heights(svg, "anomalous")
    if half:
        assert sum(heights[0]) / sum(heights[1]) == pytest.approx(1, rel=0.05)


def test_a_threshold_beyond_all_scores_is_still_in_the_picture() -> None:
    chart = charts.histogram([("normal", np.array([1.0, 2.0]))], {"threshold": 9.0}, name="scores")
    svg = html.svg(chart)
    line = re.search(r'class="threshold" x1="([\d.]+)"', svg)
    assert line is not None
    assert 52 < float(line.group(1)) <= 720


def test_a_curve_of_a_million_points_stays_small() -> None:
    steps = np.linspace(0, 1, 1_000_000)
    svg = html.svg(charts.curve(steps, steps**0.5, "x", "y", "curve"))
    points = re.search(r'points="([^"]+)"', svg)
    assert points is not None
    assert len(points.group(1).split()) <= charts.MOST_POINTS
    assert len(svg) < 20_000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3, 7, [-2, 0, 2, 4, 6]),
        (0.0021, 0.0049, [0.0025, 0.003, 0.0035, 0.004, 0.0045]),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert charts.nice_ticks(low, high) == pytest.approx(expected)


def test_logarithmic_ticks_thin_out_over_many_decades() -> None:
    assert charts.log_ticks(0.15, 3.0) == pytest.approx([0.2, 0.5, 1, 2])
    assert charts.log_ticks(1e-5, 1e5) == pytest.approx([10.0**k for k in range(-5, 6)])

"""The report as PDF tells what the one in HTML tells, on pages that cut nothing in two."""

import re
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from desktop_app.core import scoring
from desktop_app.core.reports import Gallery, Picture, RunSummary, fonts, pictures, write_report
from desktop_app.core.reports.content import Card, Count, Figure, Note, Report, TrainingCurve
from desktop_app.core.reports.pdf import _Paper
from desktop_app.core.reports.telling import MOST_LISTED, Findings, report_of

BOTTOM = 297 - 18

SUMMARY = RunSummary(
    title="PCA on <tiles>",
    method="Principal components",
    folder="/home/anna/pictures/painted tiles",
    run="runs/1",
    command="loupe train 'painted tiles' --method pca",
    trained_images=1600,
    seconds=754.0,
    finished=1_795_000_000.0,
    settings={"components": 32, "a path": "/home/" + "x" * 300 + ".pth"},
    versions={"Loupe": "0.1.0"},
    remarks=["2 of 286 files could not be read."],
    hashes={"trained method": "9f" * 32},
    curves=[TrainingCurve("loss", np.arange(9.0), np.geomspace(9, 0.1, 9), 5.0)],
)


def report(count: int = 400, name: str = "") -> Report:
    random = np.random.default_rng(0)
    labels = ["hole" if row % 10 == 0 else "good" for row in range(count)]
    scores = random.random(count) + np.array([label == "hole" for label in labels])
    paths = [f"{label}/{name}{row}.png" for row, label in enumerate(labels)]
    image = pictures.encoded(np.full((8, 12, 3), 120, np.uint8))
    shown = [Picture(path, "hole", 1.0, image, image, image) for path in paths[:17]]
    findings = Findings(scores, labels, scoring.evaluate(scores, labels), paths)
    return report_of(SUMMARY, findings, [Gallery("Most unusual images", shown)])


def pages(path: Path) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", path.read_bytes()))


def test_nothing_is_cut_in_two_and_titles_stay_with_what_follows() -> None:
    places: list[tuple[int, float, float, bool]] = []

    with closing(_Paper(report())) as paper:

        def noted(chunk):  # type: ignore[no-untyped-def]
            def draw(x: float, y: float) -> None:
                places.append((paper.pdf.page_no(), y, chunk.height, chunk.leads))
                chunk.draw(x, y)

            return replace(chunk, draw=draw)

        paper.flow([noted(chunk) for chunk in paper.chunks()])

    assert places[-1][0] >= 4
    assert all(y + height <= BOTTOM + 1e-6 for _, y, height, _ in places)
    for (page, _, _, leads), (next_page, *_) in pairwise(places):
        assert not leads or page == next_page


def test_both_forms_tell_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = report()
    inked: list[str] = []
    write = _Paper._write

    def noted(paper: _Paper, text: str, *more, **others) -> None:  # type: ignore[no-untyped-def]
        inked.append(text)
        write(paper, text, *more, **others)

    monkeypatch.setattr(_Paper, "_write", noted)
    write_report(tmp_path / "r.pdf", told)

    page = "".join(inked)
    for part in wordings(told):
        assert part in page
    assert f"{400 - MOST_LISTED} more images score lower" in page


def wordings(part: object) -> list[str]:
    """Return the words of a report that every form must show."""
    match part:
        case str():
            return [part]
        case list() | tuple():
            return [word for each in part for word in wordings(each)]
        case Report():
            return wordings([part.title, part.facts, part.remarks, part.figures, part.sections])
        case Figure():
            return [part.name, part.value, part.remark]
        case Card():
            return [part.path, part.caption]
        case Count():
            return [f"{part.number:,}", part.word]
        case Note():
            return [part.text]
        case _:
            inner = ("title", "blocks", "rows", "head", "cards", "text", "keys", "caption")
            return [w for name in inner for w in wordings(getattr(part, name, ()))]


def test_ten_thousand_images_make_no_longer_report_than_a_thousand(tmp_path: Path) -> None:
    few = write_report(tmp_path / "few.pdf", report(1000))
    many = write_report(tmp_path / "many.pdf", report(10_000))

    assert pages(few) == pages(many)
    assert many.stat().st_size < 1.1 * few.stat().st_size


def test_letters_without_a_font_are_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed", lambda: iter(()))
    texts: list[str] = []
    monkeypatch.setattr(_Paper, "_write", lambda _paper, text, *_a, **_k: texts.append(text))
    with closing(_Paper(report(60, "裂纹 é Ж "))) as paper:
        assert paper._safe("裂 é Ж") == "‹U+88C2› é Ж"
        paper.flow(list(paper.chunks()))

    assert any("written as their Unicode number" in text for text in texts)


def test_scripts_that_join_are_not_pulled_apart() -> None:
    assert fonts.further_fonts("عربي") == []


def test_a_font_of_the_machine_shows_what_ours_lack(tmp_path: Path) -> None:
    found = fonts.further_fonts("裂纹")
    if not found:
        pytest.skip("this machine has no Chinese font")

    plain = write_report(tmp_path / "plain.pdf", report(60)).read_bytes()
    named = write_report(tmp_path / "named.pdf", report(60, "裂纹")).read_bytes()

    assert {ord(letter) for letter in "裂纹"} <= found[0].covered
    assert named.count(b"/FontFile") == plain.count(b"/FontFile") + 1
    assert len(named) < len(plain) + 100_000


def test_large_pictures_are_embedded_as_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (320, 240, 3), dtype=np.uint8)
    assert pictures.encoded(noise).startswith(b"\xff\xd8")
    assert pictures.encoded(noise[:64, :64]).startswith(b"\x89PNG")

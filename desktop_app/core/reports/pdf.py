"""A report as PDF on A4: light, with page numbers, and nothing cut in two.

Blocks become chunks of a known height; a chunk that does not fit begins a new page.
Lengths are millimetres, sizes of letters are points.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos
from fpdf.fonts import TTFFont
from PIL import Image

from desktop_app import __version__
from desktop_app.core.reports import charts, fonts
from desktop_app.core.reports.charts import Box, Chart, Dot, Line, Mark, Words
from desktop_app.core.reports.content import (
    Bar,
    Beside,
    Block,
    Card,
    Cards,
    Command,
    Count,
    Counts,
    Drawing,
    Figure,
    Note,
    Report,
    Section,
    Table,
)

Colour = tuple[int, int, int]

_COLOURS: dict[str, Colour] = {
    "ink": (27, 31, 39),
    "soft": (100, 108, 122),
    "rule": (223, 227, 232),
    "page": (244, 245, 247),
    "accent": (47, 95, 208),
    "normal": (79, 129, 216),
    "anomalous": (217, 85, 44),
    "unlabelled": (138, 147, 163),
    "right": (229, 243, 234),
    "wrong": (251, 233, 226),
    "white": (255, 255, 255),
}
"""The light colours of the page in HTML."""

_LINES: dict[str, tuple[str, float, tuple[float, float] | None]] = {
    "axis": ("soft", 0.2, None),
    "grid": ("rule", 0.2, None),
    "chance": ("soft", 0.2, (1.2, 1.2)),
    "threshold": ("ink", 0.35, (1.5, 0.9)),
}
"""Colour, width and dashes of the lines of a chart."""

_MARGIN = 18.0
_TOP = 24.0
"""Where the text of a page with a running head begins."""
_GAP = 6.0
"""Between blocks that stand side by side."""
_TALLEST = 150.0
"""Of a picture: a narrow, tall one is made narrower."""

Tone = Literal["regular", "bold", "mono"]


@dataclass(frozen=True)
class _Chunk:
    """Something that is never cut in two."""

    height: float
    draw: Callable[[float, float], None]
    """Draws it, given the place of its upper left corner."""
    leads: bool = False
    """Stays on the page of the chunk that follows."""
    head: _Chunk | None = None
    """What is drawn again above it on a new page."""


def write_pdf(path: Path, report: Report) -> None:
    """Write the report as a PDF file."""
    with closing(_Paper(report)) as paper:
        paper.flow(list(paper.chunks()))
        paper.pdf.output(str(path))


class _Pages(FPDF):
    """Pages with a running head and page numbers."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4", unit="mm")
        self.running = title
        self.set_margins(_MARGIN, _TOP, _MARGIN)
        self.set_auto_page_break(False)

    def header(self) -> None:
        """Write the title above all pages but the first, which has its own head."""
        if self.page_no() == 1:
            return
        self._small()
        self.set_xy(_MARGIN, 10)
        title = self.running
        while len(title) > 1 and self.get_string_width(title + "…") > self.epw - 20:
            title = title[:-1]
        self.cell(self.epw - 15, 5, title if title == self.running else title + "…")
        self.cell(15, 5, "Loupe", align="R")
        self.set_draw_color(*_COLOURS["rule"])
        self.set_line_width(0.2)
        self.line(_MARGIN, 16, self.w - _MARGIN, 16)

    def footer(self) -> None:
        """Write which page it is, of how many, below all pages."""
        self._small()
        self.set_xy(_MARGIN, self.h - 13)
        self.cell(self.epw / 2, 5, f"Written by Loupe {__version__}")
        self.cell(self.epw / 2, 5, f"Page {self.page_no()} of {{nb}}", align="R")

    def _small(self) -> None:
        self.set_font("regular", size=8)
        self.set_text_color(*_COLOURS["soft"])


class _Paper:
    """Turns the blocks of a report into chunks and lays them on pages."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.pdf = pdf = _Pages(report.title)
        text = "".join(_texts(report))
        further = fonts.further_fonts(text)
        pdf.add_font("regular", "", fonts.REGULAR)
        pdf.add_font("regular", "B", fonts.BOLD)
        pdf.add_font("mono", "", fonts.MONO)
        for number, font in enumerate(further):
            pdf.add_font(f"further{number}", "", font.path, collection_font_number=font.number)
        pdf.set_fallback_fonts([f"further{n}" for n in range(len(further))], exact_match=False)
        self._shown = fonts.own_letters(fonts.REGULAR).union(*(font.covered for font in further))
        self._is_spelled = any(
            ord(letter) not in self._shown and not letter.isspace() for letter in set(text)
        )
        pdf.running = self._safe(report.title)
        pdf.set_title(report.title.encode("utf-8", "replace").decode())
        pdf.set_creator(f"Loupe {__version__}")
        pdf.set_lang("en")
        pdf.add_page()  # text can be measured on a page alone

    def close(self) -> None:
        """Close the files of the fonts, which the library leaves open."""
        for font in self.pdf.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    def flow(self, chunks: Sequence[_Chunk]) -> None:
        """Lay chunks below each other; what leads stays with what follows it."""
        pdf = self.pdf
        bottom = pdf.h - 18
        y, is_fresh = _MARGIN, True
        place = 0
        while place < len(chunks):
            last = place
            while chunks[last].leads and last + 1 < len(chunks):
                last += 1
            group = chunks[place : last + 1]
            if y + sum(chunk.height for chunk in group) > bottom and not is_fresh:
                pdf.add_page()
                y, is_fresh = _TOP, True
                head = group[0].head
                if head is not None:
                    head.draw(_MARGIN, y)
                    y += head.height
            for chunk in group:
                chunk.draw(_MARGIN, y)
                y += chunk.height
            is_fresh = False
            place = last + 1

    # --------------------------------------------------------------------------- chunks

    def chunks(self) -> Iterator[_Chunk]:
        """Yield all that is told, from above to below."""
        yield from self._head()
        yield from self._figures(self.report.figures)
        for section in self.report.sections:
            yield from self._section(section)

    def _head(self) -> Iterator[_Chunk]:
        report, width = self.report, self.pdf.epw
        yield self._words("LOUPE", 8, "accent", "bold", width, after=1)
        yield self._words(report.title, 20, "ink", "bold", width, after=4)
        for name, value in report.facts:
            yield self._fact(name, value)
        remarks = list(report.remarks)
        if self._is_spelled:
            remarks.append(
                "Letters that no font of this machine can show are written as their Unicode number."
            )
        if remarks:
            yield _space(4)
        for remark in remarks:
            yield self._remark(remark)
        yield _space(6)

    def _fact(self, name: str, value: str) -> _Chunk:
        left, width = 28.0, self.pdf.epw
        height = self._height(value, 9.5, "regular", width - left) + 1.2

        def draw(x: float, y: float) -> None:
            self._write(name, x, y, 9.5, "soft", "regular", left)
            self._write(value, x + left, y, 9.5, "ink", "regular", width - left)

        return _Chunk(height, draw)

    def _remark(self, text: str) -> _Chunk:
        inner = self.pdf.epw - 7
        height = self._height(text, 9, "regular", inner) + 2

        def draw(x: float, y: float) -> None:
            self._fill("page", x, y, self.pdf.epw, height)
            self._fill("accent", x, y, 0.9, height)
            self._write(text, x + 4, y + 1, 9, "ink", "regular", inner)

        return _Chunk(height, draw)

    def _figures(self, figures: Sequence[Figure]) -> Iterator[_Chunk]:
        across = 4
        width = (self.pdf.epw - (across - 1) * 3) / across
        for start in range(0, len(figures), across):
            row = figures[start : start + across]
            remarks = [self._height(figure.remark, 7.5, "regular", width - 6) for figure in row]
            height = 17 + max(remarks)

            def draw(
                x: float, y: float, row: Sequence[Figure] = row, height: float = height
            ) -> None:
                for place, figure in enumerate(row):
                    self._figure(figure, x + place * (width + 3), y, width, height)

            yield _Chunk(height + 3, draw)

    def _figure(self, figure: Figure, x: float, y: float, width: float, height: float) -> None:
        self._outline(x, y, width, height)
        self._write(figure.name, x + 3, y + 2.5, 8, "soft", "regular", width - 4)
        self._write(figure.value, x + 3, y + 6.8, 16, "ink", "bold", width - 4)
        self._write(figure.remark, x + 3, y + 14.5, 7.5, "soft", "regular", width - 6)

    def _section(self, section: Section) -> Iterator[_Chunk]:
        yield _space(5, leads=True)
        title = self._words(section.title, 13, "ink", "bold", self.pdf.epw, after=2)
        yield _Chunk(title.height, title.draw, leads=True)
        for block in section.blocks:
            yield from self._block(block, self.pdf.epw)

    def _block(self, block: Block, width: float) -> Iterator[_Chunk]:
        match block:
            case Drawing():
                yield self._drawing(block, width)
            case Table():
                yield from self._table(block, width)
            case Counts():
                yield self._counts(block, width)
            case Beside(blocks):
                yield self._beside(blocks, width)
            case Note(text):
                yield _space(1)
                yield self._words(text, 8.5, "soft", "regular", width, after=2)
            case Command(text):
                yield self._command(text, width)
            case Cards(cards):
                yield from self._cards(cards, width)

    def _beside(self, blocks: Sequence[Block], width: float) -> _Chunk:
        """Return blocks side by side as one chunk, each at half the width or less."""
        each = (width - _GAP * (max(2, len(blocks)) - 1)) / max(2, len(blocks))
        columns = [list(self._block(block, each)) for block in blocks]
        height = max(sum(chunk.height for chunk in column) for column in columns)

        def draw(x: float, y: float) -> None:
            for place, column in enumerate(columns):
                below = y
                for chunk in column:
                    chunk.draw(x + place * (each + _GAP), below)
                    below += chunk.height

        return _Chunk(height + 2, draw)

    def _table(self, table: Table, width: float) -> Iterator[_Chunk]:
        widths = self._widths(table, width)
        head = self._row(table.head, widths, is_head=True) if table.head else None
        if head is not None:
            yield _Chunk(head.height, head.draw, leads=True)
        for cells in table.rows:
            row = self._row(cells, widths)
            yield _Chunk(row.height, row.draw, head=head)
        yield _space(2)

    def _widths(self, table: Table, width: float) -> list[float]:
        """Return widths of columns: figures take what they need, the first one what is left."""
        if not table.numeric:
            return [0.34 * width, 0.66 * width]
        columns = len(table.rows[0]) if table.rows else len(table.head)
        wanted = []
        for column in range(1, columns):
            cells = [row[column] for row in table.rows]
            heads = [table.head[column]] if table.head else []
            texts = [*heads, *(cell for cell in cells if isinstance(cell, str))]
            longest = max(self._length(text, 9) for text in texts)
            has_bars = any(isinstance(cell, Bar) for cell in cells)
            wanted.append(min(max(longest, 45.0 if has_bars else 0.0) + 5, width / 3))
        share = min(1.0, 0.65 * width / max(sum(wanted), 1e-9))
        wanted = [share * each for each in wanted]
        return [width - sum(wanted), *wanted]

    def _row(
        self,
        cells: Sequence[str | Bar],
        widths: Sequence[float],
        *,
        is_head: bool = False,
    ) -> _Chunk:
        size = 8.0 if is_head else 9.0
        texts = [cell.text if isinstance(cell, Bar) else cell for cell in cells]
        inner = [max(width - 3, 4.0) for width in widths]
        heights = [
            self._height(text, size, "regular", room)
            for text, room in zip(texts, inner, strict=True)
        ]
        height = max(heights) + 2.2

        def draw(x: float, y: float) -> None:
            self._rule(x, y + height, sum(widths))
            colour = "soft" if is_head else "ink"
            for cell, text, width, room in zip(cells, texts, widths, inner, strict=True):
                if isinstance(cell, Bar):
                    self._bar(cell, x, y, width, height)
                else:
                    self._write(text, x, y + 1.1, size, colour, "regular", room)
                x += width

        return _Chunk(height, draw)

    def _bar(self, bar: Bar, x: float, y: float, width: float, height: float) -> None:
        length = max(width - 18, 4.0)
        self._fill("rule", x, y + height / 2 - 0.9, length, 1.8)
        self._fill("accent", x, y + height / 2 - 0.9, length * bar.share, 1.8)
        self._write(bar.text, x + length + 3, y + 1.1, 9, "ink", "regular", 15)

    def _counts(self, counts: Counts, width: float) -> _Chunk:
        first = min(26.0, width / 3)
        each = (width - first) / (len(counts.head) - 1)
        tall = 13.0

        def draw(x: float, y: float) -> None:
            for place, name in enumerate(counts.head[1:]):
                self._write(name, x + first + place * each + 2, y, 8, "soft", "regular", each - 2)
            y += 5
            for name, numbers in counts.rows:
                self._write(name, x, y + 4, 9, "ink", "regular", first)
                for place, count in enumerate(numbers):
                    self._count(count, x + first + place * each, y, each - 1, tall - 1)
                y += tall

        return _Chunk(5 + tall * len(counts.rows) + 2, draw)

    def _count(self, count: Count, x: float, y: float, width: float, height: float) -> None:
        self._fill(count.tone or "page", x, y, width, height)
        self._write(f"{count.number:,}", x + 2, y + 1, 13, "ink", "bold", width - 3)
        self._write(count.word, x + 2, y + 7.2, 8, "soft", "regular", width - 3)

    def _command(self, text: str, width: float) -> _Chunk:
        inner = width - 8
        height = self._height(text, 8.5, "mono", inner) + 6

        def draw(x: float, y: float) -> None:
            self._fill("page", x, y, width, height)
            self._write(text, x + 4, y + 3, 8.5, "ink", "mono", inner)

        return _Chunk(height + 2, draw)

    # --------------------------------------------------------------------------- pictures

    def _cards(self, cards: Sequence[Card], width: float) -> Iterator[_Chunk]:
        """Yield rows of images, as many across as their pictures leave room for."""
        most = max((len(card.views) for card in cards), default=1)
        across = {1: 4, 2: 2}.get(most, 2)
        each = (width - _GAP * (across - 1)) / across
        for start in range(0, len(cards), across):
            row = [self._card(card, most, each) for card in cards[start : start + across]]

            def draw(x: float, y: float, row: Sequence[_Chunk] = row) -> None:
                for place, chunk in enumerate(row):
                    chunk.draw(x + place * (each + _GAP), y)

            yield _Chunk(max(chunk.height for chunk in row) + 5, draw)

    def _card(self, card: Card, most: int, width: float) -> _Chunk:
        each = (width - (most - 1)) / most
        sizes = [_fitted(_size(data), each) for _, data in card.views]
        tall = max((height for _, height in sizes), default=0.0)
        below = f"{card.number}  {card.path}"
        named = self._height(below, 8, "regular", width)
        left = 3.2 if card.kind else 0.0
        said = self._height(card.caption, 8, "regular", width - left)

        def draw(x: float, y: float) -> None:
            for place, ((_, data), (wide, high)) in enumerate(zip(card.views, sizes, strict=True)):
                self.pdf.image(io.BytesIO(data), x + place * (each + 1), y, wide, high)
            self._write(below, x, y + tall + 1.2, 8, "ink", "regular", width)
            lower = y + tall + 1.2 + named
            if card.kind:
                self._fill(card.kind, x, lower + 0.8, 2.2, 2.2)
            self._write(card.caption, x + left, lower, 8, "soft", "regular", width - left)

        return _Chunk(tall + 1.2 + named + said, draw)

    def _drawing(self, drawing: Drawing, width: float) -> _Chunk:
        chart = drawing.chart
        scale = width / chart.width
        tall = chart.height * scale
        lower = (6.0 if drawing.keys else 0.0) + (5.0 if drawing.caption else 0.0)

        def draw(x: float, y: float) -> None:
            self._chart(chart, x, y, scale)
            below = y + tall
            if drawing.keys:
                self._keys(drawing, x, below, width)
                below += 6
            if drawing.caption:
                self._write(drawing.caption, x, below, 8, "soft", "regular", width, align="C")

        return _Chunk(tall + lower + 1, draw)

    def _keys(self, drawing: Drawing, x: float, y: float, width: float) -> None:
        lengths = [self._length(key.text, 8) + 9 for key in drawing.keys]
        x += (width - sum(lengths)) / 2
        for key, length in zip(drawing.keys, lengths, strict=True):
            self._fill(key.kind, x, y + 1.4, 2.4, 2.4)
            self._write(key.text, x + 3.6, y + 0.6, 8, "soft", "regular", length)
            x += length

    def _chart(self, chart: Chart, x: float, y: float, scale: float) -> None:
        for mark in chart.marks:
            self._mark(mark, x, y, scale)

    def _mark(self, mark: Mark, x: float, y: float, scale: float) -> None:
        pdf = self.pdf

        def at(point: charts.Point) -> tuple[float, float]:
            return x + scale * point[0], y + scale * point[1]

        match mark:
            case Line(kind, start, end):
                name, thick, dashes = _LINES[kind]
                self._pen(name, thick)
                if dashes is not None:
                    pdf.set_dash_pattern(*dashes)
                pdf.line(*at(start), *at(end))
                pdf.set_dash_pattern()
            case Box(kind, corner, width, height):
                self._fill(kind, *at(corner), width * scale, height * scale)
            case charts.Path(points):
                self._pen("accent", 0.55)
                pdf.polyline([at(point) for point in points])
            case Dot(centre):
                self._pen("accent", 0.6)
                pdf.set_fill_color(*_COLOURS["white"])
                left, upper = at(centre)
                pdf.circle(left, upper, 5 * scale, style="DF")
            case Words():
                self._chart_words(mark, *at(mark.place))

    def _chart_words(self, mark: Words, x: float, y: float) -> None:
        pdf = self.pdf
        self._font(7.5, "ink" if mark.kind == "name" else "soft", "regular")
        length = pdf.get_string_width(mark.text)
        shift = {"start": 0.0, "middle": length / 2, "end": length}[mark.anchor]
        if mark.is_upright:
            with pdf.rotation(90, x, y):
                pdf.text(x - shift, y, mark.text)
        else:
            pdf.text(x - shift, y, mark.text)

    # --------------------------------------------------------------------------- ink

    def _words(
        self, text: str, size: float, colour: str, tone: Tone, width: float, *, after: float
    ) -> _Chunk:
        def draw(x: float, y: float) -> None:
            self._write(text, x, y, size, colour, tone, width)

        return _Chunk(self._height(text, size, tone, width) + after, draw)

    def _write(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        colour: str,
        tone: Tone,
        width: float,
        align: str = "L",
    ) -> None:
        """Write a text that breaks at the width, from its upper left corner."""
        self._font(size, colour, tone)
        self.pdf.set_xy(x, y)
        self._lines(text, size, width, align)

    def _height(self, text: str, size: float, tone: Tone, width: float) -> float:
        """Return the height of a text that breaks at the width."""
        self._font(size, "ink", tone)
        return float(self._lines(text, size, width, "L", is_trial=True)) if text else 0.0

    def _lines(
        self, text: str, size: float, width: float, align: str, *, is_trial: bool = False
    ) -> Any:
        safe = self._safe(text)
        words = max(map(self.pdf.get_string_width, safe.split()), default=0.0)
        return self.pdf.multi_cell(
            width,
            _leading(size),
            safe,
            align=align,
            padding=0,
            new_x=XPos.LEFT,
            new_y=YPos.NEXT,
            wrapmode=WrapMode.CHAR
            if words > width
            else WrapMode.WORD,  # long names of files have no blanks
            dry_run=is_trial,
            output="HEIGHT" if is_trial else "PAGE_BREAK",
        )

    def _length(self, text: str, size: float) -> float:
        self._font(size, "ink", "regular")
        return float(self.pdf.get_string_width(self._safe(text)))

    def _font(self, size: float, colour: str, tone: Tone) -> None:
        self.pdf.set_font(
            "mono" if tone == "mono" else "regular", "B" if tone == "bold" else "", size
        )
        self.pdf.set_text_color(*_COLOURS[colour])
        self.pdf.c_margin = 0

    def _safe(self, text: str) -> str:
        return fonts.spelled(text, self._shown)

    def _pen(self, colour: str, thickness: float) -> None:
        self.pdf.set_draw_color(*_COLOURS[colour])
        self.pdf.set_line_width(thickness)

    def _fill(self, colour: str, x: float, y: float, width: float, height: float) -> None:
        self.pdf.set_fill_color(*_COLOURS[colour])
        self.pdf.rect(x, y, width, height, style="F")

    def _outline(self, x: float, y: float, width: float, height: float) -> None:
        self._pen("rule", 0.3)
        self.pdf.rect(x, y, width, height, style="D", round_corners=True, corner_radius=1.5)

    def _rule(self, x: float, y: float, width: float) -> None:
        self._pen("rule", 0.2)
        self.pdf.line(x, y, x + width, y)


def _space(height: float, *, leads: bool = False) -> _Chunk:
    return _Chunk(height, lambda _x, _y: None, leads=leads)


def _leading(size: float) -> float:
    """Return the height of a line in mm of letters of a size in points."""
    return 1.3 * size * 25.4 / 72


def _size(data: bytes) -> tuple[int, int]:
    """Return the width and height of a picture in pixels."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def _fitted(size: tuple[int, int], width: float) -> tuple[float, float]:
    """Return the width and height in mm of a picture that is at most so wide."""
    wide, high = size
    height = width * high / wide
    return (width, height) if height <= _TALLEST else (_TALLEST * wide / high, _TALLEST)


def _texts(part: Any) -> Iterator[str]:
    """Yield every text of a report, to know which letters it needs."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, (list, tuple)):
        for each in part:
            yield from _texts(each)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _texts(getattr(part, field.name))

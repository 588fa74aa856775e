"""A report as HTML: opens in any browser, follows its light or dark scheme, prints on paper."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape

from desktop_app.core.reports.charts import Box, Chart, Dot, Line, Mark, Path, Words
from desktop_app.core.reports.content import (
    Bar,
    Beside,
    Block,
    Card,
    Cards,
    Command,
    Counts,
    Drawing,
    Figure,
    Note,
    Report,
    Section,
    Table,
)


def page(report: Report) -> str:
    """Return the report as one page that refers to nothing outside."""
    body = [_head(report), _figures(report), *map(_section, report.sections)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)} · Loupe</title><style>{STYLE}</style></head>\n"
        f"<body><main>{chr(10).join(body)}</main></body></html>\n"
    )


def svg(chart: Chart) -> str:
    """Return a chart as SVG text; colours come from the page's style sheet by class."""
    return (
        f'<svg viewBox="0 0 {chart.width:g} {chart.height:g}" role="img" '
        f'aria-label="{escape(chart.name)}">{"".join(map(_mark, chart.marks))}</svg>'
    )


def _mark(mark: Mark) -> str:
    match mark:
        case Line(kind, (x1, y1), (x2, y2)):
            return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        case Box(kind, (x, y), width, height):
            return (
                f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" '
                f'width="{width:.1f}" height="{height:.1f}"/>'
            )
        case Path(points):
            places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            return f'<polyline class="curve" points="{places}"/>'
        case Dot((x, y)):
            return f'<circle class="marker" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        case Words(kind, (x, y), text, anchor, is_upright):
            turned = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if is_upright else ""
            place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}'
            return f'<text class="{kind}" {place}>{escape(text)}</text>'


def _head(report: Report) -> str:
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in report.facts
    )
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in report.remarks)
    listed = f'<ul class="remarks">{remarks}</ul>' if remarks else ""
    return (
        f'<header><p class="brand">Loupe</p><h1>{escape(report.title)}</h1>'
        f'<dl class="facts">{facts}</dl>{listed}</header>'
    )


def _figures(report: Report) -> str:
    return f'<dl class="cards">{"".join(map(_figure, report.figures))}</dl>'


def _figure(figure: Figure) -> str:
    return (
        f'<div class="card"><dt>{escape(figure.name)}</dt><dd>{escape(figure.value)}</dd>'
        f"<p>{escape(figure.remark)}</p></div>"
    )


def _section(section: Section) -> str:
    content = "".join(map(_block, section.blocks))
    return f"<section><h2>{escape(section.title)}</h2>{content}</section>"


def _block(block: Block) -> str:
    match block:
        case Drawing():
            return _drawing(block)
        case Table():
            return _table(block)
        case Counts():
            return _counts(block)
        case Beside(blocks):
            return f'<div class="side">{"".join(map(_block, blocks))}</div>'
        case Note(text):
            return f'<p class="note">{escape(text)}</p>'
        case Command(text):
            return f"<pre>{escape(text)}</pre>"
        case Cards(cards):
            return f'<div class="gallery">{"".join(map(_card, cards))}</div>'


def _drawing(drawing: Drawing) -> str:
    keys = "".join(
        f'<span><i class="{key.kind}"></i>{escape(key.text)}</span>' for key in drawing.keys
    )
    below = f'<figcaption class="keys">{keys}</figcaption>' if keys else ""
    if drawing.caption:
        below += f"<figcaption>{escape(drawing.caption)}</figcaption>"
    return f"<figure>{svg(drawing.chart)}{below}</figure>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    heads = f"<thead><tr>{head}</tr></thead>" if head else ""
    rows = "".join(f"<tr>{''.join(_cells(row))}</tr>" for row in table.rows)
    kind = "figures" if table.numeric else "words"
    return f'<table class="{kind}">{heads}<tbody>{rows}</tbody></table>'


def _cells(row: Sequence[str | Bar]) -> Iterator[str]:
    for place, cell in enumerate(row):
        if isinstance(cell, Bar):
            filled = f'<span><b style="width:{100 * cell.share:.1f}%"></b></span>'
            yield f'<td class="bar">{filled}{escape(cell.text)}</td>'
        else:
            yield f"<td>{escape(cell)}</td>" if place else f"<th>{escape(cell)}</th>"


def _counts(counts: Counts) -> str:
    heads = "".join(f"<th>{escape(name)}</th>" for name in counts.head)
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(
            f'<td class="{count.tone}">{count.number:,}<small>{escape(count.word)}</small></td>'
            for count in numbers
        )
        + "</tr>"
        for name, numbers in counts.rows
    )
    return f'<table class="counts"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _card(card: Card) -> str:
    shown = "".join(
        f'<img src="data:{_media(data)};base64,{b64encode(data).decode()}" '
        f'alt="{escape(card.path)}, {escape(view)}">'
        for view, data in card.views
    )
    dot = f'<i class="{card.kind}"></i>' if card.kind else ""
    return (
        f'<figure class="picture"><div class="views">{shown}</div><figcaption>'
        f'<b>{card.number}</b> <span class="path">{escape(card.path)}</span><br>'
        f"{dot}{escape(card.caption)}</figcaption></figure>"
    )


def _media(data: bytes) -> str:
    return "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"


STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --paper: #ffffff; --ink: #1b1f27;
  --soft: #646c7a; --rule: #dfe3e8; --accent: #2f5fd0; --normal: #4f81d8; --anomalous: #d9552c;
  --unlabelled: #8a93a3; --right: #e5f3ea; --wrong: #fbe9e2; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #14171c; --paper: #1c2027;
  --ink: #e6e9ee;
  --soft: #98a1b0; --rule: #323842; --accent: #7ea6ff; --normal: #6f9cf0; --anomalous: #f0784e;
  --unlabelled: #8a93a3; --right: #1f3529; --wrong: #40281f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1040px; margin: 32px auto; padding: 0 24px 24px; }
header, section { background: var(--paper); border: 1px solid var(--rule); border-radius: 12px;
  padding: 24px 28px; margin-bottom: 18px; }
.brand { margin: 0; color: var(--accent); font-weight: 700; letter-spacing: .14em; font-size: 12px;
  text-transform: uppercase; }
h1 { margin: 2px 0 16px; font-size: 27px; line-height: 1.25; letter-spacing: -.01em; }
h2 { margin: 0 0 16px; font-size: 17px; }
dl, dd, figure { margin: 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr));
  gap: 12px 28px; }
dt { color: var(--soft); font-size: 12.5px; }
.facts dd { overflow-wrap: anywhere; }
.remarks { margin: 18px 0 0; padding: 10px 14px 10px 30px; border-left: 3px solid var(--accent);
  background: var(--page); border-radius: 0 8px 8px 0; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(148px, 1fr)); gap: 14px;
  margin-bottom: 18px; }
.card { background: var(--paper); border: 1px solid var(--rule); border-radius: 12px;
  padding: 14px 16px; }
.card dd { font-size: 27px; font-weight: 650; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.card p { margin: 2px 0 0; color: var(--soft); font-size: 12.5px; }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr));
  gap: 18px 36px; align-items: start; }
svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: 13px; text-align: center; }
.keys { display: flex; gap: 20px; justify-content: center; margin-top: 6px; }
i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }
i.normal { background: var(--normal); } i.anomalous { background: var(--anomalous); }
i.unlabelled { background: var(--unlabelled); }
rect.normal { fill: var(--normal); } rect.anomalous { fill: var(--anomalous); }
rect.unlabelled { fill: var(--unlabelled); }
svg line.axis { stroke: var(--soft); } svg line.grid { stroke: var(--rule); }
svg line.chance { stroke: var(--soft); stroke-dasharray: 4 4; }
svg line.threshold { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 3; }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2.25; stroke-linejoin: round; }
svg .marker { fill: var(--paper); stroke: var(--accent); stroke-width: 2.5; }
svg text { font-family: inherit; fill: var(--soft); font-size: 12px; }
svg text.name { fill: var(--ink); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 7px 10px; border-bottom: 1px solid var(--rule);
  overflow-wrap: anywhere; }
th { font-weight: 500; } thead th { color: var(--soft); font-size: 12.5px; font-weight: 400; }
tbody tr:last-child th, tbody tr:last-child td { border-bottom: 0; }
.counts td { font-size: 21px; font-weight: 600; border: 3px solid var(--paper);
  border-radius: 8px; }
.counts th { border: 0; }
.counts small { display: block; font-size: 12.5px; font-weight: 400; color: var(--soft); }
.counts .right { background: var(--right); } .counts .wrong { background: var(--wrong); }
.bar { display: flex; align-items: center; gap: 12px; }
.bar span { flex: 1; height: 8px; border-radius: 4px; background: var(--rule); overflow: hidden; }
.bar b { display: block; height: 100%; background: var(--accent); }
.words { table-layout: fixed; } .words th { width: 32%; }
.note { color: var(--soft); font-size: 13px; margin: 12px 0 0; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(400px, 1fr));
  gap: 20px; }
.picture { break-inside: avoid; }
.views { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 3px;
  border-radius: 8px; overflow: hidden; }
.views img { display: block; width: 100%; height: auto; }
.picture figcaption { text-align: left; margin-top: 6px; }
.picture b { color: var(--ink); } .path { color: var(--ink); overflow-wrap: anywhere; }
pre { margin: 0; padding: 14px 16px; background: var(--page); border-radius: 8px;
  font: 13px/1.55 ui-monospace, "Cascadia Mono", Menlo, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { :root { --page: #fff; --rule: #ccc; } body { font-size: 11pt; }
  main { margin: 0; padding: 0; max-width: none; }
  header, section { border: 0; padding: 0 0 8px; break-inside: avoid; }
  h2 { break-after: avoid; } .cards { grid-template-columns: repeat(6, 1fr); gap: 8px; }
  .card { padding: 8px 10px; break-inside: avoid; } .card dd { font-size: 20px; }
  .gallery { grid-template-columns: 1fr 1fr; gap: 14px; } .side { grid-template-columns: 1fr 1fr; }
  section:has(.gallery) { break-inside: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

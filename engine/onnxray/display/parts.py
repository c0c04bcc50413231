"""Pieces of HTML that values are shown with. Every text becomes HTML here, through ``html_text``, and nowhere else.

What is shown takes its colours from the page (light or dark), runs no script and asks for nothing from elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnxray.errors.shown_text import html_text, shortened

_LONGEST_CELL, _LONGEST_LINE = 100, 400
_LINE = "1px solid rgba(128,128,128,.35)"
_CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
_HEAD, _BODY = f"{_CELL};white-space:nowrap", f"{_CELL};overflow-wrap:anywhere;min-width:4.5em"
_TABLE = "border-collapse:collapse;margin:4px 0;font-size:13px"
_PAGE = "font-family:sans-serif;font-size:13px;line-height:1.4;max-width:100%;overflow-x:auto;overflow-wrap:anywhere"
_WARNING = "border-left:4px solid #d55e00;padding-left:8px;margin:6px 0"


@dataclass(frozen=True)
class Html:
    """HTML that is made of our own tags and of texts that were escaped."""

    text: str


def whole(*parts: Html) -> str:
    """What a notebook is given."""
    inner = "".join(part.text for part in parts)
    return f'<div style="{_PAGE}">{inner}</div>'


def heading(text: str) -> Html:
    """What it is, in bold."""
    return Html(f'<div style="font-weight:bold;margin:4px 0">{_text(text, _LONGEST_LINE)}</div>')


def line(text: str) -> Html:
    """A sentence."""
    return Html(f'<div style="margin:4px 0">{_text(text, _LONGEST_LINE)}</div>')


def warning(text: str) -> Html:
    """What nobody may overlook."""
    return Html(f'<div style="{_WARNING}">{_text(text, _LONGEST_LINE)}</div>')


def picture(png: bytes, alt: str, *, width: int | None = None, pixelated: bool = False) -> Html:
    """A PNG within the page; never wider than it."""
    style = "max-width:100%;height:auto" + (";image-rendering:pixelated" if pixelated else "")
    size = "" if width is None else f' width="{width}"'
    data = base64.b64encode(png).decode("ascii")
    return Html(f'<img src="data:image/png;base64,{data}" alt="{_text(alt, _LONGEST_CELL)}"{size} style="{style}">')


def captioned(pictures: Iterable[tuple[Html, str]]) -> Html:
    """Pictures beside each other, each over its name."""
    figures = (
        f'<figure style="display:inline-block;margin:0 10px 6px 0">{shown.text}'
        f'<figcaption style="font-size:12px">{_text(name, _LONGEST_CELL)}</figcaption></figure>'
        for shown, name in pictures
    )
    return Html("".join(figures))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, left_out: int = 0) -> Html:
    """A table; left_out: how many more rows there are."""
    head = "".join(f'<th style="{_HEAD};border-bottom:{_LINE}">{_cell(name)}</th>' for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td style={_quoted(_BODY)}>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    more = "" if left_out <= 0 else f'<div style="margin:2px 0">and {left_out} more</div>'
    return Html(f'<table style="{_TABLE}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}')


def facts(named: Mapping[str, Any]) -> Html:
    """A table of names and what they stand for; what is empty is left out."""
    kept = {name: value for name, value in named.items() if value not in (None, "", ())}
    body = "".join(
        f'<tr><th style="{_HEAD}">{_cell(name)}</th>'
        f"<td style={_quoted(_BODY)}>{_text(_plain(value), _LONGEST_LINE)}</td></tr>"
        for name, value in kept.items()
    )
    return Html(f'<table style="{_TABLE}"><tbody>{body}</tbody></table>')


def folded(summary: str, *parts: Html) -> Html:
    """What opens at a click."""
    inner = "".join(part.text for part in parts)
    said = _text(summary, _LONGEST_LINE)
    return Html(f'<details style="margin:4px 0"><summary style="cursor:pointer">{said}</summary>{inner}</details>')


def _text(text: str, longest: int) -> str:
    return html_text(shortened(text, longest))


def _cell(value: object) -> str:
    return _text(_plain(value), _LONGEST_CELL)


def _plain(value: object) -> str:
    """A value as people write it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    return f'"{text}"'

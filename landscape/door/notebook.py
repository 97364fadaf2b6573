"""What a notebook shows: tables, pictures and pages as HTML, everybody's text escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landscape.draw.sheet.page import PrintedFigure

PAGE_HEIGHT = 720
"""Pixels of a page within a notebook."""


def pairs(title: str, entries: Mapping[str, str]) -> str:
    """A table of two columns, names and values, beneath a title."""
    rows = "".join(
        f'<tr><th style="text-align:left">{html.escape(name)}</th>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for name, value in entries.items()
    )
    return f"<b>{html.escape(title)}</b><table>{rows}</table>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with names above its columns."""

    def line(cells: Sequence[str], tag: str) -> str:
        inside = "".join(
            f'<{tag} style="text-align:left">{html.escape(cell)}</{tag}>' for cell in cells
        )
        return f"<tr>{inside}</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as lines of text."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )
    return "\n".join(lines)


def sentences(title: str, texts: Sequence[str]) -> str:
    """A list of sentences beneath a title."""
    items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
    return f"<b>{html.escape(title)}</b><ul>{items}</ul>"


def paragraph(text: str) -> str:
    """A paragraph as wide as is read with ease."""
    return f'<p style="max-width:60em">{html.escape(text)}</p>'


def picture(figure: PrintedFigure, text: str) -> str:
    """A still, with what it shows in words for whoever doesn't see it."""
    content, size = figure.shown()
    source = base64.b64encode(content).decode()
    return (
        f'<img src="data:image/png;base64,{source}" alt="{html.escape(text)}" '
        f'width="{size["width"]}" height="{size["height"]}">'
    )


def frame(page: str, title: str) -> str:
    """A whole page within another one; its scripts see nothing of what is around."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="{html.escape(title)}" '
        f'sandbox="allow-scripts" style="width:100%;height:{PAGE_HEIGHT}px;border:0"></iframe>'
    )

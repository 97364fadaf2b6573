"""HTML in which all text is escaped unless it was made here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape

from landscape.errors import printable

VOID = ("br", "col", "img", "meta", "source", "link")
"""Elements that have no end."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = Markup | str | None


def text(content: Content) -> Markup:
    """Return HTML of text, whatever it holds; of nothing, nothing.

    >>> text("<script> & co")
    '&lt;script&gt; &amp; co'
    """
    if content is None:
        return Markup()
    return content if isinstance(content, Markup) else Markup(escape(printable(content)))


def joined(parts: Iterable[Content], between: str = "\n") -> Markup:
    """Return parts one after another; those that are text are escaped."""
    return Markup(text(between).join(text(part) for part in parts if part))


def tag(name: str, /, *content: Content, **attributes: str | bool | None) -> Markup:
    """Return an element; attributes that are None or False are left out.

    A trailing underscore is dropped from an attribute's name, others become hyphens.

    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = ""
    for key, value in attributes.items():
        if value is not None and value is not False:
            named = key.rstrip("_").replace("_", "-")
            written += f" {named}" if value is True else f' {named}="{text(str(value))}"'
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(content, '')}</{name}>")


def plain(content: Content) -> str:
    """Return the text of HTML that was made here, for an attribute.

    >>> plain(tag("span", "a < b", class_="run"))
    'a < b'
    """
    return unescape(re.sub("<[^>]*>", "", text(content)))


def listed(items: Iterable[Content], **attributes: str) -> Markup:
    """Return a list, an item a line; nothing without items."""
    entries = [tag("li", item) for item in items]
    return tag("ul", *entries, **attributes) if entries else Markup()


def table(
    head: Iterable[Content],
    rows: Iterable[Iterable[Content]],
    *,
    label: str,
    numbers: Iterable[int] = (),
) -> Markup:
    """Return a table in a frame that scrolls by itself where it is wider than the page.

    A row's first cell heads it. ``label`` says what the table shows, ``numbers`` are the columns
    that are aligned to the right. On a phone a row's cells stand beneath each other, each behind
    its column's name.
    """
    right, names = set(numbers), list(head)

    def cell(name: str, column: int, content: Content, scope: str | None) -> Markup:
        # Of two columns the row's head says it.
        above = names[column] if name == "td" and len(names) > 2 else None
        return tag(
            name,
            content,
            scope=scope,
            class_="number" if column in right else None,
            data_column=plain(above) if above else None,
        )

    first = tag("tr", *(cell("th", k, one, "col") for k, one in enumerate(names)))
    lines = [
        tag(
            "tr",
            *(cell("td" if k else "th", k, one, None if k else "row") for k, one in enumerate(row)),
        )
        for row in rows
    ]
    whole = tag("table", tag("thead", first), tag("tbody", *lines))
    return tag("div", whole, class_="wide", role="region", aria_label=label, tabindex="0")

"""A whole page: head, style, the answer on top, its sections, script. One file, asking nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from landscape import __version__
from landscape.errors import LandscapeError
from landscape.report.markup import Markup, joined, listed, tag
from landscape.store import provenance
from landscape.store.files import make_folder, write_bytes

NAME = "report.html"
LARGEST = 8e6
"""Bytes of a page at most."""


@dataclass(frozen=True)
class Chapter:
    """A part of a page with a heading of its own."""

    key: str
    """Its place in the page's address."""
    title: str
    content: Markup


def document(title: str, top: Iterable[Markup], chapters: Sequence[Chapter]) -> str:
    """Return the page as HTML: ``top`` is what is read first, links to the chapters below it.

    >>> document("mine", ["nothing yet"], [])[:15]
    '<!doctype html>'
    """
    links = [tag("a", one.title, href=f"#{one.key}") for one in chapters]
    parts = [tag("section", tag("h2", one.title), one.content, id=one.key) for one in chapters]
    made = f"Made by landscape {__version__}, {provenance.now()}: {provenance.command()}"
    body = joined(
        [
            tag("a", "To the content", href=f"#{chapters[0].key}", class_="skip")
            if chapters
            else None,
            tag("header", *top, tag("nav", listed(links), aria_label="On this page")),
            tag("main", joined(parts)),
            tag("footer", made),
            tag("script", Markup(_part("report.js"))),
        ]
    )
    head = joined(
        [
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="generator", content=f"landscape {__version__}"),
            tag("title", title),
            tag("link", rel="icon", href="data:,"),
            tag("style", Markup(_part("report.css"))),
        ]
    )
    whole = tag("html", tag("head", head), tag("body", body), lang="en")
    return f"<!doctype html>\n{whole}\n"


def check_name(target: Path) -> None:
    """Refuse a file that no browser would show as a page.

    Raises:
        LandscapeError: its name doesn't end in .html.
    """
    if target.suffix.lower() not in (".html", ".htm"):
        raise LandscapeError(f"a page must end in .html, got {target}")


def save(page: str, target: Path) -> Path:
    """Write a page, complete or not at all; return its path.

    Raises:
        LandscapeError: it is no name of a page, too large, or can't be written.

    >>> from pathlib import Path
    >>> save(document("mine", ["nothing yet"], []), Path("mine.html")).stat().st_size > 1000
    True
    """
    check_name(target)
    content = page.encode()
    if len(content) > LARGEST:
        raise LandscapeError(
            f"a page must have at most {LARGEST / 1e6:g} MB, got {len(content) / 1e6:.1f} MB; "
            "scan planes of fewer points"
        )
    make_folder(target.parent)
    write_bytes(target, content)
    return target


def missing(what: str, *commands: str) -> Markup:
    """Return the note that stands where something isn't there, with the commands that bring it."""
    lines = [joined([" ", tag("code", command)], "") for command in commands]
    return tag("p", quoted(what), *lines, class_="missing")


def quoted(sentence: str) -> Markup:
    """Return a sentence whose words between backticks are code."""
    parts = sentence.split("`")
    return joined((tag("code", part) if k % 2 else part for k, part in enumerate(parts)), "")


def _part(name: str) -> str:
    return resources.files("landscape.report").joinpath("page", name).read_text(encoding="utf-8")

"""Figures in a page: drawn by `landscape.draw`, in light and dark, with their captions as text."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from io import BytesIO

from matplotlib.figure import Figure
from PIL import Image

from landscape.draw.files import png
from landscape.draw.kinds import KINDS
from landscape.draw.look.style import Style
from landscape.draw.making import Work, caption, caption_of, subject_of
from landscape.report.markup import Markup, tag

DPI = 200
LOOKS = ("paper", "dark")
NARROW, SCREEN = 3.25, "40rem"
"""Inches of a printed column: so wide is what stands on a screen of at most so much. On a phone,
which shows it 350 pixels wide, its smallest letters have 9 of them or 10."""
ALT = 420
"""Letters of what an alternative text says of one subject, unless its first sentence has more."""
MADE = re.compile(r"\s+(Command|Versions): .*", re.DOTALL)
"""The end of a caption that pages say once, at their own end."""
MORE = "All there is to know of this figure"


def picture(kind: str, works: Sequence[Work], *, folded: str = "") -> Markup:
    """Return a figure element: the picture in both looks, its caption beneath.

    ``folded`` is the word behind which the picture can be closed.

    Raises:
        LandscapeError: what the kind shows isn't there.
    """
    subject = subject_of(kind, works)
    # What small print says stands in the caption.
    bare = KINDS[kind].needs == "diagnosis"
    sources = []
    for look in LOOKS:
        style = Style(theme=look, dpi=DPI, bare=bare)
        figure = KINDS[kind](subject, style=style)
        sources.append(embedded(figure, style))
    width = float(figure.get_size_inches()[0])
    said = " ".join(MADE.sub("", caption_of(kind, work.subject, figure.drawn)) for work in works)
    light, dark = sources
    in_the_dark = "(prefers-color-scheme: dark)"
    narrow = list[Markup]()
    if width > NARROW:
        styles = [Style(theme=look, dpi=DPI, width=NARROW, bare=bare) for look in LOOKS]
        day, night = (embedded(KINDS[kind](subject, style=style), style) for style in styles)
        there = f"screen and (max-width: {SCREEN})"
        narrow = [
            tag("source", srcset=night, media=f"{there} and {in_the_dark}"),
            tag("source", srcset=day, media=there),
        ]
    shown = tag(
        "picture",
        *narrow,
        tag("source", srcset=dark, media=f"screen and {in_the_dark}"),
        tag("img", src=light, alt=alternative(kind, works)),
    )
    if folded:
        # Open where no script closes it.
        shown = tag("details", tag("summary", folded), shown, open=True)
    return tag("figure", shown, captioned(said), style=f"--inches:{width:g}")


def captioned(said: str) -> Markup:
    """Return a caption: what is shown at once, all the rest behind a word."""
    first, rest = divided(said)
    more = tag("details", tag("summary", MORE), tag("p", rest))
    return tag("figcaption", first, more if rest else None)


def divided(said: str) -> tuple[str, str]:
    """Return a caption's first part, its first paragraph or two sentences, and what follows."""
    head, _, tail = said.partition("\n\n")
    if tail:
        return head, tail
    sentences = said.replace(". ", ".\n").split("\n")
    return " ".join(sentences[:2]), " ".join(sentences[2:])


def alternative(kind: str, works: Sequence[Work]) -> str:
    """Return what a picture shows, for whoever doesn't see it: whole sentences, findings first."""
    entry = KINDS[kind]
    say = entry.seen or entry.caption or caption
    return " ".join(shortened(say(work.subject)) for work in works)


def shortened(said: str) -> str:
    """Return as many of the first sentences as there is room for, at least one.

    >>> shortened("A first one. " + 42 * "Another. ").endswith("Another.")
    True
    """
    first, *more = " ".join(said.split()).replace(". ", ".\n").split("\n")
    for sentence in more:
        if len(first) + len(sentence) >= ALT:
            break
        first += f" {sentence}"
    return first


def embedded(figure: Figure, style: Style) -> str:
    """Return a figure as an address that holds it, without loss: marks keep their colours."""
    image = Image.open(BytesIO(png(figure, style))).convert("RGB")
    target = BytesIO()
    image.save(target, "webp", lossless=True)
    return f"data:image/webp;base64,{base64.b64encode(target.getvalue()).decode('ascii')}"

"""The plane to turn in a page: the explorer's own page in a frame, unpacked when it comes in sight.

One copy of plotly serves the page: it is inside of the packed explorer.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence

from landscape.draw.interactive import explorer_page
from landscape.draw.interactive.explorer_data import Entry
from landscape.report.markup import Markup, joined, tag

STILL = "Without {what} the plane can't be turned here; the picture below shows it from above."
DRAWING = "The plane is being drawn to be turned; till then this is how it looks from above."


def turned(entries: Sequence[Entry], label: str) -> Markup:
    """Return the frame and what it will hold; ``label`` says what it shows.

    Until the plane is drawn the picture in the element that follows stands over the frame; where it
    can't be, the frame goes. About 2 MB: gzip, as base64.

    Raises:
        LandscapeError: no entries, or plotly is missing.
    """
    packed = gzip.compress(explorer_page.page(entries).encode(), mtime=0)
    content = Markup(base64.b64encode(packed).decode("ascii"))
    how = "Drag to turn it, scroll to zoom; the slider goes through the steps."
    without = tag("p", STILL.format(what="JavaScript"))
    return tag(
        "div",
        joined(
            [
                tag("p", DRAWING, class_="drawing", hidden=True),
                tag("p", how, class_="how", hidden=True),
                tag("div", tag("iframe", title=label, id="explorer"), class_="stage", hidden=True),
                tag("p", STILL.format(what="WebGL"), class_="still", hidden=True),
                tag("noscript", without),
                tag("script", content, type="application/gzip+base64", id="packed-explorer"),
            ]
        ),
        class_="turn",
    )

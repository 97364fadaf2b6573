"""``explorer.html``: scans to turn in the hand, in one file that asks nothing of anywhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from landscape import __version__
from landscape.draw.interactive import explorer_data, packing
from landscape.draw.interactive.explorer_data import Entry
from landscape.errors import LandscapeError
from landscape.store.files import make_folder, write_bytes

STYLES = ("page.css",)
SCRIPTS = (
    "numbers.js",
    "mesh.js",
    "data.js",
    "marks.js",
    "scene.js",
    "curve.js",
    "valley.js",
    "timeline.js",
    "page.js",
    "controls.js",
)
"""In this order: each uses those before it."""


def save(entries: Sequence[Entry], target: Path) -> Path:
    """Write the page for scans; return its path.

    The file is complete or not there. About 4.9 MB and 0.3 MB more for a plane of 101 × 101 points
    with four measures.

    Raises:
        LandscapeError: no scans, plotly is missing, or the file can't be written.
    """
    content = page(entries).encode()
    make_folder(target.parent)
    write_bytes(target, content)
    return target


def page(entries: Sequence[Entry]) -> str:
    """Return the page as HTML.

    Raises:
        LandscapeError: no scans, or plotly is missing.
    """
    if not entries:
        raise LandscapeError("an explorer needs at least one scan, got none")
    data = packing.strict(explorer_data.page(entries))
    # "</script>" in a run's name would end the script.
    content = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": _escaped(" · ".join(dict.fromkeys(entry.run for entry in entries))),
        "version": __version__,
        "style": "\n".join(map(_part, STYLES)),
        "plotly": plotly(),
        "data": content,
        "script": "\n".join(map(_part, SCRIPTS)),
    }
    html = _part("page.html")
    for name, text in parts.items():
        before, marker, after = html.partition(f"<!--{name}-->")
        if not marker:
            raise AssertionError(f"page.html has no place for {name}")
        html = before + text + after
    return html


@cache
def plotly() -> str:
    """Return plotly.js.

    Raises:
        LandscapeError: the plotly package isn't installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise LandscapeError(
            "the explorer's page needs the package plotly, it is not installed: pip install plotly"
        ) from error
    return str(get_plotlyjs())


def _part(name: str) -> str:
    # Not a package: data beside this module.
    return (Path(__file__).with_name("explorer") / name).read_text(encoding="utf-8")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

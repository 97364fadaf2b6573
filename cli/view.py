"""``landscape view``: the scans of runs to turn in the hand, in a window or in a browser."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape.errors import LandscapeError
from landscape.quantities import size

from .printing import echo

if TYPE_CHECKING:
    from landscape.draw.interactive.explorer_data import Entry

LARGE = 6e6


def view(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN|SCAN...",
            help="Runs, sweeps, scans (RUN/scans/NAME.h5) or surface files of Li et al.'s scripts.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option("--scan", metavar="NAME", help="Of runs: their scans by that name."),
    ] = None,
    window: Annotated[
        bool, typer.Option("--window", help="A window, or an error where none can be opened.")
    ] = False,
    html: Annotated[bool, typer.Option("--html", help="The page, also where there's a screen.")] = (
        False
    ),
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            help="The page's file; implies --html.",
            show_default="RUN/explorer.html",
        ),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Write the page and don't open a browser.")
    ] = False,
) -> None:
    """Turn a run's loss surface with the path on it, step by step.

    With a screen in a window; elsewhere, or with --html, as a page: one file that holds everything
    and asks nothing of anywhere, to be opened in any browser and sent to anybody.
    """
    from landscape.draw.interactive import explorer_page, explorer_sources

    if window and (html or output is not None or no_open):
        other = "--html" if html else "--no-open" if no_open else f"--output {output}"
        raise LandscapeError(f"--window shows no page, got {other} too; drop one of them")
    entries = explorer_sources.gather(sources, name=name, told=lambda said: echo(said, err=True))
    if not (html or output is not None or no_open) and _in_window(entries, forced=window):
        return
    target = output if output is not None else explorer_sources.place(sources)
    if target.suffix.lower() not in (".html", ".htm"):
        raise LandscapeError(f"--output must end in .html, got {target}")
    explorer_page.save(entries, target)
    count = target.stat().st_size
    if count > LARGE:
        echo(f"the page is large, {size(count)}; choose scans with --scan NAME", err=True)
    echo(str(target))
    if not no_open:
        _open(target)


def _in_window(entries: list[Entry], *, forced: bool) -> bool:
    """Show a window and return True; where that can't be, say so and return False."""
    from landscape.draw.interactive import window
    from landscape.draw.solid import opengl

    found = opengl.screen()
    if not found.ok and forced:
        raise LandscapeError(f"--window needs a screen with OpenGL: {found.reason}; use --html")
    turnable = window.turnable(entries)
    if not turnable and not forced:
        echo("no planes and no valleys: shown as a page", err=True)
        return False
    if not found.ok:
        if os.environ.get("DISPLAY"):
            echo(f"{found.reason}; shown as a page instead", err=True)
        return False
    if len(turnable) < len(entries):
        lines = len(entries) - len(turnable)
        echo(f"{lines} of {len(entries)} scans aren't in the window: see --html", err=True)
    window.SurfaceWindow(entries).show()
    return True


def _open(target: Path) -> None:
    # A text browser would take over the terminal: without a screen the path is all that helps.
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        echo("no screen here: open the file in a browser", err=True)
        return
    try:
        opened = webbrowser.open(target.absolute().as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        echo("no browser found here: open the file in one", err=True)

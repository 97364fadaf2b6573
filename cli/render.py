"""``landscape render``: the figures of a scan that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import LandscapeError


def render(
    scan: Annotated[
        Path,
        typer.Argument(
            metavar="SCAN",
            help="A scan (RUN/scans/NAME.h5) or a surface file of Li et al.'s scripts.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder to write to.", show_default="figures in the run's folder"
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="contour, surface, curve or measures.",
            show_default="contour and surface, of a line curve",
        ),
    ] = None,
) -> None:
    """Draw a scan's figures; nothing is measured anew.

    Writes SCAN-KIND.png, .pdf and .caption.txt, over those that are there.
    """
    from landscape import draw
    from landscape.store import exchange

    if kind is not None and kind not in draw.KINDS:
        raise LandscapeError(f"--kind must be one of {', '.join(draw.KINDS)}, got {kind}")
    loaded = exchange.load(scan)
    folder = output or exchange.home(scan) / "figures"
    for name in (kind,) if kind is not None else draw.kinds(loaded):
        figure = draw.KINDS[name](loaded)
        stem = folder / f"{scan.stem}-{name}"
        for file in draw.save(figure, stem, caption=draw.caption(loaded)):
            typer.echo(str(file))

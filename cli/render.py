"""``landscape render``: figures of runs and scans that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

SCALE, PAGE = "Scale and view", "Page"


def render(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN|SCAN...",
            help="Runs, sweeps, scans (RUN/scans/NAME.h5) or surface files of Li et al.'s scripts.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            "-k",
            help="contour, surface, curve, measures, path, map (several on one scale), film, loss; "
            "of a diagnosed run distances, msd, barriers, sharpness, units, replicas; of a "
            "diagnosed sweep outcomes.",
            show_default="what fits: of a run loss, its diagnosis and all of its scans",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder, or a single file: FIGURE.png, .pdf or .svg.",
            show_default="figures in the run's folder",
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", help="png, pdf, svg; of films mp4, gif.", show_default="png,pdf"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--scan", metavar="NAME", help="Of runs: their scans by that name."),
    ] = None,
    reproduce: Annotated[
        Path | None,
        typer.Option(metavar="FIGURE", help="Make a figure again from its metadata."),
    ] = None,
    width: Annotated[
        str | None,
        typer.Option(
            help="3.25in, 8.5cm, 85mm or 240pt; panels stand beneath each other in a column.",
            show_default="4.4 to 7.2in",
            rich_help_panel=PAGE,
        ),
    ] = None,
    dpi: Annotated[int, typer.Option(rich_help_panel=PAGE)] = 300,
    theme: Annotated[
        str, typer.Option(help="paper, talk (larger letters) or dark.", rich_help_panel=PAGE)
    ] = "paper",
    title: Annotated[str, typer.Option(show_default=False, rich_help_panel=PAGE)] = "",
    transparent: Annotated[
        bool, typer.Option("--transparent", help="No background.", rich_help_panel=PAGE)
    ] = False,
    no_path: Annotated[
        bool, typer.Option("--no-path", help="No path, no marked points.", rich_help_panel=PAGE)
    ] = False,
    cmap: Annotated[
        str | None,
        typer.Option(
            help="A colour map of matplotlib's.", show_default="viridis", rich_help_panel=SCALE
        ),
    ] = None,
    log: Annotated[
        bool | None,
        typer.Option(
            "--log/--linear",
            help="Scale of losses.",
            show_default="log where all are positive",
            rich_help_panel=SCALE,
        ),
    ] = None,
    cap: Annotated[
        float | None,
        typer.Option(
            help="Cut losses above it; inf: none.",
            show_default="twice the best constant output's",
            rich_help_panel=SCALE,
        ),
    ] = None,
    levels: Annotated[
        int, typer.Option(help="About so many contour lines.", rich_help_panel=SCALE)
    ] = 14,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="AZIMUTH,ELEVATION",
            help="View of a surface in degrees.",
            show_default="where most of the path is seen",
            rich_help_panel=SCALE,
        ),
    ] = None,
    renderer: Annotated[
        str,
        typer.Option(help="Of surfaces: auto, pyvista or matplotlib.", rich_help_panel=SCALE),
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Draw figures of runs and scans; nothing is measured anew.

    Writes SCAN-KIND.png, .pdf and .caption.txt, over those that are there. Each figure holds what
    it was made from: --reproduce makes it again.
    """
    from landscape.draw import style as styles

    from . import rendering

    chosen: dict[str, Any] = {
        "theme": theme,
        "width": styles.length(width) if width is not None else None,
        "dpi": dpi,
        "cmap": cmap,
        "log": log,
        "cap": cap,
        "levels": levels,
        "camera": styles.angles(camera) if camera is not None else None,
        "transparent": transparent,
        "path": not no_path,
        "title": title,
        "renderer": renderer,
    }
    style = styles.Style(**chosen)
    if reproduce is not None:
        rendering.again(reproduce, sources or (), output, style, kind)
        return
    wanted = tuple(part.strip() for part in formats.split(",")) if formats is not None else None
    pictures = rendering.planned(sources or (), kind, name, output, wanted)
    rendering.draw_all(pictures, style, quiet=quiet)

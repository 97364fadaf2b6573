"""``landscape render``: figures of runs and scans that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape.errors import LandscapeError

from .command import examples, listed, refuse_names
from .printing import echo
from .progress import progress

if TYPE_CHECKING:
    from landscape.draw import Style
    from landscape.draw.default_figures import PlannedPicture
    from landscape.store import Scan

EXAMPLES = examples(
    "landscape render runs/a --kind contour,surface --theme talk",
    "landscape render runs/a/scans/random-final-0.h5 --width 3.25in -o figure.pdf",
)
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
        list[str] | None,
        typer.Option(
            "--kind",
            "-k",
            help="One or several: contour, surface, curve, measures, path, valley, slats, map "
            "(several on one scale), film, loss; of a diagnosed run distances, two-time, msd, "
            "barriers, sharpness, units, trainings, layers, coefficient, instability; of a "
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
        list[str] | None,
        typer.Option("--format", help="png, pdf, svg; of films mp4, gif.", show_default="png,pdf"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--scan", metavar="NAME", help="Of runs: their scans by that name."),
    ] = None,
    reproduce: Annotated[
        Path | None,
        typer.Option(metavar="FIGURE", help="Make a figure or a film again from its metadata."),
    ] = None,
    width: Annotated[
        str | None,
        typer.Option(
            help="3.25in, 8.5cm, 85mm or 240pt; panels stand beneath each other in a column.",
            show_default="3.25in for one plane, else up to 7.2in",
        ),
    ] = None,
    dpi: Annotated[int, typer.Option(rich_help_panel=PAGE)] = 300,
    theme: Annotated[str, typer.Option(help="paper, talk (larger letters) or dark.")] = "paper",
    title: Annotated[str, typer.Option(show_default=False, rich_help_panel=PAGE)] = "",
    panels: Annotated[
        list[str] | None,
        typer.Option(
            help="Of planes: train, validation or both.",
            show_default="train, and validation where it looks different",
            rich_help_panel=PAGE,
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Of planes and maps: everything explained beneath.",
            rich_help_panel=PAGE,
        ),
    ] = False,
    bare: Annotated[
        bool,
        typer.Option(
            "--bare",
            help="Of planes: no labels, no strip; of a diagnosis: no small print.",
            rich_help_panel=PAGE,
        ),
    ] = False,
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
        ),
    ] = None,
    cap: Annotated[
        float | None,
        typer.Option(
            help="Cut losses above it; inf: none.",
            show_default="twice the loss of a network that ignores its input",
            rich_help_panel=SCALE,
        ),
    ] = None,
    floor: Annotated[
        float | None,
        typer.Option(
            help="Of maps: losses below it have its colour.",
            show_default="the lowest",
            rich_help_panel=SCALE,
        ),
    ] = None,
    levels: Annotated[
        int | None,
        typer.Option(
            help="About so many contour lines.",
            show_default="the colour bar's ticks",
            rich_help_panel=SCALE,
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="AZIMUTH,ELEVATION",
            help="View of a surface in degrees; of a film where its turn begins.",
            show_default="where most of the path is seen",
            rich_help_panel=SCALE,
        ),
    ] = None,
    renderer: Annotated[
        str,
        typer.Option(help="Of surfaces: auto, pyvista or matplotlib.", rich_help_panel=SCALE),
    ] = "auto",
    unit: Annotated[
        str,
        typer.Option(
            help="Across a valley: own, or distance in weight space; nothing is measured anew.",
            rich_help_panel=SCALE,
        ),
    ] = "own",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Draw figures of runs and scans; nothing is measured anew.

    Writes SCAN-KIND.png, .pdf, .caption.txt and .caption.tex, over those that are there. Each
    figure holds what it was made from: --reproduce makes it again.
    """
    from landscape.draw import KINDS, default_figures
    from landscape.draw.look import style as styles

    style = styles.Style(
        theme=theme,
        width=styles.length(width) if width is not None else None,
        dpi=dpi,
        cmap=cmap,
        log=log,
        cap=cap,
        floor=floor,
        levels=levels,
        camera=styles.angles(camera) if camera is not None else None,
        transparent=transparent,
        path=not no_path,
        title=title,
        panels=listed(panels),
        explain=explain,
        bare=bare,
        renderer=renderer,
        unit=unit,
    )
    if reproduce is not None:
        if style != styles.PLAIN or any((kind, name, formats)):
            raise LandscapeError(
                "--reproduce takes everything from the figure; leave out other options"
            )
        _again(reproduce, sources or (), output, quiet=quiet)
        return
    refuse_names(
        sources or (),
        lambda: KINDS,
        rule="a run must be a folder",
        are="a kind of figure",
        option="--kind",
    )
    plan = default_figures.plan_pictures(
        sources or (),
        asked=listed(kind),
        name=name,
        output=output,
        formats=listed(formats) or None,
        style=style,
        guess=_guess,
    )
    for note in plan.notes:
        echo(note, err=True)
    _draw(plan.pictures, style, quiet=quiet)


def _guess(scan: Scan) -> Scan | None:
    from landscape.scan.refine.preview import preview  # imports torch, and few scans are unfinished

    return preview(scan)


def _draw(pictures: Sequence[PlannedPicture], style: Style, *, quiet: bool) -> None:
    from landscape.draw import make

    with progress("drawing", len(pictures), unit="figures", quiet=quiet) as report:
        for done, one in enumerate(pictures, start=1):
            # A film takes as long as hundreds of figures: it tells how far it is itself.
            def frames(made: int, count: int, before: int = done - 1) -> None:
                report(round(before + made / count, 2), f"frame {made} of {count}")

            files = make(
                one.kind, one.works, one.stem, formats=one.formats, style=style, report=frames
            )
            for file in files:
                echo(str(file))
            report(done, one.kind)


def _again(figure: Path, sources: Sequence[Path], output: Path | None, *, quiet: bool) -> None:
    """Make a figure or a film again and say whether it is the same."""
    from landscape.draw import reproduce

    # Of a film, whose frames take a while.
    with progress("drawing", 1, quiet=quiet) as report:
        made = reproduce(
            figure,
            sources,
            output,
            report=lambda done, count: report(round(done / count, 2), f"frame {done} of {count}"),
        )
    for file in made.files:
        echo(str(file))
    if made.same:
        echo("the same bytes as before", err=True)
    else:
        why = f": {', '.join(made.versions)}" if made.versions else ", by the same versions"
        echo(f"not the same bytes as before{why}", err=True)

"""``landscape scan``: the loss on planes through a run's weights, with figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .problems import SetOption, SpecOption, given
from .progress import progress

if TYPE_CHECKING:
    from landscape.scan.jobs import Job
    from landscape.store import Run, Scan

PLANE = "The plane"
GRID = "The grid"
SPEED = "Evaluation"
FILES = "Files"


def scan(
    run: Annotated[Path, typer.Argument(help="The run's folder.", show_default=False)],
    plane: Annotated[
        str | None,
        typer.Option(
            help="random (two random directions), along (the run's own movement and a random "
            "direction) or line (one random direction).",
            show_default="random and along",
            rich_help_panel=PLANE,
        ),
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            help="The weights it goes through: final, best (lowest training loss) or a step.",
            rich_help_panel=PLANE,
        ),
    ] = "final",
    seed: Annotated[int, typer.Option(help="Of the random directions.", rich_help_panel=PLANE)] = 0,
    normalize: Annotated[
        str,
        typer.Option(
            help="Scale random directions to the weights by filter, layer or weight, or none.",
            rich_help_panel=PLANE,
        ),
    ] = "filter",
    include_1d: Annotated[
        bool,
        typer.Option(
            "--include-1d",
            help="Let random directions move biases and normalization parameters too.",
            rich_help_panel=PLANE,
        ),
    ] = False,
    size: Annotated[
        str,
        typer.Option(help="Grid points an axis, 2 to 501, or NXxNY: 51x31.", rich_help_panel=GRID),
    ] = "51",
    extent: Annotated[
        str | None,
        typer.Option(
            help="How far it reaches: a number, xmin:xmax:ymin:ymax, or auto (all of the path).",
            show_default="1.0, along auto",
            rich_help_panel=GRID,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=GRID)
    ] = "auto",
    strategy: Annotated[
        str,
        typer.Option(
            help="How points are evaluated: auto tries and takes the fastest; sequential (one at a "
            "time), batched (several at once), shared (the first layer once for all points), "
            "folded (BatchNorm folded, less memory touched) or compiled (torch.compile).",
            rich_help_panel=SPEED,
        ),
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="Of the model's numbers: float32 or float64.", rich_help_panel=SPEED)
    ] = "float32",
    memory: Annotated[
        str | None,
        typer.Option(
            help="Most that evaluating may take beside model, data and plane: 500MB, 2GB.",
            show_default="1GiB",
            rich_help_panel=SPEED,
        ),
    ] = None,
    problem: SpecOption = None,
    set_: SetOption = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Scan although the problem's file or data changed since the training.",
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(help="The scan's name.", show_default="PLANE-AT-SEED", rich_help_panel=FILES),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on with a scan; draw a complete one anew.", rich_help_panel=FILES
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a scan that is there.", rich_help_panel=FILES),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=FILES)
    ] = False,
) -> None:
    """Measure the loss on planes through a run's weights and draw them.

    Training and validation loss and accuracy at each grid point go into RUN/scans/NAME.h5, the
    run's path projected onto the plane with them; contours and surfaces into RUN/figures.
    """
    from landscape.problem.rebuild import from_record
    from landscape.scan.jobs import DEFAULT_KINDS, Request, prepare
    from landscape.store import read

    opened = read(run)
    request = Request(
        kinds=(plane,) if plane is not None else DEFAULT_KINDS,
        at=at,
        size=size,
        extent=extent,
        seed=seed,
        normalize=normalize,
        include_1d=include_1d,
        device=device,
        strategy=strategy,
        precision=precision,
        memory=memory,
    )
    rebuilt = from_record(
        opened.record["problem"],
        opened.folder,
        problem=given(problem, set_, seed=opened.record["problem"].get("seed", 0)),
        accept_changes=accept_changes,
    )
    jobs = prepare(opened, rebuilt, request, name=name, resume=resume, overwrite=overwrite)
    for job in jobs:
        finished = _evaluate(job, quiet=quiet)
        _summarize(job.path, finished)
        _draw(opened, job.path.stem, finished, quiet=quiet)


def _evaluate(job: Job, *, quiet: bool) -> Scan:
    scan = job.scan
    if job.finished:
        typer.echo(f"{job.path} is complete: only drawn again", err=True)
        return scan
    with progress(f"scanning {job.path.stem}", job.total, quiet=quiet) as report:
        for done, current in enumerate(job.run(), start=1):
            scan = current
            report(done, "")
    return scan


def _summarize(path: Path, scan: Scan) -> None:
    shape = " x ".join(map(str, scan.measured.shape))
    losses = scan.measures["train_loss"]
    typer.echo(
        f"{path}: {shape} points, training loss {losses.min():.4g} to {losses.max():.4g}, "
        f"{scan.evaluation_seconds:.0f} s ({_how(scan)})"
    )
    if note := scan.strategy.get("note"):
        typer.echo(f"  {note}")
    for track in scan.paths:
        typer.echo(
            f"  {track.share_in_plane:.2%} of the path's variance lies in this plane "
            f"(chance {track.chance:.2%}); its points are up to "
            f"{track.distance_from_plane.max():.3g} away from it"
        )


def _how(scan: Scan) -> str:
    chosen = scan.strategy
    points = f"{chosen['points']} points at once, " if chosen.get("points", 1) > 1 else ""
    return f"{chosen['name']}, {points}batches of {chosen['batch_size']}"


def _draw(run: Run, name: str, scan: Scan, *, quiet: bool) -> None:
    from landscape import draw
    from landscape.draw import opengl

    kinds = draw.kinds(scan)
    if "surface" in kinds and not opengl.probe().ok:
        typer.echo(
            f"landscape: surfaces are drawn by matplotlib: {opengl.probe().reason}", err=True
        )
    with progress(f"drawing {name}", len(kinds), quiet=quiet) as report:
        for done, kind in enumerate(kinds, start=1):
            figure = draw.KINDS[kind](scan)
            stem = run.figures / f"{name}-{kind}"
            for file in draw.save(figure, stem, caption=draw.caption(scan)):
                typer.echo(f"  {file}")
            report(done, kind)

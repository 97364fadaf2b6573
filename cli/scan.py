"""``landscape scan``: the loss on planes through a run's weights, with figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import LandscapeError

from .problems import SetOption, SpecOption, given
from .scan_options import (
    FILES,
    MemoryOption,
    PrecisionOption,
    PreviewOption,
    SamplesOption,
    SaveOption,
    SchedulerOption,
    StrategyOption,
    ToleranceOption,
    WorkersOption,
)

PLANE = "The plane"
GRID = "The grid"


def scan(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="The run's folder. Of several, each is scanned, and drawn on one scale.",
            show_default=False,
        ),
    ],
    plane: Annotated[
        str | None,
        typer.Option(
            help="random (two random directions), along (the run's own movement and a random "
            "one), pca, through:A,B,C, hessian, gradient, line (a random one), line:A,B or event "
            "(best, peak and end of an escape). A, B, C: [RUN@]STEP, best or final.",
            show_default="random and along",
            rich_help_panel=PLANE,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="The weights it goes through: final, best (lowest training loss) or a step.",
            show_default="final",
            rich_help_panel=PLANE,
        ),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="STEP", help="First step of pca's rows.", rich_help_panel=PLANE
        ),
    ] = None,
    last: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="STEP", help="Last step of pca's rows.", rich_help_panel=PLANE
        ),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="Show the path of another run of the same problem too. Give it several times "
            "for several.",
            rich_help_panel=PLANE,
        ),
    ] = None,
    planes: Annotated[
        int,
        typer.Option(
            help="So many sets of random directions, of consecutive seeds, for the median and "
            "quartiles of losses and widths; with --plane line or random.",
            rich_help_panel=PLANE,
        ),
    ] = 1,
    seed: Annotated[int, typer.Option(help="Of the random directions.", rich_help_panel=PLANE)] = 0,
    directions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.h5",
            help="Along the directions of a direction file of Li et al.'s scripts instead.",
            show_default=False,
            rich_help_panel=PLANE,
        ),
    ] = None,
    normalize: Annotated[
        str,
        typer.Option(
            help="Scale random directions: filter (each filter to the norm of the weights' "
            "filter), layer (each tensor to the norm of the weights' tensor), weight (each entry "
            "times its weight) or none (as drawn).",
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
            help="How far it reaches: a number, xmin:xmax:ymin:ymax, or auto (all of the path, or "
            "to where the loss has risen).",
            show_default="random and line 1.0, others auto",
            rich_help_panel=GRID,
        ),
    ] = None,
    rise: Annotated[
        float,
        typer.Option(
            help="Extent auto without a path: to where the loss is so many times the origin's.",
            rich_help_panel=GRID,
        ),
    ] = 10.0,
    unit: Annotated[
        str,
        typer.Option(
            help="What 1 on an axis is: own (as the directions are made), distance (in weight "
            "space) or equal (own, but equal in distance on both axes).",
            rich_help_panel=GRID,
        ),
    ] = "own",
    measure: Annotated[
        str,
        typer.Option(
            help="What to measure beside loss and accuracy, comma-separated: gradient-norm, "
            "sharpness (top Hessian eigenvalue), convexity (|smallest / largest|).",
            rich_help_panel=GRID,
        ),
    ] = "loss,accuracy",
    batchnorm: Annotated[
        str | None,
        typer.Option(
            help="BatchNorm statistics: saved (the origin's), recompute (at every point) or "
            "interpolate (between the weights of through, event, line:A,B).",
            show_default="random, line, hessian, gradient saved, others recompute",
            rich_help_panel=GRID,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=GRID)
    ] = "auto",
    tolerance: ToleranceOption = 0.0,
    samples: SamplesOption = None,
    strategy: StrategyOption = "auto",
    precision: PrecisionOption = "float32",
    memory: MemoryOption = None,
    workers: WorkersOption = 1,
    scheduler: SchedulerOption = None,
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
    preview: PreviewOption = False,
    save_every: SaveOption = 10.0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress.", rich_help_panel=FILES)
    ] = False,
) -> None:
    """Measure the loss on planes or lines through a run's weights and draw them.

    Training and validation loss and accuracy at each grid point go into RUN/scans/NAME.h5, the
    run's path projected onto the plane with them; contours and surfaces into RUN/figures.
    """
    from landscape import cluster
    from landscape.plane.choice import PlaneChoice
    from landscape.scan.evaluation import Evaluation
    from landscape.scan.request import GridChoice, Request
    from landscape.store import read

    from .scanning import carry_out, prepared

    if plane is not None and directions is not None:
        raise LandscapeError(
            f"--directions makes the plane, got --plane {plane} too; drop one of them"
        )
    request = Request(
        PlaneChoice(
            kinds=PlaneChoice.kinds if plane is None else (plane,),
            at=at,
            first=first,
            last=last,
            planes=planes,
            seed=seed,
            directions=directions,
            normalize=normalize,
            include_1d=include_1d,
            unit=unit,
            batchnorm=batchnorm,
        ),
        GridChoice(size, extent, rise, tuple(part.strip() for part in measure.split(","))),
        Evaluation(device, strategy, precision, memory, tolerance, samples),
        save_seconds=save_every,
    )
    opened = [read(run) for run in runs]
    others = [read(run) for run in also or ()]
    jobs = [
        prepared(
            run,
            request,
            others,
            lambda seed: given(problem, set_, seed=seed),
            accept_changes=accept_changes,
            name=name,
            resume=resume,
            overwrite=overwrite,
        )
        for run in opened
    ]
    with cluster.workers(workers, scheduler) as pool:
        pool.start("landscape.scan.farm")
        carry_out(jobs, opened if preview else None, pool, quiet=quiet)

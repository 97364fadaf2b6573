"""Options of ``landscape scan`` on how points are evaluated, and how that is kept."""

from __future__ import annotations

from typing import Annotated

import typer

SPEED = "Evaluation"
FILES = "Files"

ToleranceOption = Annotated[
    float,
    typer.Option(
        help="Measure only as many points as interpolating the others to this relative error "
        "takes (0.01), tested at 64 held-out random points; 0 measures every point.",
        rich_help_panel=SPEED,
    ),
]
SamplesOption = Annotated[
    int | None,
    typer.Option(
        help="Measure on so many random samples, with standard errors; with --tolerance they "
        "guide the interpolation of the losses over all samples.",
        show_default="all",
        rich_help_panel=SPEED,
    ),
]
StrategyOption = Annotated[
    str,
    typer.Option(
        help="How points are evaluated: auto tries and takes the fastest; sequential (one at a "
        "time), batched (several at once), shared (the first layer once for all points) or "
        "folded (BatchNorm folded, less memory touched).",
        rich_help_panel=SPEED,
    ),
]
PrecisionOption = Annotated[
    str, typer.Option(help="Of the model's numbers: float32 or float64.", rich_help_panel=SPEED)
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        help="Most that evaluating may take beside model, data and plane: 500MB, 2GB.",
        show_default="1GiB",
        rich_help_panel=SPEED,
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        help="Evaluate in so many processes of this machine; they share its threads.",
        rich_help_panel=SPEED,
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Evaluate on the workers of this Dask scheduler: tcp://HOST:8786.",
        show_default=False,
        rich_help_panel=SPEED,
    ),
]
PreviewOption = Annotated[
    bool,
    typer.Option(
        "--preview",
        help="Draw the contours while the scan fills, from a few per cent of the points on.",
        rich_help_panel=FILES,
    ),
]
SaveOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Save about as often, but at most a twentieth of the time; 0: after every point.",
        rich_help_panel=FILES,
    ),
]

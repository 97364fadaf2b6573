"""``landscape diagnose``: what SGD did in a run, with the evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from landscape.errors import LandscapeError

from .problems import SetOption, SpecOption

WHAT = "What is measured"
TRAIN = "Interventions"
LINES = "Where lines are drawn"


def diagnose(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|SWEEP",
            help="A run's folder, or a sweep's: then each of its runs, and a table.",
            show_default=False,
        ),
    ],
    only: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Measure these parts: units (dead ones), functions (how outputs differ), "
            "distances, permutations (copies and twin), curvature, sharpness (of batches), "
            "density (of the Hessian's spectrum), jump, diffusion, interventions, connectivity, "
            "curves. "
            "Of others, what was measured before is used.",
            show_default="all",
            rich_help_panel=WHAT,
        ),
    ] = None,
    twin: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="A run of the same model trained independently, to compare distances with.",
            show_default="that of the time before, else a run of the sweep with another seed",
            rich_help_panel=WHAT,
        ),
    ] = None,
    no_intervene: Annotated[
        bool,
        typer.Option(
            "--no-intervene",
            help="Don't train from the run's snapshots: what that would tell is left open.",
            rich_help_panel=TRAIN,
        ),
    ] = False,
    intervene: Annotated[
        bool,
        typer.Option(
            "--intervene",
            help="Train from the snapshots of a sweep's runs too; of a run it is done anyway.",
            rich_help_panel=TRAIN,
        ),
    ] = False,
    epochs: Annotated[
        int,
        typer.Option(help="How long each of these trainings lasts at most.", rich_help_panel=TRAIN),
    ] = 15,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Where no straight line connects two floors, train a Bézier curve between them: "
            "600 steps for each such pair, 45 pairs at most.",
            rich_help_panel=TRAIN,
        ),
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            help="Train so many at a time, in processes that share the threads.",
            rich_help_panel=TRAIN,
        ),
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on the workers of this Dask scheduler.",
            rich_help_panel=TRAIN,
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Draw a line of the verdict elsewhere, as in learned=0.2; the names are those of "
            "landscape.diagnose.Thresholds. Give it several times for several.",
            rich_help_panel=LINES,
        ),
    ] = None,
    problem: SpecOption = None,
    set_: SetOption = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Diagnose although the problem's file or data changed since the training.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print verdict.json instead.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Say what SGD did: what became of the loss, how the weights move, and on what evidence.

    Measures dead units, curvature, distances, diffusion and permutation symmetry; after an escape
    it trains again from before it, otherwise from the last weights, to see what would have been.
    What takes long is announced. Ctrl-C keeps what is done; the same command goes on.

    Writes RUN/analysis.h5, RUN/verdict.json and RUN/interventions/NAME, runs of their own.
    """
    from landscape.store import sweep

    from . import diagnosing, diagnosing_sweep

    if intervene and no_intervene:
        raise LandscapeError("--intervene and --no-intervene exclude each other; drop one of them")
    choice = diagnosing.DiagnosisChoice(
        only=None if only is None else tuple(name.strip() for name in only.split(",")),
        intervene=not no_intervene,
        twin=twin,
        epochs=epochs,
        curve=curve,
        workers=workers,
        scheduler=scheduler,
        thresholds=diagnosing.thresholds(threshold or ()),
        problem=problem,
        settings=set_,
        accept_changes=accept_changes,
        quiet=quiet,
    )
    if sweep.is_sweep(path):
        diagnosing_sweep.all_of(path, choice, intervene=intervene, json=json)
    else:
        diagnosing.one(path, choice, json=json)

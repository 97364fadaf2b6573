"""Trainings under way: their progress on stderr, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from landscape.errors import LandscapeError

from .progress import progress

if TYPE_CHECKING:
    from landscape.sgd import Step
    from landscape.sgd.setup import Underway
    from landscape.sgd.sweep import SweepPlan
    from landscape.store import Run

MOST_EVENTS = 5


def finish(underway: Underway, *, quiet: bool) -> Run:
    """Train to the end; say how to go on where something comes between."""
    try:
        with progress("training", underway.total, quiet=quiet) as report:

            def told(step: Step) -> None:
                if step.scalars is not None:
                    report(step.step, f"batch loss {step.scalars['batch_loss']:.4g}")

            return underway.finish(told)
    except (KeyboardInterrupt, OSError, LandscapeError):
        typer.echo(f"go on with: landscape train --resume {underway.run.folder}", err=True)
        raise


def train_sweep(
    plan: SweepPlan,
    folder: Path,
    *,
    workers: int,
    scheduler: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Train the runs of a sweep that aren't done yet, and say how all of them are.

    Raises:
        LandscapeError: a run failed; the others were trained all the same.
    """
    from landscape.sgd.sweep import carry_out

    from .sweep_table import lines

    with progress(f"sweep {folder.name}", len(plan.runs), quiet=quiet) as report:

        def told(done: float, counts: Mapping[str, int]) -> None:
            said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
            report(round(done, 2), said)

        made = carry_out(
            plan, folder, workers=workers, scheduler=scheduler, overwrite=overwrite, told=told
        )
    for line in lines(made):
        typer.echo(line)
    names = [run.name for run in plan.runs]
    failed = [run for run in made.runs if run["error"] is not None and run["name"] in names]
    if failed:
        raise LandscapeError(
            f"{len(failed)} of {len(names)} runs failed, {failed[0]['name']} with: "
            f"{failed[0]['error']}; the same command tries them again"
        )
    typer.echo(f"next: landscape scan {folder / names[0]}")


def summarize(run: Run) -> None:
    """Print the losses at start, best and end, events and notes."""
    trajectory = run.trajectory
    best, end = trajectory.row("best"), trajectory.row("final")
    typer.echo(
        f"{run.folder}: {run.record['steps']} steps, {run.record['parameters']:,} parameters, "
        f"{len(trajectory.step)} snapshots"
    )
    places = {"start": 0, f"best (step {trajectory.step[best]})": best, "end": end}
    typer.echo(f"{'':20}" + "".join(f"{place:>20}" for place in places))
    for name, values in trajectory.measures.items():
        cells = "".join(f"{values[row]:>20.4g}" for row in places.values())
        typer.echo(f"{name.replace('_', ' '):20}{cells}")
    if run.record["status"] == "non-finite":
        typer.echo(
            f"landscape: warning: the loss or its gradient became NaN or infinite at step "
            f"{run.record['steps']}; the run is recorded up to there",
            err=True,
        )
    for event in trajectory.events[:MOST_EVENTS]:
        span = f"{event.first}" if event.first == event.last else f"{event.first} to {event.last}"
        typer.echo(f"{event.name} at {span}: {event.trigger}")
    if (more := len(trajectory.events) - MOST_EVENTS) > 0:
        typer.echo(f"and {more} more events in trajectory.h5")
    for note in run.record.get("notes", ()):
        typer.echo(f"landscape: note: {note}", err=True)
    if not trajectory.partial:
        typer.echo(f"next: landscape scan {run.folder}")

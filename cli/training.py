"""A training under way: its progress on stderr, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from landscape.errors import LandscapeError

from .progress import progress

if TYPE_CHECKING:
    from landscape.sgd import Recorder, Step
    from landscape.store import Run

MOST_EVENTS = 5


def record_all(recorder: Recorder, rest: Iterator[Step], total: int, *, quiet: bool) -> Run:
    """Record all steps; say how to go on where something comes between."""
    try:
        with recorder, progress("training", total, quiet=quiet) as report:
            for step in rest:
                recorder.record(step)
                if step.scalars is not None:
                    report(step.step, f"batch loss {step.scalars['batch_loss']:.4g}")
    except (KeyboardInterrupt, OSError, LandscapeError):
        typer.echo(f"go on with: landscape train --resume {recorder.run.folder}", err=True)
        raise
    return recorder.run


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

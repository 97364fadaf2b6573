"""Doing what ``landscape scan`` was asked for: evaluate, sum up, draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from landscape.errors import LandscapeError

from .progress import progress

if TYPE_CHECKING:
    from landscape.problem import Problem
    from landscape.scan.jobs import Job, Request
    from landscape.store import Run, Scan

MOMENT = 5.0
"""Seconds below which a measure's cost isn't worth a line."""


def prepared(
    run: Run,
    request: Request,
    also: Sequence[Run],
    problem: Callable[[int], Problem | None],
    *,
    accept_changes: bool,
    name: str | None,
    resume: bool,
    overwrite: bool,
) -> list[Job]:
    """Make a run's problem again and its scans ready.

    ``problem`` gives the one that was named on the command line, if any, made with a run's seed.
    """
    from landscape.problem.rebuild import from_record
    from landscape.scan.jobs import prepare

    record = run.record["problem"]
    rebuilt = from_record(
        record,
        run.folder,
        problem=problem(record.get("seed", 0)),
        accept_changes=accept_changes,
    )
    for other in also:
        _check_data(run, other, accept_changes=accept_changes)
    return prepare(run, rebuilt, request, also=also, name=name, resume=resume, overwrite=overwrite)


def _check_data(run: Run, other: Run, *, accept_changes: bool) -> None:
    mine, theirs = run.record["problem"]["data"], other.record["problem"]["data"]
    if mine != theirs and not accept_changes:
        raise LandscapeError(
            f"--also needs runs trained on the same data, {other.folder} wasn't "
            f"(fingerprint {theirs[:12]} instead of {mine[:12]}); accept that with --accept-changes"
        )


def announce(job: Job) -> None:
    """Say what further measures will take, before they are begun."""
    if not job.further or job.finished:
        return
    seconds = job.seconds()
    if seconds > MOMENT:
        typer.echo(
            f"{', '.join(job.further)}: about {_duration(seconds)} for {job.path.stem}; "
            "Ctrl-C saves, --resume goes on",
            err=True,
        )


def evaluate(job: Job, *, quiet: bool) -> Scan:
    """Evaluate a job with progress; a complete one is left as it is."""
    scan = job.scan
    if job.finished:
        typer.echo(f"{job.path} is complete: only drawn again", err=True)
        return scan
    with progress(f"scanning {job.path.stem}", job.total, quiet=quiet) as report:
        for done, current in enumerate(job.run(), start=1):
            scan = current
            report(done, "")
    return scan


def summarize(path: Path, scan: Scan) -> None:
    """Print what was found."""
    shape = " x ".join(map(str, scan.measured.shape))
    losses = scan.measures["train_loss"]
    typer.echo(
        f"{path}: {shape} points, training loss {losses.min():.4g} to {losses.max():.4g}, "
        f"{scan.evaluation_seconds:.0f} s ({_how(scan)})"
    )
    if note := scan.strategy.get("note"):
        typer.echo(f"  {note}")
    if scan.plane.kind == "imported" and scan.plane.ignored != "none":
        typer.echo(
            f"  {scan.plane.ignored} of the direction file ignored: directions move parameters only"
        )
    for track in scan.paths:
        of = f" of {track.name}" if len(scan.paths) > 1 else ""
        where = "on this line" if scan.is_line else "in this plane"
        typer.echo(
            f"  {track.share_in_plane:.2%} of the path's variance{of} lies {where} "
            f"(chance {track.chance:.2%}); its points are up to "
            f"{track.distance_from_plane.max():.3g} away from it"
        )
    for remark in scan.remarks:
        typer.echo(f"  {remark}")


def _how(scan: Scan) -> str:
    chosen = scan.strategy
    points = f"{chosen['points']} points at once, " if chosen.get("points", 1) > 1 else ""
    return f"{chosen['name']}, {points}batches of {chosen['batch_size']}"


def draw_all(run: Run, name: str, scan: Scan, compared: Sequence[Scan], *, quiet: bool) -> None:
    """Draw a scan's figures, on one scale with those it is compared with."""
    from landscape import draw

    kinds = draw.kinds(scan)
    with progress(f"drawing {name}", len(kinds), quiet=quiet) as report:
        for done, kind in enumerate(kinds, start=1):
            like = {"like": compared} if len(compared) > 1 else {}
            figure = draw.KINDS[kind](scan, **like)
            stem = run.figures / f"{name}-{kind}"
            for file in draw.save(figure, stem, caption=draw.caption(scan)):
                typer.echo(f"  {file}")
            report(done, kind)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""Doing what ``landscape scan`` was asked for: evaluate, sum up, draw."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from landscape.errors import LandscapeError
from landscape.quantities import duration

from .progress import progress

if TYPE_CHECKING:
    from landscape.cluster import Workers
    from landscape.problem import Problem
    from landscape.scan.evaluator import StrategyRecord
    from landscape.scan.job import Job
    from landscape.scan.request import Request
    from landscape.store import Run, Scan

PREVIEW_SECONDS, PREVIEW_TIMES = 10.0, 20.0
"""A preview is drawn again after so many seconds, and so many times as long as drawing took."""
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
    from landscape.scan.prepare import prepare

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


def carry_out(
    jobs: Sequence[Sequence[Job]], previewed: Sequence[Run] | None, pool: Workers, *, quiet: bool
) -> None:
    """Do the jobs of each run, plane by plane: scans of several runs share extent and colours."""
    from landscape.scan.prepare import alike

    for same in zip(*jobs, strict=True):
        together = alike(same) if len(same) > 1 else list(same)
        for job in together:
            announce(job)
        runs = [None] * len(together) if previewed is None else previewed
        scans = [
            evaluate(job, pool, preview=run, quiet=quiet)
            for run, job in zip(runs, together, strict=True)
        ]
        for job, scan in zip(together, scans, strict=True):
            summarize(job.path, scan)
            draw_all(job.path, [other.path for other in together], quiet=quiet)


def announce(job: Job) -> None:
    """Say what further measures will take, before they are begun."""
    if not job.further or job.finished:
        return
    seconds = job.seconds()
    if seconds > MOMENT:
        typer.echo(
            f"{', '.join(job.further)}: about {duration(seconds)} for {job.path.stem}; "
            "Ctrl-C saves, --resume goes on",
            err=True,
        )


def evaluate(job: Job, pool: Workers, *, preview: Run | None, quiet: bool) -> Scan:
    """Evaluate a job with progress; a complete one is left as it is.

    With a run as ``preview`` its figure is drawn while the grid fills.
    """
    scan, name = job.scan, job.path.stem
    if job.finished:
        typer.echo(f"{job.path} is complete: only drawn again", err=True)
        return scan

    def chosen(strategy: StrategyRecord) -> None:
        if not quiet:
            print(f"{name}: {_how(asdict(strategy))}", file=sys.stderr)

    drawn = Preview(preview, name) if preview is not None else None
    with progress(f"scanning {name}", job.total, quiet=quiet) as report:
        for done, current in enumerate(job.run(pool, chosen=chosen), start=1):
            scan = current
            report(done, "")
            if drawn is not None:
                drawn.offer(scan)
        report(job.total, "")
    return scan


class Preview:
    """The first figure of a scan, drawn again now and then while the scan fills."""

    def __init__(self, run: Run, name: str) -> None:
        self._run, self._name = run, name
        self._due = 0.0

    def offer(self, scan: Scan) -> None:
        """Draw it if it is time to, and if there are points enough."""
        from landscape import draw
        from landscape.scan.preview import preview

        started = time.monotonic()
        if started < self._due or (guessed := preview(scan)) is None:
            return
        kind = draw.kinds(guessed)[0]
        stem = self._run.figures / f"{self._name}-{kind}"
        draw.save(draw.KINDS[kind](guessed), stem, formats=("png",), caption=draw.caption(guessed))
        ended = time.monotonic()
        self._due = ended + max(PREVIEW_SECONDS, PREVIEW_TIMES * (ended - started))


def summarize(path: Path, scan: Scan) -> None:
    """Print what was found."""
    shape = " x ".join(map(str, scan.measured.shape))
    losses = scan.measures["train_loss"]
    typer.echo(
        f"{path}: {shape} points, training loss {losses.min():.4g} to {losses.max():.4g}, "
        f"{duration(scan.evaluation_seconds)} ({_how(scan.strategy)})"
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


def _how(chosen: Mapping[str, Any]) -> str:
    points = f"{chosen['points']} points at once, " if chosen.get("points", 1) > 1 else ""
    lanes = f"{chosen['lanes']} side by side, " if chosen.get("lanes", 1) > 1 else ""
    return f"{chosen['name']}, {points}{lanes}batches of {chosen['batch_size']}"


def draw_all(path: Path, compared: Sequence[Path], *, quiet: bool) -> None:
    """Draw a scan's figures, on one scale with those it is compared with."""
    from landscape import draw

    work = draw.open_work(path)
    like = [draw.open_work(other) for other in compared if other != path]
    kinds = draw.kinds(work.subject)
    with progress(f"drawing {path.stem}", len(kinds), quiet=quiet) as report:
        for done, kind in enumerate(kinds, start=1):
            stem = work.home / "figures" / f"{path.stem}-{kind}"
            for file in draw.make(kind, [work], stem, like=like):
                typer.echo(f"  {file}")
            report(done, kind)

"""``landscape report``: one page that answers, of a run or of a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.quantities import duration, parse_duration, size

from .command import note_idle
from .diagnose import (
    BUDGET,
    DiagnosisChoice,
    announce_trainings,
    carried_out,
    diagnose_sweep,
    prepared,
    thresholds,
)
from .drawing import drawing
from .printing import echo
from .problems import MEASURING, SetOption, SpecOption, TrustOption, given
from .scan import evaluate, prepared_jobs, summarize

if TYPE_CHECKING:
    from landscape.report.run_material import MissingPart
    from landscape.scan.job import Job
    from landscape.scan.valley_job import ValleyJob
    from landscape.store import Run


def report(
    ctx: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|SWEEP", help="A run's folder, or a sweep's.", show_default=False
        ),
    ],
    only_what_is_there: Annotated[
        bool,
        typer.Option(
            "--only-what-is-there",
            help="Measure nothing: the page says what is missing and which command brings it.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            help="The page's file.",
            show_default="report.html in the folder",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Measure in so many processes, which share the threads.")
    ] = 1,
    problem: SpecOption = None,
    set_: SetOption = None,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Measure although the problem's code, data or loss changed since the training.",
        ),
    ] = False,
    trust: TrustOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Write one page that says what happened and why, with everything it rests on.

    What is missing for it is measured, after the cost is told: a scan of the valley and of a plane
    that holds the path, and the diagnosis with its trainings. Ctrl-C keeps what is done.

    Of a sweep: outcomes by learning rate and seed. The page is one file that asks nothing of
    anywhere, to be opened in any browser, printed and sent to anybody.
    """
    from landscape.report import document, run_page, sweep_page
    from landscape.store import sweep_folder

    if only_what_is_there:
        note_idle(ctx, MEASURING, "beside --only-what-is-there")
    if output is not None:
        document.check_name(output)  # not after minutes of measuring
    wanted = _Wanted(workers, problem, set_, accept_changes, trust, quiet)
    is_sweep = sweep_folder.is_sweep(path)
    refused: Mapping[str, str] = {}
    if not only_what_is_there:
        refused = _measure_sweep(path, wanted) if is_sweep else _measure(path, wanted)
    page = sweep_page.page(path) if is_sweep else run_page.page(path, refused)
    target = document.save(page, output if output is not None else path / document.NAME)
    echo(f"{target}: {size(target.stat().st_size)}")
    echo(f"open it: {opening(target)}")


def opening(target: Path) -> str:
    """A line that opens a page, as it can be typed."""
    return f"python3 -m webbrowser {target.absolute().as_uri()}"


@dataclass(frozen=True)
class _Wanted:
    """How the command line wants things measured."""

    workers: int
    problem: str | None
    settings: Sequence[str] | None
    accept_changes: bool
    trust: bool
    quiet: bool

    def diagnosis(self) -> DiagnosisChoice:
        """The choices of `landscape diagnose` without options."""
        from landscape.diagnose.trainings import after_escape

        return DiagnosisChoice(
            only=None,
            intervene=True,
            twin=None,
            after=None,
            epochs=None,
            budget=parse_duration(BUDGET, "--budget"),
            orders=after_escape.ORDERS,
            curve=False,
            workers=self.workers,
            scheduler=None,
            thresholds=thresholds(()),
            problem=self.problem,
            settings=self.settings,
            accept_changes=self.accept_changes,
            trust=self.trust,
            quiet=self.quiet,
        )


def _measure(folder: Path, wanted: _Wanted) -> Mapping[str, str]:
    """Tell what the missing parts take, then measure them; return why some can't be, by key."""
    from landscape.diagnose import alone
    from landscape.report.run_material import gather, left_out, missing

    found = gather(folder)
    lacking = missing(found)
    if (parts := left_out(found)) is not None:
        echo(
            f"the diagnosis that is there is taken as it is; not in it: {parts.what} "
            f"(`{parts.command}` brings them)",
            err=True,
        )
    if not lacking:
        return {}
    echo(
        f"missing for the page: {', '.join(part.what for part in lacking)}; "
        "--only-what-is-there measures nothing",
        err=True,
    )
    jobs, refused = _jobs(found.run, lacking, wanted)
    with cluster.workers(wanted.workers, None) as pool:
        pool.start("landscape.scan.speed.workers")
        _announce(jobs)
        if all(part.key != "verdict" for part in lacking):
            _scan(jobs, pool, wanted)
            return refused
        with alone(found.run):
            diagnosis = prepared(found.run, wanted.diagnosis())
            before = _before(found.run.command("diagnose"))
            expected = announce_trainings(diagnosis, pool, before=before)
            _scan(jobs, pool, wanted)
            carried_out(diagnosis, pool, expected, quiet=wanted.quiet)
    return refused


def _before(command: str) -> str:
    """Whose options they are that an announcement names."""
    return f"in `{command}`, before this, "


def _measure_sweep(folder: Path, wanted: _Wanted) -> Mapping[str, str]:
    """Tell what diagnosing a sweep's runs takes, then do it, without trainings, unless all are."""
    from landscape.report.sweep_page import undiagnosed

    if undiagnosed(folder):
        before = _before(f"landscape diagnose {shlex.quote(str(folder))}")
        diagnose_sweep(folder, wanted.diagnosis(), intervene=False, json=False, before=before)
    return {}


def _jobs(
    run: Run, lacking: Sequence[MissingPart], wanted: _Wanted
) -> tuple[list[Job | ValleyJob], dict[str, str]]:
    """The missing scans, ready, and why others can't be made; those that were begun go on."""
    from landscape.plane.choice import PlaneChoice
    from landscape.scan.request import Request

    jobs: list[Job | ValleyJob] = []
    refused = {}
    for part in lacking:
        if part.key == "verdict":
            continue
        try:
            jobs += prepared_jobs(
                run,
                Request(PlaneChoice(kinds=(part.what,))),
                (),
                lambda seed: given(wanted.problem, wanted.settings, seed=seed),
                accept_changes=wanted.accept_changes,
                trust=wanted.trust,
                name=None,
                resume=True,
                overwrite=False,
            )
        except LandscapeError as error:
            echo(f"{part.what} is left out: {error}", err=True)
            refused[part.key] = str(error)
    return jobs, refused


def _announce(jobs: Sequence[Job | ValleyJob]) -> None:
    """Say what the scans take at most, from one timed loss."""
    from landscape.problem.evaluate import loss_seconds

    if not jobs:
        return
    each = loss_seconds(jobs[0].problem)
    for job in jobs:
        echo(f"{job.path.stem}: {job.counted}, at most {duration(each * job.total)}", err=True)


def _scan(jobs: Sequence[Job | ValleyJob], pool: cluster.Workers, wanted: _Wanted) -> None:
    with drawing(quiet=wanted.quiet) as draw:
        for job in jobs:
            scan = evaluate(job, pool, preview=None, quiet=wanted.quiet)
            summarize(job.path, scan)
            draw(job.path, ())

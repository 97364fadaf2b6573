"""Diagnosing a sweep: each of its runs, and what became of them by learning rate."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.quantities import duration

from . import strict_json
from .diagnosing import (
    DiagnosisChoice,
    announce_measuring,
    carried_out,
    prepared,
    remedy,
    unwritten,
)
from .progress import progress
from .sweep_table import table

if TYPE_CHECKING:
    from landscape.diagnose import Diagnosis
    from landscape.store import Run
    from landscape.store.outcomes import LossSpan, Outcomes, OutcomeShare
    from landscape.store.sweep import Sweep


@dataclass(frozen=True)
class RunTask:
    """One run to be diagnosed, in this process or another."""

    folder: str
    choice: DiagnosisChoice
    threads: int
    here: str
    """The folder that relative paths are from."""


def all_of(folder: Path, choice: DiagnosisChoice, *, intervene: bool, json: bool) -> None:
    """Diagnose a sweep's runs, several at a time, and print the table, or its JSON.

    Without ``intervene`` no trainings are done from the runs' snapshots: of every run they take
    as long as the run itself, or longer.

    Raises:
        LandscapeError: no run has ended, or one couldn't be diagnosed; the others were.
    """
    from landscape.diagnose import alone, tally
    from landscape.store import sweep as sweeps

    sweep = sweeps.read(folder)
    opened, damaged = sweep.opened()
    runs = [run for run in opened if run.is_done]
    unreadable = [f"{name}: {why}" for name, why in damaged.items()]
    if not runs:
        if unreadable:
            raise LandscapeError(f"a sweep needs runs that can be read, {unreadable[0]}")
        raise LandscapeError(
            f"a sweep needs runs that have ended, {folder} has none; train them first"
        )
    _say_what_is_left_out(sweep, [*damaged, *(run.name for run in runs)])
    asked = replace(choice, intervene=intervene)
    if not intervene and choice.intervene:
        typer.echo("interventions are left out; --intervene does them for each run", err=True)
    with cluster.workers(choice.workers, choice.scheduler) as pool, alone(sweep):
        failed = [*unreadable, *_diagnosed(folder, runs, asked, pool)]
        found = tally.write(sweep)
    if json:
        strict_json.echo(found.record())
    else:
        for line in lines(found):
            typer.echo(line)
        if found.runs:
            one = folder / found.runs[0].name
            typer.echo(f"next: landscape diagnose {one}, or landscape render {folder}")
    if failed:
        raise LandscapeError(
            f"{len(failed)} of {len(runs) + len(damaged)} runs could not be diagnosed, {failed[0]}"
        )


def _say_what_is_left_out(sweep: Sweep, known: Sequence[str]) -> None:
    """Say which runs aren't ``known`` to be diagnosed, or to be damaged."""
    left = [str(entry["name"]) for entry in sweep.runs if entry["name"] not in known]
    if left:
        typer.echo(
            f"{len(left)} of {len(sweep.runs)} runs are left out, they failed or have not ended: "
            f"{', '.join(left[:3])}{', ...' if len(left) > 3 else ''}; "
            "the sweep's own command trains them",
            err=True,
        )


def _diagnosed(
    folder: Path, runs: Sequence[Run], choice: DiagnosisChoice, pool: cluster.Workers
) -> list[str]:
    """Diagnose the runs; give those that could not be, with their errors."""
    import torch

    _announce(runs, choice, pool)
    threads, here = pool.threads(torch.get_num_threads()), str(Path.cwd())
    tasks = [RunTask(str(run.folder.resolve()), choice, threads, here) for run in runs]
    failed, stays = [], []
    lacking: set[str] = set()
    for outcome in _outcomes(folder, tasks, pool, quiet=choice.quiet):
        name = runs[outcome.index].name
        if outcome.result is None:
            failed.append(f"{name}: {outcome.error}")
        elif outcome.result.lacking:
            stays.append(name)
            lacking.update(outcome.result.lacking)
    if stays:
        typer.echo(
            f"{len(stays)} of {len(runs)} verdicts stay as they are, they rest on more: "
            f"{', '.join(stays[:3])}{', ...' if len(stays) > 3 else ''}; to replace them "
            f"{remedy(lacking, choice, trains='give --intervene')}, or delete them",
            err=True,
        )
    return failed


@dataclass(frozen=True)
class Said:
    """What came of one run."""

    outcome: str
    lacking: tuple[str, ...]
    """What a fuller verdict rests on that was not overwritten."""


def diagnose_one(task: RunTask) -> Said:
    """Diagnose a run as the same command alone would."""
    import torch

    from landscape.cluster.local import Here
    from landscape.diagnose import alone, seconds
    from landscape.store import read

    threads = torch.get_num_threads()
    torch.set_num_threads(task.threads)
    try:
        with contextlib.chdir(task.here):
            run = read(Path(task.folder))
            with alone(run):
                diagnosis = prepared(run, task.choice)
                verdict = carried_out(diagnosis, Here(), seconds(diagnosis), quiet=True)
            return Said(verdict.verdict, unwritten(run.folder, verdict))
    finally:
        torch.set_num_threads(threads)


def _outcomes(
    folder: Path, tasks: Sequence[RunTask], pool: cluster.Workers, *, quiet: bool
) -> Iterator[cluster.Outcome[Said]]:
    """Do the tasks with one line of progress."""
    shares: dict[int, float] = {}
    counts: Counter[str] = Counter()
    with progress(f"diagnosing {folder.name}", len(tasks), quiet=quiet) as report:

        def show(index: int, share: float) -> None:
            shares[index] = share
            said = ", ".join(f"{count} {what}" for what, count in counts.items())
            report(round(sum(shares.values()), 2), said)

        for outcome in pool.run(diagnose_one, tasks, show):
            counts["failed" if outcome.result is None else outcome.result.outcome] += 1
            show(outcome.index, 1.0)
            yield outcome


def _announce(runs: Sequence[Run], choice: DiagnosisChoice, pool: cluster.Workers) -> None:
    from landscape.diagnose import cost, seconds
    from landscape.diagnose.kept import VERDICT

    new = [run for run in runs if not (run.folder / VERDICT).is_file()]
    for first in _prepared(new[:1], choice):
        announce_measuring(seconds(first), runs=len(new), at_once=min(pool.count, len(new)))
    if not choice.intervene:
        return
    costs = [cost(diagnosis) for diagnosis in _prepared(runs, choice)]
    count, epochs = sum(one.runs for one in costs), sum(one.epochs for one in costs)
    if count:
        typer.echo(
            f"interventions: {count} trainings from {len(runs)} runs, {epochs:.0f} epochs in all, "
            f"about {duration(sum(one.seconds for one in costs) / pool.count)}; "
            "Ctrl-C keeps what is done",
            err=True,
        )


def _prepared(runs: Sequence[Run], choice: DiagnosisChoice) -> Iterator[Diagnosis]:
    for run in runs:
        # One that can't be diagnosed says so when its turn comes.
        with contextlib.suppress(LandscapeError):
            yield prepared(run, choice)


def lines(found: Outcomes) -> Iterator[str]:
    """A table with a line for each combination of settings, then one with a line a run."""
    names = list(found.groups[0].values) if found.groups else []
    head = [*names, "runs", "train (median)", "valid. (median)", "outcomes (95 % interval)"]
    yield from table(
        head,
        [
            [
                *(str(group.values[name]) for name in names),
                str(group.count),
                *(_median(span) for span in (group.train_loss, group.validation_loss)),
                ", ".join(_share(name, share) for name, share in group.outcomes.items()),
            ]
            for group in found.groups
        ],
    )
    yield ""
    head = ["run", "train", "valid.", "outcome", "motion"]
    yield from table(
        head,
        [
            [
                run.name,
                *(_loss(loss) for loss in (run.train_loss, run.validation_loss)),
                run.verdict + (f" ({run.landing})" if run.landing else ""),
                run.motion,
            ]
            for run in found.runs
        ],
    )


def _share(name: str, share: OutcomeShare) -> str:
    return f"{share.count} {name} ({share.low:.0%} to {share.high:.0%})"


def _median(span: LossSpan | None) -> str:
    return "-" if span is None else _loss(span.median)


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

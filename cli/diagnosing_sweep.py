"""Diagnosing a sweep: each of its runs, and what became of them by learning rate."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from landscape import cluster
from landscape.errors import LandscapeError

from . import strict_json
from .diagnosing import Choice, carried_out, duration, prepared
from .progress import progress
from .sweep_table import table

if TYPE_CHECKING:
    from landscape.store import Run


@dataclass(frozen=True)
class Task:
    """One run to be diagnosed, in this process or another."""

    folder: str
    choice: Choice
    threads: int
    here: str
    """The folder that relative paths are from."""


def all_of(folder: Path, choice: Choice, *, intervene: bool, json: bool) -> None:
    """Diagnose a sweep's runs, several at a time, and print the table, or its JSON.

    Without ``intervene`` no trainings are done from the runs' snapshots: of every run they take
    as long as the run itself, or longer.

    Raises:
        LandscapeError: no run has ended, or one couldn't be diagnosed; the others were.
    """
    import torch

    from landscape.diagnose import outcomes, siblings
    from landscape.store import sweep as sweeps

    sweep = sweeps.read(folder)
    runs = list(siblings.ended(sweep))
    if not runs:
        raise LandscapeError(
            f"a sweep needs runs that have ended, {folder} has none; train them first"
        )
    asked = replace(choice, intervene=intervene)
    if not intervene and choice.intervene:
        typer.echo("interventions are left out; --intervene does them for each run", err=True)
    with cluster.workers(choice.workers, choice.scheduler) as pool:
        if intervene:
            _announce(runs, asked, pool)
        threads = pool.threads(torch.get_num_threads())
        here = str(Path.cwd())
        tasks = [Task(str(run.folder.resolve()), asked, threads, here) for run in runs]
        failed = [
            f"{runs[index].name}: {error}"
            for index, error in _outcomes(folder, tasks, pool, quiet=choice.quiet)
        ]
    found = outcomes.write(sweep)
    if json:
        strict_json.echo(found)
    else:
        for line in lines(found):
            typer.echo(line)
    if failed:
        raise LandscapeError(
            f"{len(failed)} of {len(runs)} runs could not be diagnosed, {failed[0]}"
        )


def diagnose_one(task: Task) -> str:
    """Diagnose a run as the same command alone would; give its outcome."""
    import torch

    from landscape.cluster.local import Here
    from landscape.store import read

    threads = torch.get_num_threads()
    torch.set_num_threads(task.threads)
    try:
        with contextlib.chdir(task.here):
            diagnosis = prepared(read(Path(task.folder)), task.choice)
            return carried_out(diagnosis, Here(), quiet=True).verdict
    finally:
        torch.set_num_threads(threads)


def _outcomes(
    folder: Path, tasks: Sequence[Task], pool: cluster.Workers, *, quiet: bool
) -> Iterator[tuple[int, str]]:
    """Do the tasks with one line of progress; give those that failed, with their errors."""
    shares: dict[int, float] = {}
    counts: Counter[str] = Counter()
    with progress(f"diagnosing {folder.name}", len(tasks), quiet=quiet) as report:

        def show(index: int, share: float) -> None:
            shares[index] = share
            said = ", ".join(f"{count} {what}" for what, count in counts.items())
            report(round(sum(shares.values()), 2), said)

        for outcome in pool.run(diagnose_one, tasks, show):
            counts["failed" if outcome.error is not None else outcome.result or ""] += 1
            show(outcome.index, 1.0)
            if outcome.error is not None:
                yield outcome.index, outcome.error


def _announce(runs: Sequence[Run], choice: Choice, pool: cluster.Workers) -> None:
    from landscape.diagnose.diagnosis import cost

    costs = [cost(prepared(run, choice)) for run in runs]
    count, epochs = sum(one.runs for one in costs), sum(one.epochs for one in costs)
    seconds = sum(one.seconds for one in costs) / pool.count
    if count:
        typer.echo(
            f"interventions: {count} trainings from {len(runs)} runs, {epochs:.0f} epochs in all, "
            f"about {duration(seconds)}; Ctrl-C keeps what is done",
            err=True,
        )


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """A table with a line for each combination of settings, then one with a line a run."""
    names = list(found["groups"][0]["values"]) if found["groups"] else []
    head = [*names, "runs", "train (median)", "valid. (median)", "outcomes (95 % interval)"]
    yield from table(
        head,
        [
            [
                *(str(group["values"][name]) for name in names),
                str(group["count"]),
                *(_median(group[name]) for name in ("train_loss", "validation_loss")),
                ", ".join(_share(name, share) for name, share in group["outcomes"].items()),
            ]
            for group in found["groups"]
        ],
    )
    yield ""
    head = ["run", "train", "valid.", "outcome", "motion"]
    yield from table(
        head,
        [
            [
                run["name"],
                *(_loss(run[name]) for name in ("train_loss", "validation_loss")),
                run["verdict"] + (f" ({run['landing']})" if run["landing"] else ""),
                run["motion"],
            ]
            for run in found["runs"]
        ],
    )


def _share(name: str, share: Mapping[str, Any]) -> str:
    return f"{share['count']} {name} ({share['low']:.0%} to {share['high']:.0%})"


def _median(spread: Mapping[str, Any] | None) -> str:
    return "-" if spread is None else _loss(spread["median"])


def _loss(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

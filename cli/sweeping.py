"""Training a sweep's runs: here, in processes, or on a cluster, with one line of progress."""

from __future__ import annotations

import contextlib
import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.store import run as runs
from landscape.store import sweep as sweeps

from .progress import progress
from .sweep_table import lines

if TYPE_CHECKING:
    from .sweep import Plan

DONE = ("finished", "non-finite")
"""A run of this status isn't trained again."""


@dataclass(frozen=True)
class Task:
    """One run to be trained, in this process or another."""

    folder: str
    arguments: tuple[str, ...]
    threads: int
    here: str
    """The folder that relative paths are from."""


def train_all(plan: Plan) -> None:
    """Train the runs of a sweep that aren't done yet, and say how all of them are.

    Raises:
        LandscapeError: a run failed; the others were trained all the same.
    """
    import torch

    from landscape.sgd import lock

    with cluster.workers(plan.workers, plan.scheduler) as pool:
        held = lock.acquire(plan.folder) if sweeps.is_sweep(plan.folder) else None
        try:
            sweep = sweeps.create(
                plan.folder,
                varied=plan.varied,
                arguments=plan.arguments,
                threads=pool.threads(torch.get_num_threads()),
                runs=[{"name": name, "values": dict(v)} for name, (v, _) in plan.runs.items()],
                overwrite=plan.overwrite,
            )
            held = held or lock.acquire(sweep.folder)
            sweep = _train(plan, sweep, pool)
        finally:
            if held is not None:
                lock.release(held)
    for line in lines(sweep):
        typer.echo(line)
    failed = [run for run in sweep.runs if run["error"] is not None and run["name"] in plan.runs]
    if failed:
        raise LandscapeError(
            f"{len(failed)} of {len(plan.runs)} runs failed, {failed[0]['name']} with: "
            f"{failed[0]['error']}; the same command tries them again"
        )
    typer.echo(f"next: landscape scan {sweep.folder / next(iter(plan.runs))}")


def _train(plan: Plan, sweep: sweeps.Sweep, pool: cluster.Workers) -> sweeps.Sweep:
    names = [name for name in plan.runs if status(sweep.folder / name) not in DONE]
    tasks = [
        Task(
            str((sweep.folder / name).resolve()),
            plan.runs[name][1],
            sweep.record["threads"],
            str(Path.cwd()),
        )
        for name in names
    ]
    shares: dict[int, float] = {}
    counts = Counter(kept=len(plan.runs) - len(names))
    with progress(f"sweep {sweep.folder.name}", len(plan.runs), quiet=plan.quiet) as report:

        def show(index: int, share: float) -> None:
            shares[index] = share
            done = counts["kept"] + sum(shares.values())
            said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
            report(round(done, 2), said)

        for outcome in pool.run(train_one, tasks, show):
            counts["failed" if outcome.error is not None else outcome.result or ""] += 1
            sweep = sweep.with_error(names[outcome.index], outcome.error)
            show(outcome.index, 1.0)
    return sweep


def train_one(task: Task) -> str:
    """Train a run as the same command alone would; say how it ended.

    A run that is there already goes on where it can, else it is trained anew.
    """
    import torch

    from .main import command

    folder = Path(task.folder)
    if (found := status(folder)) in DONE:
        return found
    train = command("train")
    arguments = [*task.arguments, f"--output={folder}"]
    if (folder / "resume.h5").is_file() and "resume" in {p.name for p in train.params}:
        arguments = [f"--resume={folder}"]
    elif found:
        arguments.append("--overwrite")
    threads = torch.get_num_threads()
    torch.set_num_threads(task.threads)
    try:
        with contextlib.chdir(task.here), _called(["landscape", "train", *arguments]):
            context = train.make_context("train", list(arguments))
            train.invoke(context)
    finally:
        torch.set_num_threads(threads)
    return status(folder)


def status(folder: Path) -> str:
    """A run's status; empty where there is no run."""
    if not (folder / "run.json").is_file():
        return ""
    return str(runs.read(folder).record["status"])


@contextlib.contextmanager
def _called(argv: list[str]) -> Iterator[None]:
    """As if the command line were this one, with nobody reading what it prints."""
    kept, sys.argv = sys.argv, argv
    nobody: Any = io.StringIO()
    try:
        with contextlib.redirect_stdout(nobody), contextlib.redirect_stderr(nobody):
            yield
    finally:
        sys.argv = kept

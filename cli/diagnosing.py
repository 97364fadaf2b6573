"""Diagnosing one run: its problem made again, the cost announced, progress, the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from landscape import cluster
from landscape.errors import LandscapeError
from landscape.quantities import duration

from . import strict_json
from .problems import given
from .progress import progress

if TYPE_CHECKING:
    from landscape.diagnose import Diagnosis, Thresholds, Verdict
    from landscape.store import Run

ANNOUNCED_SECONDS = 60.0
"""Measuring that takes longer is announced."""


@dataclass(frozen=True)
class DiagnosisChoice:
    """What the command line asks for."""

    only: tuple[str, ...] | None
    intervene: bool
    twin: Path | None
    epochs: int
    curve: bool
    workers: int
    scheduler: str | None
    thresholds: Thresholds
    problem: str | None
    settings: Sequence[str] | None
    accept_changes: bool
    quiet: bool


def thresholds(pairs: Sequence[str]) -> Thresholds:
    """The verdict's lines, with those that were given drawn elsewhere."""
    from landscape.diagnose import Thresholds

    known = asdict(Thresholds())
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise LandscapeError(
                f"--threshold must be NAME=VALUE with one of {', '.join(known)}, got {pair}"
            )
        kind = type(known[name])
        try:
            chosen[name] = kind(text)
        except ValueError:
            number = "a whole number" if kind is int else "a number"
            raise LandscapeError(f"threshold {name} must be {number}, got {text}") from None
    return Thresholds(**chosen)


def one(folder: Path, choice: DiagnosisChoice, *, json: bool) -> None:
    """Diagnose a run and print the page, or verdict.json."""
    from landscape.diagnose import alone
    from landscape.store import read

    from .diagnosis_page import show

    run = read(folder)
    with cluster.workers(choice.workers, choice.scheduler) as pool, alone(run):
        diagnosis = prepared(run, choice)
        expected = announce(diagnosis, pool)
        verdict = carried_out(diagnosis, pool, expected, quiet=choice.quiet)
    if lacking := unwritten(folder, verdict):
        typer.echo(
            f"{folder}/verdict.json stays as it is: it rests on {', '.join(lacking)} too; to "
            f"replace it {remedy(lacking, choice)}, or delete it",
            err=True,
        )
    if json:
        strict_json.echo(verdict.record())
    else:
        show(diagnosis, verdict)


def unwritten(folder: Path, verdict: Verdict) -> tuple[str, ...]:
    """What a fuller verdict rests on that was not overwritten."""
    from landscape.diagnose.kept import lacking

    return lacking(folder, verdict)


def remedy(
    lacking: Collection[str], choice: DiagnosisChoice, *, trains: str = "leave out --no-intervene"
) -> str:
    """What to ask for, for nothing of this to be left out; ``trains``: for interventions."""
    wanted = []
    if not set(lacking) <= set(choice.only if choice.only is not None else lacking):
        wanted.append("leave out --only")
    if "interventions" in lacking and not choice.intervene:
        wanted.append(trains)
    return " and ".join(wanted)


def prepared(run: Run, choice: DiagnosisChoice) -> Diagnosis:
    """A run's diagnosis, nothing of it measured yet."""
    from landscape.diagnose import Diagnosis
    from landscape.problem.rebuild import from_record
    from landscape.store import read

    record = run.record["problem"]
    problem = from_record(
        record,
        run.folder,
        problem=given(choice.problem, choice.settings, seed=record.get("seed") or 0),
        accept_changes=choice.accept_changes,
    )
    return Diagnosis(
        run,
        problem,
        only=choice.only,
        intervene=choice.intervene,
        twin=read(choice.twin) if choice.twin is not None else None,
        epochs=choice.epochs,
        curve=choice.curve,
        thresholds=choice.thresholds,
    )


def announce(diagnosis: Diagnosis, pool: cluster.Workers) -> Mapping[str, float]:
    """Say what measuring takes if that is long, and what interventions do; give seconds by part."""
    from landscape.diagnose import cost, seconds

    plan, parts = diagnosis.plan, seconds(diagnosis)
    announce_measuring(parts)
    if not plan.missing:
        return parts
    found = cost(diagnosis)
    begun = len(plan.trials) - len(plan.missing)
    typer.echo(
        f"interventions ({plan.kind}): {found.runs} trainings"
        f"{f' beside {begun} that are done' if begun else ''}, {found.epochs:.0f} epochs in all, "
        f"about {duration(found.seconds / pool.count)}; --epochs shortens, --no-intervene skips "
        "them, Ctrl-C keeps what is done",
        err=True,
    )
    return {**parts, "interventions": found.seconds / pool.count}


def announce_measuring(parts: Mapping[str, float], *, runs: int = 1, at_once: int = 1) -> None:
    """Say what measuring parts, of these seconds each, takes of so many runs; if it is long."""
    times = runs / at_once
    total = sum(parts.values()) * times
    if total < ANNOUNCED_SECONDS:
        return
    dearest = sorted(parts, key=lambda name: -parts[name])[:2]
    most = ", ".join(f"{name} {duration(parts[name] * times)}" for name in dearest)
    typer.echo(
        f"measuring{f' {runs} runs' if runs > 1 else ''}: about {duration(total)} (most of it "
        f"{most}); --only measures some parts, Ctrl-C keeps what is done",
        err=True,
    )


def carried_out(
    diagnosis: Diagnosis,
    pool: cluster.Workers,
    expected: Mapping[str, float],
    *,
    quiet: bool,
) -> Verdict:
    """Measure with progress, and judge; ``expected`` are seconds by part, others take none."""
    from landscape.diagnose import NAMES, conclude, measure

    folder = diagnosis.subject.run.folder
    whole = sum(expected.values()) or 1.0
    shares = [100 * expected.get(name, 0.0) / whole for name in NAMES]
    before = dict(zip(NAMES, accumulate((0.0, *shares)), strict=False))
    try:
        with progress(f"diagnosing {folder.name}", 100, quiet=quiet) as report:

            def told(name: str, share: float) -> None:
                done = before[name] + share * shares[NAMES.index(name)]
                report(round(done, 1), f"{name} {share:.0%}" if 0 < share < 1 else name)

            for _ in measure(diagnosis, pool, told):
                pass
        return conclude(diagnosis)
    except (KeyboardInterrupt, OSError, LandscapeError):
        if not cluster.reporting():
            typer.echo(f"go on with: landscape diagnose {folder}", err=True)
        raise

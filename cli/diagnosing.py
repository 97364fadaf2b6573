"""Diagnosing one run: its problem made again, the cost announced, progress, the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from landscape import cluster
from landscape.errors import LandscapeError

from . import strict_json
from .problems import given
from .progress import progress

if TYPE_CHECKING:
    from landscape.diagnose.diagnosis import Diagnosis
    from landscape.diagnose.thresholds import Thresholds
    from landscape.diagnose.verdict import Verdict
    from landscape.store import Run

WEIGHTS = {"curvature": 6, "sharpness": 2, "density": 2, "diffusion": 2}
"""How long parts take, roughly and for the progress only; others 1, each intervention 1."""


@dataclass(frozen=True)
class Choice:
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
    from landscape.diagnose.thresholds import Thresholds

    known = asdict(Thresholds())
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise LandscapeError(
                f"--threshold must be NAME=VALUE with one of {', '.join(known)}, got {pair}"
            )
        try:
            chosen[name] = type(known[name])(text)
        except ValueError:
            raise LandscapeError(f"threshold {name} must be a number, got {text}") from None
    return Thresholds(**chosen)


def one(folder: Path, choice: Choice, *, json: bool) -> None:
    """Diagnose a run and print the page, or verdict.json."""
    from landscape.store import read

    from .diagnosis_page import show

    diagnosis = prepared(read(folder), choice)
    with cluster.workers(choice.workers, choice.scheduler) as pool:
        announce(diagnosis, pool)
        verdict = carried_out(diagnosis, pool, quiet=choice.quiet)
    if json:
        strict_json.echo(verdict.record())
    else:
        show(diagnosis, verdict)


def prepared(run: Run, choice: Choice) -> Diagnosis:
    """A run's diagnosis, nothing of it measured yet."""
    from landscape.diagnose.diagnosis import Diagnosis
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


def announce(diagnosis: Diagnosis, pool: cluster.Workers) -> None:
    """Say what the interventions will take, before they are begun."""
    from landscape.diagnose.diagnosis import cost

    plan = diagnosis.plan
    if not plan.missing:
        return
    found = cost(diagnosis)
    begun = len(plan.trials) - len(plan.missing)
    typer.echo(
        f"interventions ({plan.kind}): {found.runs} trainings"
        f"{f' beside {begun} that are done' if begun else ''}, {found.epochs:.0f} epochs in all, "
        f"about {duration(found.seconds / pool.count)}; --epochs shortens, --no-intervene skips "
        "them, Ctrl-C keeps what is done",
        err=True,
    )


def carried_out(diagnosis: Diagnosis, pool: cluster.Workers, *, quiet: bool) -> Verdict:
    """Measure with progress, and judge."""
    from landscape.diagnose.diagnosis import conclude, measure
    from landscape.diagnose.parts import NAMES

    folder = diagnosis.subject.run.folder
    weights = {name: WEIGHTS.get(name, 1) for name in NAMES}
    weights["interventions"] = max(1, len(diagnosis.plan.missing))
    weights["connectivity"] = 4 if diagnosis.plan.kind == "motion" else 1
    before = dict(zip(NAMES, accumulate((0, *weights.values())), strict=False))
    try:
        with progress(f"diagnosing {folder.name}", sum(weights.values()), quiet=quiet) as report:

            def told(name: str, share: float) -> None:
                report(round(before[name] + weights[name] * share, 2), name)

            for _ in measure(diagnosis, pool, told):
                pass
    except KeyboardInterrupt:
        if not cluster.reporting():
            typer.echo(f"go on with: landscape diagnose {folder}", err=True)
        raise
    return conclude(diagnosis)


def duration(seconds: float) -> str:
    """As somebody would say it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

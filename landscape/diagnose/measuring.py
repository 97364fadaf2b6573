"""One part of a diagnosis: as it was measured before, if that is still true, or measured now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from landscape import cluster
from landscape.cluster.local import Here
from landscape.cluster.tasks import said
from landscape.diagnose import escape, interventions, replicas
from landscape.diagnose.context import Context, Interventions
from landscape.diagnose.interventions import Failure, Plan
from landscape.diagnose.parts import LEFT_OUT, MEASURED, NAMES
from landscape.diagnose.trials import done
from landscape.store import analysis
from landscape.store.typed import rebuilt

Listener = Callable[[str, float], None]
"""``listener(part, share)``: how much of a part is done, 0 to 1."""


def nobody(_: str, __: float) -> None:
    """Hears nothing."""


@dataclass(frozen=True)
class Measured:
    """One part that is done with."""

    name: str
    seconds: float
    kept: bool = False
    """Whether it was measured before and is still true."""
    reason: str | None = None
    """Why it has no result."""


def stored(context: Context, name: str) -> analysis.Part | None:
    """A part as it was measured before, if it is still true."""
    part = MEASURED[name]
    before = analysis.load(context.subject.run.folder, name)
    if before is None:
        return None
    options = [part.options, part.fuller]
    if name not in context.only:
        options.append(part.poorer)
    marks = (_mark(context, name, chosen(context)) for chosen in options if chosen is not None)
    return before if before.fingerprint in marks else None


def _mark(context: Context, name: str, options: Sequence[Any]) -> str:
    version = MEASURED[name].version
    return analysis.fingerprint(context.fingerprint, name, version, list(options))


def one(context: Context, name: str, listener: Listener) -> Measured:
    """Take a part as it was measured before; else measure it, if it is asked for, and save it."""
    part, folder = MEASURED[name], context.subject.run.folder
    if (before := stored(context, name)) is not None:
        # What an older version measured may lack a field: it is measured anew.
        with contextlib.suppress(KeyError):
            context.results[name] = rebuilt(part.kind, before.values)
            context.absent.update(before.absent)
            return Measured(name, before.seconds, kept=True)
    if name not in context.only:
        context.absent[name] = LEFT_OUT
        return Measured(name, 0.0, reason=LEFT_OUT)
    mark, began = _mark(context, name, part.options(context)), time.monotonic()
    known = set(context.absent)
    try:
        found = part.measure(context, lambda share: listener(name, share))
    # Somebody's model may fail in any way at one thing and do well at the others.
    except Exception as error:
        why = said(error)
        context.absent[name] = why if why.startswith(name) else f"{name}: {why}"
        return Measured(name, time.monotonic() - began, reason=said(error))
    seconds = time.monotonic() - began
    context.results[name] = found
    absent = {what: why for what, why in context.absent.items() if what not in known}
    analysis.save(folder, analysis.Part(name, mark, seconds, _values(found), absent))
    return Measured(name, seconds)


def trainings(
    context: Context, plan: Plan, pool: cluster.Workers | None, listener: Listener
) -> Measured:
    """Train what is missing; read what came of all."""
    began, failed, shares = time.monotonic(), [], [0.0] * len(plan.missing)

    def told(index: int, share: float) -> None:
        shares[index] = share
        listener("interventions", sum(shares) / len(shares))

    work = pool or Here()
    for number, ended in enumerate(
        interventions.perform_all(context.subject, plan.missing, work, told), start=1
    ):
        if isinstance(ended, Failure):
            failed.append(f"{ended.name}: {ended.error}")
        listener("interventions", number / len(shares))
    found = _came_of(context, plan, tuple(failed))
    context.results["interventions"] = found
    if plan.reason:
        left = plan.reason == LEFT_OUT
        context.absent["interventions"] = LEFT_OUT if left else f"interventions: {plan.reason}"
    for one in failed[:1]:
        several = f"{len(failed)} interventions" if len(failed) > 1 else "1 intervention"
        context.absent["failed"] = f"{several} failed, {one}"
    seconds = time.monotonic() - began
    values = _values(found)
    names = [trial.name for trial in plan.trials]
    mark = analysis.fingerprint(context.fingerprint, "interventions", names)
    part = analysis.Part("interventions", mark, seconds, values)
    if plan.trials:
        analysis.save(context.subject.run.folder, part)
    return Measured("interventions", seconds, kept=not shares, reason=plan.reason or None)


def _came_of(context: Context, plan: Plan, failed: tuple[str, ...]) -> Interventions:
    reason = plan.reason or None
    ended = [trial for trial in plan.trials if done(context.subject.run, trial)]
    course = context.course
    if plan.kind == "escape" and course is not None:
        found = escape.read(context.subject, ended, course.level)
        return Interventions(found, None, reason, failed)
    if plan.kind == "motion":
        return Interventions(
            None, replicas.read(context.subject, ended, context.limits), reason, failed
        )
    return Interventions(reason=reason, failed=failed)


def _values(found: Any) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in fields(found)}


def known(context: Context) -> Iterator[str]:
    """The parts that have a result."""
    for name in NAMES:
        found = context.results.get(name)
        if isinstance(found, Interventions) and found.escape is None and found.motion is None:
            continue
        if found is not None:
            yield name

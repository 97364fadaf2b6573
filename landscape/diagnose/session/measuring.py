"""One part of a diagnosis: as it was measured before, if that is still true, or measured now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from landscape import cluster
from landscape.cluster.local import Here
from landscape.cluster.tasks import said
from landscape.diagnose.session.context import LEFT_OUT, Context
from landscape.diagnose.session.parts import PARTS
from landscape.diagnose.trainings import after_escape, interventions, replicas
from landscape.diagnose.trainings.interventions import Failure
from landscape.diagnose.trainings.trials import is_done
from landscape.store import analysis, provenance
from landscape.store.measured.trainings import Intervention, Interventions
from landscape.store.measured.whole import record

Listener = Callable[[str, float], None]
"""``listener(part, share)``: how much of a part is done, 0 to 1."""


def nobody(_: str, __: float) -> None:
    """Hears nothing."""


@dataclass(frozen=True)
class PartDone:
    """A part that is done with."""

    name: str
    seconds: float
    kept: bool = False
    """Whether it was measured before and is still true."""
    reason: str | None = None
    """Why it has no result."""


def stored(context: Context, name: str) -> analysis.StoredPart | None:
    """A part as it was measured before, if it is still true."""
    part = PARTS[name]
    before = analysis.load(context.subject.run.folder, name)
    if before is None:
        return None
    options = [part.options, part.fuller]
    if name not in context.only:
        options.append(part.poorer)
    marks = (_mark(context, name, chosen(context)) for chosen in options if chosen is not None)
    return before if before.fingerprint in marks else None


def _mark(context: Context, name: str, options: Sequence[object]) -> str:
    version = PARTS[name].version
    return analysis.fingerprint(context.fingerprint, name, version, list(options))


def measure_part(context: Context, name: str, listener: Listener) -> PartDone:
    """Take a part as it was measured before; else measure it, if it is asked for, and save it."""
    part, folder = PARTS[name], context.subject.run.folder
    if (before := stored(context, name)) is not None:
        # What an older version measured may lack a field, or be damaged: it is measured anew.
        with contextlib.suppress(KeyError, TypeError):
            context.keep(name, record(name, before.values))
            context.absent.update(before.absent)
            return PartDone(name, before.seconds, kept=True)
    if name not in context.only:
        if not part.on_request:
            context.absent[name] = LEFT_OUT
        return PartDone(name, 0.0, reason=LEFT_OUT)
    mark, began = _mark(context, name, part.options(context)), time.monotonic()
    known = set(context.absent)
    try:
        found = part.measure(context, lambda share: listener(name, share))
    # Somebody's model may fail in any way at one thing and do well at the others.
    except Exception as error:
        why = said(error)
        context.absent[name] = why if why.startswith(name) else f"{name}: {why}"
        return PartDone(name, time.monotonic() - began, reason=said(error))
    seconds = time.monotonic() - began
    context.keep(name, found)
    absent = {what: why for what, why in context.absent.items() if what not in known}
    values, command = analysis.values(found), provenance.command()
    analysis.save(folder, analysis.StoredPart(name, mark, seconds, values, absent, command))
    return PartDone(name, seconds)


def trainings(context: Context, pool: cluster.Workers | None, listener: Listener) -> PartDone:
    """Train what is missing, more where that doesn't decide yet; read what came of all."""
    began, failed, asked = time.monotonic(), dict[str, str](), False
    work = pool or Here()
    if context.plan.kind == "motion":
        # How the weights move, which was measured since, says how many replicas decide.
        context.plan = context.planned(context)
    while missing := [t for t in context.plan.missing if t.name not in failed]:
        asked = True
        failed |= _trained(context, missing, work, listener)
        context.plan = context.planned(context)
    plan = context.plan
    found = _came_of(context, tuple(f"{name}: {why}" for name, why in failed.items()))
    context.keep("interventions", found)
    if plan.reason:
        left = plan.reason == LEFT_OUT
        context.absent["interventions"] = LEFT_OUT if left else f"interventions: {plan.reason}"
    for one in found.failed[:1]:
        several = f"{len(failed)} interventions" if len(failed) > 1 else "1 intervention"
        context.absent["failed"] = f"{several} failed, {one}"
    seconds = time.monotonic() - began
    names = [trial.name for trial in plan.trials]
    mark = analysis.fingerprint(context.fingerprint, "interventions", names)
    part = analysis.StoredPart("interventions", mark, seconds, analysis.values(found))
    if plan.trials:
        analysis.save(context.subject.run.folder, part)
    return PartDone("interventions", seconds, kept=not asked, reason=plan.reason or None)


def _trained(
    context: Context, missing: Sequence[Intervention], work: cluster.Workers, listener: Listener
) -> dict[str, str]:
    """Do these trainings; gives those that failed, with why."""
    shares, failed = [0.0] * len(missing), {}

    def told(index: int, share: float) -> None:
        shares[index] = share
        listener("interventions", sum(shares) / len(shares))

    for number, ended in enumerate(
        interventions.perform_all(context.subject, missing, work, told), start=1
    ):
        if isinstance(ended, Failure):
            failed[ended.name] = ended.error
        listener("interventions", number / len(shares))
    return failed


def _came_of(context: Context, failed: tuple[str, ...]) -> Interventions:
    plan = context.plan
    reason = plan.reason or None
    ended = [trial for trial in plan.trials if is_done(context.subject.run, trial)]
    course = context.course
    if plan.kind in ("escape", "stuck") and course is not None:
        found = after_escape.came_of(context.subject, ended, course.leaving, context.limits)
        return Interventions(found, None, reason, failed)
    if plan.kind == "motion":
        return Interventions(
            None, replicas.came_of(context.subject, ended, context.limits), reason, failed
        )
    return Interventions(reason=reason, failed=failed)

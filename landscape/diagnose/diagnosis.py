"""A run's diagnosis: each part measured once and kept, then the verdict read off them.

::

    from landscape.diagnose import diagnose

    verdict = diagnose(run, problem)

The same in steps, for whoever shows progress and asks before it takes long::

    diagnosis = Diagnosis(run, problem)
    cost(diagnosis)
    for part in measure(diagnosis):
        ...
    verdict = conclude(diagnosis)
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from landscape import cluster
from landscape.cluster.local import Here
from landscape.cluster.tasks import said
from landscape.diagnose import escape, excursions, gather, interventions, replicas, siblings
from landscape.diagnose.context import Context, Interventions
from landscape.diagnose.interventions import Cost, Failure, Plan
from landscape.diagnose.parts import LEFT_OUT, MEASURED, NAMES
from landscape.diagnose.subject import Subject
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trials import done
from landscape.diagnose.verdict import Verdict, judge
from landscape.errors import LandscapeError
from landscape.problem.problem import Problem
from landscape.problem.rebuild import to_record
from landscape.store import analysis
from landscape.store.hdf5 import write_bytes
from landscape.store.run import Run
from landscape.store.strict import dumps
from landscape.store.typed import rebuilt

VERDICT = "verdict.json"
Listener = Callable[[str, float], None]
"""``listener(part, share)``: how much of a part is done, 0 to 1."""


def _nobody(_: str, __: float) -> None:
    return None


@dataclass(frozen=True)
class Measured:
    """One part that is done with."""

    name: str
    seconds: float
    kept: bool = False
    """Whether it was measured before and is still true."""
    reason: str | None = None
    """Why it has no result."""


class Diagnosis:
    """What is to be diagnosed, with which options, and what was found so far."""

    def __init__(
        self,
        run: Run,
        problem: Problem,
        *,
        only: Sequence[str] | None = None,
        intervene: bool = True,
        twin: Run | None = None,
        epochs: int = interventions.EPOCHS,
        curve: bool = False,
        thresholds: Thresholds | None = None,
    ) -> None:
        """Read the run's losses and decide on the interventions; nothing is measured yet.

        Args:
            run: what is diagnosed.
            problem: that it was trained on.
            only: parts to measure, of `NAMES`; of the others, what was measured before is used.
            intervene: whether to train from snapshots of the run.
            twin: a run of the same model trained independently; unless given, a sibling in the
                run's sweep that differs in its seed alone.
            epochs: what an intervention lasts at most.
            curve: whether to train Bézier curves between floors that no line connects.
            thresholds: where the verdict draws its lines.

        Raises:
            LandscapeError: no such part, the run has too few losses, or the twin is no twin.
        """
        for name in only or ():
            if name not in NAMES:
                raise LandscapeError(f"only must name parts, {', '.join(NAMES)}, got {name}")
        self.subject = Subject(run, problem)
        self.only, self.intervene = frozenset(NAMES if only is None else only), intervene
        self.limits = thresholds or Thresholds()
        others = siblings.of(run)
        other = siblings.check_twin(run, twin) if twin is not None else siblings.twin(run, others)
        course = excursions.read(self.subject.evidence, self.limits)
        self.context = Context(self.subject, self.limits, epochs, other, course, others, curve)
        self.plan = self._plan(course)

    def _plan(self, course: excursions.Course | None) -> Plan:
        if course is None:
            return Plan("none", (), (), "the run has fewer than two finite losses")
        plan = interventions.plan(self.subject, course, self.limits, epochs=self.context.epochs)
        if self.intervene and "interventions" in self.only:
            return plan
        # Those that were done before still tell.
        ended = tuple(trial for trial in plan.trials if trial not in plan.missing)
        if ended:
            return replace(plan, trials=ended, missing=())
        return Plan("none", (), (), plan.reason if plan.kind == "none" else LEFT_OUT)


def cost(diagnosis: Diagnosis) -> Cost:
    """What the missing interventions take, and the barriers between their floors."""
    return interventions.cost(
        diagnosis.subject, diagnosis.plan, barriers="connectivity" in diagnosis.only
    )


def measure(
    diagnosis: Diagnosis, pool: cluster.Workers | None = None, listener: Listener = _nobody
) -> Iterator[Measured]:
    """Measure the parts one after another, each written to analysis.h5 as soon as it is there.

    A part that can't be measured says why and the rest goes on. ``pool`` trains the
    interventions; leaving early keeps what is done, and the same call goes on.
    """
    base = _base(diagnosis.subject)
    for name in NAMES:
        listener(name, 0.0)
        if name == "interventions":
            yield _intervened(diagnosis, base, pool, listener)
        else:
            yield _measured(diagnosis, base, name, listener)


def conclude(diagnosis: Diagnosis) -> Verdict:
    """Judge by what was measured, and write RUN/verdict.json."""
    evidence = gather.evidence(diagnosis.context)
    verdict = judge(evidence, diagnosis.limits)
    content = f"{dumps(verdict.record())}\n".encode()
    write_bytes(diagnosis.subject.run.folder / VERDICT, content)
    return verdict


def diagnose(run: Run, problem: Problem, **options: Any) -> Verdict:
    """Say what SGD did in a run: measure what isn't measured yet, intervene, and judge.

    Takes the options of `Diagnosis`, ``pool`` (of `cluster.workers`; here unless given) and
    ``listener``. Writes analysis.h5, verdict.json and interventions/ into the run's folder.

    Raises:
        LandscapeError: as `Diagnosis` does.
    """
    pool, listener = options.pop("pool", None), options.pop("listener", _nobody)
    diagnosis = Diagnosis(run, problem, **options)
    for _ in measure(diagnosis, pool, listener):
        pass
    return conclude(diagnosis)


def _base(subject: Subject) -> str:
    """What every part depends on: the run's snapshots and losses, the model and its data."""
    trajectory = subject.trajectory
    record = to_record(subject.problem, subject.run.folder)
    known = [record.get(name) for name in ("layout", "data", "validation_data", "sha256")]
    losses = trajectory.measures["train_loss"]
    return analysis.fingerprint(
        subject.run.id,
        known,
        trajectory.step,
        trajectory.kind,
        losses,
        subject.run.record["status"],
    )


def _measured(diagnosis: Diagnosis, base: str, name: str, listener: Listener) -> Measured:
    context, part, folder = diagnosis.context, MEASURED[name], diagnosis.subject.run.folder
    mark = analysis.fingerprint(base, name, part.version, list(part.options(context)))
    kept = analysis.load(folder, name)
    if kept is not None and kept.fingerprint == mark:
        # What an older version measured may lack a field: it is measured anew.
        with contextlib.suppress(KeyError):
            context.results[name] = rebuilt(part.kind, kept.values)
            return Measured(name, kept.seconds, kept=True)
    if name not in diagnosis.only:
        context.absent[name] = LEFT_OUT
        return Measured(name, 0.0, reason=LEFT_OUT)
    began = time.monotonic()
    try:
        found = part.measure(context, lambda share: listener(name, share))
    # Somebody's model may fail in any way at one thing and do well at the others.
    except Exception as error:
        context.absent[name] = f"{name}: {said(error)}"
        return Measured(name, time.monotonic() - began, reason=said(error))
    seconds = time.monotonic() - began
    context.results[name] = found
    analysis.save(folder, analysis.Part(name, mark, seconds, _values(found)))
    return Measured(name, seconds)


def _intervened(
    diagnosis: Diagnosis, base: str, pool: cluster.Workers | None, listener: Listener
) -> Measured:
    """Train what is missing; read what came of all."""
    context, plan = diagnosis.context, diagnosis.plan
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
        context.absent["failed"] = f"{len(failed)} interventions failed, {one}"
    seconds = time.monotonic() - began
    values = _values(found)
    mark = analysis.fingerprint(base, "interventions", [trial.name for trial in plan.trials])
    part = analysis.Part("interventions", mark, seconds, values)
    if plan.trials:
        analysis.save(context.subject.run.folder, part)
    return Measured("interventions", seconds, kept=not shares, reason=plan.reason or None)


def _came_of(context: Context, plan: Plan, failed: tuple[str, ...]) -> Interventions:
    reason = plan.reason or None
    ended = [trial for trial in plan.trials if done(context.subject.run, trial)]
    course = context.course
    if plan.kind == "escape" and course is not None:
        best = float(course.loss[course.best])
        level = best + context.limits.excursion * (course.constant - best)
        return Interventions(escape.read(context.subject, ended, level), None, reason, failed)
    if plan.kind == "motion":
        return Interventions(None, replicas.read(context.subject, ended), reason, failed)
    return Interventions(reason=reason, failed=failed)


def _values(found: Any) -> dict[str, Any]:
    return {field.name: getattr(found, field.name) for field in fields(found)}

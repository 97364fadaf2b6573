"""A run's diagnosis: each part measured once and kept, then the verdict read off them.

::

    from landscape.diagnose import diagnose

    verdict = diagnose(run, problem)

The same in steps, for whoever shows progress and asks before it takes long::

    with alone(run):
        diagnosis = Diagnosis(run, problem)
        cost(diagnosis)
        for part in measure(diagnosis):
            ...
        verdict = conclude(diagnosis)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from landscape import cluster
from landscape.curvature import MEMORY
from landscape.diagnose.course import course_of
from landscape.diagnose.motion import window
from landscape.diagnose.motion.deciding import INTERVENE
from landscape.diagnose.session import costs, gather, kept, measuring, siblings
from landscape.diagnose.session.context import LEFT_OUT, Context
from landscape.diagnose.session.kept import alone
from landscape.diagnose.session.measuring import Listener, PartDone, nobody
from landscape.diagnose.session.parts import BY_DEFAULT, NAMES, PARTS
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.trainings import after_escape, interventions
from landscape.diagnose.trainings.interventions import InterventionPlan, TrainingsCost
from landscape.diagnose.trainings.subject import Subject
from landscape.diagnose.verdict import questions
from landscape.diagnose.verdict.verdict import Basis, Verdict, judge
from landscape.errors import LandscapeError, meant
from landscape.problem.problem import Problem
from landscape.sgd.training.own import Remaker
from landscape.store import analysis, provenance, verdicts
from landscape.store.measured.whole import NEEDS, spelled
from landscape.store.run import Run
from landscape.store.verdicts import Remedy


class Diagnosis:
    """What is to be diagnosed, with which options, and what was found so far.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> run = begin("runs/moons", setup).finish()
    >>> diagnosis = Diagnosis(run, setup.make_problem(), only=["units"], intervene=False)
    >>> [part.name for part in measure(diagnosis) if part.name == "units"]
    ['units']
    >>> conclude(diagnosis).verdict
    'learned'
    """

    def __init__(
        self,
        run: Run,
        problem: Problem,
        *,
        only: Sequence[str] | None = None,
        intervene: bool = True,
        twin: Run | None = None,
        epochs: int | None = None,
        budget: float = interventions.BUDGET,
        curve: bool = False,
        orders: int = after_escape.ORDERS,
        after: int | None = None,
        again: str | Remaker | None = None,
        memory: int = MEMORY,
        thresholds: Thresholds | None = None,
    ) -> None:
        """Read the run's losses and decide on the interventions; nothing is measured yet.

        Args:
            run: what is diagnosed.
            problem: that it was trained on.
            only: parts to measure, of `NAMES`, all but those on request unless given; of the
                others, what was measured before is used.
            intervene: whether to train from snapshots of the run.
            twin: a run of the same model trained independently; unless given, that of the time
                before, else a sibling in the run's sweep that differs in its seed alone.
            epochs: what an intervention lasts at most; by default 15, but for replicas.
            budget: seconds that replicas as long as the motion's window may take where ``epochs``
                isn't given; where they would take longer they last as long as the others.
            curve: whether to train Bézier curves between floors that no line connects.
            orders: the most other batch orders tried from each place that a run escaped from.
            after: the step by which the run had settled: motion and distances are read from there
                on; by default the last half, after any escape.
            again: of a run of your own loop, what makes its optimizer: a function that takes the
                model and gives the optimizer and the batch size, or ``FILE.py:function``.
            memory: bytes that what is measured may take at a time beside the model, the data and
                some vectors of weights.
            thresholds: where the verdict draws its lines.

        Raises:
            LandscapeError: no such part, too few losses, ``after`` isn't a step of the run, or the
                twin is no twin.
        """
        self.subject = Subject(run, problem, after, again)
        self.only, self.intervene = _named(BY_DEFAULT if only is None else only), intervene
        self.limits = thresholds or Thresholds()
        others = siblings.of(run)
        if twin is not None:
            other: Run | None = siblings.check_twin(run, twin)
        else:
            other = kept.twin(run) or siblings.twin(run, others)
        course = course_of(self.subject.evidence, self.limits)
        window.of_run(self.subject.evidence, self.limits)
        self.context = Context(
            self.subject,
            self.limits,
            interventions.EPOCHS if epochs is None else epochs,
            other,
            course,
            others,
            curve,
            memory,
            only=self.only,
            fingerprint=kept.fingerprint(self.subject),
        )
        self.orders, self.budget = orders, budget if epochs is None else 0.0
        self.context.planned = self._planned
        self.context.plan = self._planned(self.context)

    @property
    def plan(self) -> InterventionPlan:
        """The trainings that the run's end asks for."""
        return self.context.plan

    def leave_out(self, parts: Collection[str]) -> None:
        """Measure these parts of `NAMES` not, after all."""
        self.only = self.context.only = self.only.difference(parts)

    def _planned(self, context: Context) -> InterventionPlan:
        course = context.course
        if course is None:
            return replace(interventions.NO_PLAN, reason="the run has fewer than two finite losses")
        if self.intervene and "interventions" in self.only:
            return interventions.plan(
                self.subject,
                course,
                self.limits,
                epochs=context.epochs,
                orders=self.orders,
                budget=self.budget,
                moved=context.measured.diffusion,
            )
        # Those that were done before still tell.
        before = interventions.ended(self.subject, course, self.limits)
        return before if before.trials or before.reason else replace(before, reason=LEFT_OUT)


def _named(parts: Sequence[str]) -> frozenset[str]:
    """The parts of these names, with hyphens or without."""
    known = {spelling: name for name in NAMES for spelling in (name, spelled(name))}
    for part in parts:
        if part not in known:
            raise LandscapeError(
                f"only must name some of {', '.join(map(spelled, NAMES))} (losses are always "
                f"looked at), got {part}{meant(part, map(spelled, NAMES))}"
            )
    return frozenset(known[part] for part in parts)


def cost(diagnosis: Diagnosis) -> TrainingsCost:
    """What the missing interventions take.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> run = begin("runs/moons", setup).finish()
    >>> cost(Diagnosis(run, setup.make_problem(), intervene=False)).seconds
    0.0
    """
    return interventions.cost(diagnosis.subject, diagnosis.plan)


def seconds(diagnosis: Diagnosis) -> Mapping[str, float]:
    """What measuring what isn't measured yet takes, roughly, by part; without interventions.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> run = begin("runs/moons", setup).finish()
    >>> diagnosis = Diagnosis(run, setup.make_problem(), only=["units"], intervene=False)
    >>> list(seconds(diagnosis))
    ['units']
    """
    context = diagnosis.context
    known = analysis.names(diagnosis.subject.run.folder)
    chosen = {}
    for name, part in PARTS.items():
        # Which floors there are isn't known yet, nor whether what is stored is about them.
        if NEEDS[name]:
            is_stored = name in known and not context.plan.missing
        else:
            is_stored = measuring.stored(context, name) is not None
        if name in diagnosis.only and part.wanted(context) and not is_stored:
            chosen[name] = part
    return costs.seconds(context, chosen)


def measure(
    diagnosis: Diagnosis, pool: cluster.Workers | None = None, listener: Listener = nobody
) -> Iterator[PartDone]:
    """Measure the parts one after another, each written to analysis.h5 as soon as it is there.

    A part that can't be measured says why and the rest goes on. ``pool`` trains the
    interventions; leaving early keeps what is done, and the same call goes on.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> run = begin("runs/moons", setup).finish()
    >>> diagnosis = Diagnosis(run, setup.make_problem(), only=["units"], intervene=False)
    >>> done = {part.name: part for part in measure(diagnosis)}
    >>> run.folder.joinpath("analysis.h5").is_file()
    True
    """
    for name in NAMES:
        listener(name, 0.0)
        if name == "interventions":
            yield measuring.trainings(diagnosis.context, pool, listener)
        else:
            yield measuring.measure_part(diagnosis.context, name, listener)


def conclude(diagnosis: Diagnosis) -> Verdict:
    """Judge by what was measured, and write RUN/verdict.json.

    A verdict.json of the same run stays if it rests on what was left out: see `kept.lacking`.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))

    >>> run = begin("runs/moons", setup).finish()
    >>> diagnosis = Diagnosis(run, setup.make_problem(), only=["units"], intervene=False)
    >>> verdict = conclude(diagnosis)  # nothing was measured: the losses alone
    >>> verdict.verdict, run.folder.joinpath("verdict.json").is_file()
    ('learned', True)
    """
    evidence, context = gather.evidence(diagnosis.context), diagnosis.context
    last_step, rows = verdicts.ends_at(context.subject.trajectory)
    basis = Basis(
        context.fingerprint,
        tuple(name for name in context.measured.there if name in BY_DEFAULT),
        tuple(name for name in NAMES if context.absent.get(name) == LEFT_OUT),
        diagnosis.limits,
        last_step,
        rows,
        provenance.command(),
        tuple(name for name in NAMES if name in _asked(diagnosis)),
    )
    judged = judge(evidence, diagnosis.limits)
    told = questions.answers(judged, evidence, diagnosis.limits)
    verdict = replace(
        judged,
        answers=tuple(
            replace(one, remedy=one.remedy and _possible(diagnosis, one.remedy)) for one in told
        ),
        would_tell={
            what: possible
            for what, remedy in judged.would_tell.items()
            if (possible := _possible(diagnosis, remedy)) is not None
        },
        rests_on=basis,
    )
    kept.write(diagnosis.subject.run.folder, verdict)
    return verdict


def _possible(diagnosis: Diagnosis, remedy: Remedy) -> Remedy | None:
    """A remedy as this run can follow it; None where it can't.

    One of an own loop trains again from its snapshots only with ``again``, and longer or with
    other options only by that loop, of which there are no sweeps. A part that was tried and
    couldn't be measured can't be the next time either; without sketches an earlier window has no
    more snapshots that serve; and who imports checkpoints has no more of them.
    """
    subject = diagnosis.subject
    record, options = subject.run.record, remedy.options
    absent = diagnosis.context.absent
    if any(absent.get(name, LEFT_OUT) != LEFT_OUT for name in options.get("only", ())):
        return None
    if "after" in options and subject.trajectory.sketch_seed() is None:
        return None
    if "record" in options and record.get("record") == "imported":
        return None
    if record["settings"] is not None or "average_of" in record:
        return remedy
    if remedy.call == "sweep":
        return None
    if remedy.call == "train":
        return replace(remedy, call="loop")
    if remedy != INTERVENE or subject.settings is not None:
        return remedy
    left_out = {} if diagnosis.intervene else INTERVENE.options
    return Remedy("diagnose", {"again": "FILE.py:function", **left_out})


def _asked(diagnosis: Diagnosis) -> frozenset[str]:
    return diagnosis.only.difference(() if diagnosis.intervene else ("interventions",))


def diagnose(run: Run, problem: Problem, **options: Any) -> Verdict:
    """Say what SGD did in a run: measure what isn't measured yet, intervene, and judge.

    Takes the options of `Diagnosis`, ``pool`` (of `cluster.workers`; here unless given) and
    ``listener``. Writes analysis.h5, verdict.json and interventions/ into the run's folder.

    Raises:
        LandscapeError: as `Diagnosis` does, or another process diagnoses the run.

    >>> from landscape.sgd import Settings, TrainingSetup, begin
    >>> moons = {"model": "mlp", "data": "moons", "width": 4}
    >>> setup = TrainingSetup(problem_settings=moons, settings=Settings(lr=0.3, steps=40))
    >>> run = begin("runs/moons", setup).finish()
    >>> verdict = diagnose(run, setup.make_problem(), intervene=False, only=["units"])
    >>> verdict.rests_on.parts, (run.folder / "verdict.json").is_file()
    (('units',), True)
    """
    pool, listener = options.pop("pool", None), options.pop("listener", nobody)
    with alone(run):
        diagnosis = Diagnosis(run, problem, **options)
        for _ in measure(diagnosis, pool, listener):
            pass
        return conclude(diagnosis)

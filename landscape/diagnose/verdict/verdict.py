"""The verdict: what a run did, with the evidence and its uncertainty."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from landscape.diagnose.course import course_of, departure
from landscape.diagnose.evidence import Evidence
from landscape.diagnose.items import Item, Items
from landscape.diagnose.motion import naming
from landscape.diagnose.motion.naming import NamedMotion
from landscape.diagnose.outcome_names import MOTIONS, OUTCOMES, UNDETERMINED
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict import caveats, outcome, overfitting
from landscape.diagnose.verdict.named import NamedOutcome
from landscape.diagnose.verdict.overfitting import Overfitting
from landscape.quantities import counted
from landscape.sgd.escapes import Course, events_of
from landscape.store.verdicts import Remedy

FORMAT = "landscape-verdict"
VERSION = 1


@dataclass(frozen=True)
class Happening:
    """Steps with a name: ``spike``, ``recovery``, ``plateau``, ``escape`` or ``non-finite``."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Basis:
    """What a verdict was read from."""

    run: str
    """Fingerprint of the run as it was, its model and its data."""
    parts: tuple[str, ...]
    """What was measured of it, in the order of `parts.NAMES`."""
    left_out: tuple[str, ...] = ()
    """What nobody asked for and wasn't measured before."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    last_step: int | None = None
    """Of the recording as it was, and"""
    rows: int | None = None
    """its snapshots: with others it has gone on. None: not known."""
    command: str = ""
    """The command that concluded it, and"""
    asked: tuple[str, ...] = ()
    """the parts that it asked for, whichever command measured them before."""


@dataclass(frozen=True)
class Answer:
    """What is said to a part of one of the two questions: see `questions`."""

    question: str
    """Which: ``1.3`` is the first question's third part."""
    about: str
    """The part in a word or two."""
    text: str
    """A sentence or two; of what isn't answered, what would."""
    confidence: str
    """``intervention``, ``observation``, or ``undetermined``: not answered."""
    remedy: Remedy | None = None
    """The call that would answer more; None: none that is known."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """What the run did. Fields are those of verdict.json.

    Put into sentences by `questions`, written by `record` as JSON.

    >>> found = Verdict("learned", "drifting", None, (), (), "observation")
    >>> found
    Verdict(learned, motion drifting, observation; 0 answers, 0 items of evidence)
    >>> found.record()["verdict"], found.record()["format"]
    ('learned', 'landscape-verdict')
    """

    verdict: str
    """The outcome, one of `outcome_names.OUTCOMES`."""
    motion: str
    """One of `outcome_names.MOTIONS`."""
    landing: str | None
    layers: tuple[str, ...]
    """Layers that are dead, saturated or partly collapsed at the end."""
    also: tuple[str, ...]
    confidence: str
    """Of the outcome: ``intervention``, ``observation`` or ``undetermined``."""
    events: tuple[Happening, ...] = ()
    evidence: Mapping[str, Item] = field(default_factory=dict)
    overfitting: Overfitting | None = None
    mistakes: tuple[str, ...] = ()
    """What is wrong with data or model before anything else, a sentence each."""
    caveats: tuple[str, ...] = ()
    would_tell: Mapping[str, Remedy] = field(default_factory=dict)
    """What would decide an undetermined ``outcome`` or ``motion``, where that is known."""
    answers: tuple[Answer, ...] = ()
    """What the page says first, in its order; () where it was read from evidence alone,"""
    rests_on: Basis | None = None
    """and None."""

    @property
    def left(self) -> int | None:
        """The step at which it left for good; None: it didn't."""
        return next((each.first for each in self.events if each.name == "escape"), None)

    def __repr__(self) -> str:
        """The names, and how much there is of the rest."""
        names = f"{self.verdict}, motion {self.motion}, {self.confidence}"
        there = f"{counted(len(self.answers), 'answer')}, {counted(len(self.evidence), 'item')}"
        return f"Verdict({names}; {there} of evidence)"

    def record(self) -> dict[str, Any]:
        """As verdict.json has it, plain values only."""
        return {"format": FORMAT, "version": VERSION, **dataclasses.asdict(self)}


def judge(evidence: Evidence, thresholds: Thresholds | None = None) -> Verdict:
    """Read the verdict off the evidence; nothing is measured here.

    The rules are pure: the same evidence and lines give the same verdict, be the evidence a
    recorded run's or written down by hand.

    >>> import numpy as np
    >>> from landscape.diagnose.evidence import Rows, Setup
    >>> step = np.arange(0, 800, 10)
    >>> loss = np.where(step < 400, np.geomspace(2.3, 0.1, 80), 2.3026)
    >>> evidence = Evidence(Rows(step, loss), Setup(0.1, steps_per_epoch=10), constant_loss=2.303)
    >>> judge(evidence).verdict
    'escaped'
    """
    limits = thresholds or Thresholds()
    found = outcome.name_outcome(evidence, limits)
    moved = naming.name_motion(evidence, limits)
    if found.name == "diverged":
        moved = NamedMotion(UNDETERMINED, items=moved.items)
    course = course_of(evidence, limits)
    return Verdict(
        found.name,
        moved.name,
        found.landing,
        found.layers,
        (*found.also, *moved.also),
        found.confidence,
        _happened(found, evidence, course),
        weighed(found, moved),
        overfitting.measure(evidence.rows),
        evidence.mistakes,
        (*found.caveats, *caveats.of(evidence, found, moved)),
        {
            what: remedy
            for what, remedy in (("outcome", found.remedy), ("motion", moved.remedy))
            if remedy is not None
        },
    )


def weighed(found: NamedOutcome, moved: NamedMotion) -> Items:
    """The evidence in order: what decided the outcome, what decided the motion, then the rest."""
    items = found.items | moved.items
    names = [name for name in items if OUTCOMES[found.name].is_decided_by(name)]
    names += [name for name in items if MOTIONS[moved.name].is_decided_by(name)]
    return {name: items[name] for name in (*names, *items)}


def decided(verdict: Verdict) -> tuple[str, ...]:
    """Of the evidence, the names of what the outcome and the motion were named by."""
    outcome, motion = OUTCOMES[verdict.verdict], MOTIONS[verdict.motion]
    return tuple(
        name
        for name in verdict.evidence
        if outcome.is_decided_by(name) or motion.is_decided_by(name)
    )


def _happened(
    found: NamedOutcome, evidence: Evidence, course: Course | None
) -> tuple[Happening, ...]:
    """What happened in training: as it was recorded, but the outcome says whether it left.

    Recorded events go by losses alone: what units and trainings from snapshots say comes later.
    """
    known = evidence.recorded
    if known is None:
        known = tuple(events_of(course)) if course is not None else ()
    happened = [Happening(e.name, e.first, e.last) for e in known if e.name in EPISODES]
    if found.name == "diverged" and not any(each.name == "non-finite" for each in happened):
        happened.append(_non_finite(evidence))
    if found.name == "escaped" and course is not None:
        left = _left(evidence, course)
        before = [
            replace(each, last=min(each.last, left)) if each.name in PASSING else each
            for each in happened
            if each.name not in PASSING or each.first < left
        ]
        happened = [*before, Happening("escape", left, int(evidence.rows.step[-1]))]
    return tuple(sorted(happened, key=lambda each: (each.first, each.last, each.name)))


EPISODES = ("spike", "recovery", "plateau", "non-finite")
PASSING = ("spike", "recovery")
"""What is over once it left for good."""


def _left(evidence: Evidence, course: Course) -> int:
    """The step at which it left; where no long stretch shows it, after the last logged loss near.

    Such are runs in which nothing can move any more.
    """
    if (step := departure(evidence, course)) is not None:
        return step
    near = np.flatnonzero(course.loss <= course.level)
    return course.step(min(int(near[-1]) + 1, len(course.loss) - 1))


def _non_finite(evidence: Evidence) -> Happening:
    """The first row whose loss isn't finite; the last row where only weights aren't."""
    rows = evidence.rows
    lost = rows.step[np.isinf(rows.train_loss)]
    step = int(lost[0] if len(lost) else rows.step[-1])
    return Happening("non-finite", step, int(rows.step[-1]))

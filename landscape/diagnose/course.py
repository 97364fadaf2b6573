"""What the rules of the outcome read a run's losses with."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.thresholds import Thresholds
from landscape.sgd import escapes
from landscape.sgd.endings import EndingRules
from landscape.sgd.escapes import Course, EventRules


@dataclass(frozen=True)
class OutcomeCase:
    """What the rules of the outcome are given."""

    evidence: Evidence
    course: Course
    thresholds: Thresholds


def departure(evidence: Evidence, course: Course | None) -> int | None:
    """The step at which it left: that of figures, or the first logged loss that was away.

    Batches' losses may tell it between that loss and the one before; None where it didn't leave.
    """
    if course is None or course.left is None:
        return None
    before, first = course.step(course.left - 1), course.step(course.left)
    recorded = evidence.recorded or ()
    dated = next((each.first for each in recorded if each.name == "escape"), None)
    return first if dated is None or not before < dated <= first else dated


def course_of(evidence: Evidence, thresholds: Thresholds | None = None) -> Course | None:
    """Follow the training loss through its finite rows; None where there are fewer than two."""
    limits = thresholds or Thresholds()
    return escapes.read(
        evidence.rows.step,
        evidence.rows.train_loss,
        constant_loss=evidence.constant_loss,
        steps_per_epoch=evidence.setup.steps_per_epoch,
        batches=evidence.batch_losses,
        rules=EventRules(
            learned=limits.learned,
            excursion=limits.excursion,
            ending=EndingRules(
                share=limits.stretch,
                learned=limits.learned,
                glimpse=limits.glimpse,
                noises=limits.noises,
                lost=limits.lost,
                near=limits.near,
                times=limits.times,
            ),
        ),
    )

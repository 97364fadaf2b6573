"""What the rules of the outcome read a run's losses with."""

from __future__ import annotations

from dataclasses import dataclass

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.thresholds import Thresholds
from landscape.sgd import escapes
from landscape.sgd.endings import EndingRules
from landscape.sgd.escapes import Course, EventRules

LEARNED_NOISE = 3.0
"""Where noise is large, learning is what stands clear of it: by so many MADs."""
SPIKE_NOISE = 8.0
"""MADs that noise doesn't reach."""
SPIKE_ROWS = 10
"""Rows before a spike that its noise is known from."""


@dataclass(frozen=True)
class OutcomeCase:
    """What the rules of the outcome are given."""

    evidence: Evidence
    course: Course
    thresholds: Thresholds


def course_of(evidence: Evidence, thresholds: Thresholds | None = None) -> Course | None:
    """Follow the training loss through its finite rows; None where there are fewer than two."""
    limits = thresholds or Thresholds()
    return escapes.read(
        evidence.rows.step,
        evidence.rows.train_loss,
        constant_loss=evidence.constant_loss,
        steps_per_epoch=evidence.setup.steps_per_epoch,
        rules=EventRules(
            learned=limits.learned,
            learned_noise=LEARNED_NOISE,
            excursion=limits.excursion,
            spike_noise=SPIKE_NOISE,
            spike_rows=SPIKE_ROWS,
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

"""The two questions, part by part, and what a verdict and its evidence answer to each.

Page, report and `landscape info` have their sentences from here. Whatever isn't known is said as
such, with what would tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict import high_rate, long_training
from landscape.diagnose.verdict.asked import NOT_ANSWERED, Asked, PartAnswer
from landscape.diagnose.verdict.verdict import Answer, Verdict


@dataclass(frozen=True)
class QuestionPart:
    """A part of a question."""

    about: str
    """In a word or two, as the page has it."""
    asks: str
    """In full; stands before the answer where there is none, so that it reads by itself."""
    answer: PartAnswer


TITLES = {"1": "What happened, and why", "2": "Does it stay or explore"}
"""By question, its title."""
PARTS: Mapping[str, QuestionPart] = {
    "1.3": QuestionPart(
        "outcome",
        "Did it learn, and did it leave its minimum? Into what?",
        high_rate.happened,
    ),
    "1.2": QuestionPart("a minimum?", "Is where it ends a local minimum?", high_rate.place),
    "1.9": QuestionPart("unstable?", "Does the rate make its solution unstable?", high_rate.stable),
    "1.4": QuestionPart(
        "can return?", "Why doesn't it find the old optimum again?", high_rate.way_back
    ),
    "1.5": QuestionPart(
        "gradient 0?",
        "How close to zero is the gradient, and does that keep it there?",
        high_rate.gradient,
    ),
    "1.6": QuestionPart("plateau?", "Is it stuck on a flat plateau?", high_rate.plateau),
    "1.7": QuestionPart(
        "stuck when?",
        "At which rates does it get stuck on the plateau?",
        high_rate.stuck_rates,
    ),
    "1.8": QuestionPart(
        "overfits?",
        "Does it overfit, how does that show, has it to do with the escape?",
        high_rate.overfits,
    ),
    "1.1": QuestionPart("compared", "How is it different from the others?", high_rate.beside),
    "2.1": QuestionPart(
        "motion", "Does it remain near a minimum or explore a region?", long_training.stays
    ),
    "2.2": QuestionPart(
        "distances", "How does d(w_N, w_M) behave once it has settled?", long_training.apart
    ),
    "2.3": QuestionPart(
        "vs copies",
        "Is that far, beside networks equal up to the order of their units?",
        long_training.beside_copies,
    ),
    "2.4": QuestionPart("vs a twin", "What is it for typical networks?", long_training.typical),
    "2.5": QuestionPart(
        "leaves?", "Does it leave the minimum that it reached?", long_training.leaves
    ),
    "2.6": QuestionPart("momentum", "What does momentum change?", long_training.momentum),
    "2.7": QuestionPart(
        "loss swings",
        "Does the loss swing a little about a minimum, or does it escape?",
        long_training.oscillates,
    ),
    "2.8": QuestionPart(
        "noise", "What does seeing the loss through a sample do?", long_training.noise
    ),
    "2.9": QuestionPart(
        "minima",
        "Does it visit separate minima, or a connected set of them?",
        long_training.connected,
    ),
}
"""By number, in the order of the page."""
OF_A_DIVERGED_RUN = ("1.3", "1.1", "2.1")
"""The parts that there is something to say to where loss or weights became infinite,"""
OF_A_DEAD_RUN = tuple(part for part in PARTS if part[0] == "1" or part in ("2.1", "2.5"))
"""and where nothing but an output's bias can move any more."""


def answers(
    verdict: Verdict, evidence: Evidence, thresholds: Thresholds | None = None
) -> tuple[Answer, ...]:
    """What is said to every part that the run can answer, in the order of the page."""
    asked = Asked(verdict, evidence, thresholds or Thresholds())
    applicable: Collection[str] = PARTS
    if verdict.verdict == "diverged":
        applicable = OF_A_DIVERGED_RUN
    elif evidence.is_for_good:
        applicable = OF_A_DEAD_RUN
    found = []
    for question in applicable:
        part = PARTS[question]
        told = part.answer(asked)
        text = f"{part.asks} {told.text}" if told.text.startswith(NOT_ANSWERED) else told.text
        found.append(Answer(question, part.about, text, told.confidence, told.remedy))
    return tuple(found)

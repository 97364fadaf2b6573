"""Tables of the page, of planted results."""

from __future__ import annotations

import io
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from landscape.diagnose import Verdict
from landscape.diagnose.items import Item
from landscape.diagnose.verdict.questions import TITLES, answers
from landscape.diagnose.verdict.verdict import judge
from landscape.store.measured.networks import Functions
from landscape.store.measured.trainings import (
    ControlRepeat,
    EscapeTrainings,
    Interventions,
    LeftAgain,
    MotionTrainings,
    Trained,
)
from landscape.store.measured.whole import Measured
from landscape.store.verdicts import RESTS
from landscape_cli.diagnosis_page import cell, page, question_answered, show, tables

from ..diagnose import planted_questions as questions

VERDICT = Verdict("escaped", "undetermined", None, (), (), "intervention")


def branch(kind, loss, *, lr=0.1, velocity=True):
    return Trained(kind, "best", 270, lr, 0.4, loss, velocity=velocity)


def escape(*, velocity, equal):
    return EscapeTrainings(
        level=0.9,
        branches=(
            branch("control", 0.7, velocity=velocity),
            branch("other-order", 0.5),
            branch("other-order", math.inf),
            branch("lower-rate", 0.2, lr=0.01),
        ),
        names=(),
        again=(LeftAgain("best", 270, 2, 1, 0.0126, 0.987),),
        controls=(ControlRepeat("best", 135, equal, 1.4),),
    )


def text(parts):
    stream = io.StringIO()
    console = Console(file=stream, width=100)
    for part in parts:
        console.print(part)
    return stream.getvalue()


def shown(verdict=VERDICT, **parts):
    return text(tables(verdict, Measured(**parts)))


def test_what_trainings_after_an_escape_did():
    lines = shown(interventions=Interventions(escape(velocity=True, equal=135))).splitlines()
    rows = {line.split("  ")[0]: " ".join(line.split()) for line in lines if "η" in line}
    assert rows["the lowest logged loss, η = 0.1, same order (control)"].endswith(" 1 0.7 1 of 1")
    assert rows["the lowest logged loss, η = 0.1, other orders"].endswith(" 2 0.5 to ∞ 1 of 2")
    assert rows["the lowest logged loss, η = 0.01"].endswith(" 1 0.2 1 of 1")
    assert (
        "control from the lowest logged loss: all 135 batch losses are the run's to the bit"
        in lines
    )
    assert any("other orders: 1 of 2 tried left (95 % interval of" in line for line in lines)


@pytest.mark.parametrize(
    ("velocity", "why"),
    [
        (True, "as on another machine or with other versions"),
        (False, "since no velocity was recorded there to begin with"),
    ],
)
def test_a_control_that_differs_says_why(velocity, why):
    found = shown(interventions=Interventions(escape(velocity=velocity, equal=1)))
    assert (
        "1 of 135 batch losses are the run's to the bit, then they differ by up to 140 % within "
        f"the first epoch, {why}" in " ".join(found.split())
    )


def planted(verdict, measured):
    """A diagnosis of which the page needs what was measured and the folder's name."""

    diagnosis = SimpleNamespace(
        context=SimpleNamespace(measured=measured),
        subject=SimpleNamespace(run=SimpleNamespace(folder="runs/mine")),
    )
    return text(page(diagnosis, verdict, evidence=True))


def test_evidence_of_trainings_is_not_repeated():
    evidence = {
        "best_loss": Item(0.4, None, "lowest loss"),
        "end_loss": Item(2.3, None, "last loss"),
        "motion_undetermined_because": Item("nothing was measured", None, ""),
        "left_again_from_best": Item(0.5, 0.5, "share that left"),
        "lower_rate_from_landing": Item(2.3, 0.9, "end loss"),
        "plateau_rates": Item(5, None, "rates tried"),
    }
    verdict = Verdict("escaped", "undetermined", None, (), (), "intervention", evidence=evidence)
    results = Measured(interventions=Interventions(escape(velocity=True, equal=135)))
    once = planted(verdict, results)
    assert "lowest loss" in once
    for said in ("share that left", "rates tried", "left again from lowest loss"):
        assert said not in once
        # Without the table it is said there.
        assert said in planted(verdict, Measured())


def test_what_is_among_the_evidence_is_not_repeated_after_a_motion():
    motion = MotionTrainings(
        start_step=100,
        replicas=None,
        full_batch=None,
        lower=branch("lower-rate", 0.2),
        floors=("floor1", "floor2"),
        floor_steps=(50, 100),
        floor_losses=(0.25, 0.5),
    )
    found = shown(interventions=Interventions(motion=motion))
    assert "Trained on, from step 100" in found
    assert "0.25 to 0.5" in found
    assert "barrier" not in found


def test_predictions_that_differ_have_their_own_table():
    differ = np.array([[0, 0.5, 0.9], [0.5, 0, 0.125], [0.9, 0.125, 0]])
    functions = Functions(np.array([0, 50, 100]), differ, differ, differ, 1437, "training")
    lines = [line.split() for line in shown(functions=functions).splitlines()]
    assert ["at", "step", "0", "and", "at", "100", "90", "%"] in lines
    assert ["at", "step", "50", "and", "at", "100", "12", "%"] in lines
    unknown = Functions(np.array([0, 9]), *3 * [np.full((2, 2), np.nan)], 10, "training")
    assert shown(functions=unknown) == ""


@pytest.mark.parametrize("name", ["escape", "long"])
def test_a_question_takes_25_lines_at_most(name):
    evidence = questions.PLANTED[name]()
    verdict = judge(evidence)
    found = answers(verdict, evidence)
    for question, title in TITLES.items():
        mine = [answer for answer in found if answer.question.startswith(question)]
        lines = text([question_answered(title, mine)]).strip("\n").splitlines()
        assert lines[0].strip() == title
        assert len(lines) <= 25, "\n".join(lines)
        shown = " ".join(" ".join(lines).split())
        for answer in mine:
            assert f"[{RESTS[answer.confidence]}]" in shown


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "unknown"), (True, "yes"), (-0.25, "−0.25"), (math.inf, "∞"), (math.nan, "unknown")],
)
def test_cells(value, said):
    assert cell(value) == said


def test_a_narrow_terminal_cuts_no_words(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    evidence = {
        "best_loss": Item(0.4, None, "lowest loss"),
        "end_loss": Item(2.3, None, "last loss"),
        "motion_undetermined_because": Item("nothing was measured", None, ""),
        "validation_rise": Item(0.4, 1.1, "a displacement, incommensurable with its line"),
    }
    verdict = Verdict("escaped", "undetermined", None, (), (), "intervention", evidence=evidence)
    run = SimpleNamespace(folder=Path("runs/mine"))
    diagnosis = SimpleNamespace(
        context=SimpleNamespace(measured=Measured()),
        subject=SimpleNamespace(run=run),
        plan=SimpleNamespace(trials=()),
    )
    show(diagnosis, verdict, evidence=True)
    said = capsys.readouterr().out
    assert "…" not in said
    for word in ("validation rise", "displacement", "incommensurable"):
        assert word in said

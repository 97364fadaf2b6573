from __future__ import annotations

import pytest

from landscape.diagnose.session import gather
from landscape.diagnose.session.diagnosis import Diagnosis, measure
from landscape.diagnose.trainings import after_escape
from landscape.diagnose.verdict.verdict import judge


@pytest.mark.slow
def test_states_say_what_moves_and_what_lay_before_an_escape(escaped):
    run, problem = escaped
    found = Diagnosis(
        run, problem, intervene=False, only=("units", "curvature", "sharpness", "jump")
    )
    list(measure(found))
    evidence = gather.evidence(found.context)
    row = after_escape.before_onset(found.subject, found.context.course)
    onset = evidence.state("onset")
    assert onset.step == found.subject.trajectory.step[row]
    assert onset.lambda_max is not None
    assert onset.batch_sharpness is not None
    steps = evidence.measured.steep_steps
    assert list(steps) == sorted(set(steps))
    assert onset.step in steps
    end, units = evidence.state("end"), found.context.measured.units
    assert end.moving == units.moving(len(units.step) - 1)
    assert end.tensors == len(list(problem.model.parameters()))
    items = judge(evidence).evidence
    assert "sharpness_onset" in items
    assert "sharpness" not in items


def test_a_twin_is_missed_only_where_one_was_looked_for(learned):
    run, problem = learned
    found = Diagnosis(run, problem, intervene=False, only=("distances",))
    list(measure(found))
    assert not gather.evidence(found.context).misses_twin
    found = Diagnosis(run, problem, intervene=False, only=("permutations",))
    list(measure(found))
    assert gather.evidence(found.context).misses_twin

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from landscape.curvature.density import Density, count_below
from landscape.diagnose import escape, gather
from landscape.diagnose.diagnosis import Diagnosis, measure
from landscape.diagnose.evidence import State
from landscape.diagnose.verdict import judge


@pytest.mark.parametrize("error", [[[0.0, 3.0], [3.0, 0.0]], [[math.nan, 3.0], [3.0, math.nan]]])
def test_the_worst_barrier_is_each_numbers_own(error):
    pairs = SimpleNamespace(
        error=np.array(error), ratio=np.array([[0, 0.5], [0.5, 0]]), loss=np.eye(2) * 9
    )
    found = gather._barrier(pairs)
    assert (found.error, found.ratio, found.loss) == (3.0, 0.5, 0.0)


def test_states_say_what_moves_and_what_lay_before_an_escape(escaped):
    run, problem = escaped
    found = Diagnosis(
        run, problem, intervene=False, only=("units", "curvature", "sharpness", "jump")
    )
    list(measure(found))
    evidence = gather.evidence(found.context)
    row = escape.before_onset(found.subject, found.context.course)
    onset = evidence.states["onset"]
    assert onset.step == found.subject.trajectory.step[row]
    assert onset.lambda_max is not None
    assert onset.batch_sharpness is not None
    steps = [state.step for state in evidence.sharpness]
    assert steps == sorted(set(steps))
    assert onset.step in steps
    end, units = evidence.states["end"], found.context.results["units"]
    assert end.moving == units.moving(len(units.step) - 1)
    assert end.tensors == len(list(problem.model.parameters()))
    items = judge(evidence).evidence
    assert "sharpness_onset" in items
    assert "sharpness" not in items


def test_a_twin_is_missed_only_where_one_was_looked_for(learned):
    run, problem = learned
    found = Diagnosis(run, problem, intervene=False, only=("distances",))
    list(measure(found))
    assert gather.evidence(found.context).twin
    found = Diagnosis(run, problem, intervene=False, only=("permutations",))
    list(measure(found))
    assert not gather.evidence(found.context).twin


def test_outputs_that_are_all_zero_ignore_the_input():
    units = SimpleNamespace(
        step=np.array([0]),
        gradient_norm=np.zeros(1),
        scale=np.zeros(1),
        relative_spread=np.array([math.nan]),
        tensors=("bias",),
        whole=lambda kind, at: (),
        partly=lambda kind, at: {},
        moving=lambda at: (),
    )
    assert gather._with_units(State(0), units).logit_spread == 0.0


def test_without_classes_a_barrier_has_no_error_points():
    unknown = np.array([[0.0, math.nan], [math.nan, 0.0]])
    pairs = SimpleNamespace(error=unknown, ratio=np.ones((2, 2)), loss=np.ones((2, 2)))
    found = gather._barrier(pairs)
    assert math.isnan(found.error)
    assert found.ratio == 1.0


def test_the_spectrum_keeps_the_limits_of_its_counts():
    nodes = np.array([[0.01, 0.5, 4.0], [0.02, 0.7, 5.0]])
    weights = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]])
    density = Density(nodes, weights, 1000, samples=64, total=256)
    found = gather._spectrum(density)
    assert (found.samples, found.total) == (64, 256)
    counted = found.count(float(found.curvature[-4]))
    expected = count_below(density, float(found.curvature[-4]))
    assert counted == expected
    assert counted.lower < counted.value < counted.upper
    assert found.count(6.0) is None


def test_barriers_are_kept_pair_by_pair():
    def pairs(offset: float) -> SimpleNamespace:
        values = offset + np.arange(9.0).reshape(3, 3)
        symmetric = np.triu(values, 1) + np.triu(values, 1).T
        return SimpleNamespace(error=symmetric, ratio=symmetric / 2, loss=symmetric / 4)

    found = gather._floors(
        SimpleNamespace(
            train_loss=np.ones(3),
            line=pairs(0),
            polyline=pairs(10),
            matched=None,
            symmetric=False,
        ),
        pairs(20),
    )
    assert found.symmetric is False
    assert found.line.error == 5
    assert list(found.pairs) == [(0, 1), (0, 2), (1, 2)]
    last = found.pairs[1, 2]
    assert list(last) == ["line", "polyline", "curve"]
    assert [barrier.error for barrier in last.values()] == [5, 15, 25]
    assert (last["curve"].ratio, last["curve"].loss) == (12.5, 6.25)
    assert found.pairs[0, 1]["line"].error == 1

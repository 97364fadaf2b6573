"""Parts that are measured only where they are named, and what they cost."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from landscape.curvature import learning_coefficient
from landscape.diagnose.session import costs
from landscape.diagnose.session.diagnosis import Diagnosis, conclude, measure, seconds
from landscape.diagnose.session.parts import BY_DEFAULT, NAMES, PARTS
from landscape.store import analysis, read
from landscape.store.measured.curvature import LayerCurvature, PreconditionedSharpness
from landscape.store.measured.whole import record

DEAR = ("curvature_by_layer", "learning_coefficient", "instability")


@pytest.fixture
def adam(trained, tmp_path):
    run, problem = trained(optimizer="adam", lr=0.02, epochs=3, batch_size=800)
    return read(shutil.copytree(run.folder, tmp_path / "adam")), problem


def test_they_are_left_out_unless_named_and_nobody_is_told(learned, monkeypatch):
    run, problem = learned
    assert tuple(name for name in NAMES if name not in BY_DEFAULT) == DEAR
    for name in BY_DEFAULT:
        if name in PARTS:
            monkeypatch.setitem(PARTS, name, PARTS["jump"])  # fails at once, asked for by nobody
    diagnosis = Diagnosis(run, problem, intervene=False)
    assert not set(DEAR) & set(seconds(diagnosis))
    list(measure(diagnosis))
    assert not set(DEAR) & set(analysis.names(run.folder))
    assert not any("instability" in caveat for caveat in conclude(diagnosis).caveats)


def test_a_named_one_is_kept_and_no_verdict_rests_on_it(learned):
    run, problem = learned
    names = ("units", "curvature-by-layer")
    diagnosis = Diagnosis(run, problem, only=names, intervene=False)
    assert set(seconds(diagnosis)) == {"units", "curvature_by_layer"}
    list(measure(diagnosis))
    found = record("curvature_by_layer", analysis.load(run.folder, "curvature_by_layer").values)
    assert isinstance(found, LayerCurvature)
    assert found.tensors == tuple(place.name for place in problem.layout.parameters)
    assert conclude(diagnosis).rests_on.parts == ("units",)
    again = Diagnosis(run, problem, only=("units",), intervene=False)
    done = {part.name: part for part in measure(again)}
    assert done["curvature_by_layer"].kept
    np.testing.assert_equal(again.context.measured.curvature_by_layer.top, found.top)


def test_what_they_cost(learned, monkeypatch):
    monkeypatch.setattr(costs, "product", lambda context: 0.006)
    run, problem = learned
    diagnosis = Diagnosis(run, problem, only=DEAR, intervene=False, epochs=2)
    total = diagnosis.subject.samples
    found = {name: (s - costs.OTHERS) / 0.001 for name, s in seconds(diagnosis).items()}
    # Tensors of 16, 8, 16 and 2 numbers: 16 products where there are more than twelve.
    assert found["curvature_by_layer"] == pytest.approx(4 * (30 + 16 + 8 + 16 + 2) * total * 6)
    gradients, products = learning_coefficient.cost(total)
    assert found["learning_coefficient"] == pytest.approx(3 * gradients + 6 * products)
    steps = 2 * diagnosis.subject.steps_per_epoch
    trained = 3 * 32 * 5 * steps * 3
    # Seven families at most, of three children: their losses, three lines of nine points inside.
    assert found["instability"] == pytest.approx(trained + 7 * (3 + 3 * 9) * total)


def test_adams_sharpness_is_measured_by_default_and_sgds_isnt(adam, learned):
    run, problem = adam
    diagnosis = Diagnosis(run, problem, only=("preconditioned",), intervene=False)
    assert "preconditioned" in seconds(diagnosis)
    [done] = [part for part in measure(diagnosis) if part.name == "preconditioned"]
    assert done.reason is None
    found = record("preconditioned", analysis.load(run.folder, "preconditioned").values)
    assert isinstance(found, PreconditionedSharpness)
    assert found.step[-1] == diagnosis.subject.step(diagnosis.subject.end)
    assert found.bound[-1] == pytest.approx(38 / 0.02)
    assert found.optimizer == "Adam"
    run, problem = learned
    plain = Diagnosis(run, problem, only=("preconditioned",), intervene=False)
    assert "preconditioned" not in seconds(plain)
    [done] = [part for part in measure(plain) if part.name == "preconditioned"]
    assert done.reason == (
        "preconditioned sharpness needs one of Adam, AdamW, RMSprop, which keep a diagonal, got "
        "SGD; SGD's is the part sharpness"
    )
    assert not any("preconditioned" in caveat for caveat in conclude(plain).caveats)


@pytest.mark.slow
def test_interventions_go_on_with_adams_state(trained, tmp_path):
    """The same order from the end of a shorter run is the longer run's, moments included."""
    run, problem = trained(optimizer="adam", lr=0.02, epochs=4)
    copied = read(shutil.copytree(run.folder, tmp_path / "run"))
    diagnosis = Diagnosis(copied, problem, only=("interventions",), epochs=1)
    list(measure(diagnosis))
    [lower] = [
        read(copied.folder / "interventions" / trial.name)
        for trial in diagnosis.plan.trials
        if trial.kind == "lower-rate"
    ]
    assert lower.record["velocity"]
    assert lower.record["settings"]["optimizer"] == "adam"
    first = lower.trajectory.moments(lower.trajectory.step[-1])
    assert {"optimizer/exp_avg", "optimizer/exp_avg_sq", "optimizer/step"} <= set(first)
    # Its count of steps goes on from the run's.
    assert (
        float(first["optimizer/step"])
        == int(copied.trajectory.step[-1]) + lower.trajectory.step[-1]
    )

"""Records of what a diagnosis measured: what they say, and how they lie in analysis.h5."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest

from landscape.store import analysis
from landscape.store.analysis import StoredPart
from landscape.store.measured.curvature import Curvature, Sharpness
from landscape.store.measured.networks import Units
from landscape.store.measured.paths import BarrierMatrices
from landscape.store.measured.trainings import (
    ControlRepeat,
    EscapeTrainings,
    Interventions,
    LeftAgain,
    MotionTrainings,
    Trained,
)
from landscape.store.measured.whole import NAMES, NEEDS, Measured, StateAtStep, record, record_type

UNITS = Units(
    step=np.array([0, 10]),
    layers=("first", "second"),
    kinds=("dead", "saturated"),
    sizes=np.array([4, 2]),
    stuck=np.array([[1, 0], [4, 2]]),
    loss=np.array([2.3, 2.3]),
    constant_loss=2.3,
    spread=np.array([0.5, 0.0]),
    scale=np.array([2.0, 0.0]),
    start_spread=0.5,
    tensors=("first.weight", "output.bias"),
    gradient_norms=np.array([[3.0, 4.0], [0.0, 0.5]]),
)
LOWER = Trained("lower-rate", "end", 90, 0.01, 0.5, math.inf, epochs=15.0)


def test_what_parts_say_of_a_step():
    nothing, one = np.zeros(1), np.ones(1)
    curvature = Curvature(
        *(np.array([10]), one, one, one, one),
        *(np.array([[7.0, 3.0]]), np.zeros((1, 2)), np.array([-0.5])),
        *(nothing, nothing, nothing, np.array([30]), 64, 64, 100),
    )
    sharpness = Sharpness(np.array([5, 10]), np.array([math.nan, 6.0]), np.ones(2), one, 32, 32)
    found = Measured(units=UNITS, curvature=curvature, sharpness=sharpness)
    assert found.at(0) == StateAtStep(
        *(0, 5.0, (), (), {"first": 0.25}, 0.25),
        moving=("first.weight", "output.bias"),
        tensors=2,
    )
    landed = found.at(10)
    # Outputs that are all zero don't depend on the input either.
    assert landed.logit_spread == 0.0
    assert landed.stuck_layers == ("first", "second")
    assert landed.moving == ("output.bias",)
    assert (landed.lambda_max, landed.lambda_min, landed.batch_sharpness) == (7.0, -0.5, 6.0)
    # Of no batch with a gradient there is no sharpness.
    assert found.at(5) == StateAtStep(5)
    assert found.steep_steps == (5, 10)
    assert Measured().at(0) == StateAtStep(0)


def test_what_came_of_trainings_is_there_only_if_something_did():
    assert list(Measured(units=UNITS, interventions=Interventions(reason="none")).there) == [
        "units"
    ]
    motion = MotionTrainings(50, None, None, LOWER, (), (), ())
    found = Measured(interventions=Interventions(motion=motion))
    assert list(found.there) == ["interventions"]
    assert found.branches == (LOWER,)
    escaped = EscapeTrainings(0.9, (replace(LOWER, start="best"),), ("a",), (), ())
    assert Measured(interventions=Interventions(escaped)).branches == escaped.branches
    assert Measured().branches == ()


def test_the_highest_of_a_number_is_the_worst_pairs():
    error = np.array([[0.0, 3.0, 1.0], [3.0, 0.0, math.nan], [1.0, math.nan, 0.0]])
    found = BarrierMatrices(loss=np.eye(3) * 9, ratio=error / 2, error=error)
    assert (found.highest.error, found.highest.ratio, found.highest.loss) == (3.0, 1.5, 0.0)
    assert (found.of((0, 2)).error, found.of((0, 2)).ratio) == (1.0, 0.5)
    unknown = np.where(np.eye(3, dtype=bool), 0.0, math.nan)
    assert math.isnan(replace(found, error=unknown).highest.error)


def test_every_part_has_a_record_and_parts_that_come_before():
    assert tuple(field.name for field in fields(Measured)) == NAMES
    for name in NAMES:
        assert record_type(name).__module__.startswith("landscape.store.measured.")
        assert all(NAMES.index(before) < NAMES.index(name) for before in NEEDS[name])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("units", UNITS),
        (
            "interventions",
            Interventions(
                EscapeTrainings(
                    0.9,
                    (LOWER, replace(LOWER, kind="control", start="best", constant=True)),
                    ("end-lower-rate", "best-control"),
                    (LeftAgain("best", 50, 10, 9, 0.55, 1.0),),
                    (ControlRepeat("best", 135, 135, 0.0),),
                ),
                reason="why not all",
                failed=("a: an error",),
            ),
        ),
    ],
)
def test_a_record_comes_back_as_it_was_stored(tmp_path, name, found):
    analysis.save(tmp_path, StoredPart(name, "f", 1.0, analysis.values(found)))
    back = record(name, analysis.load(tmp_path, name).values)
    assert type(back) is type(found)
    for field in fields(found):
        np.testing.assert_equal(getattr(back, field.name), getattr(found, field.name))


def test_data_sets_have_the_names_that_readers_of_the_file_know(tmp_path):
    escape = EscapeTrainings(0.9, (LOWER,), ("end-lower-rate",), (), ())
    part = StoredPart("interventions", "f", 1.0, analysis.values(Interventions(escape)))
    analysis.save(tmp_path, part)
    with h5py.File(tmp_path / analysis.NAME) as file:
        group = file["interventions"]
        assert set(group) == {"escape", "motion", "reason", "failed"}
        assert set(group["escape"]) == {"level", "branches", "names", "again", "controls"}
        assert set(group["escape/branches/0"]) == {
            *("kind", "start", "start_step", "learning_rate", "start_loss", "end_loss", "order"),
            *("velocity", "epochs", "constant"),
        }

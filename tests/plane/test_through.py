from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from landscape import plane
from landscape.errors import LandscapeError
from landscape.plane.named_weights import split
from landscape.plane.projection import project
from landscape.store.trajectories.trajectory import Event

from ..recorded import record


def at(where, point) -> np.ndarray:
    """The weights of a marked point, from the definition."""
    xy = np.array(point.xy)
    return where.origin.astype(np.float64) + xy @ where.directions.astype(np.float64)


@pytest.mark.parametrize("rows", [(0, 5, 11), (11, 3, 4)])
def test_weights_at_the_three_points(plant, walk, rows):
    weights = 3 + walk(12, 300)
    where = plane.through(plant(weights), *(10 * row for row in rows))
    assert [point.step for point in where.points] == [10 * row for row in rows]
    for point, row in zip(where.points, rows, strict=True):
        np.testing.assert_allclose(at(where, point), weights[row], rtol=1e-5, atol=1e-5)
    a, b, c = (np.array(point.xy) for point in where.points)
    assert a.tolist() == [0, 0]
    assert b[1] == pytest.approx(0, abs=1e-5)
    assert b[0] == pytest.approx(np.linalg.norm(weights[rows[1]] - weights[rows[0]]), rel=1e-6)
    assert c[1] > 0
    gram = where.directions.astype(np.float64) @ where.directions.T.astype(np.float64)
    np.testing.assert_allclose(gram, np.eye(2), atol=1e-6)
    assert where.unit == "distance in weight space"
    found = project(plant(weights), where)
    assert found.distance_from_plane[list(rows)].max() < 1e-4
    # The anchors of interpolated statistics are the same points.
    assert [anchor.xy for anchor in where.anchors] == [point.xy for point in where.points]


def test_labels_and_names(plant, walk):
    trajectory = plant(walk(12, 30), losses=[9, 8, 1, *range(2, 11)])
    where = plane.through(trajectory, "best", 50, "final")
    assert where.labels == ("best → step 50", "towards final, at a right angle to x")
    assert [point.name for point in where.points] == ["best", "step 50", "final"]
    assert (where.origin_name, where.origin_step) == ("best", 20)


def test_weights_of_another_run(plant, walk):
    mine, other = walk(4, 30), walk(4, 30, seed=1)
    trajectory, beside = plant(mine), plant(other)
    record(beside.path.parent)
    for name in (beside.path.parent, beside.path.parent.name):
        where = plane.through(trajectory, 0, "final", f"{name}@20")
        np.testing.assert_allclose(at(where, where.points[2]), other[2], rtol=1e-5, atol=1e-5)
        assert where.points[2].name == f"{name}@20"


def test_another_layout_is_refused(plant, walk):
    trajectory, beside = plant(walk(4, 30)), plant(walk(4, 29))
    record(beside.path.parent)
    name = beside.path.parent.name
    with pytest.raises(LandscapeError) as caught:
        plane.through(trajectory, 0, 10, f"{name}@20")
    assert str(caught.value) == (
        f"run {name} must have the parameters of the run that is scanned, "
        "got weight (1, 29) against weight (1, 30); give a run of the same model"
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            (0, 0, 20),
            "the weights 0, 0, 20 must span a plane, two of them coincide; give others",
        ),
        (
            (0, 10, 30),
            "the weights 0, 10, 30 must span a plane, these lie on one line; give others",
        ),
    ],
)
def test_three_on_a_line_are_refused(plant, rows, message):
    trajectory = plant(np.outer(np.arange(4.0), np.linspace(1, 2, 30)))
    with pytest.raises(LandscapeError) as caught:
        plane.through(trajectory, *rows)
    assert str(caught.value) == message


def test_a_line_through_two(plant, walk):
    weights = walk(12, 300)
    where = plane.line_through(plant(weights), 30, "final")
    assert (where.kind, where.directions.shape) == ("line", (1, 300))
    assert where.labels == ("step 30 → final",)
    distance = np.linalg.norm(weights[11].astype(np.float64) - weights[3])
    assert [point.xy for point in where.points] == [(0,), (pytest.approx(distance, rel=1e-6),)]


def escape(rows=12):
    """Best at row 3, a peak of 9 at row 6, then a plateau of 2.3."""
    return [2.3, 2, 1, 0.2, 0.9, 2.2, 9, 2.31, *[2.3] * (rows - 8)]


def test_event_goes_through_best_peak_and_end(plant, walk):
    weights = walk(12, 40)
    where = plane.event(plant(weights, losses=escape()), constant_loss=2.3)
    assert where.kind == "event"
    assert [(p.name, p.step) for p in where.points] == [("best", 30), ("peak", 60), ("end", 110)]
    for point, row in zip(where.points, (3, 6, 11), strict=True):
        np.testing.assert_allclose(at(where, point), weights[row], rtol=1e-5, atol=1e-5)


def test_event_without_a_peak_takes_the_arrival_on_the_plateau(plant, walk):
    losses = [2.3, 2, 1, 0.2, 0.9, 1.4, 2.25, 2.31, 2.33, 2.3, 2.3, 2.3]
    where = plane.event(plant(walk(12, 40), losses=losses), constant_loss=2.3)
    assert [(p.name, p.step) for p in where.points] == [("best", 30), ("arrival", 60), ("end", 110)]
    assert where.labels[0] == "best → arrival"


def test_event_takes_the_recorded_escape(plant, walk):
    losses = escape()
    losses[4] = 20  # a spike that ended
    trajectory = plant(walk(12, 40), losses=losses)
    known = replace(trajectory, events=(Event("escape", 50, 110, "loss"),))
    assert plane.event(trajectory, constant_loss=2.3).points[1].step == 40
    assert plane.event(known, constant_loss=2.3).points[1].step == 60


def test_an_escape_by_name_is_one_whatever_the_reference(plant, walk):
    losses = [2.4, 0.01, 0.0005, 0.3, 0.5, 0.4]
    trajectory = plant(walk(6, 40), losses=losses)
    known = replace(trajectory, events=(Event("escape", 30, 50, "loss"),))
    for constant_loss in (math.nan, 2.4):
        with pytest.raises(LandscapeError, match="rose and stayed"):
            plane.event(trajectory, constant_loss=constant_loss)
        where = plane.event(known, constant_loss=constant_loss)
        assert [(p.name, p.step) for p in where.points] == [("best", 20), ("peak", 40), ("end", 50)]


def test_event_needs_an_escape(plant, walk):
    with pytest.raises(LandscapeError) as caught:
        plane.event(plant(walk(4, 30), losses=[2, 0.5, 0.25, 0.3]), constant_loss=2.3)
    assert str(caught.value) == (
        "plane event needs a run whose loss rose and stayed, this one ends at 0.3 with 0.25 at "
        "best; take plane drift or along"
    )
    with pytest.raises(LandscapeError) as caught:
        plane.event(plant(walk(3, 30), losses=[2, 0.5, 2.3]), constant_loss=2.3)
    assert str(caught.value) == (
        "plane event needs a recorded loss between the best weights (step 10) and the end "
        "(step 20), found none; take plane along"
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("best,450,final", ("best", "450", "final")),
        ("best,lr=0.1,seed=2@best,final", ("best", "lr=0.1,seed=2@best", "final")),
        ("a/b@3,c@best,d,e@final", ("a/b@3", "c@best", "d,e@final")),
        ("x,y,z", ("x", "y", "z")),
    ],
)
def test_places_are_split_at_their_commas(text, parts):
    assert split(text, 3, kind="through") == parts


@pytest.mark.parametrize("text", ["", "best", "best,final", "1,2,3,4", "1,,3"])
def test_another_number_of_places(text):
    with pytest.raises(LandscapeError) as caught:
        split(text, 3, kind="through")
    assert str(caught.value) == (
        "plane through needs 3 weights, through:A,B,C, each [RUN@]STEP, best or final; "
        f"got through:{text}"
    )

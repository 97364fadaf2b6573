"""`landscape.scan.grid`: what ``landscape scan`` does to a file, in one call."""

from __future__ import annotations

import numpy as np
import pytest

from landscape import plane, scan
from landscape.errors import LandscapeError
from landscape.quantities import percent
from landscape.scan.prepare import prepare

from .requests import asked


@pytest.fixture
def made(problem, trained):
    where = problem("dense", 300)
    return where, trained(where, count=60)


def assert_same(found, stored):
    for name, values in stored.measures.items():
        np.testing.assert_array_equal(found.measures[name], values)
    np.testing.assert_array_equal(found.x, stored.x)
    np.testing.assert_array_equal(found.paths[0].plane_loss, stored.paths[0].plane_loss)
    assert found.findings == stored.findings
    assert found.remarks == stored.remarks
    assert [point.name for point in found.points] == [point.name for point in stored.points]


def test_a_tolerance_against_every_point_measured(made, finish):
    where, run = made
    view = plane.random(run.trajectory)
    exact = scan.grid(where, view, size=31, tolerance=0)
    near = scan.grid(where, view, run.trajectory, size=31, tolerance=0.05)
    assert exact.measured.all()
    assert near.measured.mean() < 0.35
    assert near.certificate.passed
    for name in ("train_loss", "validation_loss"):
        off = np.abs(near.measures[name] / exact.measures[name] - 1)
        assert off[near.measured].max() < 1e-5
        assert np.quantile(off, 0.95) <= 0.05
    [job] = prepare(run, where, asked(kinds=("random",), size="31", tolerance=0.05))
    stored = finish(job)
    assert_same(near, stored)
    np.testing.assert_array_equal(near.certificate.xy, stored.certificate.xy)
    assert near.remarks[0].startswith(f"{percent(near.measured.mean())} of the points are measured")


def test_a_width_without_a_trajectory(made):
    where, run = made
    found = scan.grid(where, plane.line(run.trajectory), size=21, extent=4)
    assert found.findings["width"]["rays"] == 2
    assert any(text.startswith("Width r₀.₁") for text in found.remarks)


def test_a_line_between_two_weights_has_its_barrier(made, finish):
    where, run = made
    view = plane.line_through(run.trajectory, 0, "final")
    found = scan.grid(where, view, run.trajectory, size=11, extent="auto")
    [job] = prepare(run, where, asked(kinds=("line:0,final",), size="11"))
    stored = finish(job)
    assert stored.findings["barrier"]["train_nats"] is not None
    assert_same(found, stored)


def test_an_extent_around_an_origin_says_where_it_comes_from(made, finish):
    where, run = made
    view = plane.hessian(where, run.trajectory)
    found = scan.grid(where, view, run.trajectory, size=3, extent="auto", rise=1.5)
    [job] = prepare(run, where, asked(kinds=("hessian",), size="3", rise=1.5))
    stored = finish(job)
    assert "The grid reaches to where the loss is 1.5 times the origin's." in stored.remarks
    assert_same(found, stored)


def test_further_measures(made, finish):
    where, run = made
    view = plane.random(run.trajectory)
    found = scan.grid(where, view, run.trajectory, size=2, measures=("gradient-norm",))
    [job] = prepare(run, where, asked(kinds=("random",), size="2", measures=("gradient-norm",)))
    assert "gradient_norm" in found.measures
    assert_same(found, finish(job))


def test_paths_of_a_scan_on_a_subset_are_measured_on_all_samples(made, finish):
    where, run = made
    [job] = prepare(run, where, asked(kinds=("random",), size="9", samples=100, tolerance=0.0))
    stored = finish(job)
    about = {"size": 9, "samples": 100, "tolerance": 0}
    found = scan.grid(where, plane.random(run.trajectory), run.trajectory, **about)
    assert found.samples == stored.samples == {"train": 100, "validation": 20}
    assert_same(found, stored)
    for name, values in stored.errors.items():
        np.testing.assert_array_equal(found.errors[name], values)
    recorded = run.trajectory.measures["train_loss"]
    np.testing.assert_array_equal(found.paths[0].true_loss, recorded)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"tolerance": -0.1},
            "tolerance must be from 0 (measure every point) to below 1, got -0.1",
        ),
        ({"samples": 301}, "samples must be between 2 and the 300 there are for training, got 301"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        (
            {"measures": ("entropy",)},
            "measure must be one of loss, accuracy, gradient-norm, sharpness, convexity, "
            "got entropy",
        ),
    ],
)
def test_what_cannot_be(made, options, message):
    where, run = made
    with pytest.raises(LandscapeError) as caught:
        scan.grid(where, plane.random(run.trajectory), size=5, **options)
    assert str(caught.value) == message

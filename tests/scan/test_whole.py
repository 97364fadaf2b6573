"""`landscape.scan.grid`: what ``landscape scan`` does to a file, in one call."""

from __future__ import annotations

import numpy as np
import pytest

from landscape import scan
from landscape.errors import LandscapeError
from landscape.plane import random
from landscape.quantities import percent
from landscape.scan.jobs import Request, prepare


@pytest.fixture
def made(problem, trained):
    where = problem("dense", 300)
    run = trained(where, count=60)
    return where, run, random(run.trajectory)


def test_a_tolerance_against_every_point_measured(made):
    where, run, plane = made
    exact = scan.grid(where, plane, size=31)
    near = scan.grid(where, plane, run.trajectory, size=31, tolerance=0.05)
    assert exact.measured.all()
    assert near.measured.mean() < 0.35
    assert near.certificate.passed
    for name in ("train_loss", "validation_loss"):
        off = np.abs(near.measures[name] / exact.measures[name] - 1)
        assert off[near.measured].max() < 1e-5
        assert np.quantile(off, 0.95) <= 0.05
    [remark] = near.remarks
    assert remark.startswith(f"{percent(near.measured.mean())} of the points are measured")
    assert np.isfinite(near.paths[0].plane_loss).any()


def test_it_is_what_the_command_stores(made, finish):
    where, run, plane = made
    [job] = prepare(run, where, Request(kinds=("random",), size="9", samples=100))
    stored = finish(job)
    found = scan.grid(where, plane, run.trajectory, size=9, samples=100)
    assert found.samples == stored.samples == {"train": 100, "validation": 20}
    for name, values in stored.measures.items():
        np.testing.assert_allclose(found.measures[name], values, rtol=1e-6)
        np.testing.assert_allclose(found.errors[name], stored.errors[name], rtol=1e-5, atol=1e-9)
    # Paths are measured on all samples.
    np.testing.assert_allclose(found.paths[0].true_loss, stored.paths[0].true_loss, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"tolerance": -0.1},
            "tolerance must be from 0 (measure every point) to below 1, got -0.1",
        ),
        ({"samples": 301}, "samples must be between 2 and the 300 there are for training, got 301"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
    ],
)
def test_what_cannot_be(made, options, message):
    where, _, plane = made
    with pytest.raises(LandscapeError) as caught:
        scan.grid(where, plane, size=5, **options)
    assert str(caught.value) == message

"""Scans of several runs that are to be compared."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.errors import LandscapeError
from landscape.scan.prepare import alike, prepare

from .requests import asked


@pytest.fixture
def runs(problem, trained):
    made = problem()
    return made, [trained(made), trained(made, lr=1.0)]


def jobs_of(runs, **options):
    made, there = runs
    return [prepare(run, made, asked(**options))[0] for run in there]


def test_one_extent(runs):
    jobs = jobs_of(runs, kinds=("pca",), size="5")
    first, second = alike(jobs)
    np.testing.assert_array_equal(first.scan.x, second.scan.x)
    np.testing.assert_array_equal(first.scan.y, second.scan.y)
    assert first.scan.x[0] == min(job.scan.x[0] for job in jobs)
    assert first.scan.y[-1] == max(job.scan.y[-1] for job in jobs)


def test_lines_between_two_weights_keep_their_barriers(runs, finish):
    jobs = jobs_of(runs, kinds=("line:0,final",), size="11")
    ends = [job.scan.settings["between"][1] for job in jobs]
    assert ends[0] != ends[1]
    for run, job in zip(runs[1], alike(jobs), strict=True):
        scan = finish(job)
        losses = run.trajectory.measures["train_loss"][[0, -1]]
        assert scan.findings["barrier"]["train_nats"] is not None
        # Both ends at the same places of each grid, a fifth of it away from its own.
        np.testing.assert_allclose(scan.measures["train_loss"][[2, 8]], losses, rtol=1e-5)


def test_a_line_at_an_extent_without_its_weights_is_moved(runs):
    asked_for = {"kinds": ("line:0,final",), "size": "5", "extent": "-1:0.3", "unit": "distance"}
    first, second = alike(jobs_of(runs, **asked_for))
    np.testing.assert_array_equal(first.scan.x, second.scan.x)


def test_the_reason_of_an_extent_is_that_of_the_one_it_was_moved_to(runs, finish):
    jobs = jobs_of(runs, kinds=("hessian",), size="3", rise=1.5)
    own = [float(job.scan.x[-1]) for job in jobs]
    assert own[0] != own[1]
    said = []
    for job in alike(jobs):
        scan = finish(job)
        assert scan.x[-1] == max(own)
        said.append(next(text for text in scan.remarks if text.startswith("The grid reaches")))
    widest = own.index(max(own))
    assert said[widest] == "The grid reaches to where the loss is 1.5 times the origin's."
    assert said[1 - widest] == (
        "The grid reaches as far as those of the scans that it is compared with."
    )


def test_grids_of_other_sizes_are_refused(runs):
    [first, _], [_, second] = (jobs_of(runs, kinds=("pca",), size=size) for size in ("5", "5x3"))
    with pytest.raises(LandscapeError) as caught:
        alike([first, second])
    assert str(caught.value) == "scans to be compared must be of one size, got 5x5, 5x3"

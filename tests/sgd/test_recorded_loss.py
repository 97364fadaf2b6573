"""A problem must have the training loss that its run recorded, wherever its code lies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import landscape as ls
from landscape.errors import LandscapeError
from landscape.plane.choice import PlaneChoice
from landscape.scan.prepare import prepare
from landscape.scan.request import GridChoice, Request
from landscape.sgd.recorded_loss import measured_again

X = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
DATA = (X, (X[:, 0] > 0).long())


def problem(times: float = 1.0, **more) -> ls.Problem:
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2))

    def loss(outputs, targets):
        return times * cross_entropy(outputs, targets, reduction="none")

    return ls.Problem(net, DATA, loss=loss, **more)


@pytest.fixture
def folder(tmp_path):
    ls.train(problem(), lr=0.3, epochs=4, batch_size=20, to=tmp_path / "run")
    return tmp_path / "run"


def test_the_lowest_recorded_loss_is_found_again(folder):
    run = ls.open(folder, problem())
    again = measured_again(run.stored, run.problem)
    trajectory = run.stored.trajectory
    row = int(np.argmin(trajectory.measures["train_loss"]))
    net = problem().model
    torch.nn.utils.vector_to_parameters(
        torch.from_numpy(trajectory.row_weights(row)), net.parameters()
    )
    assert again.same
    assert again.step == trajectory.step[row]
    assert again.now == pytest.approx(cross_entropy(net(X), DATA[1]).item(), rel=1e-5)


def test_another_loss_is_refused_unless_it_is_accepted(folder):
    lowest = np.min(ls.open(folder, problem()).stored.trajectory.measures["train_loss"])
    with pytest.raises(LandscapeError, match=f"recorded, {lowest:.4g}, got {2 * lowest:.4g}: its"):
        ls.open(folder, problem(2.0)).scan("random", size=5)
    assert ls.open(folder, problem(2.0), accept_changes=True).problem is not None


@pytest.mark.parametrize("plane", ["valley", "along"])
def test_an_accepted_loss_is_measured_everywhere(folder, plane):
    """No recorded value of the other loss stands among its own: all are twice what they were."""
    asked = {"size": 5, "exact": True, "overwrite": True}
    once = ls.open(folder, problem()).scan(plane, **asked).stored  # read before it is replaced
    twofold = ls.open(folder, problem(2.0), accept_changes=True)
    with pytest.warns(UserWarning, match="recorded other training losses than this problem has"):
        twice = twofold.scan(plane, **asked).stored
    was, now = once.measures["train_loss"], twice.measures["train_loss"]
    np.testing.assert_allclose(now, 2 * was, rtol=1e-5)
    if plane == "along":
        np.testing.assert_allclose(twice.paths[0].true_loss, 2 * once.paths[0].true_loss, rtol=1e-5)


def test_a_run_of_another_loss_beside_it_is_measured_by_this_one(folder, tmp_path):
    ls.train(problem(3.0), lr=0.1, epochs=4, batch_size=20, to=tmp_path / "other")
    run, other = ls.open(folder, problem()), ls.open(tmp_path / "other", problem(3.0))
    request = Request(PlaneChoice(kinds=("along",)), GridChoice(size="5"))
    with pytest.warns(UserWarning, match="other recorded other training losses"):
        [job] = prepare(run.stored, run.problem, request, also=[other.stored])
    *_, scan = job.run()
    recorded = other.stored.trajectory.measures["train_loss"]
    np.testing.assert_allclose(scan.paths[1].true_loss, recorded / 3, rtol=1e-5)


def test_what_was_recorded_without_losses_is_not_compared(folder):
    stored = ls.open(folder, problem()).stored
    trajectory = stored.trajectory
    nothing = {name: np.full(len(v), np.nan) for name, v in trajectory.measures.items()}
    blank = replace(stored, measured_anew=replace(trajectory, measures=nothing))
    assert measured_again(blank, problem(2.0)) is None

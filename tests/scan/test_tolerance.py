"""Tolerances and subsets of samples on real networks, into files and back."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.problem.evaluate import Evaluator
from landscape.quantities import percent
from landscape.scan import subset
from landscape.scan.prepare import prepare
from landscape.scan.refine.preview import preview
from landscape.scan.refine.until_tolerance import COARSEST
from landscape.store.scans import scanfile

from .requests import asked, but

EXACT = asked(kinds=("random",), size="31", tolerance=0.0)
NEAR = but(EXACT, tolerance=0.05)


@pytest.fixture
def made(problem, trained):
    """A problem, a run on it, and its scan in which every point is measured."""
    where = problem("dense", 300)
    run = trained(where, count=60)
    [job] = prepare(run, where, EXACT, name="exact")
    for _ in job.run():
        pass
    return where, run, scanfile.load(job.path)


def test_a_tolerance_is_kept_and_stored(made, finish):
    where, run, exact = made
    [job] = prepare(run, where, NEAR)
    scan = finish(job)
    assert scan.complete
    assert scan.measured.mean() < 0.35
    for name in ("train_loss", "validation_loss"):
        off = np.abs(scan.measures[name] / exact.measures[name] - 1)
        assert off[scan.measured].max() < 1e-5
        assert np.quantile(off, 0.95) <= 0.05
        assert off.max() <= 0.15
    with h5py.File(job.path) as file:
        assert file.attrs["tolerance"] == 0.05
        assert file.attrs["complete"]
        assert file["certificate"].attrs["passed"]
        assert file["certificate/x"].shape == file["certificate/train_loss_measured"].shape == (32,)
        assert not file["grid/measured"][:].all()
        assert (file["grid/train_loss_error"][:] > 0).sum() == (~scan.measured).sum()
        caps = json.loads(file["certificate"].attrs["caps"])
        assert caps == dict.fromkeys(("train_loss", "validation_loss"), 2 * scan.constant_loss)
        assert file["certificate/expected_below"].shape == (32,)
    assert scan.samples_evaluated == scan.measured.sum() * 320
    assert scan.remarks[0] == (
        f"{percent(scan.measured.mean())} of the points are measured, the others interpolated to "
        f"within 5 % of the loss (above the cap, {2 * scan.constant_loss:.4g}, to within a factor "
        "1.5)."
    )
    [again] = prepare(run, where, NEAR, resume=True)
    assert again.finished


@pytest.mark.slow
@pytest.mark.parametrize("done", [1, 30, 60, -1])
def test_an_interrupted_one_ends_as_if_it_had_not_been(made, finish, done):
    where, run, _ = made
    [job] = prepare(run, where, NEAR, name="whole")
    whole = finish(job)
    if done < 0:  # before the last point
        done += int(whole.measured.sum())
    [job] = prepare(run, where, NEAR)
    going = job.run()
    for _ in range(done):
        next(going)
    going.close()
    stopped = scanfile.load(job.path)
    assert not stopped.complete
    assert stopped.measured.sum() == done
    assert np.isnan(stopped.measures["train_loss"]).sum() == 31 * 31 - done
    [job] = prepare(run, where, NEAR, resume=True)
    scan = finish(job)
    np.testing.assert_array_equal(scan.measured, whole.measured)
    for name, values in whole.measures.items():
        np.testing.assert_array_equal(scan.measures[name], values)
        np.testing.assert_array_equal(scan.errors[name], whole.errors[name])
    np.testing.assert_array_equal(scan.certificate.xy, whole.certificate.xy)
    assert scan.samples_evaluated == whole.samples_evaluated


def test_resuming_with_another_tolerance_or_subset_is_refused(made, finish):
    where, run, _ = made
    [job] = prepare(run, where, NEAR)
    next(job.run())
    for change, said in (
        ({"tolerance": 0.1}, "tolerance is 0.05, got 0.1; give --tolerance 0.05"),
        ({"cap": "3"}, "cap is auto, got 3; give --cap auto"),
        ({"samples": 50}, "number of samples is none, got 50; leave --samples out"),
    ):
        with pytest.raises(LandscapeError) as caught:
            prepare(run, where, but(NEAR, **change), resume=True)
        assert str(caught.value) == (
            f"resume needs the settings that {job.path} was started with, its {said}, "
            "or drop --resume and give another --name"
        )


def test_a_subset_of_the_samples_and_its_standard_error(made, finish):
    where, run, _ = made
    [job] = prepare(run, where, but(EXACT, size="5", samples=100))
    scan = finish(job)
    assert scan.samples == {"train": 100, "validation": 20}
    assert scan.measured.all()
    few, population = subset.of(where, 100, seed=0)
    assert population == {"train": 300, "validation": 20}
    model = where.model
    inputs, targets = few.train
    wanted = scan.plane.origin + scan.x[1] * scan.plane.directions[0].astype(np.float64)
    torch.nn.utils.vector_to_parameters(torch.tensor(wanted).float(), model.parameters())
    with torch.no_grad():
        outputs = model.eval()(inputs).double()
        losses = functional.cross_entropy(outputs, targets, reduction="none")
    assert scan.measures["train_loss"][1, 2] == pytest.approx(float(losses.mean()), rel=1e-6)
    error = float(losses.std()) / 10 * np.sqrt(1 - 100 / 300)
    assert scan.errors["train_loss"][1, 2] == pytest.approx(error, rel=1e-5)
    share = scan.measures["train_accuracy"][1, 2]
    error = np.sqrt(share * (1 - share) / 99 * (1 - 100 / 300))
    assert scan.errors["train_accuracy"][1, 2] == pytest.approx(error, rel=1e-9)
    # All of the validation data: nothing is left to chance.
    np.testing.assert_array_equal(scan.errors["validation_loss"], 0)


def test_the_standard_error_is_that_of_subsets(problem):
    where = problem("dense", 300)
    whole = Evaluator(where).on_train(where.model.eval()).loss
    off, stated = [], []
    for seed in range(200):
        few, population = subset.of(where, 60, seed=seed)
        inputs, targets = few.train
        with torch.no_grad():
            outputs = where.model(inputs).double()
            losses = functional.cross_entropy(outputs, targets, reduction="none")
        off.append(float(losses.mean()) - whole)
        stated.append(float(losses.std()) * np.sqrt((1 - 60 / population["train"]) / 60))
    assert np.std(off) == pytest.approx(np.mean(stated), rel=0.15)


def test_exact_points_correct_the_bias_of_a_subset(made, finish):
    where, run, exact = made
    [job] = prepare(run, where, but(NEAR, samples=60))
    scan = finish(job)
    few = np.abs(scan.subset["train_loss"] / exact.measures["train_loss"] - 1)
    off = np.abs(scan.measures["train_loss"] / exact.measures["train_loss"] - 1)
    assert np.quantile(off, 0.95) <= 0.05 < np.quantile(few, 0.95)
    assert scan.certificate.passed
    assert scan.samples_evaluated == 31 * 31 * 80 + scan.measured.sum() * 320


def test_more_samples_than_there_are(made):
    where, run, _ = made
    with pytest.raises(LandscapeError) as caught:
        prepare(run, where, but(EXACT, samples=400), name="many")
    assert str(caught.value) == (
        "samples must be between 2 and the 300 there are for training, got 400"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tolerance": 1.0},
            "tolerance must be from 0 (measure every point) to below 1, got 1",
        ),
        ({"samples": 1}, "samples must be between 2 and the 300 there are for training, got 1"),
        ({"save_seconds": -1.0}, "save-every must be at least 0, got -1"),
        (
            {"planes": 3, "samples": 10},
            "samples are for a single plane, got 3 planes; drop --planes or --samples",
        ),
        (
            {"cap": "0"},
            "cap must be auto (twice the loss of ignoring the input), none or a number above 0, "
            "got 0",
        ),
    ],
)
def test_what_cannot_be(made, changes, message):
    where, run, _ = made
    with pytest.raises(LandscapeError) as caught:
        prepare(run, where, but(EXACT, **changes), name="other")
    assert str(caught.value) == message


def test_a_preview_shows_all_of_the_plane_after_a_few_per_cent(made):
    where, run, exact = made
    [job] = prepare(run, where, EXACT, name="previewed")
    going = job.run()
    seen = [preview(next(going)) for _ in range(49)]
    going.close()
    assert seen[:48] == [None] * 48
    first = seen[48]
    assert first.measured.sum() == 49
    assert np.isfinite(first.measures["train_loss"]).all()
    off = np.abs(first.measures["train_loss"] / exact.measures["train_loss"] - 1)
    assert np.median(off) < 0.1
    assert np.isnan(scanfile.load(job.path).measures["train_loss"]).sum() == 31 * 31 - 49


def test_an_unfinished_tolerance_scan_has_a_preview_from_its_first_grid_on(made):
    where, run, exact = made
    [job] = prepare(run, where, NEAR, name="unfinished")
    first = COARSEST**2
    going = job.run()
    seen = [preview(next(going)) for _ in range(first)]
    going.close()
    assert seen[:-1] == [None] * (first - 1)
    off = np.abs(seen[-1].measures["train_loss"] / exact.measures["train_loss"] - 1)
    assert np.median(off) < 0.1
    assert np.isnan(scanfile.load(job.path).measures["train_loss"]).sum() == 31 * 31 - first

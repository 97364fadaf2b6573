from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import torch

from landscape.errors import LandscapeError
from landscape.scan.prepare import prepare, prepare_still
from landscape.store.scans import scanfile, valleyfile

from .requests import asked, but

SMALL = asked(kinds=("random",), size="5x3")


def test_the_two_planes_of_a_scan(problem, trained, finish):
    made = problem()
    run = trained(made)
    made_ready = prepare(run, made, asked(kinds=("random", "along"), size="3"))
    folder = run.folder / "scans"
    assert [job.path for job in made_ready] == [
        folder / "random-final-0.h5",
        folder / "along-final-0.h5",
    ]
    assert not any(job.path.exists() for job in made_ready)
    random, along = (finish(job) for job in made_ready)
    assert (random.plane.kind, along.plane.kind) == ("random", "along")
    assert random.x.tolist() == random.y.tolist() == [-1, 0, 1]
    for scan in (random, along):
        assert scan.complete
        assert (scan.run_id, scan.run_name) == (run.id, run.name)
        counts = torch.bincount(made.train[1]).double() / 50
        assert scan.constant_loss == pytest.approx(-float((counts * counts.log()).sum()))
        np.testing.assert_array_equal(scan.paths[0].step, run.trajectory.step)
        assert scan.paths[0].run_id == run.id
        assert [point.name for point in scan.points] == ["start", "best", "end"]
    low, high = along.paths[0].xy.min(0), along.paths[0].xy.max(0)
    assert along.x[0] < low[0]
    assert high[0] < along.x[-1]
    assert along.y[0] < low[1]
    assert high[1] < along.y[-1]


def test_a_scan_s_file_says_how_its_run_was_trained(problem, trained, finish):
    made = problem()
    run = trained(made)
    [plane, valley] = prepare(run, made, asked(kinds=("random", "valley"), size="3x3"))
    finish(plane)
    for kept in (scanfile.load(plane.path), valley.scan):
        known = kept.provenance["training"]
        settings = {name: known["settings"][name] for name in ("lr", "batch_size", "optimizer")}
        assert settings == {"lr": 0.3, "batch_size": 10, "optimizer": "sgd"}
        assert known["problem"] == {"kind": "python"}
    still = prepare_still(made, asked(kinds=("random",), size="3"))
    assert "training" not in still.scan.provenance


def test_request_reaches_the_plane(problem, trained, finish):
    made = problem()
    run = trained(made)
    request = asked(
        kinds=("line",), at="6", size="4", extent="-2:1", seed=5, normalize="layer", include_1d=True
    )
    [job] = prepare(run, made, request)
    assert job.path.name == "line-6-5.h5"
    scan = finish(job)
    where = scan.plane
    assert (where.kind, where.seed, where.normalization) == ("line", 5, "layer")
    assert (where.ignored, where.origin_step, where.origin_name) == ("none", 6, "6")
    assert scan.x.tolist() == [-2, -1, 0, 1]
    [named] = prepare(run, made, SMALL, name="mine")
    assert named.path.name == "mine.h5"


def test_progress_counts_every_yield(problem, trained):
    made = problem("normalized")
    run = trained(made)
    for job in prepare(run, made, asked(kinds=("random", "along"), size="3")):
        rays = 1 + 4 * 13 if job.scan.plane.kind == "random" else 0
        total = job.total
        assert total == 9 + rays + len(run.trajectory.step)
        yielded = list(job.run())
        if rays:  # what the grid tells of a ray isn't measured
            total -= rays - yielded[-1].findings["width"]["crossings"]["losses"]
        assert len(yielded) == total
        saved = scanfile.load(job.path)
        np.testing.assert_array_equal(saved.paths[0].true_loss, yielded[-1].paths[0].true_loss)
        assert saved.points == yielded[-1].points


def test_progress_says_what_it_counts(problem, trained):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    path, rays = len(run.trajectory.step), 1 + 4 * 13
    assert job.counted == f"at most 15 grid points, {rays} points on rays and {path} path points"
    assert job.total == 15 + rays + path


def test_an_existing_scan_is_refused_or_replaced(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    finish(job)
    before = job.path.read_bytes()
    with pytest.raises(LandscapeError) as caught:
        # One of two is there: neither is begun.
        prepare(run, made, asked(size="3"))
    assert str(caught.value) == (
        f"a new scan needs a new name, {job.path} exists; go on with --resume, "
        "replace it with --overwrite, or give another --name"
    )
    assert job.path.read_bytes() == before
    [again] = prepare(run, made, asked(kinds=("random",), size="3"), overwrite=True)
    assert job.path.read_bytes() == before
    assert finish(again).measured.shape == (3, 3)


def test_of_a_damaged_scan_that_would_stay_the_damage_is_said(problem, trained):
    made = problem()
    run = trained(made)
    path = run.scan("valley-random-0")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"no scan")
    with pytest.raises(LandscapeError) as caught:
        valleyfile.load(path)
    damage = str(caught.value)
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, asked(size="3"))
    assert str(caught.value) == damage
    assert "exists" not in damage


@pytest.mark.parametrize(
    ("changes", "name", "message"),
    [
        (
            {"kinds": ("random", "pcb")},
            None,
            "plane must be one of random, along, pca, through:A,B,C, hessian, gradient, line, "
            "line:A,B, event, drift, sharpest, valley, got pcb; did you mean pca?",
        ),
        (
            {"kinds": ("random", "along")},
            "mine",
            "name needs a single plane, got random, along; choose one with --plane",
        ),
        (
            {"size": "1"},
            None,
            "size must be at least 2 and at most 501, got 1",
        ),
        (
            {"extent": "0"},
            None,
            "extent must have its minimum below its maximum, got 0",
        ),
        (
            {"at": "7"},
            None,
            "step 7 must be a recorded one, the nearest are 6 and 9",
        ),
        (
            {"normalize": "model"},
            None,
            "normalize must be one of filter, layer, weight, none, got model",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_evaluated(
    problem, trained, changes, name, message
):
    made = problem()
    run = trained(made)
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, asked(**({"kinds": ("random",)} | changes)), name=name)
    assert str(caught.value) == message
    assert list((run.folder / "scans").iterdir()) == []


def test_weights_without_a_run_have_one_plane_at_a_time(problem):
    with pytest.raises(LandscapeError) as caught:
        prepare_still(problem(), asked(kinds=("random", "line")))
    assert str(caught.value) == "one plane is scanned at a time, got random, line"


def test_a_valley_is_of_the_recorded_losses(problem, trained):
    made = problem()
    run = trained(made, weight_decay=0.1)
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, asked(kinds=("valley",), with_weight_decay=True))
    assert str(caught.value) == (
        "a valley is of the recorded losses, got with-weight-decay; take another plane for it"
    )


def test_progress_is_saved_on_the_way(problem, trained):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, but(SMALL, save_seconds=0.0))
    counts = []
    for _ in job.run():
        there = job.path.exists()
        counts.append(int(scanfile.load(job.path).measured.sum()) if there else 0)
    assert counts[:5] == [0, 1, 2, 3, 4]


def test_the_file_is_plain_hdf5(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    finish(job)
    with h5py.File(job.path) as file:
        attributes = dict(file.attrs)
        assert attributes["format"] == "landscape-scan"
        assert attributes["complete"]
        assert attributes["tolerance"] == 0
        assert attributes["batchnorm"] == "saved"
        assert abs(attributes["cosine"]) < 1
        assert json.loads(attributes["strategy"])["name"] == "sequential"
        assert file["plane/origin"].shape == (43,)
        assert file["plane/directions"].shape == (2, 43)
        assert file["grid/train_loss"].shape == (5, 3)
        assert file["grid/train_loss"].dtype == np.float64
        assert file["grid/measured"][:].all()
        assert file["path/0/xy"].shape == (11, 2)
        assert file["points/name"].asstr()[:].tolist() == ["start", "best", "end"]

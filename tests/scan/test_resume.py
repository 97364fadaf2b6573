from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional

from landscape.errors import LandscapeError
from landscape.scan import PointEvaluator
from landscape.scan.prepare import prepare
from landscape.scan.speed import choosing
from landscape.store.scans import scanfile
from landscape.store.scans.records import Scan

from ..sealing import sealed
from .requests import asked, but

SMALL = asked(kinds=("random",), size="5x3")


def assert_same(first: Scan, second: Scan) -> None:
    assert first.measures.keys() == second.measures.keys()
    for name, values in first.measures.items():
        np.testing.assert_array_equal(values, second.measures[name])
    np.testing.assert_array_equal(first.measured, second.measured)
    for one, other in zip(first.paths, second.paths, strict=True):
        for name in ("step", "xy", "distance_from_plane", "true_loss", "plane_loss"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert first.points == second.points


@contextmanager
def evaluating_at_most(count: int, monkeypatch) -> Iterator[list[float]]:
    """Interrupt the evaluator, grid and path, when it has done so many points."""
    done: list[float] = []

    def counted(name: str):
        measure = getattr(PointEvaluator, name)

        def measured(self, xy):
            if len(done) == count:
                raise KeyboardInterrupt
            done.append(xy)
            return measure(self, xy)

        return measured

    with monkeypatch.context() as patch:
        for name in ("at", "train_loss_at"):
            patch.setattr(PointEvaluator, name, counted(name))
        yield done


@pytest.mark.parametrize("done", [0, 1, 7, 14])
@pytest.mark.parametrize("model", ["dense", "normalized"])
def test_an_interrupted_grid_is_resumed(problem, trained, monkeypatch, model, done, finish):
    made = problem(model)
    run = trained(made)
    [whole] = prepare(run, made, SMALL, name="whole")
    uninterrupted = finish(whole)
    [job] = prepare(run, made, SMALL)
    with evaluating_at_most(done, monkeypatch), pytest.raises(KeyboardInterrupt):
        finish(job)

    with h5py.File(job.path) as file:
        assert not file.attrs["complete"]
        measured = file["grid/measured"][:]
        losses = file["grid/train_loss"][:]
        assert "path" not in file
    assert measured.ravel().tolist() == [True] * done + [False] * (15 - done)
    np.testing.assert_array_equal(np.isnan(losses), ~measured)

    [resumed] = prepare(run, made, SMALL, resume=True)
    assert resumed.total == 15 - done + (1 + 4 * 13) + len(run.trajectory.step)
    scan = finish(resumed)
    assert_same(scan, uninterrupted)
    assert scan.samples_evaluated == uninterrupted.samples_evaluated == 15 * 70


def test_a_consumer_that_stops_leaves_what_was_measured(problem, trained):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    going = job.run()
    for _ in range(4):
        next(going)
    going.close()
    assert scanfile.load(job.path).measured.sum() == 4


def test_an_interrupted_path_is_measured_again(problem, trained, monkeypatch, finish):
    made = problem("normalized")
    run = trained(made)
    request = asked(kinds=("along",), size="3")
    [whole] = prepare(run, made, request, name="whole")
    uninterrupted = finish(whole)
    [job] = prepare(run, made, request)
    with evaluating_at_most(12, monkeypatch), pytest.raises(KeyboardInterrupt):
        finish(job)
    stopped = scanfile.load(job.path)
    assert stopped.complete
    assert stopped.paths == ()
    [resumed] = prepare(run, made, request, resume=True)
    assert not resumed.finished
    assert resumed.total == len(run.trajectory.step)
    assert_same(finish(resumed), uninterrupted)


def test_a_complete_scan_is_not_evaluated_again(problem, trained, monkeypatch, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    finish(job)
    before = job.path.read_bytes()
    [again] = prepare(run, made, SMALL, resume=True)
    assert again.finished
    assert again.total == 0
    with evaluating_at_most(0, monkeypatch) as done:
        assert list(again.run()) == []
    assert done == []
    assert job.path.read_bytes() == before


def test_resuming_nothing_starts_anew(problem, trained, finish):
    made = problem()
    [job] = prepare(trained(made), made, SMALL, resume=True)
    assert job.total == 15 + (1 + 4 * 13) + 11
    assert finish(job).complete


def test_resuming_keeps_values_that_are_not_finite_and_zeros(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    going = job.run()
    for _ in range(3):
        scan = next(going)
    losses = scan.measures["train_loss"]
    losses[0] = [math.nan, 0.0, math.inf]
    going.close()
    [resumed] = prepare(run, made, SMALL, resume=True)
    found = finish(resumed).measures["train_loss"]
    np.testing.assert_array_equal(found[0], [math.nan, 0.0, math.inf])
    assert np.isfinite(found[1:]).all()


def test_a_resumed_scan_keeps_its_strategy_and_adds_up_its_time(
    problem, trained, monkeypatch, finish
):
    made = problem("dense", 300)
    run = trained(made)
    monkeypatch.setattr(choosing, "PLAIN", 17)
    [job] = prepare(run, made, SMALL)
    with evaluating_at_most(7, monkeypatch), pytest.raises(KeyboardInterrupt):
        finish(job)
    monkeypatch.setattr(choosing, "PLAIN", 64)
    stopped = scanfile.load(job.path)
    [resumed] = prepare(run, made, SMALL, resume=True)
    scan = finish(resumed)
    assert scan.strategy["batch_size"] == stopped.strategy["batch_size"] == 17
    assert scan.evaluation_seconds > stopped.evaluation_seconds > 0
    assert scan.choosing_seconds >= stopped.choosing_seconds


def test_the_stored_directions_are_authoritative(problem, trained, monkeypatch, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    with evaluating_at_most(7, monkeypatch), pytest.raises(KeyboardInterrupt):
        finish(job)
    stopped = scanfile.load(job.path)
    # Another machine's draw of the same seed.
    other = stopped.plane.directions[::-1] * np.float32(2)
    with h5py.File(job.path, "r+") as file:
        file["plane/directions"][:] = other
    sealed(job.path)
    [resumed] = prepare(run, made, SMALL, resume=True)
    scan = finish(resumed)
    np.testing.assert_array_equal(scan.plane.directions, other)
    direct = PointEvaluator(made, scan.plane)
    corner = direct.at(np.array([1.0, 1.0]))["train_loss"]
    assert scan.measures["train_loss"][4, 2] == pytest.approx(corner, rel=1e-6)
    displacement = scan.paths[0].xy[0] @ other.astype(np.float64)
    beside = run.trajectory.row_weights(0).astype(np.float64) - scan.plane.origin - displacement
    assert scan.paths[0].distance_from_plane[0] == pytest.approx(np.linalg.norm(beside), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"kinds": ("along",)}, "its plane is random, got along; give --plane random"),
        ({"seed": 1}, "its seed is 0, got 1; give --seed 0"),
        ({"normalize": "layer"}, "its normalization is filter, got layer; give --normalize filter"),
        ({"include_1d": True}, "without --include-1d; leave it out"),
        ({"size": "5"}, "its size is 5x3, got 5x5; give --size 5x3"),
        ({"extent": "2"}, "its extent is -1:1:-1:1, got -2:2:-2:2; leave --extent out"),
        (
            {"extent": "-1:1:-1:0.5"},
            "its extent is -1:1:-1:1, got -1:1:-1:0.5; leave --extent out",
        ),
    ],
)
def test_resuming_with_other_settings_is_refused(
    problem, trained, monkeypatch, changes, difference, finish
):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL, name="mine")
    with evaluating_at_most(7, monkeypatch), pytest.raises(KeyboardInterrupt):
        finish(job)
    before = job.path.read_bytes()
    request = asked(**({"kinds": ("random",), "size": "5x3"} | changes))
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, request, name="mine", resume=True)
    assert str(caught.value) == (
        f"resume needs the settings that {job.path} was started with, {difference}, "
        "or drop --resume and give another --name"
    )
    assert job.path.read_bytes() == before


def test_a_scan_of_weights_that_the_run_has_gone_on_from(problem, trained, finish):
    """The same training, to step 18 and to step 30, stands for one that was resumed between."""
    made = problem()
    short, on = trained(made, count=18), trained(made)
    [job] = prepare(short, made, SMALL)
    path = on.scan(job.path.stem)
    path.parent.mkdir(exist_ok=True)
    scanfile.save(path, replace(finish(job), run_id=on.id))
    said = (
        f"{path} is of step 18, the run has gone on to step 30 since; --overwrite scans it "
        "anew, another --name keeps both"
    )
    for resume in (False, True):
        with pytest.raises(LandscapeError) as caught:
            prepare(on, made, SMALL, resume=resume)
        assert str(caught.value) == said
    # Of a step that is there still it is no matter how far the run went.
    with pytest.raises(LandscapeError) as caught:
        prepare(on, made, but(SMALL, at="6"), name=path.stem, resume=True)
    assert str(caught.value) == (
        f"{path} is of step 18, got step 6; give --at 18, or drop --resume and give another --name"
    )
    [again] = prepare(on, made, but(SMALL, at="18"), name=path.stem, resume=True)
    assert again.finished


@pytest.mark.parametrize("spec", ["line:0,final", "through:0,6,final"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_scan_that_leads_to_weights_that_are_the_last_no_more(
    problem, trained, finish, monkeypatch, spec, complete
):
    """The same training, to step 18 and to step 30, stands for one that was resumed between."""
    made = problem()
    short, on = trained(made, count=18), trained(made)
    request = asked(kinds=(spec,), size="5" if spec.startswith("line") else "5x3")
    [job] = prepare(short, made, request)
    if complete:
        finish(job)
    else:
        with evaluating_at_most(3, monkeypatch), pytest.raises(KeyboardInterrupt):
            finish(job)
    path = on.scan(job.path.stem)
    path.parent.mkdir(exist_ok=True)
    scanfile.save(path, replace(scanfile.load(job.path), run_id=on.id))
    with pytest.raises(LandscapeError) as caught:
        prepare(on, made, request, resume=True)
    assert str(caught.value) == (
        f"{path} leads to the weights of step 18, the last ones are those of step 30 now; "
        "--overwrite scans it anew, another --name keeps both"
    )
    # Of a run that didn't go on it is gone on with.
    [again] = prepare(short, made, request, resume=True)
    assert again.finished == complete


def test_resuming_another_runs_scan_is_refused(problem, trained, finish):
    made = problem()
    first, second = trained(made), trained(made)
    [job] = prepare(first, made, SMALL)
    finish(job)
    moved = second.folder / "scans" / job.path.name
    moved.write_bytes(job.path.read_bytes())
    with pytest.raises(LandscapeError) as caught:
        prepare(second, made, SMALL, resume=True)
    assert str(caught.value) == (
        f"resume needs the settings that {moved} was started with, "
        f"it is of run {first.id}, got {second.id}; drop --resume and give another --name"
    )


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["batched", "shared", "folded"])
@pytest.mark.parametrize("done", [0, 5, 8, 14])
def test_tiles_are_resumed_whole(problem, trained, monkeypatch, strategy, done, finish):
    # Five points at once on a grid of fifteen, stopped in the middle of some.
    chosen = {"FIRST_POINTS": 5, "FIRST_BATCH": 16, "PLAIN": 16}
    for name, value in (chosen | {"FORCED_SECONDS": 0.0, "LEAST_SECONDS": 0.0}).items():
        monkeypatch.setattr(choosing, name, value)
    made = problem("normalized")
    run = trained(made)
    request = but(SMALL, strategy=strategy)
    [job] = prepare(run, made, request)
    going = job.run()
    for _ in range(done):
        next(going)
    going.close()
    assert scanfile.load(job.path).measured.sum() == done if done else True
    [resumed] = prepare(run, made, but(SMALL, strategy="auto"), resume=True)
    scan = finish(resumed if done else job)
    monkeypatch.setattr(choosing, "StrategyChoice", None)
    [whole] = prepare(run, made, request, name="whole")
    whole = replace(whole, scan=replace(whole.scan, strategy=scan.strategy))
    assert_same(finish(whole), scan)


def test_another_strategy_or_precision_is_refused(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    finish(job)
    for change, was, now in (
        ({"strategy": "folded"}, "strategy is sequential", "folded; give --strategy sequential"),
        ({"precision": "float64"}, "precision is float32", "float64; give --precision float32"),
    ):
        with pytest.raises(LandscapeError) as caught:
            prepare(run, made, but(SMALL, **change), resume=True)
        assert str(caught.value) == (
            f"resume needs the settings that {job.path} was started with, "
            f"its {was}, got {now}, or drop --resume and give another --name"
        )


@pytest.mark.parametrize("unit", ["own", "distance", "equal"])
@pytest.mark.parametrize(("was", "now"), [("1", "2"), (None, "2"), ("2", None)])
def test_another_extent_is_refused_in_every_unit(problem, trained, unit, was, now):
    made = problem()
    run = trained(made)
    first, second = (but(SMALL, unit=unit, extent=extent) for extent in (was, now))
    [job] = prepare(run, made, first, name="mine")
    next(job.run())
    [again] = prepare(run, made, first, name="mine", resume=True)
    np.testing.assert_array_equal(again.scan.x, job.scan.x)
    [other] = prepare(run, made, second, name="other")
    ends = [
        ":".join(f"{axis[end]:.6g}" for axis in (one.scan.x, one.scan.y) for end in (0, -1))
        for one in (job, other)
    ]
    remedy = "leave --extent out" if was is None else f"give --extent {was}"
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, second, name="mine", resume=True)
    assert str(caught.value) == (
        f"resume needs the settings that {job.path} was started with, its extent is {ends[0]}, "
        f"got {ends[1]}; {remedy}, or drop --resume and give another --name"
    )


def test_a_scan_by_a_strategy_that_there_is_no_more(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    complete = finish(job)
    compiled = {**complete.strategy, "name": "compiled"}
    # As version 0.1 wrote it: complete it is drawn again, begun it can't go on.
    scanfile.save(job.path, replace(complete, strategy=compiled))
    assert scanfile.load(job.path).strategy["name"] == "compiled"
    [again] = prepare(run, made, SMALL, resume=True)
    assert again.finished
    scanfile.save(job.path, replace(complete, strategy=compiled, paths=()))
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, SMALL, resume=True)
    assert str(caught.value) == (
        f"a resumed scan must go on by its strategy, {job.path} was begun by compiled, which "
        "there is no more; drop --resume and give another --name"
    )


def test_other_batches_of_a_loss_of_batches_are_refused(problem, trained, finish):
    def by_batch(outputs, targets):
        return functional.cross_entropy(outputs, targets), len(targets)

    made = replace(problem(loss=by_batch), batch_size=16)
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    scan = finish(job)
    assert scan.strategy["batch_size"] == 16
    assert scan.settings["objective"]["batch_size"] == 16
    with pytest.raises(LandscapeError) as caught:
        prepare(run, replace(made, batch_size=8), SMALL, resume=True)
    assert str(caught.value) == (
        f"resume needs the settings that {job.path} was started with, its loss's batch size is 16, "
        "got 8; drop --resume and give another --name"
    )


def test_random_numbers_are_another_devices_own(problem, trained, finish):
    class Noisy(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, inputs):
            return functional.dropout(self.inner(inputs), 0.1)

    plain = problem()
    made = replace(plain, model=Noisy(plain.model))
    run = trained(made)
    [job] = prepare(run, made, SMALL)
    scan = finish(job)
    scanfile.save(job.path, replace(scan, strategy={**scan.strategy, "device": "cuda"}))
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, SMALL, resume=True)
    assert str(caught.value) == (
        f"resume needs the settings that {job.path} was started with, its device is cuda, got cpu; "
        "give --device cuda, or drop --resume and give another --name"
    )


def test_weight_decay_is_asked_for_again(problem, trained, finish):
    made = problem()
    run = trained(made)
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, but(SMALL, with_weight_decay=True))
    assert str(caught.value) == (
        f"--with-weight-decay needs a run that was trained with one, {run.folder} had 0"
    )
    decayed = trained(made, weight_decay=0.01)
    [job] = prepare(decayed, made, but(SMALL, with_weight_decay=True))
    scan = finish(job)
    assert "Training losses include the weight decay, 0.01/2 |w|²." in scan.remarks
    last = len(decayed.trajectory.step) - 1
    weights = decayed.trajectory.row_weights(last).astype(np.float64)
    path = scan.paths[0]
    recorded = decayed.trajectory.measures["train_loss"][-1]
    assert path.true_loss[-1] == pytest.approx(recorded + 0.005 * weights @ weights)
    with pytest.raises(LandscapeError) as caught:
        prepare(decayed, made, SMALL, resume=True)
    assert str(caught.value) == (
        f"resume needs the settings that {job.path} was started with, with --with-weight-decay; "
        "give it, or drop --resume and give another --name"
    )

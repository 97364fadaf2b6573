from __future__ import annotations

import numpy as np
import pytest
import torch

from landscape import plane
from landscape.curvature.hessian import Hessian
from landscape.errors import LandscapeError
from landscape.scan import grid
from landscape.scan.auto_extent import radius, range_between
from landscape.scan.prepare import prepare
from landscape.store.scans import scanfile, sentences, valley_sentences

from .requests import asked, but


@pytest.mark.parametrize(
    ("spec", "name", "dimensions"),
    [
        ("pca", "pca-final-0", 2),
        ("through:0,12,final", "through-0-12-final-0", 2),
        ("hessian", "hessian-final-0", 2),
        ("gradient", "gradient-final-0", 2),
        ("line:0,final", "line-0-final-0", 1),
        ("line", "line-final-0", 1),
    ],
)
def test_every_kind_is_scanned_and_read_back(problem, trained, finish, spec, name, dimensions):
    made = problem()
    [job] = prepare(trained(made), made, asked(kinds=(spec,), size="5"))
    assert job.path.stem == name
    scan = finish(job)
    assert scan.complete
    assert scan.measured.shape == (5,) * dimensions
    assert scan.plane.kind == spec.split(":")[0]
    assert scan.settings["plane"] == spec


def test_a_line_between_two_has_both_on_its_grid(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("line:0,final",), size="11"))
    scan = finish(job)
    losses = run.trajectory.measures["train_loss"]
    distance = scan.settings["between"][1]
    for x, row in ((0, 0), (distance, -1)):
        [place] = np.flatnonzero(np.isclose(scan.x, x, atol=1e-9))
        assert scan.measures["train_loss"][place] == pytest.approx(losses[row], rel=1e-5)
    assert "barrier" in scan.findings
    assert [point.name for point in scan.points] == ["start", "best", "end"]


def test_three_points_are_exact_and_marked_once(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("through:0,12,final",), size="2"))
    scan = finish(job)
    assert [point.name for point in scan.points] == ["start", "best", "end", "step 12"]
    [path] = scan.paths
    rows = [run.trajectory.row(where) for where in (0, 12, "final")]
    np.testing.assert_allclose(path.plane_loss[rows], path.true_loss[rows], rtol=1e-5)


def test_other_runs_on_the_same_plane(problem, trained, finish):
    made = problem()
    run, second = trained(made), trained(made, seed=1)
    [job] = prepare(run, made, asked(kinds=("pca",), size="3"), also=[second])
    total = job.total
    yielded = sum(1 for _ in job.run())
    scan = scanfile.load(job.path)
    assert yielded == total == 9 + 2 * len(run.trajectory.step)
    assert [path.name for path in scan.paths] == [run.name, second.name]
    assert [path.run_id for path in scan.paths] == [run.id, second.id]
    expected = plane.project(second.trajectory, scan.plane)
    np.testing.assert_array_equal(scan.paths[1].xy, expected.xy)
    losses = second.trajectory.measures["train_loss"]
    np.testing.assert_array_equal(scan.paths[1].true_loss, losses)
    assert [p.name for p in scan.points] == ["start", "best", "end", f"{second.name}: end"]
    # Both paths lie inside.
    for path in scan.paths:
        assert (path.xy.min(0) > [scan.x[0], scan.y[0]]).all()
        assert (path.xy.max(0) < [scan.x[-1], scan.y[-1]]).all()


def test_another_model_is_refused(problem, trained):
    made = problem()
    other = trained(problem("normalized"))
    with pytest.raises(LandscapeError) as caught:
        prepare(trained(made), made, asked(), also=[other])
    assert str(caught.value) == (
        f"run {other.folder} must have the parameters of the run that is scanned, "
        "got 1.weight (5,) against 2.weight (3, 5); give a run of the same model"
    )


def test_several_directions(problem, trained, finish, monkeypatch):
    made = problem()
    run = trained(made)
    request = asked(kinds=("line",), size="5", planes=3, seed=4)
    [job] = prepare(run, made, request)
    assert job.total == 15 + 3 * (1 + 2 * 13) + len(run.trajectory.step)
    scan = finish(job)
    assert scan.spread.seeds.tolist() == [4, 5, 6]
    assert scan.spread.measured.all()
    for number, seed in enumerate((4, 5, 6)):
        where = plane.line(run.trajectory, seed=seed)
        alone = grid(made, where, size=5)
        np.testing.assert_allclose(scan.spread.lengths[number], where.norms)
        for name, values in scan.spread.measures.items():
            np.testing.assert_allclose(values[number], alone.measures[name], rtol=1e-6, atol=1e-9)
    assert scan.findings["width"]["rays"] == 6
    assert scan.findings["width"]["planes"] == 3


def test_several_directions_are_resumed(problem, trained, finish):
    made = problem()
    run = trained(made)
    request = asked(kinds=("random",), size="3", planes=2)
    whole = finish(prepare(run, made, request, name="whole")[0])
    [job] = prepare(run, made, request)
    going = job.run()
    for _ in range(12):
        next(going)
    going.close()
    stopped = scanfile.load(job.path)
    assert stopped.spread.measured[1].sum() == 3
    [resumed] = prepare(run, made, request, resume=True)
    assert resumed.total == 6 + 2 * (1 + 4 * 13) + len(run.trajectory.step)
    scan = finish(resumed)
    for name, values in whole.spread.measures.items():
        np.testing.assert_allclose(scan.spread.measures[name], values, rtol=1e-6)


def test_slope_and_curvature_at_every_point(problem, trained, finish):
    layers = torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    made = problem(torch.nn.Sequential(*layers))
    run = trained(made)
    measures = ("loss", "gradient-norm", "sharpness", "convexity")
    [job] = prepare(run, made, asked(kinds=("random",), size="3x2", measures=measures))
    assert job.further == ["gradient-norm", "sharpness", "convexity"]
    assert job.seconds() > 0
    scan = finish(job)
    matrix = Hessian(made, dtype=torch.float64)
    for i, j in np.ndindex(3, 2):
        xy = np.array([scan.x[i], scan.y[j]])
        matrix.move(scan.plane.origin + xy @ scan.plane.directions.astype(np.float64))
        values = np.linalg.eigvalsh(np.stack([matrix @ row for row in np.eye(matrix.size)]))
        expected = {
            "gradient_norm": np.linalg.norm(matrix.gradient()[1]),
            "sharpness": values[-1],
            "convexity": abs(values[0] / values[-1]),
        }
        for name, value in expected.items():
            assert scan.measures[name][i, j] == pytest.approx(value, rel=5e-3), name


def test_curvature_where_the_loss_is_not_finite_is_nan(problem, trained, finish):
    made = problem()
    request = asked(
        kinds=("line",), size="3", extent="1e30", measures=("gradient-norm", "sharpness")
    )
    [job] = prepare(trained(made), made, request)
    scan = finish(job)
    assert scan.complete
    assert np.isfinite(scan.measures["sharpness"][1])
    assert np.isnan(scan.measures["sharpness"][[0, 2]]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"measures": ("loss", "entropy")},
            "measure must be one of loss, accuracy, gradient-norm, sharpness, convexity, "
            "got entropy",
        ),
        ({"planes": 0}, "planes must be at least 1, got 0"),
        (
            {"planes": 3},
            "planes 3 needs random directions alone, got random, valley; "
            "choose --plane line or --plane random",
        ),
        (
            {"planes": 3, "kinds": ("line:0,final",)},
            "planes 3 needs random directions alone, got line:0,final; "
            "choose --plane line or --plane random",
        ),
        ({"rise": 1.0}, "rise must be above 1, got 1"),
        ({"seed": -1}, "seed must be between 0 and 2**63 - 1, got -1"),
        *(
            (
                {"at": "final", "kinds": (spec,)},
                "--at is for plane random, along, pca, hessian, gradient, line, sharpest, "
                f"got {spec}, which has its own weights; drop --at",
            )
            for spec in ("through:0,12,final", "event", "line:0,final")
        ),
        (
            {"first": "3"},
            "--from and --to are for plane pca, got random, valley; add --plane pca",
        ),
        (
            {"kinds": ("through:0,final",)},
            "plane through needs 3 weights, through:A,B,C, each [RUN@]STEP, best or final; "
            "got through:0,final",
        ),
        (
            {"kinds": ("pca:0",)},
            "plane must be one of random, along, pca, through:A,B,C, hessian, gradient, line, "
            "line:A,B, event, drift, sharpest, valley, got pca:0",
        ),
        (
            {"kinds": ("through:0,7,final",)},
            "step 7 must be a recorded one, the nearest are 6 and 9",
        ),
        (
            {"kinds": ("through:0,far@3,final",)},
            "a run must be a folder, got far, which doesn't exist; "
            "make one with `landscape train -o FOLDER`",
        ),
    ],
)
def test_what_cannot_be(problem, trained, changes, message):
    made = problem()
    run = trained(made)
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, asked(**changes))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (
            {"kinds": ("through:0,6,final",)},
            "plane is through:0,12,final, got through:0,6,final; give --plane through:0,12,final",
        ),
        ({"batchnorm": "saved"}, "batchnorm is default, got saved; leave --batchnorm out"),
        (
            {"measures": ("loss", "sharpness")},
            "measure is loss,accuracy, got loss,sharpness; give --measure loss,accuracy",
        ),
        ({"extent": "2"}, "extent is {region}, got -2:2:-2:2; leave --extent out"),
    ],
)
def test_resuming_with_other_settings(problem, trained, changes, difference):
    made = problem()
    run = trained(made)
    request = asked(kinds=("through:0,12,final",), size="3")
    [job] = prepare(run, made, request, name="mine")
    next(job.run())
    with pytest.raises(LandscapeError) as caught:
        prepare(run, made, but(request, **changes), name="mine", resume=True)
    ends = (*job.scan.x[[0, -1]], *job.scan.y[[0, -1]])
    told = difference.format(region=":".join(f"{end:.6g}" for end in ends))
    assert str(caught.value) == (
        f"resume needs the settings that {job.path} was started with, its {told}, "
        "or drop --resume and give another --name"
    )


def test_units_keep_the_default_region(problem, trained):
    made = problem()
    run = trained(made)
    scans = [
        prepare(run, made, asked(kinds=("random",), size="3", unit=unit), name=str(unit))[0].scan
        for unit in ("own", "distance", "equal")
    ]
    corners = [
        (scan.x[-1] * scan.plane.directions[0] + scan.y[-1] * scan.plane.directions[1])
        for scan in scans
    ]
    np.testing.assert_allclose(corners[1], corners[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(corners[2], corners[0], rtol=1e-4, atol=1e-6)
    assert scans[1].plane.norms == pytest.approx((1, 1), rel=1e-6)


def test_pca_of_some_steps_goes_through_the_last_of_them_or_what_was_asked_for(problem, trained):
    made = problem()
    run = trained(made)
    request = asked(kinds=("pca",), size="3", first="3", last="15")
    assert prepare(run, made, request)[0].scan.plane.origin_step == 15
    assert prepare(run, made, but(request, at="final"))[0].scan.plane.origin_step == 30


def test_radius_of_a_parabola(problem, trained):
    where = plane.random(trained(problem()).trajectory)
    found, why = radius(where, lambda xy: 1 + 9 * float(xy @ xy) / 0.37**2, rise=10)
    assert found == pytest.approx(0.37, abs=0.01)
    assert why == "to where the loss is 10 times the origin's"
    whole = np.linalg.norm(where.origin) / np.mean(where.norms)
    found, why = radius(where, lambda xy: 1.0, rise=10)
    assert found == pytest.approx(whole, rel=0.05)
    assert why == "as far as ‖w‖: the loss never gets 10 times the origin's"
    cliff, _ = radius(where, lambda xy: 1.0 if np.abs(xy).max() < 0.01 else np.nan, rise=10)
    assert cliff == pytest.approx(0.01, rel=0.1)
    with pytest.raises(LandscapeError) as caught:
        radius(where, lambda xy: 0.0, rise=10)
    assert str(caught.value) == (
        "extent auto needs a positive loss at the origin to see it rise, got 0; give a number"
    )


@pytest.mark.parametrize("count", [2, 3, 5, 11, 51, 52])
def test_two_weights_are_points_of_their_line(count):
    low, high = range_between(3.0, count)
    x = np.linspace(low, high, count)
    assert np.abs(x).min() < 1e-12
    assert np.abs(x - 3).min() < 1e-12


@pytest.mark.parametrize(("model", "off"), [("dense", False), ("normalized", True)])
def test_of_a_model_with_dropout_it_is_said_that_it_is_off(problem, trained, finish, model, off):
    made = problem(model)
    run = trained(made)
    scan = finish(prepare(run, made, asked(kinds=("line",), size="3"))[0])
    valley = prepare(run, made, asked(kinds=("valley",), size="3"))[0].scan
    told = "Dropout is off, as in evaluation."
    for said in (sentences.caption(scan), " ".join(sentences.describe(scan))):
        assert said.count(told) == off
    for said in (valley_sentences.caption(valley), " ".join(valley_sentences.describe(valley))):
        assert said.count(told) == off

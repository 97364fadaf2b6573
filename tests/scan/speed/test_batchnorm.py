from __future__ import annotations

import numpy as np
import pytest

from landscape import plane
from landscape.errors import LandscapeError
from landscape.scan.prepare import prepare
from landscape.scan.speed.batchnorm import AnchoredStatistics
from landscape.store.scans.records import Anchor

from ..requests import asked

ANCHORS = [
    Anchor(
        xy,
        {
            "bn.running_mean": np.array([mean], np.float32),
            "bn.running_var": np.array([variance], np.float32),
            "bn.num_batches_tracked": np.array(count),
        },
    )
    for xy, mean, variance, count in (
        ((0.0, 0.0), 1.0, 1.0, 5),
        ((2.0, 0.0), 3.0, np.e, 6),
        ((1.0, 4.0), -1.0, np.e**2, 7),
    )
]


def test_affine_in_means_and_logarithms_of_variances():
    between = AnchoredStatistics(ANCHORS)
    for anchor in ANCHORS:
        found = between.at(np.array(anchor.xy))
        for name in ("bn.running_mean", "bn.running_var"):
            np.testing.assert_allclose(found[name], anchor.buffers[name], rtol=1e-6, atol=1e-7)
    # y = 4b, x = 2a + b for shares a and b of the second and third.
    found = between.at(np.array([-3.0, 2.0]))
    a, b = -1.75, 0.5
    assert found["bn.running_mean"][0] == pytest.approx(1 + 2 * a - 2 * b)
    assert found["bn.running_var"][0] == pytest.approx(np.exp(a + 2 * b))
    assert found["bn.running_var"].dtype == np.float32
    assert found["bn.num_batches_tracked"] == 5


def test_on_a_line():
    anchors = [Anchor((anchor.xy[0],), anchor.buffers) for anchor in ANCHORS[:2]]
    found = AnchoredStatistics(anchors).at(np.array([1.0]))
    assert found["bn.running_mean"][0] == pytest.approx(2)
    assert found["bn.running_var"][0] == pytest.approx(np.exp(0.5))


def test_an_interpolated_scan_against_a_plain_loop(problem, trained, oracle, finish):
    made = problem("normalized")
    run = trained(made)
    request = asked(kinds=("through:0,12,final",), size="3x2", batchnorm="interpolate")
    [job] = prepare(run, made, request)
    scan = finish(job)
    assert scan.plane.batchnorm == "interpolate"
    check, directions = oracle("normalized"), scan.plane.directions.astype(np.float64)
    trajectory = run.trajectory
    rows = [trajectory.row(where) for where in (0, 12, "final")]
    corners = np.array([anchor.xy for anchor in scan.plane.anchors])
    for i, j in np.ndindex(3, 2):
        xy = np.array([scan.x[i], scan.y[j]])
        shares = np.linalg.solve(np.vstack([np.ones(3), corners.T]), [1, *xy])
        buffers = trajectory.buffers(rows[0])
        every = [trajectory.buffers(row) for row in rows]
        for name in buffers:
            values = [np.asarray(one[name], np.float64) for one in every]
            if name.endswith("running_mean"):
                buffers[name] = sum(s * v for s, v in zip(shares, values, strict=True))
            elif name.endswith("running_var"):
                logs = (s * np.log(v) for s, v in zip(shares, values, strict=True))
                buffers[name] = np.exp(sum(logs))
        check.put(scan.plane.origin.astype(np.float64) + xy @ directions, buffers)
        expected = check.measure(made.train)[0]
        assert scan.measures["train_loss"][i, j] == pytest.approx(expected, rel=1e-4)
    # At the three weights the plane's loss is their own.
    [path] = scan.paths
    np.testing.assert_allclose(path.plane_loss[rows], path.true_loss[rows], rtol=1e-4)
    np.testing.assert_array_equal(path.true_loss, trajectory.measures["train_loss"])


def test_interpolate_needs_weights_to_go_between(problem, trained):
    made = problem("normalized")
    with pytest.raises(LandscapeError) as caught:
        prepare(trained(made), made, asked(kinds=("random",), batchnorm="interpolate"))
    assert str(caught.value) == (
        "batchnorm interpolate needs recorded weights to go between, plane random has one; "
        "take plane through, event or line:A,B"
    )


@pytest.mark.parametrize("mode", ["saved", "recompute"])
def test_the_mode_asked_for_is_the_planes(problem, trained, mode, finish):
    made = problem("normalized")
    [job] = prepare(trained(made), made, asked(kinds=("along",), size="2", batchnorm=mode))
    scan = finish(job)
    assert (scan.plane.batchnorm, scan.plane.anchors) == (mode, ())


def test_an_unknown_mode(problem, trained):
    made = problem()
    with pytest.raises(LandscapeError) as caught:
        prepare(trained(made), made, asked(batchnorm="frozen"))
    assert str(caught.value) == (
        "batchnorm must be one of saved, recompute, interpolate, got frozen"
    )


def test_random_planes_keep_their_default(problem, trained):
    made = problem("normalized")
    assert plane.random(trained(made).trajectory).batchnorm == "saved"

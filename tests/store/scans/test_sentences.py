from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from landscape.draw import making
from landscape.draw.figures.contour import contour
from landscape.store.scans import sentences, valley_sentences
from landscape.store.scans.certificates import Certificate
from landscape.store.scans.records import Path, Plane, Point, Scan
from landscape.store.scans.sentences import describe
from landscape.store.trajectories.trajectory import Event


def test_the_caption_of_a_random_plane(planted):
    assert sentences.caption(planted.random()) == (
        "Training loss on the plane through the final weights (step 4,500) of run high-lr "
        "(x: random direction 1; y: random direction 2). On it the training's path is a dot "
        "or little more: the plane holds 0.004 % of its variance and shows what lies around these "
        "weights.\n\n"
        "Mean loss over 1,437 training and 360 validation samples on a plane of kind random "
        "through the final weights (step 4,500) of run high-lr (1f2e). "
        "Axes: x: random direction 1 (filter-normalized units; 1 = 3.21 in weight space); "
        "y: random direction 2 (filter-normalized units; 1 = 3.18 in weight space); "
        "seed 3, random directions filter-normalized, 1-D tensors left out. "
        "Grid: 51 × 51 points, x −1 to 1, y −1 to 1. "
        "Loss at the origin: training 0.45, validation 0.617. "
        "Ignoring the input, a network has training loss 2.303 (ln 10) at best. "
        "Path: 0.004 % of its variance lies in this plane (chance 0.0083 %), "
        "up to 44 away from it in weight space. "
        "Command: landscape scan runs/high-lr. "
        "Versions: landscape 0.1.0, torch 2.13.0, numpy 2.4.6."
    )


def test_what_a_random_plane_would_hold_stands_beside_one_that_is_not(planted):
    scan = planted.random()
    sharp = replace(scan.plane, labels=("sharpest direction", "random direction"))
    beside = "(a random one would hold 0.0083 %)"
    assert beside not in sentences.ready(scan)
    assert f"0.004 % of its variance {beside} and shows" in sentences.ready(
        replace(scan, plane=sharp)
    )
    wide = replace(scan.paths[0], xy=scan.paths[0].xy * 40)
    assert beside not in sentences.ready(replace(scan, paths=(wide,)))
    assert f"{beside}." in sentences.ready(replace(scan, paths=(wide,), plane=sharp))


def test_a_longer_path_is_a_line_and_a_loss_that_is_orders_higher_is_explained(planted):
    scan = planted.random()
    wide = replace(scan.paths[0], xy=scan.paths[0].xy * 40)
    higher = {**scan.measures, "validation_loss": scan.measures["validation_loss"] * 1e4}
    text = sentences.caption(replace(scan, paths=(wide,), measures=higher))
    assert "The training's path is projected: the plane holds " in text
    train, validation = (higher[name][25, 25] for name in ("train_loss", "validation_loss"))
    assert (
        f"Loss at the origin: training {train:.3g}, validation {validation:,.0f}. Validation loss "
        f"is {validation / train:,.0f} times the training loss: the network fits the training "
        "samples and is far off on the others, " in text
    )


def test_a_loss_that_is_orders_higher_with_hardly_an_error_means_little(planted):
    scan = planted.random()
    higher = {**scan.measures, "validation_loss": scan.measures["validation_loss"] * 1e4}
    shape = higher["train_loss"].shape
    right = {"train_accuracy": np.full(shape, 1.0), "validation_accuracy": np.full(shape, 0.981)}
    text = sentences.caption(replace(scan, measures={**higher, **right}))
    assert (
        "times the training loss, which means little here: the network is right on 98 % of the "
        "validation samples, on 100 % of the training samples." in text
    )
    assert "far off" not in text


@pytest.mark.parametrize(
    ("accuracies", "is_far"),
    [((1.0, 0.98), False), ((0.9, 0.82), False), ((1.0, 0.82), True), ((0.6, 0.58), True)],
)
def test_what_is_far_off(accuracies, is_far):
    assert ("far off" in sentences.far_apart(2e-4, 0.1, accuracies=accuracies)) == is_far


def test_the_caption_of_half_a_line(planted):
    scan = planted.line()
    plane = replace(scan.plane, buffers={"norm.running_mean": np.zeros(3)}, batchnorm="recompute")
    scan = replace(
        scan, plane=plane, measured=np.arange(51) < 20, provenance={}, run_id="", samples={}
    )
    assert sentences.caption(scan) == (
        "Training loss on the line through the final weights (step 4,500) of run high-lr "
        "(x: best → end).\n\n"
        "Mean loss on a line through the final weights (step 4,500) of run high-lr. "
        "Axes: x: best → end (distance in weight space). "
        "Grid: 51 points, x −8 to 45, 20 of 51 of them measured. "
        "Ignoring the input, a network has training loss 2.303 (ln 10) at best. "
        "BatchNorm statistics were estimated anew at every point. The best marked (step 1,800) is "
        "that of losses with these statistics."
    )


def test_a_crooked_plane_is_said(planted):
    plane = planted.bowl(3, 3).plane
    directions = plane.directions.copy()
    directions[1, 0] = directions[1, 1]
    crooked = replace(plane, directions=directions)
    assert sentences.skew(crooked) == "axes drawn at right angles, their directions at 45°"
    assert sentences.skew(plane) == ""


def test_an_origin_at_a_step_is_named_once(planted):
    plane = planted.bowl(3, 3).plane
    there = replace(plane, origin_name="300", origin_step=300)
    assert sentences.origin(there) == "weights at step 300"


def test_a_path_that_stays_says_so(planted):
    path = replace(planted.bowl(3, 3).paths[0], share_in_plane=float("nan"), name="other")
    assert sentences.share(path) == (
        "path other: does not move, so has no share in this plane, up to 9 away from it in "
        "weight space"
    )
    there = replace(path, distance_from_plane=np.zeros_like(path.distance_from_plane))
    assert sentences.share(there) == "path other: does not move, so has no share in this plane"


def path(**more) -> Path:
    known = np.array([1.0, 2, np.nan])
    values = {
        "name": "a",
        "run_id": "",
        "step": np.arange(3),
        "xy": np.zeros((3, 2)),
        "distance_from_plane": np.array([0, 1, 2.0]),
        "true_loss": known,
        "plane_loss": known * [1, 1.5, 1],
        "share_in_plane": 0.9,
        "chance": 2e-5,
    }
    return Path(**(values | more))


def test_interpolated_losses_of_a_path_in_words():
    one = path(interpolated=np.array([True, True, False]))
    losses = np.array([[1.0, 2], [2, 3]])
    where = Plane("pca", np.zeros(3, np.float32), np.eye(2, 3, dtype=np.float32), ("u", "v"), "")
    axis, measured = np.array([0.0, 1]), np.ones((2, 2), bool)
    scan = Scan(where, axis, axis, {"train_loss": losses}, measured, paths=(one,), tolerance=0.01)
    said = "At 2 of them the plane's loss is interpolated to 1 %, as the grid's is."
    assert describe(scan)[-1] == said
    assert said not in describe(replace(scan, paths=(path(),)))


def test_a_scan_in_words():
    directions = np.eye(2, 100, dtype=np.float32)
    where = Plane(
        "pca",
        np.zeros(100, np.float32),
        directions,
        ("principal component 1", "principal component 2"),
        "distance in weight space",
        buffers={"bn.running_mean": np.zeros(3)},
        batchnorm="recompute",
    )
    losses = np.array([[1.0, np.inf], [2, 3]])
    scan = Scan(
        where,
        np.array([0.0, 1]),
        np.array([0.0, 2]),
        {"train_loss": losses, "sharpness": np.array([[7.0, np.nan], [8, 9]])},
        np.ones((2, 2), bool),
        constant_loss=2.302585,
        run_name="high-lr",
        paths=(path(walk=0.7604, arc=0.97),),
        points=(Point("end", (0, 0), 9),),
    )
    assert describe(scan) == [
        "A plane of kind pca through the final weights (step 0) of run high-lr.",
        "Axes: x: principal component 1; y: principal component 2; in distance in weight space.",
        "Grid: 2 × 2 points, 0 to 1 by 0 to 2.",
        "Training loss: 1 to 3 on the grid, 1 of 4 points not finite.",
        "Sharpness (the Hessian's largest eigenvalue): 7 to 9.",
        "Ignoring the input, a network has training loss 2.303 (ln 10) at best.",
        "The path: 90 % of its variance lies in this plane; a random plane would hold 0.002 %.",
        "Of a random walk as long, its first two principal components would hold 76 %; of a "
        "straight drift, the first alone all.",
        "Its points are up to 2 away from the plane in weight space.",
        "At 1 of 2 points with both, the loss on the plane is over 10 % off the loss of the "
        "weights themselves (median difference 25 %): the path is dashed there.",
        "BatchNorm statistics: estimated anew at every point.",
        "The path looks like an arc, as every random walk does on its first two principal "
        "components: its coordinates correlate by 0.97 or more with a walk's cosines. The arc by "
        "itself is no evidence of a turn or a valley.",
    ]


@pytest.mark.parametrize("changes", [{"arc": 0.94}, {"arc": np.nan}])
def test_no_warning_of_an_arc(planted, changes):
    base = planted.bowl(5, 5)
    scan = replace(base, plane=replace(base.plane, kind="pca"), paths=(path(**changes),))
    assert not [text for text in describe(scan) if "arc" in text]


@pytest.mark.parametrize(
    ("name", "figure", "described"),
    [
        ("final", "final weights (step 7)", "final weights (step 7)"),
        ("7", "weights at step 7", "weights at step 7"),
        ("other@best", "weights other@best (step 7)", "weights other@best (step 7)"),
    ],
)
def test_an_origin_is_called_the_same_everywhere(planted, name, figure, described):
    scan = planted.bowl(3, 3, run_name="r", run_id="")
    scan = replace(scan, plane=replace(scan.plane, origin_name=name, origin_step=7))
    assert sentences.origin(scan.plane) == figure
    assert (
        describe(scan)[0] == f"A plane of kind {scan.plane.kind} through the {described} of run r."
    )
    assert f"through the {described} of run r." in sentences.caption(scan)
    assert sentences.small_print(scan)[-1].startswith(f"origin: {figure}")


@pytest.mark.parametrize(
    ("mode", "figure", "caption", "described"),
    [
        (
            "saved",
            "BatchNorm statistics: the origin's",
            "BatchNorm layers use the origin's running statistics.",
            "BatchNorm statistics: the origin's at every point.",
        ),
        (
            "interpolate",
            "BatchNorm statistics: interpolated",
            "BatchNorm statistics were interpolated along the axes.",
            "BatchNorm statistics: between those of the weights the plane goes through: means "
            "affine, variances in their logarithm.",
        ),
        (
            "new",
            "BatchNorm statistics: new",
            "BatchNorm statistics: new.",
            "BatchNorm statistics: new.",
        ),
    ],
)
def test_where_batchnorm_statistics_are_from(planted, mode, figure, caption, described):
    base = planted.bowl(3, 3, provenance={})
    buffers = {"norm.running_mean": np.zeros(3)}
    scan = replace(base, plane=replace(base.plane, buffers=buffers, batchnorm=mode))
    assert figure in sentences.small_print(scan)[-1].split("; ")
    assert sentences.caption(scan).endswith(caption)
    assert described in describe(scan)
    assert not [text for text in describe(base) if "BatchNorm" in text]


def interpolated(planted, **changes) -> Scan:
    """A plane of 5 x 5 points of which the middle row is measured."""
    measured = np.zeros((5, 5), bool)
    measured[2] = True
    held_out = {"train_loss": np.array([1.0, 2.0])}
    values = {
        "tolerance": 0.01,
        "attempts": 2,
        "xy": np.zeros((2, 2)),
        "predicted": {"train_loss": np.array([1.008, 2.0])},
        "measured": held_out,
    }
    made = Certificate(**(values | changes))
    return planted.bowl(5, 5, measured=measured, tolerance=0.01, certificate=made)


def test_interpolation_is_said_with_its_error(planted):
    assert sentences.approximations(interpolated(planted)) == [
        "20 % of the points are measured, the others interpolated to within 1 % of the loss.",
        "Tested at 2 held-out random points (after 1 test that failed more points were measured): "
        "the training loss was off by 0.4 % on average, and by at most 0.8 % at 95 % of them; all "
        "of them were as near as promised; with 95 % confidence at least 22 % of all points are.",
    ]
    [briefly] = sentences.interpolated_briefly(0.2, interpolated(planted).certificate)
    assert briefly == (
        "20 % of the points are measured, the others interpolated to within 1 % of the loss, "
        "tested at 2 held-out random points (after 1 test that failed more points were measured): "
        "all of them were as near as promised."
    )
    nothing = {"xy": np.empty((0, 2)), "predicted": {}, "measured": {}}
    assert sentences.approximations(interpolated(planted, **nothing)) == [
        "Interpolation was never near enough: every point is measured."
    ]
    # A grid of too few points is simply measured.
    assert sentences.approximations(interpolated(planted, attempts=0, **nothing)) == []


def test_both_regions_are_said_and_first_what_would_hurt(planted):
    cap = {"train_loss": 4.0}
    drawn = {
        "xy": np.zeros((5, 2)),
        "predicted": {"train_loss": np.array([1.008, 2.0, 5.0, 10.0, 10.0])},
        "measured": {"train_loss": np.array([1.0, 2.0, 3.0, 9.0, 14.0])},
        "caps": cap,
        "floors": {"train_loss": 0.004},
        "expected_below": np.array([True, True, False, False, False]),
        "attempts": 1,
    }
    assert sentences.approximations(interpolated(planted, **drawn)) == [
        "20 % of the points are measured, the others interpolated to within 1 % of the loss "
        "(above the cap, 4, to within a factor 1.5).",
        "Tested at 5 held-out random points: 1 of those below the cap was taken to lie above it; "
        "the training loss was off by 22 % on average, and by at most 67 % at 95 % of the 3 below "
        "the cap; 4 of the 5 were "
        "as near as promised; with 95 % confidence at least 22 % of all points expected below the "
        "cap are.",
    ]
    drawn |= {"predicted": {"train_loss": np.array([1.008, 2.0, 3.0, 10.0, 14.0])}}
    said = sentences.approximations(interpolated(planted, **drawn))
    assert ": none of those below the cap was taken to lie above it; " in said[1]


def test_where_all_test_points_lie_above_the_cap_nothing_is_said_of_those_below(planted):
    losses = {"train_loss": np.full(32, 5.0), "validation_loss": np.full(32, 6.0)}
    drawn = {
        "xy": np.zeros((32, 2)),
        "predicted": losses,
        "measured": losses,
        "caps": dict.fromkeys(losses, 2.1972),
        "floors": dict.fromkeys(losses, 0.002),
        "expected_below": np.zeros(32, bool),
        "attempts": 1,
    }
    assert sentences.approximations(interpolated(planted, **drawn))[1:] == [
        "Tested at 32 held-out random points: at all of them training loss and validation loss "
        "lay above the cap, so that interpolation below it was not tested, as every point where a "
        "loss below was expected is measured itself; all of "
        "them were as near as promised; with 95 % confidence at least 91 % of all points expected "
        "above the cap are.",
    ]
    # Expected below and found above it: nothing tells why.
    drawn["expected_below"] = np.arange(32) < 24
    said = sentences.approximations(interpolated(planted, **drawn))
    assert "so that interpolation below it was not tested; " in said[1]
    # Of one of two losses.
    drawn["measured"] = drawn["predicted"] = losses | {"train_loss": np.full(32, 1.0)}
    said = sentences.approximations(interpolated(planted, **drawn))
    assert (
        "the training loss was off by 0 % on average, and by at most 0 % at 95 % of the 32 below "
        "the cap; at all of them validation loss lay above the cap, so that interpolation below "
        "it was not tested; all of them were as near as promised; with 95 % confidence" in said[1]
    )


@pytest.mark.parametrize(("batchnorm", "is_said"), [("recompute", True), ("saved", False)])
def test_a_plane_with_statistics_of_its_own_has_a_best_of_its_own(planted, batchnorm, is_said):
    scan, buffers = planted.bowl(5, 5), {"norm.running_mean": np.zeros(3)}
    own = replace(scan.plane, buffers=buffers, batchnorm=batchnorm)
    found = replace(scan, plane=own, points=(Point("best", (0.0, 0.0), 1234),))
    told = "The best marked (step 1,234) is that of losses with these statistics."
    assert (told in sentences.details(found)) == is_said
    assert (sentences.own_best(found) == told) == is_said
    assert sentences.own_best(replace(found, points=())) == ""


def test_a_subset_is_said_with_its_error(planted):
    base = planted.bowl(5, 5, settings={"samples": 200})
    error = 0.0125 * base.measures["train_loss"]
    assert sentences.approximations(replace(base, errors={"train_loss": error})) == [
        "Losses of 200 random samples, the same ones everywhere: standard error of the training "
        "loss 1.2 % (median)."
    ]
    unknown = replace(base, errors={"train_loss": np.full((5, 5), np.nan)})
    assert sentences.approximations(unknown) == [
        "Losses of 200 random samples, the same ones everywhere: standard error of the training "
        "loss unknown (median)."
    ]


@pytest.mark.parametrize(("rays", "said"), [(2, "1 random direction"), (4, "2 random directions")])
def test_directions_of_a_width_are_counted_by_their_rays(planted, rays, said):
    width = {"rise": 0.1, "median": 0.5, "lower": 0.4, "upper": 0.6, "reach": 1.0, "unit": "units"}
    width |= {"rays": rays, "planes": 1, "median_distance": 2.0}
    [text] = sentences.remarks(planted.bowl(5, 5, findings={"width": width}))[:1]
    assert f"over {rays} rays ({said})" in text


def test_a_width_and_a_barrier_in_numbers(planted):
    width = {
        "rise": 0.1,
        "median": 1234.5,
        "lower": 0.5,
        "upper": None,
        "reach": 2e-5,
        "unit": "units",
        "rays": 4,
        "planes": 2,
        "median_distance": 0.25,
    }
    barrier = {
        "train_nats": 0.5,
        "train_ratio": 2.0,
        "train_error_points": 1.25,
        "train_at": 0.5,
        "validation_nats": None,
    }
    scan = planted.line(5, findings={"width": width, "barrier": barrier})
    assert sentences.remarks(scan) == [
        "Width r₀.₁, where the training loss has risen by 0.1: median 1,234, quartiles 0.5 and "
        "beyond 2e−5 units, interpolated between grid points over 4 rays (2 random directions); "
        "the median is a distance of 0.25 in weight space.",
        "Barrier of the training loss along the line: 0.5, 2 times the larger end's loss, 1.2 "
        "error points, highest at 50 % of the way.",
        "Barrier of the validation loss: undetermined, a loss isn't finite.",
    ]


@pytest.mark.parametrize(
    ("radii", "told"),
    [
        ([[3.0, 1.0], [None, 2.0]], "lowest and highest 1 and beyond 5"),
        ([[3.0, 1.0], [0.5, 2.0]], "lowest and highest 0.5 and 3"),
        ([[3.0, 1.0], [0.5, 2.0], [4.0, 6.0]], "quartiles 7 and 8"),
    ],
)
def test_a_few_rays_are_told_by_the_lowest_and_the_highest(planted, radii, told):
    width = {
        "rise": 0.1,
        "lower": 7.0,
        "median": 2.0,
        "upper": 8.0,
        "median_distance": None,
        "rays": 2 * len(radii),
        "planes": len(radii),
        "reach": 5.0,
        "unit": "units",
        "finest": 0.01,
        "crossings": {"radii": radii, "losses": 1},
    }
    [said] = sentences.remarks(planted.line(5, findings={"width": width}))
    assert f": median 2, {told} units, measured over" in said


def test_a_loss_at_the_origin_that_is_nan_is_told_from_one_to_come(planted):
    base = replace(planted.bowl(3, 3), x=np.array([-1.0, 0, 1]), y=np.array([-1.0, 0, 1]))
    losses = base.measures["train_loss"].copy()
    losses[1, 1] = np.nan
    scan = planted.with_losses(base, losses)
    assert "Loss at the origin: training NaN." in sentences.caption(scan)
    coming = scan.measured.copy()
    coming[1, 1] = False
    waiting = replace(scan, measured=coming)
    assert "Loss at the origin: training unknown." in sentences.caption(waiting)


def test_events_in_words():
    events = (Event("spike", 5, 5, ""), Event("unheard", 0, 9, ""), Event("escape", 5, 1200, ""))
    assert sentences.event_names(events) == ["escape", "spike"]
    assert sentences.happened(events) == "Events: escape: steps 5–1,200; spike: step 5."


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (math.log(2), "0.6931 (ln 2)"),
        (math.log(1000), "6.908 (ln 1000)"),
        (2.25, "2.25"),  # labels that aren't equally frequent
        (0.0, "0"),
        (5000.0, "5,000"),
    ],
)
def test_the_loss_of_ignoring_the_input(loss, said):
    assert sentences.constant_output(loss) == (
        f"Ignoring the input, a network has training loss {said} at best."
    )


def test_no_loss_of_ignoring_the_input():
    assert sentences.constant_output(math.nan) == ""


def test_spikes_of_batches_are_told_apart_and_in_no_caption():
    seen = [Event("spike", 10 * k, 10 * k + 5, "") for k in (1, 2, 3)]
    alone = Event("batch spike", 5, 5, "")
    assert sentences.all_episodes([alone, *seen]) == [
        "3 × spike: steps 10 to 35",
        "batch spike: step 5",
    ]
    assert sentences.all_episodes([alone, *seen], most=3)[0] == (
        "3 × spike: steps 10–15, steps 20–25, steps 30–35"
    )
    assert sentences.happened([alone, *seen]) == "Events: 3 × spike: steps 10 to 35."
    assert sentences.happened([alone]) == ""


def test_of_a_training_that_overflowed_the_caption_says_so(planted):
    scan = planted.bowl(5, 5)
    broken = (Event("spike", 2, 3, ""), Event("non-finite", 7, 7, "overflowing weights"))
    path = replace(scan.paths[0], events=broken)
    said = sentences.ready(replace(scan, paths=(path,)))
    assert said.endswith(
        "At step 7 the training's numbers were no longer finite: the losses and distances of its "
        "last weights are out of all proportion."
    )
    assert "no longer finite" not in sentences.ready(scan)
    for told in (sentences.brief, describe):
        said = told(replace(scan, paths=(path,)))
        assert sentences.overflowed(broken)[0] in said
    assert sentences.overflowed(broken[:1]) == []


@pytest.mark.parametrize(
    ("events", "names"),
    [
        ((Event("recovery", 87, 90, ""), Event("spike", 87, 87, "")), ["spike", "recovery"]),
        ((Event("spike", 88, 90, ""), Event("recovery", 87, 90, "")), ["recovery", "spike"]),
        ((Event("plateau", 5, 9, ""), Event("escape", 5, 9, "")), ["escape", "plateau"]),
    ],
)
def test_events_come_in_their_order_and_a_recovery_after_what_it_follows(events, names):
    assert sentences.event_names(events) == names


def drift(losses, begins=150, **changes):
    """A drift plane of 20 rows, every tenth step, its last 10 the window: 5 on either side."""
    step = np.arange(10, 210, 10)
    one = Path(
        "mine",
        "1f2e",
        step,
        np.zeros((20, 2)),
        np.zeros(20),
        np.concatenate([np.full(9, 5.0), losses]),
        np.full(20, np.nan),
        0.5,
        0.01,
    )
    plane = Plane("drift", np.zeros(3, np.float32), np.eye(2, 3, dtype=np.float32), ("u", "v"), "d")
    axis = np.array([-1.0, 0, 1])
    return Scan(
        replace(plane, origin_step=200, **changes),
        axis,
        axis,
        {"train_loss": np.ones((3, 3))},
        np.ones((3, 3), bool),
        paths=(one,),
        points=(Point(f"step {begins:,}", (0.0, 0.0), begins),),
    )


def test_a_drift_of_a_run_that_still_descended_says_so():
    falling = drift([3.0, 2.9, 2.8, 2.7, 2.6, 1.4, 1.3, 1.2, 1.1, 1.0, 0.9])
    said = (
        "The run hadn't settled: the median loss of its weights fell from 2.8 (steps 100 to 140) "
        "to 1.15 (steps 150 to 200), and the drift holds that descent."
    )
    assert sentences.unsettled(falling) == said
    assert said in describe(falling)
    assert said in sentences.brief(falling)
    assert sentences.ready(falling).endswith(said)
    rising = drift([1.0, 1.1, 1.2, 1.3, 1.4, 2.0, 2.1, 2.2, 2.3, 2.4, 2.5])
    assert "rose from 1.2 (steps 100 to 140) to 2.25 (steps 150 to 200), and the drift holds " in (
        sentences.unsettled(rising)
    )


def test_of_other_drifts_and_planes_nothing_is_said():
    falling = [3.0, 2.9, 2.8, 2.7, 2.6, 1.4, 1.3, 1.2, 1.1, 1.0, 0.9]
    assert not sentences.unsettled(drift(falling, kind="along"))
    # Little, though every loss is below those before; much, but the halves overlap; too few known.
    assert not sentences.unsettled(drift(np.linspace(1.15, 0.95, 11)))
    assert not sentences.unsettled(drift([9.0, 1, 9, 1, 9, 1, 9, 1, 9, 1, 1]))
    assert not sentences.unsettled(drift([3.0, np.nan, np.nan, 2.7, 2.6, 1, 1, 1, 1, 1, 1]))


def test_what_is_said_at_once_tells_a_path_s_dashed_points_as_its_caption_does(planted):
    scan = planted.escape()
    [path] = scan.paths
    off = np.abs(path.plane_loss - path.true_loss) > 0.1 * np.abs(path.true_loss)
    where = (
        "where the plane's loss is over 10 % off that of the weights themselves "
        f"(at {round(100 * off.mean())} % of {len(off)} points)"
    )
    [said] = [text for text in sentences.brief(scan) if "variance" in text]
    assert said.endswith(f"; dashed {where}.")
    figure = contour(scan)
    assert where in making.caption_of("contour", scan, figure.drawn)
    near = replace(path, plane_loss=path.true_loss)
    [said] = [text for text in sentences.brief(replace(scan, paths=(near,))) if "variance" in text]
    assert "dashed" not in said
    # A path that is a dot has no line.
    assert not any("dashed" in text for text in sentences.brief(planted.random()))


def test_a_span_ends_at_the_cap_that_losses_are_resolved_to():
    made = Certificate(0.01, 1, np.empty((0, 2)), {}, {}, caps={"train_loss": 4.605})
    losses = np.array([0.3612, 1.586e5, np.inf])
    assert sentences.span(losses, made) == "0.361 to above the cap (4.605)"
    assert sentences.span(losses[:1], made) == "0.361 to 0.361"
    assert sentences.span(losses, None) == "0.361 to 158,600"
    assert sentences.span(losses[2:], made) == "nowhere finite"


def test_validation_says_its_lowest_measured_and_what_it_is_at_the_end(planted):
    losses = np.array([[9.0, 9, 9], [9.0, 5, 6], [9.0, 7, 4], [9.0, 9, 1]])
    measured = np.ones((4, 3), bool)
    measured[3, 2] = False  # the lowest of all is interpolated
    x, y = np.arange(4.0), np.arange(3.0)
    # Between (1, 1) and (2, 2): the mean of 5, 6, 7 and 4.
    end = Point("end", (1.5, 1.5), 40)
    scan = replace(
        planted.escape(4, 3),
        x=x,
        y=y,
        measures={"train_loss": np.ones((4, 3)), "validation_loss": losses},
        measured=measured,
        points=(Point("best", (0.0, 0.0), 9), end),
    )
    lowest = "Validation loss on the plane: 4 at the lowest measured point"
    said = f"{lowest}, 5.5 at the run's end."
    assert sentences.lowest_validation(scan) == said
    assert said in sentences.ready(scan, names=("training", "validation"))
    assert "alidation" not in sentences.ready(scan)
    outside = replace(scan, points=(replace(end, xy=(3.5, 1.0)),))
    assert sentences.lowest_validation(outside) == f"{lowest}."
    # On a point of the grid what is beside it doesn't matter.
    losses[2, 1] = np.nan
    corner = replace(scan, points=(replace(end, xy=(1.0, 1.0)),))
    assert sentences.lowest_validation(corner) == f"{lowest}, 5 at the run's end."
    assert not sentences.lowest_validation(replace(scan, measures={"train_loss": losses}))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (
            {
                "problem": {
                    "kind": "builtin",
                    "function": "landscape.problem.presets:make",
                    "settings": {"model": "mlp", "data": "npz:/a/mine.npz", "data_root": "/a"},
                    "label_noise": 0.2,
                },
                "settings": {"lr": 0.1, "optimizer": "adam", "batch_size": 8, "seed": 3},
            },
            "model mlp, data npz:mine.npz, 20 % of labels wrong, adam, learning rate 0.1, batch 8, "
            "seed 3",
        ),
        (
            {
                "problem": {"kind": "file", "path": "/a/pinn.py", "function": "burgers"},
                "settings": {"lr": 0.1},
            },
            "problem pinn.py:burgers, learning rate 0.1",
        ),
        (
            {"problem": {"kind": "module", "function": "mine.nets:small", "settings": {"n": 2}}},
            "problem mine.nets:small, n 2",
        ),
        (
            {
                "problem": {"kind": "python"},
                "settings": {},
                "optimizer": {"name": "Muon", "lr": 0.05},
            },
            "Muon, learning rate 0.05",
        ),
        ({"problem": {"kind": "python"}, "settings": None}, ""),
        ({}, ""),
    ],
)
def test_what_trained_a_run_in_a_sentence(planted, record, said):
    sentence = f"Training: {said}." if said else ""
    assert sentences.trained_as(record) == sentence
    scan, valley = planted.escape(5, 5), planted.valley(5, jump=None)
    for details, one in ((sentences.details, scan), (valley_sentences.details, valley)):
        known = replace(one, provenance=one.provenance | {"training": record})
        assert details(one).count("Training: ") == 0
        assert details(known).count("Training: ") == bool(said)
        assert f"{sentence} Command: ".lstrip() in details(known)

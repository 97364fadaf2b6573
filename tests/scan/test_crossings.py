"""The width r_0.1 of planted surfaces against its closed form, whatever the grid."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from landscape.curvature.searches import alone
from landscape.scan import grid
from landscape.scan.crossings import (
    LADDER,
    MOST,
    MOST_OF_WALL,
    WALL_PRECISION,
    crossing,
    measure,
    wall,
)
from landscape.scan.crossings import Ray as Way
from landscape.scan.prepare import prepare
from landscape.store.scans import scanfile
from landscape.store.scans.records import Plane
from landscape.store.scans.sentences import describe
from landscape.store.scans.widths import Width
from landscape.store.typed import rebuilt

from .planted import SHAPES, surface
from .requests import asked


def plane_of(dimensions: int, scale: float = 1.0) -> Plane:
    return Plane(
        "line" if dimensions == 1 else "random",
        np.zeros(2, np.float32),
        (scale * np.eye(2, dtype=np.float32))[:dimensions],
        ("random direction",) * dimensions,
        "filter-normalized units",
    )


def width_of(scan) -> Width:
    return rebuilt(Width, scan.findings["width"])


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("name", SHAPES)
def test_a_width_is_the_closed_form_and_no_matter_of_the_grid(name, dimensions):
    height, radius = SHAPES[name]
    found = [
        width_of(grid(surface(height), plane_of(dimensions, 2.0), size=size, extent=1))
        for size in (8, 9, 33)
    ]
    for width in found:
        assert width.crossings.radii == found[0].crossings.radii
        assert width.rays == 2 * dimensions
        for value in (width.lower, width.median, width.upper, *width.crossings.radii[0]):
            # 1 on an axis is 2 in weight space.
            assert value == pytest.approx(radius / 2, rel=0.02)
        assert width.median_distance == pytest.approx(radius, rel=0.02)
        assert width.crossings.losses <= 1 + 2 * dimensions * 13


def test_each_ray_has_its_own_radius():
    def lopsided(losses_at_rates):
        return lambda xy: np.where(xy > 0, xy * losses_at_rates[0], -xy * losses_at_rates[1])[:, 0]

    *_, (_, radii) = measure(lopsided((5.0, 0.3)), 1, [Way(0, 1.0), Way(0, -3.0)])
    assert radii == pytest.approx([0.1 / 5, 0.1 / 0.3], rel=0.02)


def test_a_plateau_lies_beyond():
    scan = grid(surface(lambda r: 0 * r), plane_of(2), size=5, extent=0.7)
    width = width_of(scan)
    assert (width.median, width.beyond, width.below, width.reach) == (None, 4, 0, 0.7)
    said = scan.remarks[-1]
    assert said.startswith(
        "Width r₀.₁ is beyond 0.7: within 0.7 filter-normalized units the training loss rises by "
    )
    assert said.endswith(
        "along none of 4 rays (2 random directions); along others it may, --planes 10 tells."
    )


def test_what_is_closer_than_the_finest_radius_lies_below():
    scan = grid(surface(lambda r: 1.0 * (r > 0)), plane_of(1), size=5, extent=1)
    width = width_of(scan)
    assert (width.median, width.beyond, width.below) == (0.0, 0, 2)
    assert width.finest == LADDER[0] == 8.0**-5
    assert scan.remarks == (
        "Width r₀.₁, where the training loss has risen by 0.1 (absolute, as neither the loss of "
        "ignoring the input nor the start's is known to lie clearly above the lowest): median "
        "below 3.05e−5, lowest and highest "
        "below 3.05e−5 and below 3.05e−5 filter-normalized units, measured over 2 rays (1 random "
        "direction); other directions may give another width, --planes 10 tells.",
    )


def test_a_rise_that_falls_again_counts_where_the_grid_has_seen_it():
    def hump(r):
        return torch.where((r > 0.18) & (r < 0.22), 1.0, 0.0)

    assert width_of(grid(surface(hump), plane_of(1), size=11, extent=1)).median == pytest.approx(
        0.18, rel=0.02
    )
    assert width_of(grid(surface(hump), plane_of(1), size=3, extent=1)).median is None


def test_no_width_without_a_finite_loss_at_the_origin_or_without_the_origin():
    pole = surface(lambda r: torch.where(r == 0, math.nan, 1.0))
    bowl = surface(lambda r: r**2)
    for where, extent in ((pole, "1"), (bowl, "0.5:1")):
        scan = grid(where, plane_of(1), size=5, extent=extent)
        assert scan.complete
        assert "width" not in scan.findings
    scaled = replace(plane_of(1), normalization="none", kind="line")
    assert "width" not in grid(bowl, scaled, size=5, extent=1).findings


def test_rays_go_one_way_where_the_scan_begins_at_the_origin():
    width = width_of(grid(surface(lambda r: r**2), plane_of(1), size=5, extent="0:1"))
    assert width.rays == 1
    assert width.median == pytest.approx(math.sqrt(0.1), rel=0.02)


@pytest.mark.parametrize("approximation", [{"tolerance": 0.05}, {"samples": 3}])
def test_fewer_evaluations_leave_the_width_as_it_is(approximation):
    height, radius = SHAPES["bowl"]
    exact = width_of(grid(surface(height), plane_of(2), size=21, extent=1))
    near = width_of(grid(surface(height), plane_of(2), size=21, extent=1, **approximation))
    assert near.crossings.radii == exact.crossings.radii
    assert near.median == pytest.approx(radius, rel=0.02)


def test_a_subset_of_the_samples_has_no_say(problem):
    made = problem()
    plane = Plane(
        "line",
        np.zeros(43, np.float32),
        np.random.default_rng(0).standard_normal((1, 43)).astype(np.float32),
        ("random direction",),
        "filter-normalized units",
    )
    all_of_them = width_of(grid(made, plane, size=21, extent=2))
    few = width_of(grid(made, plane, size=21, extent=2, samples=10))
    assert few.crossings.radii == all_of_them.crossings.radii


def test_measuring_is_interrupted_and_taken_up(problem, trained, finish):
    made = problem()
    run = trained(made)
    request = asked(kinds=("line",), size="5", planes=3)
    whole = finish(prepare(run, made, request, name="whole")[0])
    [job] = prepare(run, made, request)
    assert job.total == 15 + 3 * (1 + 2 * 13) + len(run.trajectory.step)
    going = job.run()
    while len(next(going).findings.get("crossings", {"radii": ()})["radii"]) < 2:
        pass
    going.close()
    stopped = scanfile.load(job.path)
    assert "width" not in stopped.findings
    [resumed] = prepare(run, made, request, resume=True)
    assert resumed.total == 1 + 2 * 13 + len(run.trajectory.step)
    scan = finish(resumed)
    assert scan.findings == whole.findings
    assert scan.remarks == whole.remarks
    assert len(scan.findings["width"]["crossings"]["radii"]) == 3
    [again] = prepare(run, made, request, resume=True)
    assert again.total == 0
    assert list(again.run()) == []


def test_what_was_measured_is_kept_where_the_paths_are_interrupted(problem, trained, finish):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("line",), size="5"))
    going = job.run()
    while not next(going).paths:
        pass
    going.close()
    before = scanfile.load(job.path)
    assert before.complete
    assert not before.paths
    [resumed] = prepare(run, made, asked(kinds=("line",), size="5"), resume=True)
    assert resumed.total == len(run.trajectory.step)
    after = finish(resumed)
    assert after.findings["width"]["crossings"] == before.findings["crossings"]
    assert "crossings" not in after.findings


def test_each_plane_is_measured_along_its_own_directions(problem, trained, finish, oracle):
    made = problem()
    run = trained(made)
    [job] = prepare(run, made, asked(kinds=("random",), size="4", planes=2, extent="4"))
    scan = finish(job)
    exact = oracle()

    def loss_at(plane, axis, place):
        weights = plane.origin.astype(np.float64) + place * plane.directions[axis]
        exact.put(weights, {})
        return exact.measure(made.train)[0]

    for plane, radii in zip(
        [scan.plane, *job.others()], scan.findings["width"]["crossings"]["radii"], strict=True
    ):
        level = loss_at(plane, 0, 0.0) + 0.1
        for (axis, way), radius in zip(((0, 1), (0, -1), (1, 1), (1, -1)), radii, strict=True):
            assert loss_at(plane, axis, way * radius / 1.02) < level
            assert loss_at(plane, axis, way * radius * 1.02) > level


def test_a_width_of_an_older_file_is_said_to_be_interpolated():
    scan = grid(surface(lambda r: r**2), plane_of(1), size=5, extent=1)
    newer = ("below", "finest", "crossings")
    older = {name: value for name, value in scan.findings["width"].items() if name not in newer}
    said = "\n".join(describe(replace(scan, findings={"width": older})))
    assert "filter-normalized units, interpolated between grid points over 2 rays (1 random" in said


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.0, 4.0])
def test_a_smooth_rise_takes_about_seven_losses(power):
    counts = []
    for radius in np.geomspace(0.02, 0.9, 40):
        asked_for = []

        def loss(share, radius=radius, asked_for=asked_for):
            asked_for.append(share)
            return 2.0 + 0.1 * (share / radius) ** power

        assert alone(crossing(), loss) == pytest.approx(radius, rel=0.02)
        counts.append(len(asked_for) - 1)
    assert np.mean(counts) < 8
    assert max(counts) <= MOST


def test_a_cliff_takes_one_loss_more_than_halving():
    for radius in np.geomspace(1e-4, 0.99, 60):
        asked_for = []

        def loss(share, radius=radius, asked_for=asked_for):
            asked_for.append(share)
            return 2.0 if share < radius else math.nan

        assert alone(crossing(), loss) == pytest.approx(radius, rel=0.02)
        assert len(asked_for) - 1 <= MOST


def test_a_rise_on_the_ladder_is_seen_beneath_a_fall():
    # Higher by 0.5 around 1/64, lower beyond.
    def loss(share):
        return 1.0 + 0.5 * math.exp(-(math.log(64 * share) ** 2)) - 0.2 * share if share else 1.0

    found = alone(crossing(), loss)
    assert loss(found / 1.02) < 1.1 < loss(found * 1.02)
    assert found < 1 / 64


class Ray:
    """The loss along a ray, and where it was asked for."""

    def __init__(self, rise) -> None:
        self.rise, self.shares = rise, []

    def __call__(self, share: float) -> float:
        self.shares.append(share)
        return 2.0 + float(self.rise(share))


NEARS = (0.0, 1e-3, 0.03, 0.3, 1.0, math.nan)


@pytest.mark.parametrize("precision", [0.02, WALL_PRECISION])
@pytest.mark.parametrize("near", NEARS)
@pytest.mark.parametrize("name", SHAPES)
def test_a_wall_is_the_closed_form_from_wherever_it_is_looked_for(name, near, precision):
    height, radius = SHAPES[name]
    for reach in (0.6, 3.0):
        ray = Ray(lambda share, reach=reach: height(torch.tensor(reach * share).double()))
        slope = {"cone": 3.0, "needle": 20.0}.get(name, 0.0) * reach
        found = alone(wall(near, slope, precision=precision), ray)
        assert found == pytest.approx(radius / reach, rel=precision)
        assert len(ray.shares) <= MOST_OF_WALL


@pytest.mark.parametrize("slope", [-0.6, -0.1, 0.0, 0.2, 1.0])
@pytest.mark.parametrize("off", [0.2, 0.7, 1.02, 1.6, 5.0])
def test_a_parabola_takes_about_five_losses(slope, off):
    counts = []
    for bend in np.geomspace(0.6, 600.0, 30):
        radius = (math.sqrt(slope**2 + 0.4 * bend) - slope) / (2 * bend)
        ray = Ray(lambda share, bend=bend: slope * share + bend * share**2)
        found = alone(wall(off * radius, slope), ray)
        assert found == pytest.approx(radius if radius < 1 else math.inf, rel=WALL_PRECISION)
        counts.append(len(ray.shares) - 1)
    assert np.mean(counts) < (4.1 if off == 1.02 else 6.5)
    assert max(counts) <= MOST_OF_WALL


def test_where_the_row_before_was_right_three_losses_are_enough():
    for radius in np.geomspace(1e-3, 0.6, 20):
        ray = Ray(lambda share, radius=radius: 0.1 * (share / radius) ** 2.5)
        assert alone(wall(1.01 * radius, 0.0), ray) == pytest.approx(radius, rel=WALL_PRECISION)
        assert len(ray.shares) == 4  # the origin's


def test_a_wall_that_is_measured_round_about_takes_two_more_losses():
    shares = np.linspace(-1, 1, 51)
    for radius in np.linspace(0.1, 0.95, 18):
        ray = Ray(lambda share, radius=radius: 0.1 * (abs(share) / radius) ** 2)
        losses = np.array([ray(share) for share in shares])
        ray.shares.clear()
        found = alone(wall(1e-3, 0.0, shares, losses, precision=0.02), ray)
        assert found == pytest.approx(radius, rel=0.02)
        assert ray.shares[0] == 0
        assert 1 <= len(ray.shares) - 1 <= 3


def bumpy(seed: int):
    """A ray that rises, falls and rises again, and a share of 1.02 finer than its bumps."""
    generator = np.random.Generator(np.random.PCG64(seed))
    heights, places = generator.uniform(-0.3, 0.4, 8), generator.uniform(0.0, 1.0, 8)
    widths = generator.uniform(0.03, 0.3, 8)

    def rise(share):
        bumps = heights * np.exp(-(((share - places) / widths) ** 2))
        rest = heights * np.exp(-((places / widths) ** 2))
        return (bumps - rest).sum() + 0.4 * share**2

    return rise


def test_a_wall_of_a_ray_that_falls_again_is_a_crossing_and_the_first_as_far_as_was_looked():
    first, dense = 0, np.geomspace(float(LADDER[0]), 1.0, 4000)
    for seed in range(60):
        rise = bumpy(seed)
        slope = (rise(1e-6) - rise(0.0)) / 1e-6
        losses = np.array([rise(share) for share in dense])
        for near in NEARS[1:]:
            ray = Ray(rise)
            found = alone(wall(near, slope), ray)
            quiet = [s for s in ray.shares if not rise(s) < 0.1]
            if math.isinf(found):  # it hasn't risen anywhere it was looked
                assert not quiet
                assert rise(1.0) < 0.1
                continue
            # From below the level to above, and no nearer share that was looked at is above.
            assert rise(found / (1 + WALL_PRECISION)) < 0.1 <= rise(found * (1 + WALL_PRECISION))
            assert min(quiet) >= found / 1.001
            exact = dense[np.argmax(losses >= 0.1)]
            first += found == pytest.approx(exact, rel=WALL_PRECISION + 0.001)
    assert first > 0.8 * 60 * (len(NEARS) - 1)


def test_a_rise_of_a_wall_that_falls_again_counts_where_the_column_has_seen_it():
    def hump(share):
        return 1.0 if 0.38 < share < 0.42 else 0.0

    shares = np.linspace(-1, 1, 11)
    losses = np.array([2.0 + hump(share) for share in shares])
    assert alone(wall(0.9, 0.0, shares, losses), Ray(hump)) == pytest.approx(
        0.38, rel=WALL_PRECISION
    )
    assert alone(wall(0.9, 0.0), Ray(hump)) == math.inf


@pytest.mark.parametrize(
    ("rise", "expected"),
    [
        (lambda share: 0.0 * share, math.inf),
        (lambda share: 1.0 if share else 0.0, 0.0),
        (lambda share: math.nan, math.nan),
        (lambda share: math.nan if share > 0.25 else 0.0, 0.25),
    ],
)
@pytest.mark.parametrize("near", NEARS)
def test_walls_beyond_below_and_without_a_row(rise, expected, near):
    found = alone(wall(near, 0.0), Ray(rise))
    assert found == pytest.approx(expected, rel=WALL_PRECISION, nan_ok=True)

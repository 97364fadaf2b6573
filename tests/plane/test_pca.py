from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from landscape import plane
from landscape.errors import LandscapeError
from landscape.plane import random_walk as null
from landscape.plane.projection import project
from landscape.quantities import percent


def test_the_plane_of_the_first_two_components(plant, walk):
    weights = walk(20, 300)
    where = plane.pca(plant(weights))
    exact = weights.astype(np.float64)
    _, values, directions = np.linalg.svd(exact - exact.mean(0), full_matrices=False)
    shares = values**2 / (values**2).sum()
    cosines = (where.directions * directions[:2]).sum(1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-6)
    # Training goes to the right and up.
    assert ((exact[-1] - exact[0]) @ where.directions.T > 0).all()
    assert where.labels == tuple(
        f"principal component {k}, {percent(share)} of the path's variance"
        for k, share in enumerate(shares[:2], start=1)
    )
    np.testing.assert_array_equal(where.origin, weights[-1])
    assert (where.unit, where.batchnorm) == ("distance in weight space", "recompute")
    found = project(plant(weights), where)
    assert found.share_in_plane == pytest.approx(shares[:2].sum(), rel=1e-6)


def test_some_of_the_steps(plant, walk):
    weights = walk(20, 300)
    weights -= 2 * weights[9]  # what is on the way is not what is far from 0
    where = plane.pca(plant(weights), first=50, last="120", at=80)
    some = weights[5:13].astype(np.float64)
    assert ((some[-1] - some[0]) @ where.directions.T > 0).all()
    directions = np.linalg.svd(some - some.mean(0), full_matrices=False)[2]
    np.testing.assert_allclose(np.abs((where.directions * directions[:2]).sum(1)), 1, atol=1e-6)
    assert where.labels[0].endswith("of the path's variance, steps 50 to 120")
    assert (where.origin_name, where.origin_step) == ("80", 80)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"first": 50, "last": 20}, "--from must be a step before --to, got 50 and 20; swap them"),
        ({"first": 7}, "step 7 must be a recorded one, the nearest are 0 and 10"),
        (
            {"first": 100, "last": 110},
            "plane pca needs recorded weights that span a plane, these 2 rows span a line; "
            "record more often, or take plane along",
        ),
    ],
)
def test_steps_that_cannot_be(plant, walk, bounds, message):
    with pytest.raises(LandscapeError) as caught:
        plane.pca(plant(walk(20, 60)), **bounds)
    assert str(caught.value) == message


def test_null_of_an_even_walk_is_cosines():
    steps = 10 * np.arange(200)
    modes, shares = null.modes(steps)
    for k in range(2):
        cosines = np.cos(np.pi * (k + 1) * (np.arange(200) + 0.5) / 200)
        assert abs(np.corrcoef(modes[:, k], cosines)[0, 1]) == pytest.approx(1, abs=1e-9)
    assert shares == pytest.approx([0.608, 0.152], abs=1e-3)
    assert null.share(steps) == pytest.approx(0.76, abs=1e-3)


def test_null_of_an_uneven_walk_is_that_of_walks(walk):
    steps = np.unique(np.geomspace(1, 3000, 40).astype(int))
    found = []
    for seed in range(5):
        weights = walk(3001, 400, seed=seed)[steps].astype(np.float64)
        values = np.linalg.svd(weights - weights.mean(0), compute_uv=False) ** 2
        found.append(values[:2].sum() / values.sum())
    assert null.share(steps) == pytest.approx(np.mean(found), abs=0.02)


def test_a_walk_is_an_arc_and_a_turn_is_not(plant, walk):
    trajectory = plant(walk(100, 5000))
    found = project(trajectory, plane.pca(trajectory))
    assert found.arc > 0.97
    assert found.walk == pytest.approx(0.76, abs=0.01)
    # There, back again, and a little to the side: components, but no arc.
    t = np.linspace(0, 1, 100)[:, None]
    u, v = np.linalg.qr(np.random.default_rng(0).standard_normal((500, 2)))[0].T
    there = plant(10 * np.sin(2 * np.pi * t) * u + 2 * np.sin(6 * np.pi * t) * v)
    assert project(there, plane.pca(there)).arc < 0.5


def test_a_long_path_is_thinned(walk):
    steps = np.arange(5000)
    scores = np.stack([np.cos(np.pi * k * (steps + 0.5) / 5000) for k in (1, 2)], 1)
    assert null.arc(steps, scores) == pytest.approx(1, abs=1e-4)


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from landscape.plane import pca
from landscape.store.trajectories.trajectory import Trajectory

trajectory = Trajectory.open(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = pca(trajectory)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) // 1024, found.labels[0])
"""


@pytest.mark.slow
def test_a_thousand_rows_of_a_hundred_thousand_in_bounded_memory(plant, walk):
    trajectory = plant(walk(1000, 100_000))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(trajectory.path)],
        capture_output=True,
        text=True,
        check=True,
    )
    megabytes, label = done.stdout.split(maxsplit=1)
    # All of it would be 400 MB in float32 and 800 in float64.
    assert int(megabytes) < 300
    assert label.startswith("principal component 1, 61 %")

from __future__ import annotations

import numpy as np
import pytest

from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import scale
from landscape.draw.solid import meshes, perspective, relief
from landscape.draw.solid.meshes import Frame

X, Y = np.linspace(-8, 45, 11), np.linspace(-15, 15, 7)
FRAME = Frame(PlaneWindow(np.array([-8, -15.0]), np.array([45, 15.0])), (1.0, 0.6), 0.5)
LINEAR = scale.Scale(0.0, 1.0, log=False, capped=True, rule="", constant=float("nan"))


def planted_scan(planted, loss):
    where = planted.plane("along", ("a", "b"), "distance in weight space", (1.0, 1.0))
    return planted.scan(where, X, Y, lambda x, y: 0 * x * y, measures={"train_loss": loss})


def grid(scan):
    return scan.x, scan.y, scan.measures["train_loss"]


def barycentric(point, a, b, c):
    """Height of a triangle at a place, NaN outside: by solving, not by cells and diagonals."""
    sides = np.column_stack([(b - a)[:2], (c - a)[:2]])
    u, v = np.linalg.solve(sides, point - a[:2])
    inside = min(u, v, 1 - u - v) >= 0
    return a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2]) if inside else np.nan


def test_heights_are_those_of_the_drawn_triangles(planted):
    rng = np.random.default_rng(0)
    loss = rng.uniform(0, 1.3, (11, 7))
    loss[4, 3] = np.nan
    surface = relief.of(*grid(planted_scan(planted, loss)), LINEAR, FRAME)
    mesh = meshes.surface(X, Y, loss, LINEAR, FRAME)
    places = rng.uniform(-0.5, 0.5, (80, 2)) * [1.1, 0.66]
    triangles = mesh.points[mesh.faces]
    for place, height in zip(places, surface.height(places), strict=True):
        found = [h for t in triangles if not np.isnan(h := barycentric(place, *t))]
        assert len(found) == (0 if np.isnan(height) else 1)
        if found:
            assert height == pytest.approx(found[0])


def test_normals_of_a_slope(planted):
    loss = 0.1 + 0.4 * (X[:, None] + 8) / 53 + 0.2 * (Y[None, :] + 15) / 30
    surface = relief.of(*grid(planted_scan(planted, loss)), LINEAR, FRAME)
    normal = np.array([-0.5 * 0.4, -0.5 * 0.2 / 0.6, 1.0])
    found = surface.normal(np.array([[0.1, 0.05, 9.0]]))
    np.testing.assert_allclose(found, [normal / np.linalg.norm(normal)])


def test_what_is_beneath_or_behind_is_hidden(planted):
    loss = np.full((11, 7), 0.4)
    loss[7] = 0.9
    surface = relief.of(*grid(planted_scan(planted, loss)), LINEAR, FRAME)
    corners = np.array(
        [[x, y, z] for x in (-0.5, 0.5) for y in (-0.3, 0.3) for z in (-0.2, 0.5)], dtype=float
    )
    seen = perspective.fitted(corners, 0.0, 40.0, (400, 400), (0.1, 0.1, 0.1, 0.1))
    beneath, above, behind, before = (
        [-0.3, 0.0, 0.1],
        [-0.3, 0.0, 0.21],
        [0.15, 0.0, 0.21],
        [0.4, 0.0, 0.21],
    )
    found = surface.shows(seen, np.array([beneath, above, behind, before]))
    assert found.tolist() == [False, True, False, True]


def test_nothing_is_hidden_by_a_hole_or_above_the_cut(planted):
    loss = np.full((11, 7), 0.4)
    loss[7] = np.nan
    loss[4:7] = 5.0
    surface = relief.of(*grid(planted_scan(planted, loss)), LINEAR, FRAME)
    corners = np.array([[-0.5, -0.3, -0.2], [0.5, 0.3, 0.5]])
    seen = perspective.fitted(corners, 0.0, 60.0, (400, 400), (0.1, 0.1, 0.1, 0.1))
    assert surface.shows(seen, np.array([[0.0, 0.0, 0.1]])).tolist() == [True]
    assert surface.shows(seen, np.empty((0, 3))).shape == (0,)

from __future__ import annotations

import numpy as np
import pytest

from landscape.draw.elements.plane_axes import PlaneWindow
from landscape.draw.look import scale
from landscape.draw.solid import meshes
from landscape.draw.solid.meshes import Frame

X, Y = np.linspace(-8, 45, 51), np.linspace(-15, 15, 31)
FRAME = Frame(PlaneWindow(np.array([-8, -15.0]), np.array([45, 15.0])), (1.0, 0.6), 0.5)
UNCAPPED = scale.Scale(1.0, 1000.0, log=True, capped=False, rule="", constant=float("nan"))
LOSS = np.exp(0.04 * (X[:, None] + 8) + 0.02 * (Y[None, :] + 15))


def area(mesh):
    a, b, c = (mesh.points[mesh.faces[:, k]][:, :2] for k in range(3))
    u, v = b - a, c - a
    return np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum() / 2


def test_every_grid_point_carries_its_own_loss():
    mesh = meshes.surface(X, Y, LOSS, UNCAPPED, FRAME)
    for i, j in ((0, 0), (50, 0), (0, 30), (17, 23)):
        place = mesh.points[i * 31 + j]
        xy = FRAME.window.at(place[:2] / FRAME.size + 0.5)
        np.testing.assert_allclose(xy, [X[i], Y[j]])
        assert UNCAPPED.loss(place[2] / 0.5) == pytest.approx(LOSS[i, j])


def test_the_triangles_cover_the_plane_once():
    mesh = meshes.surface(X, Y, LOSS, UNCAPPED, FRAME)
    assert len(mesh.faces) == 2 * 50 * 30
    assert area(mesh) == pytest.approx(0.6)


def test_a_plane_s_normals_are_its_own():
    mesh = meshes.surface(X, Y, LOSS, UNCAPPED, FRAME)
    # The logarithm of the loss is affine, so the surface is one plane.
    slope_x = 0.5 * 0.04 * 53 / np.log(1000)
    slope_y = 0.5 * 0.02 * 30 / np.log(1000) / 0.6
    normal = np.array([-slope_x, -slope_y, 1.0])
    np.testing.assert_allclose(mesh.normals, np.tile(normal / np.linalg.norm(normal), (51 * 31, 1)))


def test_a_peak_is_cut_exactly_along_the_line_of_the_cap():
    capped = scale.Scale(1.0, np.e, log=True, capped=True, rule="", constant=float("nan"))
    mesh = meshes.surface(X, Y, LOSS, capped, FRAME)
    used = np.unique(mesh.faces)
    assert mesh.position[used].max() == 1
    rim = mesh.points[used][mesh.position[used] == 1]
    xy = FRAME.window.at(rim[:, :2] / FRAME.size + 0.5)
    # log loss is affine: its line of the cap is straight, and the cut has no other error.
    np.testing.assert_allclose(0.04 * (xy[:, 0] + 8) + 0.02 * (xy[:, 1] + 15), 1, atol=1e-12)
    np.testing.assert_allclose(rim[:, 2], 0.5)
    # What is left lies below the line: a trapezoid with parallel sides 25 and 10 long.
    assert area(mesh) == pytest.approx(0.6 * 30 * (25 + 10) / 2 / (53 * 30))


def test_the_rim_is_closed():
    capped = scale.Scale(1.0, np.e, log=True, capped=True, rule="", constant=float("nan"))
    edges = meshes.rim(meshes.surface(X, Y, LOSS, capped, FRAME))
    assert (np.bincount(edges.ravel())[np.unique(edges)] == 2).all()


def test_a_contour_line_lies_on_its_level():
    mesh = meshes.surface(X, Y, LOSS, UNCAPPED, FRAME)
    level = float(UNCAPPED.position(np.array(2.0)))
    ends, normals = meshes.lines(mesh, level)
    xy = FRAME.window.at(ends.reshape(-1, 3)[:, :2] / FRAME.size + 0.5)
    np.testing.assert_allclose(0.04 * (xy[:, 0] + 8) + 0.02 * (xy[:, 1] + 15), np.log(2))
    np.testing.assert_allclose(ends[..., 2], 0.5 * level)
    assert ends.shape == normals.shape
    assert np.linalg.norm(np.diff(xy.reshape(-1, 2, 2), axis=1), axis=2).sum() == pytest.approx(
        np.hypot(np.log(2) / 0.04, np.log(2) / 0.02)
        if np.log(2) / 0.02 <= 30
        else np.hypot(0.5, 1) * 30
    )


def test_triangles_at_a_loss_that_is_not_finite_are_left_out():
    loss = LOSS.copy()
    loss[10, 10], loss[20, 5] = np.nan, np.inf
    mesh = meshes.surface(X, Y, loss, UNCAPPED, FRAME)
    assert not np.isin([10 * 31 + 10, 20 * 31 + 5], mesh.faces).any()
    assert np.isfinite(mesh.points).all()
    assert np.isfinite(mesh.normals).all()


def test_nothing_finite_makes_an_empty_mesh():
    mesh = meshes.surface(X, Y, np.full((51, 31), np.nan), UNCAPPED, FRAME)
    assert mesh.faces.shape == (0, 3)
    assert meshes.rim(mesh).shape == (0, 2)


def test_the_floor_is_grey_exactly_where_the_surface_is_missing():
    """What reaches above the cap and what is left below it cover the plane together."""
    capped = scale.Scale(1.0, np.e, log=True, capped=True, rule="", constant=float("nan"))
    whole = meshes.surface(X, Y, LOSS, capped, FRAME)
    high = LOSS.ravel() > np.e
    assert high[whole.beyond].any(axis=1).all()
    uncut = meshes.surface(X, Y, LOSS, UNCAPPED, FRAME)
    below = [face for face in uncut.faces.tolist() if not high[face].any()]
    assert len(whole.beyond) + len(below) == len(uncut.faces)
    # In a smaller box nothing lies outside of it.
    window = PlaneWindow(np.array([-8.0, -15.0]), np.array([29.1, 15.0]))
    less = meshes.surface(X, Y, LOSS, capped, Frame(window, (1.0, 30 / 37.1), 0.5))
    assert np.abs(less.points[less.beyond][..., 0]).max() == pytest.approx(0.5)

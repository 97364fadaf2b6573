from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgba

from landscape.draw.elements import raster
from landscape.draw.look import scale, theme

X, Y = np.linspace(-2, 3, 6), np.linspace(0, 1, 3)
LOSS = 1 + (X[:, None] + 2) + 10 * Y[None, :]
LINEAR = scale.Scale(0.0, 20.0, log=False, capped=False, rule="", constant=float("nan"))


def rasterized(loss=LOSS, measured=None, pixels=200):
    measured = np.ones(loss.shape, np.bool_) if measured is None else measured
    return raster.of(X, Y, loss, measured, LINEAR, pixels)


def test_an_affine_loss_is_exact_at_every_pixel():
    r = rasterized()
    np.testing.assert_allclose(r.position * 20, 1 + (r.x[:, None] + 2) + 10 * r.y[None, :])
    assert r.position.shape == (200, 40)


def test_the_picture_s_rows_go_along_y_and_carry_the_colour_map():
    r = rasterized()
    picture = r.picture()
    assert picture.shape == (40, 200, 4)
    wanted = np.round(255 * np.array(theme.LOSS(r.position[150, 10]))).astype(np.uint8)
    np.testing.assert_array_equal(picture[10, 150], wanted)


def test_what_is_above_the_scale_is_one_grey():
    r = rasterized(4 * LOSS)
    above = r.position.T > 1
    assert 0.1 < above.mean() < 1
    grey = np.round(255 * np.array(to_rgba(theme.LOOKS["paper"].beyond)))
    np.testing.assert_array_equal((r.picture() == grey).all(-1), above)


def test_what_is_no_loss_fills_its_own_node_s_pixels_only():
    loss = LOSS.copy()
    loss[1, 1], loss[3, 0], loss[4, 2] = np.nan, np.inf, np.nan
    measured = np.ones(loss.shape, np.bool_)
    measured[1, 1] = False
    r = rasterized(loss, measured)

    def nearest(i, j):
        near = np.abs(r.x[:, None] - X).argmin(1), np.abs(r.y[:, None] - Y).argmin(1)
        return np.ix_(near[0] == i, near[1] == j)

    for node, kind in (
        ((1, 1), raster.UNMEASURED),
        ((3, 0), raster.INFINITE),
        ((4, 2), raster.NOT_A_NUMBER),
    ):
        assert (r.kind[nearest(*node)] == kind).all()
        assert (r.kind == kind).sum() == (r.kind[nearest(*node)] == kind).sum()
    # Around them a pixel takes its nearest node's value.
    np.testing.assert_allclose(r.position[nearest(2, 1)][:10] * 20, LOSS[2, 1])
    assert np.isnan(r.position[r.kind != raster.FINITE]).all()


def test_between_the_points_a_cubic_is_exact():
    x, y = np.linspace(-1, 1, 9), np.linspace(0, 2, 7)
    f = lambda u, v: 1 + u**3 - v**2 + u * v  # noqa: E731
    columns, rows = np.linspace(0.02, 0.06, 5), np.linspace(1.0, 1.1, 4)
    found = raster.between(x, y, f(x[:, None], y), LINEAR, columns, rows)
    np.testing.assert_allclose(found * 20, f(columns[:, None], rows), atol=1e-12)


def test_between_points_that_are_not_finite_there_is_nothing():
    loss = LOSS.copy()
    loss[2, 1] = np.nan
    found = raster.between(X, Y, loss, LINEAR, np.array([0.1, 0.2]), np.array([0.5, 0.6]))
    assert np.isnan(found).all()

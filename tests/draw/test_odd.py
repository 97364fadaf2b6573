"""Figures of scans that nobody hopes for: each must be drawn, without a warning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape import draw
from landscape.draw.look.style import Style
from landscape.store.scans.records import Scan

pytestmark = pytest.mark.filterwarnings("error")
SMALL = Style(dpi=60)


def changed(planted, change, **more) -> Scan:
    bowl = planted.bowl(13, 11)
    loss = bowl.measures["train_loss"].copy()
    change(loss)
    return planted.with_losses(bowl, loss, **more)


def one_point(planted) -> Scan:
    bowl = planted.bowl(13, 11)
    path = bowl.paths[0]
    rows = ("step", "xy", "distance_from_plane", "true_loss", "plane_loss", "interpolated")
    cut = replace(path, **{name: getattr(path, name)[:1] for name in rows})
    return replace(bowl, paths=(replace(cut, share_in_plane=float("nan")),))


def outside(planted) -> Scan:
    bowl = planted.bowl(13, 11)
    points = tuple(replace(p, xy=tuple(9 + c for c in p.xy)) for p in bowl.points)
    path = bowl.paths[0]
    return replace(bowl, paths=(replace(path, xy=path.xy + 9),), points=points)


def unknown_losses(planted) -> Scan:
    bowl = planted.bowl(13, 11)
    nothing = np.full(len(bowl.paths[0].step), np.nan)
    path = replace(bowl.paths[0], true_loss=nothing, plane_loss=nothing)
    return replace(bowl, paths=(path,))


ODD = {
    "2 x 2": lambda p: p.bowl(2, 2),
    "51 x 31": lambda p: p.escape(51, 31),
    "2 x 31": lambda p: p.escape(2, 31),
    "constant": lambda p: changed(p, lambda loss: loss.fill(2.3), constant_loss=2.3),
    "all NaN": lambda p: changed(
        p, lambda loss: loss.fill(np.nan), measured=np.zeros((13, 11), np.bool_)
    ),
    "all infinite": lambda p: changed(p, lambda loss: loss.fill(np.inf)),
    "minus infinity": lambda p: changed(p, lambda loss: loss.__setitem__((3, 3), -np.inf)),
    "one finite": lambda p: changed(p, lambda loss: loss[1:].fill(np.nan)),
    "zeros": lambda p: changed(p, lambda loss: loss.fill(0.0)),
    "negative": lambda p: changed(p, lambda loss: loss.__isub__(5)),
    "huge": lambda p: changed(p, lambda loss: loss.__setitem__((0, 0), 1e300)),
    "tiny": lambda p: changed(p, lambda loss: loss.__setitem__((6, 5), 1e-300)),
    "high": lambda p: changed(p, lambda loss: loss.__iadd__(50.0)),
    "no path": lambda p: replace(p.bowl(13, 11), paths=(), points=()),
    "path of one point": one_point,
    "path outside": outside,
    "path without losses": unknown_losses,
    "tiny path on a gap": lambda p: p.with_losses(
        p.random(11, 11), np.full((11, 11), np.nan), measured=np.zeros((11, 11), np.bool_)
    ),
    "no constant": lambda p: replace(p.bowl(13, 11), constant_loss=float("nan")),
    "dollars": lambda p: replace(
        p.bowl(5, 5), plane=replace(p.bowl(5, 5).plane, labels=("$x", "a_b$^"))
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_it_is_drawn_from_above_and_captioned(planted, name):
    scan = ODD[name](planted)
    figure = draw.contour(scan, style=SMALL)
    figure.canvas.draw()
    assert np.ptp(np.asarray(figure.canvas.buffer_rgba())[..., :3]) > 100
    assert draw.caption(scan).startswith("Training loss on the plane through ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_it_is_painted_as_a_surface(planted, name):
    figure = draw.surface(ODD[name](planted), renderer="matplotlib", style=SMALL)
    figure.canvas.draw()
    assert np.ptp(np.asarray(figure.canvas.buffer_rgba())[..., :3]) > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2 x 2", "all NaN", "huge", "path of one point", "path outside"])
def test_it_is_drawn_by_vtk(planted, gl, monkeypatch, name):
    monkeypatch.setattr("landscape.draw.solid.by_vtk.SUPERSAMPLED", 1)
    figure = draw.surface(ODD[name](planted), renderer="pyvista", style=SMALL)
    figure.canvas.draw()
    assert np.ptp(np.asarray(figure.canvas.buffer_rgba())[..., :3]) > 100

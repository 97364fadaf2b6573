from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize

from landscape import draw
from landscape.draw.look import theme
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError

wander = draw.KINDS["path"]


def test_the_path_is_where_it_was_projected_to_in_its_steps_colours(planted):
    scan = planted.escape(9, 9)
    [path] = scan.paths
    axes = wander(scan).axes[0]
    coloured = [c for c in axes.findobj(LineCollection) if len(c.get_colors()) > 1]
    segments = np.concatenate([c.get_segments() for c in coloured])
    colours = np.concatenate([c.get_colors() for c in coloured])
    np.testing.assert_array_equal(segments[:, 0], path.xy[:-1])
    middles = (path.step[1:] + path.step[:-1]) / 2
    wanted = theme.STEP(Normalize(path.step[0], path.step[-1])(middles))
    np.testing.assert_allclose(colours, wanted)
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    assert (path.xy.min(axis=0) > low).all()
    assert (path.xy.max(axis=0) < high).all()


def test_losses_and_distances_are_the_path_s(planted):
    scan = planted.escape(9, 9)
    [path] = scan.paths
    figure = wander(scan)
    by_title = {axes.get_title(loc="left"): axes for axes in figure.axes}
    lines = [line.get_ydata() for line in by_title["training loss"].lines]
    assert any(np.array_equal(line, path.true_loss) for line in lines)
    assert any(np.array_equal(line, path.plane_loss) for line in lines)
    [line] = by_title["distance from the plane"].lines
    np.testing.assert_array_equal(line.get_ydata(), path.distance_from_plane)


@pytest.mark.parametrize(("tall", "equal"), [(0.5, True), (1.0, True), (2.5, True), (0.02, False)])
def test_axes_are_to_one_scale_unless_the_path_is_thin(planted, tall, equal):
    scan = planted.bowl(5, 5)
    t = np.linspace(0, 1, 20)
    xy = np.stack([t, tall * np.sin(np.pi * t / 2)], axis=1)
    path = planted.path(xy, 1 + t, 1 + t, t)
    figure = wander(replace(scan, paths=(path,), points=()))
    axes = figure.axes[0]
    box = axes.get_window_extent()
    a, b = np.ptp(axes.get_xlim()) / box.width, np.ptp(axes.get_ylim()) / box.height
    assert (abs(a / b - 1) < 0.01) == equal
    said = any("the path's axes are not to one scale" in text.get_text() for text in figure.texts)
    assert said != equal


def test_in_a_column(planted):
    figure = wander(planted.escape(9, 9), style=Style(width=3.25))
    assert figure.get_figwidth() == pytest.approx(3.25)
    lefts = {round(axes.get_position().x0, 3) for axes in figure.axes}
    assert len(lefts) == 1


def test_without_a_path_and_on_a_line(planted):
    for scan, message in (
        (
            replace(planted.bowl(5, 5), paths=()),
            "a path figure needs a path with two points or more, got none",
        ),
        (
            planted.line(5),
            "a path figure needs a scan of a plane, got one along a line: draw its curve",
        ),
    ):
        with pytest.raises(LandscapeError) as refused:
            wander(scan)
        assert str(refused.value) == message

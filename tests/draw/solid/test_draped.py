from __future__ import annotations

import numpy as np
import pytest

from landscape.draw.look import scale, theme
from landscape.draw.solid import draped, stage, trail


@pytest.fixture
def laid(planted):
    scan = planted.bowl(31, 31)
    return trail.of(scan, scale.of(scan, paths=True), stage.box_of(scan))


def test_the_path_lies_on_the_surface_in_one_colour(laid):
    found = draped.of(laid, theme.PATH)
    assert not found.tracks
    assert not found.drops
    solid = np.array([*theme.matplotlib.colors.to_rgb(theme.PATH), 1.0])
    for tube in found.tubes:
        np.testing.assert_allclose(tube.colours, np.tile(solid, (len(tube.points), 1)))
        over = tube.points[:, 2] - laid.relief.height(tube.points)
        known = np.isfinite(over)
        assert known.mean() > 0.9
        # A tube's radius hides the rest.
        assert np.abs(over[known]).max() < 2 * draped.THIN


def test_it_is_dashed_where_the_plane_has_another_loss_and_nowhere_else(laid):
    found = draped.of(laid, theme.PATH)
    lengths = {True: [], False: []}
    for tube in found.tubes:
        assert len(set(tube.pale[:-1].tolist())) == 1
        long = np.linalg.norm(np.diff(tube.points, axis=0), axis=1).sum()
        lengths[bool(tube.pale[0])].append(float(long))
    track = laid.tracks[0]
    steps = np.linalg.norm(np.diff(track.points, axis=0), axis=1)
    pale = steps[track.pale[:-1]].sum()
    assert pale > draped.DASH + draped.SPACE
    assert max(lengths[True]) <= draped.DASH * 1.05
    # Of what is pale the spaces are missing, of the rest nothing.
    share = draped.DASH / (draped.DASH + draped.SPACE)
    assert sum(lengths[True]) == pytest.approx(share * pale, rel=0.25)
    assert sum(lengths[False]) == pytest.approx(steps.sum() - pale, rel=0.1)


def test_a_dot_of_a_path_is_left_out(planted):
    scan = planted.random(15, 15)
    dot = trail.of(scan, scale.of(scan, paths=True), stage.box_of(scan))
    assert dot.tracks
    assert not draped.of(dot, theme.PATH).tubes

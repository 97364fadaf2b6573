from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.text import Text

from landscape.diagnose.connectivity.connectivity import profile
from landscape.draw.diagnosis.barriers import barriers, caption
from landscape.draw.look.style import Style
from landscape.store.measured.paths import Connectivity, PairBarriers

T = np.linspace(0, 1, 11)


def pairs(height, errors, *, classes=True):
    """Three networks; the worst path rises by ``height`` in the middle."""
    losses = 0.1 + height * 4 * T * (1 - T)
    shares = 0.9 - 0.2 * height * T * (1 - T) if classes else np.full(11, math.nan)
    found = profile(T, list(zip(losses, shares, strict=True)))
    matrix = np.zeros((3, 3))
    matrix[[0, 0, 1], [1, 2, 2]] = errors
    matrix += matrix.T
    return PairBarriers(matrix, matrix / 10, matrix, matrix, found, (0, 2), max(errors) < 2)


@pytest.fixture
def between():
    def make(*, moved=2, classes=True):
        return Connectivity(
            line=pairs(1.0, (1.0, 5.0, 3.0), classes=classes),
            polyline=pairs(0.5, (0.5, 2.5, 1.5), classes=classes),
            matched=pairs(0.1, (0.1, 0.2, 0.3), classes=classes),
            moved=moved,
            distance=np.ones((3, 3)),
            matched_distance=np.ones((3, 3)),
            train_loss=np.full(3, 0.1),
            train_accuracy=np.full(3, 0.9 if classes else math.nan),
            points=11,
            reason=None,
        )

    return make


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def test_profiles_and_the_line_their_barriers_stand_on(found, between):
    upper, lower = barriers(found(connectivity=between())).axes[:2]
    heights = [max(line.get_ydata()) for line in upper.lines if len(line.get_xdata()) == 11]
    assert heights == pytest.approx([1.1, 0.6, 0.2])
    chords = [line.get_ydata() for line in upper.lines if len(line.get_xdata()) == 2]
    np.testing.assert_allclose(chords[0], [0.1, 0.1])
    assert max(lower.lines[1].get_ydata()) == pytest.approx(15)


def test_lines_above_the_diagonal_and_matched_ones_beneath(found, between):
    figure = barriers(found(connectivity=between()))
    [picture] = figure.axes[2].images
    shown = np.ma.filled(picture.get_array(), np.nan)
    np.testing.assert_allclose(shown[[0, 0, 1], [1, 2, 2]], [1, 5, 3])
    np.testing.assert_allclose(shown[[1, 2, 2], [0, 0, 1]], [0.1, 0.2, 0.3])
    assert np.isnan(np.diag(shown)).all()
    assert "matched lines" in words(figure)


def test_matching_that_changed_nothing_is_not_drawn(found, between):
    figure = barriers(found(connectivity=between(moved=0)))
    shown = np.ma.filled(figure.axes[2].images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown[[1, 2, 2], [0, 0, 1]], [0.5, 2.5, 1.5])
    assert "weight matching moved no unit in any pair" in words(figure)
    assert "units matched" not in words(figure)


def test_without_classes_the_ratio_counts(found, between):
    figure = barriers(found(connectivity=between(classes=False)), style=Style(width=3.25))
    assert not figure.axes[1].get_visible()
    shown = np.ma.filled(figure.axes[2].images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown[0, 2], 0.5)
    assert "barrier / larger loss" in words(figure)


def test_low_barriers_stay_dark_and_the_limit_is_marked(found, between):
    """On a scale from 0 to what counts as a barrier at least."""
    figure = barriers(found(connectivity=between()))
    assert figure.axes[2].images[0].get_clim() == (0, 5)
    flat = between()
    flat = Connectivity(**{**vars(flat), "line": flat.matched, "polyline": flat.matched})
    assert barriers(found(connectivity=flat)).axes[2].images[0].get_clim() == (0, 2.5)


def test_its_caption(found, between):
    text = caption(found(connectivity=between()))
    assert (
        "Straight line: floors not connected, worst barrier 1 in loss and 5 error points." in text
    )
    assert "Line, units matched: floors connected, worst barrier 0.1 in loss" in text

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.text import Text

from landscape.diagnose.motion import distances as measured
from landscape.draw.diagnosis.distances import caption, distances
from landscape.draw.look.style import Style
from landscape.store.measured.networks import Functions
from landscape.store.measured.weights import Copies, Distances, Nearest, Typical, WeightDistances

STEP = np.array([0, 1, 2, 4, 8, 16, 32, 64, 96, 128])


@pytest.fixture
def spread():
    """A straight line at unit speed: d is the lag."""
    squared = (STEP[:, None] - STEP).astype(float) ** 2
    found = Distances(STEP, squared)
    return WeightDistances(found, measured.by_lag(found))


@pytest.fixture
def copies():
    nearest = {"hidden": Nearest((1, 4), 0.5), "conv": Nearest((0, 2), 0.9)}
    typical = Typical(300.0, 2.0, 64, 301.0)
    sizes = {"hidden": 64, "conv": 16}
    expected = {"hidden": 280.0, "conv": 90.0}
    return Copies(0.5, nearest, False, typical, expected, 310.0, 250.0, 200.0, sizes, None, {}, ())


def texts(figure):
    return [text.get_text().replace("\n", " ") for text in figure.findobj(Text)]


def test_the_matrix_and_the_curve_have_one_scale(found, spread, copies):
    figure = distances(found(distances=spread, permutations=copies))
    matrix, strip, curve = figure.axes
    [mesh] = [part for part in matrix.collections if isinstance(part, QuadMesh)]
    shown = mesh.get_array().reshape(10, 10)
    off = ~np.eye(10, dtype=bool)
    np.testing.assert_allclose(shown[off], np.abs(STEP[:, None] - STEP)[off])
    # Cells reach halfway to the next step.
    np.testing.assert_allclose(mesh.get_coordinates()[0, :4, 0], [0, 0.5, 1.5, 3])
    [scale] = [part for part in strip.collections if isinstance(part, QuadMesh)]
    assert scale.norm.vmax == mesh.norm.vmax == 128
    assert strip.get_ylim() == curve.get_ylim()
    # The strip's colour at a distance is the matrix's.
    heights = scale.get_coordinates()[:, 0, 1]
    middle = (heights[1:] + heights[:-1]) / 2
    np.testing.assert_allclose(scale.get_array().ravel(), middle)
    line = next(one for one in curve.lines if len(one.get_xdata()) > 2)
    np.testing.assert_allclose(line.get_ydata(), line.get_xdata(), rtol=0.15)


def test_references_stand_where_they_are(found, spread, copies):
    figure = distances(found(distances=spread, permutations=copies))
    _, strip, curve = figure.axes
    for axes, each in ((strip, 2), (curve, 1)):
        flat = [line.get_ydata()[0] for line in axes.lines if len(line.get_xdata()) == 2]
        assert sorted(flat) == sorted([0.5, 200.0, 250.0, 300.0] * each)
        assert axes.get_ylim()[1] > 300
    written = texts(figure)
    for text in (
        "nearest single-layer copy 0.5",
        "typical copy 300",
        "twin 250",
        "twin, matched 200",
    ):
        assert text in written


def test_without_a_twin_the_caption_says_so(found, spread, copies):
    alone = found(distances=spread, permutations=replace(copies, twin=None, twin_matched=None))
    said = "No independently trained twin was given."
    assert caption(alone).endswith(said)
    assert said not in caption(found(distances=spread, permutations=copies))


@pytest.mark.parametrize("width", [3.25, 6.75])
def test_widths_and_a_linear_scale(found, spread, copies, width):
    figure = distances(
        found(distances=spread, permutations=copies), style=Style(width=width, log=False)
    )
    assert figure.get_figwidth() == pytest.approx(width)
    assert [axes.get_yscale() for axes in figure.axes[1:]] == ["linear", "linear"]
    assert figure.axes[1].get_ylim()[0] == 0


def test_its_caption_says_of_how_many_pairs_a_lag_is(found, spread):
    low, high = min(spread.by_lag.pairs), max(spread.by_lag.pairs)
    steps = len(spread.distances.step)
    assert sum(spread.by_lag.pairs) == steps * (steps - 1) // 2
    assert f"By lag: {low} to {high} pairs at each." in caption(found(distances=spread))


def test_predictions_are_compared_too(found, spread):
    step = np.array([0, 32, 128])
    differing = np.array([[0.0, 0.5, 0.9], [0.5, 0.0, 0.125], [0.9, 0.125, 0.0]])
    functions = Functions(step, differing, differing, differing, 40, "training")
    subject = found(distances=spread, functions=functions)
    said = (
        "share of the training samples that are predicted otherwise than by the last weights: "
        "90 % at step 0, 12 % at step 32"
    )
    assert said in " ".join(texts(distances(subject)))
    assert said[1:] in caption(subject)


def test_without_copies(found, spread):
    subject = found(distances=spread)
    figure = distances(subject)
    assert "copies and a twin: not measured" in " ".join(texts(figure))
    assert "up to 128," in caption(subject)


@pytest.mark.parametrize("log", [None, False])
def test_weights_that_never_moved(found, copies, log):
    still = Distances(STEP, np.zeros((len(STEP), len(STEP))))
    spread = WeightDistances(still, measured.by_lag(still))
    for known in ({}, {"permutations": copies}):
        figure = distances(found(distances=spread, **known), style=Style(log=log))
        [mesh] = [one for one in figure.axes[0].collections if isinstance(one, QuadMesh)]
        # A distance of zero stands at the scale's lower end, which a logarithm can't have at zero.
        assert (mesh.get_array() == mesh.norm.vmin).all()
        assert (mesh.norm.vmin == 0) == (log is False)

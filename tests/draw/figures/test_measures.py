from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from landscape import draw
from landscape.draw.elements import bands, raster
from landscape.draw.figures import explained_contour
from landscape.draw.look import scale
from landscape.errors import LandscapeError
from landscape.store.scans import sentences
from landscape.store.scans.attributes import MeasureInfo
from landscape.store.scans.records import Spread


def measured(base, **more):
    shape = base.measured.shape
    values = np.linspace(1, 50, base.measured.size).reshape(shape)
    further = {"gradient_norm": values, "sharpness": values - 20, "convexity": values / 100}
    return replace(base, measures={**base.measures, **further, **more})


@pytest.mark.parametrize(("kind", "size"), [("bowl", (9, 7)), ("line", (11,))])
def test_a_panel_for_every_further_measure(planted, kind, size):
    base = getattr(planted, kind)(*size)
    scan = measured(base)
    assert "measures" in draw.kinds(scan)
    assert "measures" not in draw.kinds(base)
    figure = draw.KINDS["measures"](scan)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == [
        "gradient norm",
        "sharpness λ_max",
        "|λ_min / λ_max|",
    ]


@pytest.mark.parametrize(("kind", "size"), [("bowl", (9, 7)), ("line", (11,))])
def test_terms_and_own_measures_have_panels(planted, kind, size):
    """By what a file says that they are, each on a scale of its own."""
    base = getattr(planted, kind)(*size)
    loss = base.measures["train_loss"]
    own = {"train_loss_wall": 1e-6 * loss, "train_word_error": 3 * loss, "score": loss - 100}
    scan = replace(
        base,
        measures={**base.measures, **own},
        attributes={
            "train_loss_wall": MeasureInfo("loss", "train", "", "wall"),
            "train_word_error": MeasureInfo("other", "train"),
            "score": MeasureInfo("other", unit="points"),
        },
    )
    figure = draw.measured(scan)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == [
        "score [points]",
        "wall",
        "training word error",
    ]
    assert any(
        "terms of the training loss, before their weights" in text.get_text()
        for text in figure.texts
    )
    assert scale.of(scan).low == scale.of(base).low
    assert scale.of_measure(scan, "train_loss_wall").low == 1e-6 * loss.min()
    assert "Training loss, wall: " in " ".join(sentences.describe(scan))


def test_holes_and_missing_measures(planted):
    values = np.full((9, 7), np.nan)
    values[2:5, 2:5] = 3
    scan = replace(planted.bowl(9, 7), measures={"train_loss": values, "sharpness": values})
    figure = draw.measured(scan)
    assert [a.get_title(loc="left") for a in figure.axes if a.get_title(loc="left")] == [
        "sharpness λ_max"
    ]


def test_nothing_to_draw(planted):
    with pytest.raises(LandscapeError) as caught:
        draw.measured(planted.bowl(5, 5))
    assert str(caught.value) == (
        "a measures figure needs gradient-norm, sharpness or convexity, or terms or measures of "
        "the problem's own, none was measured; "
        "scan with --measure"
    )


@pytest.mark.parametrize(("kind", "size"), [("bowl", (9, 7)), ("line", (11,))])
def test_a_scale_that_was_asked_for(planted, kind, size):
    scan = measured(getattr(planted, kind)(*size))
    scan = replace(scan, measures={**scan.measures, "sharpness": scan.measures["gradient_norm"]})

    def scales(**chosen):
        axes = draw.measured(scan, style=draw.Style(**chosen)).axes
        if kind == "line":
            return {one.get_yscale() for one in axes}
        return {one.get_xlabel() for one in axes if "scale" in one.get_xlabel()}

    log, linear = ("log", "linear") if kind == "line" else ("log scale", "linear scale")
    assert scales() == {log}
    assert scales(log=True) == {log}
    assert scales(log=False) == {linear}
    assert scales(cap=5.0) == {log}  # of losses: it cuts no curvature


@pytest.mark.parametrize(("kind", "size"), [("bowl", (9, 7)), ("line", (11,))])
def test_a_logarithmic_scale_needs_values_above_0(planted, kind, size):
    scan = measured(getattr(planted, kind)(*size))
    with pytest.raises(LandscapeError) as refused:
        draw.measured(scan, style=draw.Style(log=True))
    assert str(refused.value) == (
        "a logarithmic scale needs values above 0, the lowest sharpness λ_max is -19; "
        "take a linear one"
    )


def spread(scan, factors):
    losses = np.array(factors)[:, None] * scan.measures["train_loss"]
    return replace(
        scan,
        spread=Spread(
            np.arange(len(factors)),
            {"train_loss": losses},
            np.ones(losses.shape, bool),
            np.ones((len(factors), 1)),
        ),
    )


@pytest.mark.parametrize(
    ("factors", "ends"), [([3, 1, 2], (1, 3)), ([4, 2, 1, 3], (1, 4)), ([5, 4, 1, 2, 3], (2, 4))]
)
def test_a_few_directions_have_no_quartiles(planted, factors, ends):
    scan = spread(planted.line(11), factors)
    base = planted.line(11).measures["train_loss"]
    for found, factor in zip(bands.spread(scan, "train_loss"), ends, strict=True):
        np.testing.assert_allclose(found, factor * base)


def test_medians_and_quartiles_over_directions(planted):
    base = planted.line(11)
    scan = spread(base, [1, 2, 3, 4, np.inf])
    loss = base.measures["train_loss"]
    np.testing.assert_allclose(bands.median(scan).measures["train_loss"], 3 * loss)
    low, high = bands.spread(scan, "train_loss")
    np.testing.assert_allclose(low, 2 * loss)
    np.testing.assert_allclose(high, 4 * loss)
    assert bands.median(base) is base
    figure, single = draw.curve(scan), draw.curve(base)
    [band] = [found for found in figure.axes[0].collections if isinstance(found, PolyCollection)]
    assert not any(isinstance(found, PolyCollection) for found in single.axes[0].collections)
    [outline] = [path.vertices for path in band.get_paths()]
    corners = {(float(x), float(y)) for x, y in outline}
    assert {*zip(base.x, 2 * loss, strict=True), *zip(base.x, 4 * loss, strict=True)} == corners


def test_scans_that_are_compared_share_their_scale(planted):
    low, high = planted.bowl(7, 7), planted.bowl(7, 7)
    high = replace(high, measures={name: 3 * v for name, v in high.measures.items()}, paths=())
    shared = scale.of(low, like=[low, high])
    assert shared == scale.of(high, like=[low, high])
    assert shared.low == scale.of(low).low
    drawn = explained_contour.contour(high, like=[low, high]).axes[0].images[0].get_array()
    for colours, same in ((shared, True), (scale.of(high), False)):
        wanted = raster.of_scan(high, "train_loss", colours, explained_contour.PIXELS).picture()
        assert np.array_equal(drawn, wanted) == same


def test_runs_on_one_plane_are_named(planted):
    base = planted.bowl(7, 7)
    first = replace(base.paths[0], name="slow")
    second = replace(base.paths[0], name="fast", xy=-base.paths[0].xy)
    figure = draw.contour(replace(base, paths=(first, second)))
    texts = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"slow", "fast"} <= texts

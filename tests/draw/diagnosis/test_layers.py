from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from landscape.draw.diagnosis.layers import MOST, caption, layers
from landscape.draw.look.style import Style
from landscape.errors import LandscapeError
from landscape.store.measured.curvature import LayerCurvature

STEP = np.array([0, 200])


def part(tensors: int = 3, scale: float = 1.0) -> LayerCurvature:
    top = scale * (1.0 + np.arange(2 * tensors).reshape(2, tensors))
    return LayerCurvature(
        step=STEP,
        tensors=tuple(f"layer{k}.weight" for k in range(tensors)),
        sizes=np.full(tensors, 10),
        top=top,
        top_error=0 * top,
        trace=10 * top,
        trace_error=0.1 * top,
        norm=np.full_like(top, 2.0),
        whole=top.max(1) + scale,
        whole_error=np.zeros(2),
        samples=256,
        total=1437,
    )


def marks(axes, marker):
    return [list(line.get_xdata()) for line in axes.lines if line.get_marker() == marker]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def test_each_tensor_has_its_eigenvalue_and_its_scaled_one(found):
    figure = layers(found(curvature_by_layer=part()))
    [axes] = figure.axes
    assert marks(axes, "o") == [[1, 2, 3], [4, 5, 6]]
    assert marks(axes, "D") == [[4, 8, 12], [16, 20, 24]]
    dashed = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert dashed == [7.0]
    text = words(figure)
    assert "layer0.weight" in text
    assert "faint: at steps 0" in text
    assert "over 256 of 1,437 samples" in text


def test_of_many_tensors_the_sharpest_are_shown(found):
    figure = layers(found(curvature_by_layer=part(40)), style=Style(log=False))
    [axes] = figure.axes
    assert [len(values) for values in marks(axes, "o")] == [MOST, MOST]
    assert axes.get_xscale() == "linear"
    assert f"the {MOST} sharpest of 40 tensors" in words(figure)


def test_the_caption_names_the_sharpest(found):
    said = caption(found(curvature_by_layer=part()))
    assert "at step 200. Sharpest is layer2.weight, top eigenvalue 6 of the whole's 7" in said
    assert "most of the trace 150 is layer2.weight's, 60" in said


def test_without_curvature_there_is_nothing_to_draw(found):
    with pytest.raises(LandscapeError) as refused:
        layers(found(curvature_by_layer=part(scale=-1.0)))
    assert str(refused.value) == (
        "a figure of layers needs a curvature above 0, run high-lr has none"
    )
    with pytest.raises(LandscapeError) as refused:
        layers(found())
    assert str(refused.value) == (
        "the figure needs curvature-by-layer measured, run high-lr has none; measure it with "
        "`landscape diagnose RUN --only curvature-by-layer`"
    )

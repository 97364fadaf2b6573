"""Scans from other tools' files: no weights, no path, no units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from landscape import draw
from landscape.draw.look.style import Style
from landscape.store.scans import sentences

pytestmark = pytest.mark.filterwarnings("error")


def imported(scan):
    axes = len(scan.plane.directions)
    plane = replace(
        scan.plane,
        kind="imported",
        origin=np.empty(0, np.float32),
        directions=np.empty((axes, 0), np.float32),
        labels=("x direction", "y direction")[:axes],
        unit="unknown unit",
        normalization="unknown",
        ignored="unknown",
        origin_name="unknown",
        batchnorm="unknown",
    )
    return replace(
        scan,
        plane=plane,
        paths=(),
        points=(),
        constant_loss=float("nan"),
        run_id="",
        run_name="",
        samples={},
        provenance={"imported": "theirs.h5", "directions": "net_weights.h5"},
    )


def test_the_words(planted):
    scan = imported(planted.bowl(13, 11))
    assert sentences.axis(scan.plane, 1) == ("y direction", "(unknown unit)")
    assert sentences.skew(scan.plane) == ""
    assert sentences.small_print(scan) == [
        "origin: not in the imported file, nor are the directions"
    ]
    first, second = draw.caption(scan).split("\n\n")
    assert first == "Training loss on an imported plane (x: x direction; y: y direction)."
    assert second.startswith(
        "Mean loss on a plane along the directions of net_weights.h5, imported from theirs.h5: "
        "its weights are not in that file. Axes: x: x direction (unknown unit); "
        "y: y direction (unknown unit). Grid: 13 × 11 points,"
    )


def test_directions_that_left_buffers_out(planted):
    plane = replace(planted.bowl(5, 5).plane, kind="imported", ignored="2 buffers", labels=("", ""))
    assert sentences.scaling(plane) == "ignored of the directions: 2 buffers"
    assert sentences.scaling(replace(plane, ignored="none")) == ""


@pytest.mark.slow
@pytest.mark.parametrize("renderer", ["matplotlib", "pyvista"])
def test_the_surface(planted, renderer, request):
    if renderer == "pyvista":
        request.getfixturevalue("gl")
    style = Style(explain=True, dpi=80)
    figure = draw.surface(imported(planted.bowl(13, 11)), renderer=renderer, style=style)
    figure.canvas.draw()
    written = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "unknown unit" in written
    assert "in weight space" not in written


def test_the_contour(planted):
    figure = draw.contour(imported(planted.bowl(13, 11)))
    figure.canvas.draw()
    [panel] = [axes for axes in figure.axes if axes.images]
    for axes, label in (
        (panel.xaxis, "x direction"),
        (panel.yaxis, "y direction"),
    ):
        assert axes.get_label_text() == f"{label} (unknown unit)"
    written = {text.get_text() for text in figure.findobj(Text)}
    assert not any("in weight space" in text or "training step" in text for text in written)

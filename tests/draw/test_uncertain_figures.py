"""Uncertain losses in surfaces, curves, captions and the explorer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from landscape.draw import curve, surface
from landscape.draw.elements import uncertain
from landscape.draw.interactive import explorer_data, packing
from landscape.draw.look.style import Style
from landscape.store.scans import sentences
from landscape.store.scans.certificates import Certificate

from . import planted


@pytest.fixture
def near():
    """A plane of which every second point is interpolated, a column of them badly."""
    scan = planted.bowl(15, 15)
    measured = np.indices(scan.measured.shape).sum(0) % 2 == 0
    loss = scan.measures["train_loss"]
    errors = np.where(measured, 0.0, 0.001 * loss)
    errors[3] = np.where(measured[3], 0.0, 0.5 * loss[3])
    nothing = Certificate(0.01, 1, np.empty((0, 2)), {}, {})
    return replace(
        scan,
        measured=measured,
        errors={"train_loss": errors},
        tolerance=0.01,
        certificate=nothing,
    )


@pytest.mark.slow
def test_a_surface_has_dots_where_they_are_seen(near):
    figure = surface(near, renderer="matplotlib", style=Style(explain=True, dpi=80))
    dots = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "."]
    assert dots
    count = int(near.uncertain.sum())
    assert all(0 < len(line.get_xdata()) <= count for line in dots)
    exact = replace(near, errors={}, measured=np.ones_like(near.measured))
    plain = surface(exact, renderer="matplotlib", style=Style(explain=True, dpi=80))
    assert not [line for axes in plain.axes for line in axes.lines if line.get_marker() == "."]


@pytest.fixture
def few():
    scan = planted.line()
    errors = {name: 0.1 * values for name, values in scan.measures.items()}
    return replace(scan, errors=errors)


def test_a_line_s_band_is_two_standard_errors(few):
    loss = few.measures["train_loss"]
    low, high = uncertain.band(few, "train_loss")
    finite = np.isfinite(loss)
    np.testing.assert_allclose(low[finite], 0.8 * loss[finite])
    np.testing.assert_allclose(high[finite], 1.2 * loss[finite])
    [note] = sentences.bands(few)
    assert note == "bands: two standard errors of the mean over the samples"
    upper = curve(few).axes[0]
    assert [one for one in upper.collections if isinstance(one, PolyCollection)]
    plain = curve(replace(few, errors={})).axes[0]
    assert not [one for one in plain.collections if isinstance(one, PolyCollection)]


def test_the_explorer_knows_each_value_s_error(near):
    found = {one["name"]: one for one in explorer_data.scan_values(near)["measures"]}
    errors = packing.unpacked(found["train_loss"]["error"])
    np.testing.assert_allclose(errors, near.errors["train_loss"].ravel(), rtol=1e-6)
    assert explorer_data.scan_values(planted.bowl(9, 9))["measures"][0]["error"] is None

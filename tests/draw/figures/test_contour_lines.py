from __future__ import annotations

from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from matplotlib.contour import QuadContourSet

from landscape import draw, plane, scan
from landscape.draw.figures import contour_lines
from landscape.problem import builtin
from landscape.sgd import Recorder, Settings, steps
from landscape.store.scans import scanfile
from landscape.store.scans.records import Scan


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """Scan a small trained network's plane, and read the scan's file."""
    problem, settings = builtin("mlp", "moons", width=8), Settings(lr=0.3, epochs=2)
    folder = tmp_path_factory.mktemp("scanned")
    with Recorder(folder / "run", problem, settings) as recorder:
        for step in steps(problem, settings):
            recorder.record(step)
    where = plane.random(recorder.run.trajectory)

    def make(**options) -> Scan:
        scanfile.save(folder / "scan.h5", scan.grid(problem, where, **options))
        return scanfile.load(folder / "scan.h5")

    return make


@pytest.fixture(scope="module")
def sampled(scanned) -> Scan:
    return scanned(size=15, samples=40, tolerance=0)


def error_at(read: Scan, level: float) -> float:
    """The median error of the tenth of the points whose losses are nearest to a level."""
    losses, errors = (kept["train_loss"].ravel() for kept in (read.measures, read.errors))
    nearest = sorted(range(len(losses)), key=lambda k: abs(losses[k] - level))[: len(losses) // 10]
    return median(float(errors[k]) for k in nearest)


def test_no_lines_finer_than_two_standard_errors_of_the_samples(sampled):
    assert (sampled.errors["train_loss"] > 0).all()
    low = float(np.quantile(sampled.measures["train_loss"], 0.3))
    # By so much the second level would have to be higher than the first.
    gap = 2 * error_at(sampled, low)
    close, far = low + 0.5 * gap, low + 3 * gap
    assert far - close >= 2 * error_at(sampled, far)
    kept = contour_lines.resolvable(sampled, "train_loss", np.array([low, close, far]))
    assert kept.tolist() == [low, far]
    exact = replace(sampled, errors={})
    every = contour_lines.resolvable(exact, "train_loss", np.array([low, close, far]))
    assert every.tolist() == [low, close, far]


def test_the_figure_leaves_them_out(sampled):
    def levels(shown: Scan) -> list[float]:
        drawn = [
            [float(level) for level in found.levels]
            for axes in draw.contour(shown, style=draw.Style(levels=60)).axes
            for found in axes.collections
            if isinstance(found, QuadContourSet) and not found.filled
        ]
        return max(drawn, key=len)

    every, kept = levels(replace(sampled, errors={})), levels(sampled)
    assert set(kept) < set(every)
    assert len(kept) < len(every) / 2


def test_an_interpolated_loss_has_half_its_error_as_its_standard_error(scanned):
    read = scanned(size=21, tolerance=0.3)
    assert read.measured.mean() < 0.5
    low = float(np.median(read.measures["train_loss"]))
    far = [low + share * error_at(read, low) for share in np.linspace(0.1, 4, 40)]
    # Two of half the error; neither the whole of it nor nothing would tell these apart.
    above = next(level for level in far if 1.1 < (level - low) / error_at(read, level) < 1.9)
    below = next(level for level in far if 0.5 < (level - low) / error_at(read, level) < 0.9)
    for level, kept in ((above, [low, above]), (below, [low])):
        found = contour_lines.resolvable(read, "train_loss", np.array([low, level]))
        assert found.tolist() == kept

"""What runs of different problems have not to be compared by, and figures that know too little."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from landscape.store import analysis
from landscape.store.run import Run
from landscape.store.summary import difference, figures_before_curvature

SAME = {"data": "d1", "layout": "l1", "kind": "file", "function": "blobs"}


def run(**changed: str | None) -> Run:
    return Run(Path("run"), {"problem": {**SAME, **changed}})


@pytest.mark.parametrize(
    ("changed", "begins"),
    [
        ({}, ""),
        ({"data": None}, ""),  # not known is not different
        ({"data": "d2"}, "Different problems: their data differ. Losses, widths, curvature, "),
        ({"data": "d2", "layout": "l2"}, "Different problems: their data differ. "),
        ({"layout": "l2"}, "Different networks on the same data: widths, curvature and barriers "),
        ({"function": "rings"}, "Problems that different functions make, of the same data and "),
    ],
)
def test_the_gravest_difference(changed, begins):
    found = difference([run(), run(), run(**changed)])
    assert found.startswith(begins)
    assert bool(found) == bool(begins)


@pytest.mark.parametrize(
    ("part", "drawn", "old"),
    [
        ("curvature", -60, ["across-0.5"]),
        ("sharpness", -60, ["across-0.5"]),
        ("curvature", 60, []),
        ("units", -60, []),
    ],
)
def test_valleys_drawn_before_curvature_was_measured(tmp_path, part, drawn, old):
    analysis.save(tmp_path, analysis.StoredPart(part, "", 1.0, {"step": 3}))
    for folder, names in (
        ("scans", ("across-0.5.h5", "undrawn.h5", "plane.h5")),
        (
            "figures",
            ("across-0.5-valley.png", "across-0.5-valley.caption.txt", "plane-contour.png"),
        ),
    ):
        (tmp_path / folder).mkdir()
        for name in names:
            file = tmp_path / folder / name
            file.touch()
            os.utime(file, (time.time() + drawn,) * 2)
    assert figures_before_curvature(Run(tmp_path, {})) == old


def test_nothing_is_said_of_figures_without_a_diagnosis(tmp_path):
    assert figures_before_curvature(Run(tmp_path, {})) == []

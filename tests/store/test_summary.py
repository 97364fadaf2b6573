"""What runs of different problems have not to be compared by."""

from __future__ import annotations

from pathlib import Path

import pytest

from landscape.store.run import Run
from landscape.store.summary import difference

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

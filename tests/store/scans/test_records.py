from __future__ import annotations

import numpy as np
import pytest

from landscape.store.scans import records
from landscape.store.scans.records import Plane


@pytest.mark.parametrize("block", [2, 3, 100])
def test_the_angle_is_that_of_all_columns(monkeypatch, block):
    monkeypatch.setattr(records, "BLOCK", block)
    u, v = np.random.default_rng(0).standard_normal((2, 7)).astype(np.float32)
    plane = Plane("mine", u, np.stack([u, v]), ("u", "v"), "")
    expected = np.corrcoef(np.append(u, -u), np.append(v, -v))[0, 1]  # of mean zero: the cosine
    assert plane.cosine == pytest.approx(expected, rel=1e-6)

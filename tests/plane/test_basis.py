"""Products and distances block by block, against NumPy on the whole."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.plane import basis


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_products_and_distances(monkeypatch, block):
    monkeypatch.setattr(basis, "BLOCK", block)
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal(50), generator.standard_normal(50).astype(np.float32)
    assert basis.product(one, other) == pytest.approx(one @ other.astype(float), rel=1e-13)
    assert basis.distance(one, other) == pytest.approx(np.linalg.norm(one - other), rel=1e-13)

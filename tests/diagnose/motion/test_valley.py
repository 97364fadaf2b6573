from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.curvature.density import Count, count_below
from landscape.diagnose.motion import naming
from landscape.diagnose.motion.valley import is_resolved, spectrum_of
from landscape.diagnose.thresholds import Thresholds
from landscape.store.measured.curvature import Density

from .. import planted_motions as planted

changed = planted.changed

LIMITS = Thresholds()


@pytest.fixture(scope="module")
def walk():
    return planted.evidence(planted.walk(0.0), count=1)[0]


def exact(eigenvalues: np.ndarray, samples: int = 256) -> Density:
    """Of two probes whose iteration ran to its end: each eigenvalue a node of the same weight."""
    nodes = np.tile(eigenvalues, (2, 1))
    weights = np.full_like(nodes, 1 / len(eigenvalues))
    return Density(nodes, weights, len(eigenvalues), samples=samples, total=256)


def test_the_valleys_dimension_is_read_off_the_spectrum(walk):
    # #{λ < c} = 1000 c^¼ for eigenvalues (k/1000)⁴.
    eigenvalues = (np.arange(1, 1001) / 1000) ** 4
    found = naming.name_motion(changed(walk, density=exact(eigenvalues)), LIMITS)
    assert found.dimension == pytest.approx(1000 * found.bound**0.25, rel=0.05)
    item = found.items["valley_dimension"]
    assert item.value == found.dimension
    assert "samples" not in item.meaning
    for outside in (1e9, 1e-9):
        density = exact(eigenvalues * outside)
        assert naming.name_motion(changed(walk, density=density), LIMITS).dimension is None


def test_without_a_positive_eigenvalue_there_is_no_valley(walk):
    found = naming.name_motion(changed(walk, density=exact(-np.ones(3))), LIMITS)
    assert found.name == "wandering-in-valley"
    assert "valley_dimension" not in found.items


def test_a_valley_whose_limits_lie_far_apart_has_no_dimension(walk):
    # One node below the bound and one above, of weights ½: any of the eigenvalues may be either.
    nodes = np.array([[1e-9, 1.0], [1e-9, 1.0]])
    density = Density(nodes, np.array([[0.6, 0.4], [0.4, 0.6]]), 1000, samples=64, total=256)
    found = naming.name_motion(changed(walk, density=density), LIMITS)
    item = found.items["valley_dimension"]
    assert (found.dimension, item.value) == (None, "undetermined")
    assert "500 ± 100 over probes, 1 to 999 whatever lies between the nodes" in item.meaning
    assert item.meaning.endswith("over 64 of 256 samples, which makes more of it flat")


@pytest.mark.parametrize(
    ("error", "lower", "upper", "is_known"),
    [
        *((0.0, 90.0, 110.0, True), (0.0, 40.0, 100.0, False)),
        *((30.0, 90.0, 110.0, False), (60.0, 100.0, 100.0, False)),
        *((0.0, 1.0, 1.0, True), (0.0, 0.0, 0.0, False)),
    ],
)
def test_a_count_is_known_within_a_factor_of_two(error, lower, upper, is_known):
    assert is_resolved(Count(100.0, error, lower, upper)) is is_known


def test_the_spectrum_keeps_the_limits_of_its_counts():
    nodes = np.array([[0.01, 0.5, 4.0], [0.02, 0.7, 5.0]])
    weights = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]])
    density = Density(nodes, weights, 1000, samples=64, total=256)
    found = spectrum_of(density)
    counted = found.count(float(found.curvature[-4]))
    assert counted == count_below(density, float(found.curvature[-4]))
    assert counted.lower < counted.value < counted.upper
    assert found.count(6.0) is None
    assert found.count(5.0) == count_below(density, 5.0)
    for without in (-nodes, 0.0 * nodes):
        assert spectrum_of(replace(density, nodes=without)) is None

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from landscape.diagnose import motion
from landscape.diagnose.evidence import Spectrum
from landscape.diagnose.thresholds import Thresholds

spec = importlib.util.spec_from_file_location(
    "planted_motions", Path(__file__).with_name("planted_motions.py")
)
planted = importlib.util.module_from_spec(spec)
spec.loader.exec_module(planted)

LIMITS = Thresholds()


@pytest.fixture(scope="module")
def walk():
    return planted.evidence(planted.walk(0.0), count=1)[0]


def test_the_valleys_dimension_is_read_off_the_spectrum(walk):
    curvature = np.geomspace(1e-6, 1.0, 50)
    below = 1000 * curvature**0.25
    spectrum = Spectrum(curvature, below, 0 * below, 0.9 * below, 1.1 * below, 256, 256)
    found = motion.decide(replace(walk, spectrum=spectrum), LIMITS)
    assert found.dimension == pytest.approx(1000 * found.bound**0.25, rel=0.02)
    item = found.items["valley_dimension"]
    assert item.value == found.dimension
    assert "samples" not in item.meaning
    outside = replace(spectrum, curvature=curvature * 1e9)
    assert motion.decide(replace(walk, spectrum=outside), LIMITS).dimension is None


@pytest.mark.parametrize(
    ("error", "lower", "upper"), [(0.0, 0.4, 1.0), (0.3, 0.9, 1.1), (0.6, 1.0, 1.0)]
)
def test_a_valley_whose_limits_lie_far_apart_has_no_dimension(walk, error, lower, upper):
    curvature, ones = np.geomspace(1e-6, 1.0, 50), np.full(50, 100.0)
    spectrum = Spectrum(
        curvature, ones, error * ones, lower * ones, upper * ones, samples=64, total=256
    )
    found = motion.decide(replace(walk, spectrum=spectrum), LIMITS)
    item = found.items["valley_dimension"]
    assert (found.dimension, item.value) == (None, "undetermined")
    assert f"100 ± {100 * error:.0f} over probes" in item.meaning
    assert item.meaning.endswith("over 64 of 256 samples, which makes more of it flat")

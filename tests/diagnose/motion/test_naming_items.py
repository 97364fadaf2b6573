from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landscape.diagnose.evidence import Evidence
from landscape.diagnose.motion import diffusion, distances
from landscape.diagnose.motion.naming import number_items
from landscape.diagnose.thresholds import Thresholds
from landscape.diagnose.verdict.verdict import judge
from landscape.store.measured.weights import Submovement

from .. import planted_motions as planted


@pytest.fixture(scope="module")
def walk() -> Evidence:
    return planted.evidence(planted.walk(0.0), count=1)[0]


def test_aging_of_a_walk_whose_steps_shrink(walk):
    shrinking = 1 / np.sqrt(1 + np.arange(512) / 64)
    moves = np.random.default_rng(0).standard_normal((512, 4000)) * shrinking[:, None]
    w = np.concatenate([np.zeros((1, 4000)), np.cumsum(moves, axis=0)])
    moved = diffusion.measure(distances.between(w))
    found = number_items(walk, moved, Thresholds())["aging"]
    lag = int(found.meaning.split()[2])
    assert lag == 64
    squares = np.convolve(shrinking**2, np.ones(lag), "valid")
    expected = squares[384:512].mean() / squares[:128].mean()
    assert found.value == pytest.approx(expected, rel=0.05)
    steady = number_items(walk, walk.measured.diffusion, Thresholds())["aging"]
    assert steady.value == pytest.approx(1, abs=0.2)


def test_the_samples_behind_the_sharp_directions_are_said(walk):
    some = Submovement(5, 0.25, -0.5, 1.0, 0.0, samples=2048, total=60_000)
    moved = replace(walk.measured.diffusion, parts={"subspace": some})
    found = number_items(walk, moved, Thresholds())["part_subspace"]
    assert found.value == 0.25
    assert found.meaning == (
        "share of MSD(T/2) in the top 5 Hessian directions; c½ -0.5, R 1; "
        "the Hessian over 2048 of 60000 samples"
    )
    whole = replace(some, samples=1437, total=1437)
    found = number_items(walk, replace(moved, parts={"subspace": whole}), Thresholds())
    assert "samples" not in found["part_subspace"].meaning


@pytest.mark.parametrize(
    ("world", "expected", "tolerance"),
    [("confined", 1.0, 0.1), ("walk", 0.5, 0.15), ("drift", 0.25, 0.02)],
)
def test_the_variance_of_the_last_half_is_among_the_evidence(world, expected, tolerance):
    found = planted.evidence(getattr(planted, world)(0.0), count=5)
    told = [judge(each).evidence["variance_ratio"] for each in found]
    assert np.mean([each.value for each in told]) == pytest.approx(expected, rel=tolerance)
    assert [each.value for each in told] == [
        each.measured.diffusion.variance_ratio for each in found
    ]
    assert all(each.threshold is None for each in told)
    assert told[0].meaning.endswith("1 confined, ½ a walk, ¼ a drift")
